"""`discover`: which formula the data support in the place of the networks of a fitted model. The stages stand in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.declarations import Declarations
from hybridode.discover.library import Term, library
from hybridode.discover.nonlinear import fitted_forms, form_formula, worth_a_refit
from hybridode.discover.ranking import description_length
from hybridode.discover.refitted import Candidate, options_of, quick_refit, records_of, whole_fit
from hybridode.discover.regression import Proposal, inclusion, proposals
from hybridode.discover.rivals import network_candidate
from hybridode.discover.samples import Samples, samples_of
from hybridode.discover.search import search
from hybridode.discover.slots import Slot, slots_of
from hybridode.discover.symbolic import check_pysr, symbolic_formulas
from hybridode.discover.units import with_units
from hybridode.discover.verdict import ADEQUATE, p_value, sentences_of, verdict_of
from hybridode.discover.whole import Refit, Whole, whole_model
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.progress import OutOfTime, Progress, Recorder

if TYPE_CHECKING:
    from hybridode.fit.prepare import Options
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


@dataclass(frozen=True, eq=False)
class Begun:
    """A run that is looked at: what its networks have learnt, and the terms that may say it."""

    run: FitRun
    declarations: Declarations
    slots: tuple[Slot, ...]
    samples: Mapping[str, Samples]
    libraries: tuple[tuple[Term, ...], ...]
    options: Options
    recorder: Recorder
    seed: int

    @property
    def records(self) -> int:
        assert self.run.finished is not None
        return records_of(self.run.finished.prepared)

    def proposals(self) -> list[list[Proposal]]:
        """What the regression proposes for each slot."""
        return [proposals(lib, self.samples[s.network.name], s.output) for lib, s in zip(self.libraries, self.slots, strict=True)]

    def whole(self) -> Whole:
        """The model with all terms in it, compiled."""
        return whole_model(self.declarations, self.run.dataset, self.slots, self.libraries, self.options, self.recorder)


def begun(run: FitRun, declarations: Declarations, seed: int, recorder: Recorder) -> Begun:
    """Raises UsageError E0795 (no network), E0796 (a network of vectors), E0797 (nothing to start from)."""
    slots = with_units(declarations, slots_of(declarations))
    if run.finished is None:
        reason = "the fit failed" if run.result["status"] == "failed" else "its solution is in pieces"
        raise UsageError(Diagnostic("E0797", f"there is nothing to discover from: {reason}"))
    prepared, theta = run.finished.prepared, run.finished.theta
    names = dict.fromkeys(slot.network.name for slot in slots)
    networks = {n.name: n for n in declarations.networks}
    samples = {name: samples_of(prepared, theta, networks[name], seed) for name in names}
    libraries = tuple(library(slot, samples[slot.network.name].points) for slot in slots)
    return Begun(run, declarations, slots, samples, libraries, options_of(run), recorder, seed)


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
    sparse = [candidate(whole, refit, _how(whole, refit, proposed)) for refit in fits if not refit.failed]
    network = network_candidate(run, b.slots)
    physics = next((c for c in sparse if not any(f.numbers for f in c.formulas.values())), None)
    formulas, early = [c for c in sparse if c is not physics], whole.early
    if not early:
        found, early = _nonlinear(b, formulas, network, symbolic)
        formulas += found
    ranked, failed = sorted(_solved(formulas), key=lambda c: c.dl), tuple(c for c in formulas if c.failed)
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


def _nonlinear(b: Begun, sparse: Sequence[Candidate], network: Candidate, symbolic: bool) -> tuple[list[Candidate], str]:
    """The named laws that suit a slot (and what PySR finds), each refitted in the whole model with the best formulas so far in
    the other slots, also those whose refit failed; and why that ended early. Where noise explains all that the network gains over
    a sparse formula, only laws that cost less to say are."""
    best = min(sparse, key=lambda c: c.dl, default=None)
    if best is None and len(b.slots) > 1:
        return [], ""
    enough = best is not None and p_value(best, network) > ADEQUATE
    cost = lambda f: description_length(0.0, len(f.numbers), b.records, f.structure)  # noqa: E731
    found: list[Candidate] = []
    for slot, terms in zip(b.slots, b.libraries, strict=True):
        samples = b.samples[slot.network.name]
        fitted, count = fitted_forms(slot, samples)
        formulas = [(form_formula(b.declarations, slot, f, count, len(terms)), "nonlinear fit") for f in worth_a_refit(fitted)]
        if symbolic:
            formulas += [(f, "PySR") for f in symbolic_formulas(b.declarations, slot, samples, len(terms), b.seed)]
        for formula, how in formulas:
            if enough and best is not None and cost(formula) >= cost(best.formulas[slot]):
                continue
            whole = {**({} if best is None else best.formulas), slot: formula}
            try:
                found.append(
                    quick_refit(b.declarations, b.run.dataset, {s: whole[s] for s in b.slots}, b.options, b.recorder, how)
                )
            except (KeyboardInterrupt, OutOfTime) as stop:
                return found, "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time"
        best = min([*_solved(found), *sparse], key=lambda c: c.dl, default=None)
    return found, ""


def _solved(found: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in found if not c.failed]


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
    b: Begun, ranked: list[Candidate], physics: Candidate | None, network: Candidate, terms: tuple[Inclusion, ...], early: str,
    verdict: str = "", sentences: tuple[str, ...] = (),
) -> Discovery:  # fmt: skip
    """The discovery of one run from its ranking: with the winner's fit, and scores of what was held out. `verdict` and
    `sentences` are given where several runs have them together."""
    winner = ranked[0] if ranked else None
    verdict = verdict or verdict_of(winner, physics, network)
    fit = partial(whole_fit, b.declarations, b.run.dataset, options=b.options, progress=b.recorder.listener)
    fitted = fit(formulas=winner.formulas) if winner is not None and verdict == "formula" else None
    hold_outs: dict[str, Any] = {}
    if b.run.result["hold_out"] is not None:
        hold_outs = {"network": b.run.result["hold_out"]}
        if fitted is not None:
            hold_outs["formula"] = fitted.result["hold_out"]
        if physics is not None:
            hold_outs["physics alone"] = fit(formulas=physics.formulas).result["hold_out"]
    sentences = sentences or sentences_of(verdict, ranked, physics, network)
    return Discovery(b.slots, b.samples, tuple(ranked), physics, network, winner, verdict, sentences, terms, fitted, b.seed,
                     b.records, hold_outs, early)  # fmt: skip
