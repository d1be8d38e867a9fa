"""Several runs of one model on different data: one formula for all, with numbers of its own in each.

The terms that all libraries have are searched together: a support is refitted in every run by itself, and its description length
is the sum over the runs, the formula said once. Afterwards each number is compared between the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

from hybridode.declarations import Declarations
from hybridode.discover.discovery import Begun, Discovery, begun, candidate, concluded, inclusions
from hybridode.discover.refitted import Candidate
from hybridode.discover.rivals import network_candidate
from hybridode.discover.search import search
from hybridode.discover.slots import Slot
from hybridode.discover.verdict import sentences_of, verdict_of
from hybridode.discover.whole import Refit, Support, Whole
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.progress import Progress, Recorder

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

_DIFFERENT = 0.01  # p value below which the runs are said to differ in a number


@dataclass(frozen=True, eq=False)
class JointRefit(Refit):
    """A support in all runs; `parts` are its refits, in their order."""

    parts: tuple[Refit, ...] = ()


@dataclass(eq=False)
class Together:
    """The whole models of all runs, searched as one."""

    parts: tuple[Whole, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return self.parts[0].slots

    @property
    def owners(self) -> tuple[int, ...]:
        return self.parts[0].owners

    @property
    def early(self) -> str:
        return next((w.early for w in self.parts if w.early), "")

    def start(self, coefficients: Mapping[int, float]) -> list[np.ndarray]:
        return [w.start(coefficients) for w in self.parts]

    def moved(self, refit: JointRefit, support: Support) -> list[np.ndarray]:
        return [w.moved(r, support) for w, r in zip(self.parts, refit.parts, strict=True)]

    def refit(self, starts: Sequence[tuple[Support, list[np.ndarray]]]) -> list[JointRefit]:
        """Every support in every run."""
        rows = [w.refit([(s, thetas[k]) for s, thetas in starts]) for k, w in enumerate(self.parts)]
        by_support = [{r.support: r for r in row} for row in rows]
        return [self._joined(s, tuple(found[s] for found in by_support)) for s, _ in starts if all(s in f for f in by_support)]

    def _joined(self, support: Support, parts: tuple[Refit, ...]) -> JointRefit:
        said = self.parts[0].structure(support)
        dl = sum(r.dl - said for r in parts) + said
        failed = next((r.failed for r in parts if r.failed), "")
        empty = np.zeros(0)
        return JointRefit(support, empty, sum(r.value for r in parts), empty, np.zeros((0, 0)), dl, failed, parts)

    def worth(self, refit: JointRefit) -> dict[int, float]:
        rows = [w.worth(r) for w, r in zip(self.parts, refit.parts, strict=True)]
        return {i: float(np.sqrt(sum(row[i] ** 2 for row in rows))) for i in refit.support}

    def gains(self, refit: JointRefit) -> dict[int, float]:
        rows = [w.gains(r) for w, r in zip(self.parts, refit.parts, strict=True)]
        return {i: sum(row[i] for row in rows) for i in rows[0]}


def discover_together(
    runs: Sequence[tuple[FitRun, Declarations]],
    *,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    max_seconds: float | None = None,
) -> list[Discovery]:
    """A discovery of each run, all of one formula. Sparse sums of terms only.

    Raises UsageError as `begun` does, and E0799 when the runs are not of one model."""
    import time

    recorder = Recorder(progress, max_seconds, began=time.perf_counter())
    all_begun = _of_one_library([begun(run, d, seed, recorder) for run, d in runs])
    together = Together(tuple(b.whole() for b in all_begun))
    proposed = [[p for b in all_begun for p in b.proposals()[k]] for k in range(len(together.slots))]
    fits: Any = [f for f in search(together, proposed) if not f.failed]
    networks = [network_candidate(b.run, b.slots) for b in all_begun]
    rows = [_candidates(w, [f.parts[k] for f in fits]) for k, w in enumerate(together.parts)]
    physics = next((k for k, f in enumerate(fits) if not f.support), None)
    order = [k for k in range(len(fits)) if k != physics]
    summed = [_summed([row[k] for row in rows], fits[k].dl) for k in range(len(fits))]
    network = _summed(networks, sum(n.dl for n in networks))
    nothing = None if physics is None else summed[physics]
    verdict = verdict_of(summed[order[0]] if order else None, nothing, network)
    said = sentences_of(verdict, [summed[k] for k in order], nothing, network)
    agreement = _agreement(together, fits[order[0]]) if order and verdict == "formula" else ()
    found = []
    for k, b in enumerate(all_begun):
        terms = inclusions(b, together.parts[k], [replace(f.parts[k], dl=f.dl) for f in fits])
        own = None if physics is None else rows[k][physics]
        about = (*said, *agreement, f"Found in {len(all_begun)} runs together; formulas show the numbers of the first.")
        found.append(concluded(b, [rows[k][i] for i in order], own, networks[k], terms, together.early, verdict, about))
    return found


def _of_one_library(all_begun: Sequence[Begun]) -> list[Begun]:
    """With the terms that all have."""
    first = all_begun[0]
    for b in all_begun[1:]:
        if [(s.title, s.arguments) for s in b.slots] != [(s.title, s.arguments) for s in first.slots]:
            message = "these runs are not of one model: what their networks depend on differs"
            raise UsageError(Diagnostic("E0799", message, hint="fit one model to each data set, then discover from all runs"))
    common = [set.intersection(*({t.times("k") for t in b.libraries[k]} for b in all_begun)) for k in range(len(first.slots))]
    keep = lambda b: tuple(tuple(t for t in lib if t.times("k") in common[k]) for k, lib in enumerate(b.libraries))  # noqa: E731
    return [replace(b, libraries=keep(b)) for b in all_begun]


def _candidates(whole: Whole, refits: Sequence[Refit]) -> list[Candidate]:
    return [candidate(whole, r, "search in the whole models") for r in refits]


def _summed(parts: Sequence[Candidate], dl: float) -> Candidate:
    """All runs as one candidate; formulas as the first run has them."""
    return replace(parts[0], value=sum(c.value for c in parts), numbers=sum(c.numbers for c in parts), dl=dl)


def _agreement(together: Together, refit: JointRefit) -> tuple[str, ...]:
    """For each number whether the runs agree on it (Cochran's test), and its mean weighted by precision."""
    found = []
    for i in sorted(refit.support):
        values = np.array([w.coefficients(r)[i] for w, r in zip(together.parts, refit.parts, strict=True)])
        errors = np.array([w.errors(r)[i] for w, r in zip(together.parts, refit.parts, strict=True)])
        weights = 1 / np.maximum(errors, 1e-300) ** 2
        mean = float(np.sum(weights * values) / np.sum(weights))
        p = float(chi2.sf(np.sum(weights * (values - mean) ** 2), len(values) - 1))
        name = together.parts[0].names[i]
        if p < _DIFFERENT:
            each = ", ".join(f"{v:.4g}" for v in values)
            found.append(f"The runs differ in `{name}`: {each} (p = {max(p, 1e-99):.1g}).")
        else:
            found.append(f"The runs agree on `{name}` = {mean:.4g} ± {1.96 / np.sqrt(np.sum(weights)):.2g} (p = {p:.2g}).")
    return tuple(found)
