"""Several runs of one model on different data: one formula for all, and the model that they share.

The terms that all libraries have are searched together: a support is refitted in every run by itself, and its description length
is the sum over the runs, the formula said once. Laws with a name are tried in the same way. Afterwards each number is compared
between the runs, and those that they have in common are fitted together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

from hybridode.declarations import Declarations
from hybridode.discover.begun import Begun, begun
from hybridode.discover.discovery import Discovery, candidate, concluded, inclusions
from hybridode.discover.laws import Joint, joint, laws, solved
from hybridode.discover.rivals import network_candidate
from hybridode.discover.search import search
from hybridode.discover.shared import shared_model
from hybridode.discover.slots import Slot
from hybridode.discover.verdict import preferred, sentences_of, verdict_of
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
    labels: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    max_seconds: float | None = None,
) -> list[Discovery]:
    """A discovery of each run, all of one formula, and the model that they share, by `labels` of the runs.

    Raises UsageError as `begun` does, and E0799 when the runs are not of one model."""
    recorder = Recorder(progress, max_seconds, began=time.perf_counter())
    all_begun = _of_one_library([begun(run, d, seed, recorder) for run, d in runs])
    together = Together(tuple(b.whole() for b in all_begun))
    proposed = [[p for b in all_begun for p in b.proposals()[k]] for k in range(len(together.slots))]
    fits: Any = [f for f in search(together, proposed) if not f.failed]
    sparse = [_joint(together, fit) for fit in fits]
    networks = joint([network_candidate(b.run, b.slots) for b in all_begun])
    physics = next((c for c in sparse if not any(f.numbers for f in c.formulas.values())), None)
    formulas, early = [c for c in sparse if c is not physics], together.early
    if not early:
        found, early = laws(all_begun, formulas, networks)
        formulas += found
    ranked, failed = preferred(solved(formulas)), tuple(c for c in formulas if c.failed)
    verdict = verdict_of(ranked[0] if ranked else None, physics, networks)
    said = sentences_of(verdict, ranked, physics, networks)
    about = f"Found in {len(all_begun)} runs together; formulas show the numbers of the first."
    names = labels or [str(k) for k in range(1, len(runs) + 1)]
    single = []
    for k, b in enumerate(all_begun):
        terms = inclusions(b, together.parts[k], [replace(f.parts[k], dl=f.dl) for f in fits])
        own = None if physics is None else physics.parts[k]
        one = concluded(b, [c.parts[k] for c in ranked], own, networks.parts[k], terms, early, verdict, (*said, about))
        single.append(replace(one, failed=failed))
    return _compared([b.run for b in all_begun], single, names, recorder)


def _joint(together: Together, fit: JointRefit) -> Joint:
    how = "search in the whole models"
    found = joint([candidate(w, r, how) for w, r in zip(together.parts, fit.parts, strict=True)])
    return replace(found, dl=fit.dl)


def _compared(runs: Sequence[FitRun], single: Sequence[Discovery], labels: Sequence[str], recorder: Recorder) -> list[Discovery]:
    """With what the runs agree on, and the model that they share."""
    fits = [d.fit for d in single if d.fit is not None]
    if len(fits) < len(single) or any(f.status == "failed" or f.finished is None for f in fits):
        return list(single)
    shared, about = shared_model(runs, fits, labels, recorder.listener)
    winner = single[0].winner
    assert winner is not None, "there are fits of it"
    names = [n.name for f in winner.formulas.values() for n in f.numbers]
    sentences = (*single[0].sentences, *_agreement(fits, names), *about)
    return [replace(d, sentences=sentences, shared=shared) for d in single]


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


def _agreement(fits: Sequence[FitRun], names: Sequence[str]) -> tuple[str, ...]:
    """For each number whether the runs agree on it (Cochran's test), and its mean weighted by precision."""
    found = []
    for name in names:
        entries = [fit.result["parameters"][name] for fit in fits]
        values = np.array([e["value"] for e in entries], float)
        errors = np.array([e["se"] or np.nan for e in entries], float)
        if not np.all(np.isfinite(errors)):
            found.append(f"Whether the runs agree on `{name}` is not known: it has no standard error in every run.")
            continue
        weights = 1 / np.maximum(errors, 1e-300) ** 2
        mean = float(np.sum(weights * values) / np.sum(weights))
        p = float(chi2.sf(np.sum(weights * (values - mean) ** 2), len(values) - 1))
        if p < _DIFFERENT:
            each = ", ".join(f"{v:.4g}" for v in values)
            found.append(f"The runs differ in `{name}`: {each} (p = {max(p, 1e-99):.1g}).")
        else:
            found.append(f"The runs agree on `{name}` = {mean:.4g} ± {1.96 / np.sqrt(np.sum(weights)):.2g} (p = {p:.2g}).")
    return tuple(found)
