"""`discover`: which formula the data support in the place of the networks of a fitted model. The stages stand in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula
from hybridode.discover.library import Term, library
from hybridode.discover.nonlinear import fitted_forms, form_formula, worth_a_refit
from hybridode.discover.ranking import description_length
from hybridode.discover.refitted import Candidate, options_of, quick_refit, records_of, whole_fit
from hybridode.discover.regression import Proposal, inclusion, proposals
from hybridode.discover.samples import Samples, samples_of
from hybridode.discover.search import search
from hybridode.discover.slots import Slot, slots_of
from hybridode.discover.units import with_units
from hybridode.discover.whole import Refit, Whole, whole_model
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.progress import Progress, Recorder

if TYPE_CHECKING:
    from hybridode.fit.prepare import Options
    from hybridode.fit.run import FitRun

SHOWN = 12  # candidates of the table
_CLEAR = 2.0  # nats by which a description must be shorter to be called clearly better
_ADEQUATE = 0.05  # p value of the network's gain over a formula from which nothing speaks for the network
_INADEQUATE = 0.001


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
    progress: Callable[[Progress], None] | None = None,
    max_seconds: float | None = None,
) -> Discovery:
    """Looks for formulas. `declarations`: of the fitted model's text (`fitted.ode`), into which formulas are written. Ctrl-C and
    max_seconds end the search; what was ranked until then is kept.

    Raises UsageError E0795 (no network), E0796 (a network of vectors), E0797 (nothing to start from)."""
    slots = with_units(declarations, slots_of(declarations))
    if run.finished is None:
        reason = "the fit failed" if run.result["status"] == "failed" else "its solution is in pieces"
        raise UsageError(Diagnostic("E0797", f"there is nothing to discover from: {reason}"))
    recorder = Recorder(progress, max_seconds, began=time.perf_counter())
    prepared, theta = run.finished.prepared, run.finished.theta
    names = dict.fromkeys(slot.network.name for slot in slots)
    networks = {n.name: n for n in declarations.networks}
    samples = {name: samples_of(prepared, theta, networks[name], seed) for name in names}
    options = options_of(run)
    libraries = [library(slot, samples[slot.network.name].points) for slot in slots]
    proposed = [proposals(lib, samples[s.network.name], s.output) for lib, s in zip(libraries, slots, strict=True)]
    whole = whole_model(declarations, run.dataset, slots, libraries, options, recorder)
    fits = search(whole, proposed)
    sparse = [_candidate(whole, refit, _how(whole, refit, proposed)) for refit in fits if not refit.failed]
    network = _network(run, slots)
    physics = next((c for c in sparse if not any(f.numbers for f in c.formulas.values())), None)
    formulas = [c for c in sparse if c is not physics]
    if not whole.early:
        formulas += _named(declarations, run, slots, samples, libraries, formulas, network, options, recorder)
    ranked = sorted(formulas, key=lambda c: c.dl)
    terms = _inclusions(whole, fits, samples, seed)
    return _concluded(run, declarations, slots, samples, ranked, physics, network, terms, options, seed, whole.early, progress)


# ---- candidates -----------------------------------------------------------------------------------------------------------
def _candidate(whole: Whole, refit: Refit, how: str) -> Candidate:
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


def _named(
    d: Declarations, run: FitRun, slots: Sequence[Slot], samples: Mapping[str, Samples], libraries: Sequence[Sequence[Term]],
    sparse: Sequence[Candidate], network: Candidate, options: Options, recorder: Recorder,
) -> list[Candidate]:  # fmt: skip
    """The named laws that suit a slot, each refitted in the whole model with the best formulas so far in the other slots. Where
    noise explains all that the network gains over a sparse formula, only laws that cost less to say are."""
    best = min(sparse, key=lambda c: c.dl, default=None)
    if best is None and len(slots) > 1:
        return []
    assert run.finished is not None
    records = records_of(run.finished.prepared)
    enough = best is not None and _p_value(best, network) > _ADEQUATE
    cost = lambda f: description_length(0.0, len(f.numbers), records, f.structure)  # noqa: E731
    found: list[Candidate] = []
    for slot, terms in zip(slots, libraries, strict=True):
        fitted, count = fitted_forms(slot, samples[slot.network.name])
        for form in worth_a_refit(fitted):
            formula = form_formula(d, slot, form, count, len(terms))
            if enough and best is not None and cost(formula) >= cost(best.formulas[slot]):
                continue
            formulas = {**({} if best is None else best.formulas), slot: formula}
            found.append(quick_refit(d, run.dataset, {s: formulas[s] for s in slots}, options, recorder, "nonlinear fit"))
        best = min([*found, *sparse], key=lambda c: c.dl, default=None)
    return [c for c in found if not c.failed]


def _network(run: FitRun, slots: Sequence[Slot]) -> Candidate:
    """The hybrid as a candidate: its numbers are those that the data determine, the trace of F (F + R)^-1 with R the curvature
    of the regularisers (D. J. C. MacKay, Neural Comput. 4 (1992) 415)."""
    assert run.finished is not None
    prepared, theta = run.finished.prepared, run.finished.theta
    import jax

    with jax.enable_x64(True):
        evaluation = prepared.lanes.evaluation(theta)
    parts = np.asarray(evaluation.parts, float)
    numbers = float(len(theta))
    if evaluation.fisher is not None and np.asarray(evaluation.fisher).size:
        fisher = np.asarray(evaluation.fisher, float)
        penalty = _penalties(run)
        weights, vectors = np.linalg.eigh(fisher)
        keep = weights > 1e-12 * max(float(weights[-1]), 1e-300)
        inverse = (vectors[:, keep] / weights[keep]) @ vectors[:, keep].T
        numbers = float(np.clip(np.count_nonzero(keep) - np.sum(np.diag(inverse) * penalty), 0, len(theta)))
    value = float(parts[0] + parts[1])
    dl = description_length(value, numbers, records_of(prepared), 0.0)
    return Candidate({slot: Formula(slot.network.name, (), "network") for slot in slots}, value, numbers, dl, "the fit")


def _penalties(run: FitRun) -> np.ndarray:
    """The curvature of the regularisers (d,) by entry of theta."""
    assert run.finished is not None
    objective = run.finished.prepared.objective
    parts = [np.zeros(objective.n_parameters)]
    from hybridode.fit.parameters import trainable_weights

    rate = {n.name: 2 * n.reg_l2 for n in objective.networks}
    for name, array in trainable_weights(objective.networks, objective.weights):
        count = int(np.size(objective.weights[name][array]))
        parts.append(np.full(count, rate[name] if array.startswith("W") else 0.0))
    return np.concatenate(parts)


def _inclusions(whole: Whole, fits: Sequence[Refit], samples: Mapping[str, Samples], seed: int) -> tuple[Inclusion, ...]:
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
        often = inclusion([whole.terms[i] for i in mine], samples[slot.network.name], slot.output, size, seed)
        found += [Inclusion(slot, whole.terms[i], float(p), weights[i]) for i, p in zip(mine, often, strict=True)]
    return tuple(found)


# ---- the verdict ----------------------------------------------------------------------------------------------------------
def _concluded(
    run: FitRun, d: Declarations, slots: tuple[Slot, ...], samples: Mapping[str, Samples], ranked: list[Candidate],
    physics: Candidate | None, network: Candidate, terms: tuple[Inclusion, ...], options: Options, seed: int, early: str,
    progress: Any,
) -> Discovery:  # fmt: skip
    winner = ranked[0] if ranked else None
    lengths = {"network": network.dl}
    if winner is not None:
        lengths["formula"] = winner.dl
    if physics is not None:
        lengths["physics"] = physics.dl
    verdict = min(lengths, key=lambda kind: lengths[kind])
    adequate = 1.0 if winner is None else _p_value(winner, network)
    if verdict == "network" and winner is not None and adequate > _ADEQUATE:
        verdict = "formula" if physics is None or winner.dl < physics.dl else "physics"
    fitted, hold_outs = None, {}
    if winner is not None and verdict == "formula":
        fitted = whole_fit(d, run.dataset, winner.formulas, options, progress)
    if run.result["hold_out"] is not None:
        hold_outs = {"network": run.result["hold_out"]}
        if fitted is not None:
            hold_outs["formula"] = fitted.result["hold_out"]
        if physics is not None:
            hold_outs["physics alone"] = whole_fit(d, run.dataset, physics.formulas, options, progress).result["hold_out"]
    sentences = _sentences(verdict, ranked, physics, network, adequate)
    records = records_of(run.finished.prepared) if run.finished is not None else 0
    return Discovery(slots, samples, tuple(ranked), physics, network, winner, verdict, sentences, terms, fitted, seed, records,
                     hold_outs, early)  # fmt: skip


def _p_value(formula: Candidate, network: Candidate) -> float:
    """How often noise alone would let the network gain as much as it does over the formula (a likelihood ratio test)."""
    more = network.numbers - formula.numbers
    gain = 2 * (formula.value - network.value)
    return float(chi2.sf(gain, more)) if more > 0 and gain > 0 else 1.0


def _compared(name: str, nats: float) -> str:
    return f"in {abs(nats):.1f} nats {'less' if nats >= 0 else 'more'} than {name}"


def _sentences(
    verdict: str, ranked: Sequence[Candidate], physics: Candidate | None, network: Candidate, adequate: float
) -> tuple[str, ...]:
    found: list[str] = []
    best = ranked[0] if ranked else None
    if verdict == "formula" and best is not None:
        found.append(f"The data support {best.text()}.")
        than = [("the network", network)] + ([("the physics alone", physics)] if physics is not None else [])
        found.append("It describes the data " + " and ".join(_compared(name, c.dl - best.dl) for name, c in than) + ".")
        if adequate < _INADEQUATE:
            found.append(f"The network follows the data better than noise explains (p = {adequate:.1g}): something is left out.")
        close = [c for c in ranked[1:4] if c.dl - best.dl < _CLEAR]
        if close:
            found.append(f"Nearly as good: {'; '.join(c.text() for c in close)}.")
    elif verdict == "physics":
        found.append("Nothing is needed in the place of the network: the physics alone describes the data as well.")
    else:
        found.append("Nothing simpler than the network is supported.")
        if best is not None:
            found.append(f"The best formula, {best.text()}, takes {best.dl - network.dl:.1f} nats more.")
    return tuple(found)
