"""`discover`: which formula the data support in the place of the networks of a fitted model. The stages stand in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.declarations import Declarations
from hybridode.discover.begun import Begun, begun
from hybridode.discover.intervals import Interval, profile_intervals
from hybridode.discover.laws import joint, laws, solved
from hybridode.discover.library import Term
from hybridode.discover.refitted import Candidate, whole_fit
from hybridode.discover.regression import Proposal, inclusion
from hybridode.discover.rivals import network_candidate
from hybridode.discover.samples import Samples
from hybridode.discover.search import search
from hybridode.discover.slots import Slot
from hybridode.discover.symbolic import check_pysr
from hybridode.discover.verdict import preferred, sentences_of, verdict_of
from hybridode.discover.whole import Refit, Whole
from hybridode.fit.progress import Progress, Recorder

if TYPE_CHECKING:
    from hybridode.discover.shared import Shared
    from hybridode.fit.run import FitRun

SHOWN = 12  # candidates of the table


@dataclass(frozen=True, eq=False)
class Discovery:
    """What was found. `candidates` by rank, the physics alone and the network among them as `physics` and `network`; `winner`:
    the best formula, None where there is none; `supported`: it is shorter than the network and the physics alone; `fit`: the
    model with the winner in it, fitted; `terms`: of each slot its library with inclusion probabilities; `early`: why it ended
    early."""

    slots: tuple[Slot, ...]
    samples: Mapping[str, Samples]
    candidates: tuple[Candidate, ...]
    physics: Candidate | None
    network: Candidate
    winner: Candidate | None
    verdict: str  # "formula", "physics", "network"
    sentences: tuple[str, ...]
    terms: tuple[Inclusion, ...]
    fit: FitRun | None
    seed: int
    records: int
    hold_outs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # model -> rmse and log_score
    early: str = ""
    failed: tuple[Candidate, ...] = ()  # whose refit failed, which says why
    shared: Shared | None = None  # the model of several runs together
    intervals: Mapping[str, Interval] = field(default_factory=dict)  # 95 %, of the formulas' numbers, by profile likelihood

    def __repr__(self) -> str:
        return "\n".join(self.sentences)


@dataclass(frozen=True, eq=False)
class Inclusion:
    """A term of a slot's library: how often STLSQ keeps it over bootstrap samples of the learnt term, and its weight in the whole
    model, the share of exp(-DL) of the refitted supports that have it."""

    slot: Slot
    term: Term
    regression: float
    whole: float


def discover(
    run: FitRun,
    declarations: Declarations,
    *,
    seed: int = 0,
    symbolic: bool = False,
    progress: Callable[[Progress], None] | None = None,
    max_seconds: float | None = None,
) -> Discovery:
    """Looks for formulas. `declarations`: of the fitted model's text (`fitted.ode`), into which formulas are written. `symbolic`:
    PySR proposes formulas too. Ctrl-C and max_seconds end the search; what was ranked until then is kept.

    Raises UsageError E0795 to E0797 (see `begun`), E0798 (no PySR)."""
    if symbolic:
        check_pysr()
    b = begun(run, declarations, seed, Recorder(progress, max_seconds, began=time.perf_counter()))
    proposed, whole = b.proposals(), b.whole()
    fits = search(whole, proposed)
    sparse = [joint([candidate(whole, refit, _how(whole, refit, proposed))]) for refit in fits if not refit.failed]
    network = network_candidate(run, b.slots)
    physics = next((c for c in sparse if not any(f.numbers for f in c.formulas.values())), None)
    formulas, early = [c for c in sparse if c is not physics], whole.early
    if not early:
        found, early = laws([b], formulas, network, symbolic)
        formulas += found
    ranked, failed = preferred(solved(formulas)), tuple(c for c in formulas if c.failed)
    return replace(concluded(b, ranked, physics, network, inclusions(b, whole, fits), early), failed=failed)


# ---- candidates -----------------------------------------------------------------------------------------------------------
def candidate(whole: Whole, refit: Refit, how: str) -> Candidate:
    """A refitted support as a candidate."""
    errors = {whole.names[i]: e for i, e in whole.errors(refit).items()}
    numbers = len(whole.others) + len(refit.support)
    return Candidate(whole.formulas(refit), refit.value, numbers, refit.dl, how, errors)


def _how(whole: Whole, refit: Refit, proposed: Sequence[Sequence[Proposal]]) -> str:
    """Which regression proposed all parts of a support; else the search in the whole model did."""
    methods = []
    for k, mine in enumerate(proposed):
        offset = whole.owners.index(k) if k in whole.owners else 0
        part = tuple(sorted(i - offset for i in refit.support if whole.owners[i] == k))
        methods.append(next((p.method for p in mine if p.support == part), ""))
    return " and ".join(dict.fromkeys(methods)) if all(methods) else "search in the whole model"


def inclusions(b: Begun, whole: Whole, fits: Sequence[Refit]) -> tuple[Inclusion, ...]:
    """How sure each term is."""
    good = [f for f in fits if not f.failed]
    if not good:
        return ()
    dl = np.array([f.dl for f in good])
    share = np.exp(dl.min() - dl)
    share /= share.sum()
    weights = [float(sum(w for w, f in zip(share, good, strict=True) if i in f.support)) for i in range(len(whole.terms))]
    found: list[Inclusion] = []
    for k, slot in enumerate(whole.slots):
        mine = [i for i, owner in enumerate(whole.owners) if owner == k]
        size = len(good[0].support.intersection(mine))
        often = inclusion([whole.terms[i] for i in mine], b.samples[slot.network.name], slot.output, size, b.seed)
        found += [Inclusion(slot, whole.terms[i], float(p), weights[i]) for i, p in zip(mine, often, strict=True)]
    return tuple(found)


# ---- the verdict ----------------------------------------------------------------------------------------------------------
def concluded(
    b: Begun,
    ranked: Sequence[Candidate],
    physics: Candidate | None,
    network: Candidate,
    terms: tuple[Inclusion, ...],
    early: str,
    verdict: str = "",
    sentences: tuple[str, ...] = (),
) -> Discovery:
    """The discovery of one run from its ranking: with the winner's fit, intervals, and scores of what was held out. `verdict` and
    `sentences` are given where several runs have them together."""
    winner = ranked[0] if ranked else None
    verdict = verdict or verdict_of(winner, physics, network)
    fit = partial(whole_fit, b.declarations, b.run.dataset, options=b.options, progress=b.recorder.listener)
    fitted = fit(formulas=winner.formulas) if winner is not None and verdict == "formula" else None
    intervals: dict[str, Interval] = {}
    if winner is not None and fitted is not None and early != "interrupted":
        names = [n.name for f in winner.formulas.values() for n in f.numbers]
        intervals = profile_intervals(fitted, names, b.recorder.listener)
    hold_outs: dict[str, Any] = {}
    if b.run.result["hold_out"] is not None:
        hold_outs = {"network": b.run.result["hold_out"]}
        if fitted is not None:
            hold_outs["formula"] = fitted.result["hold_out"]
        if physics is not None:
            hold_outs["physics alone"] = fit(formulas=physics.formulas).result["hold_out"]
    sentences = sentences or sentences_of(verdict, ranked, physics, network)
    return Discovery(b.slots, b.samples, tuple(ranked), physics, network, winner, verdict, sentences, terms, fitted, b.seed,
                     b.records, hold_outs, early, intervals=intervals)  # fmt: skip
