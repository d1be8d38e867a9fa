"""The whole model with every term of the libraries in it: one compilation, in which any sparse formula is refitted to the data.

A term that a formula lacks has its coefficient held at 0, so that many formulas share the lanes. At the optimum of each the
Fisher matrix says what every other term would gain (a score test, C. R. Rao 1948) and what every term that is there is worth
(Wald's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula, Number, sum_text
from hybridode.discover.library import Term
from hybridode.discover.ranking import description_length, sparse_structure
from hybridode.discover.slots import Slot
from hybridode.discover.units import coefficient_unit
from hybridode.discover.written import dataset_of, declared, free_names
from hybridode.fit.prepare import Options, Prepared, prepare
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring

_ITERATIONS = 80
_GOAL = 1e-4  # expected gain at which a refit counts as done: ranks differ by more
_FLOOR = 1e-10  # share of the largest eigenvalue below which a direction is not known

Support = frozenset[int]  # places of terms among all terms of all slots


@dataclass(frozen=True, eq=False)
class Refit:
    """A support at its optimum in the whole model: theta (d,), objective, gradient, Fisher matrix; `failed`: why there is
    none."""

    support: Support
    theta: np.ndarray
    value: float
    gradient: np.ndarray
    fisher: np.ndarray
    dl: float
    failed: str = ""


@dataclass(eq=False)
class Whole:
    """`terms` of all slots in one row, `owners` the number of the slot of each, `names` of their coefficients."""

    slots: tuple[Slot, ...]
    terms: tuple[Term, ...]
    owners: tuple[int, ...]
    names: tuple[str, ...]
    prepared: Prepared
    places: np.ndarray  # of the coefficients in theta
    recorder: Recorder
    records: int
    early: str = ""

    @property
    def others(self) -> np.ndarray:
        """Places in theta of everything but coefficients."""
        return np.setdiff1d(np.arange(self.prepared.objective.n_parameters), self.places)

    def structure(self, support: Support) -> float:
        """What it costs to say which terms there are."""
        total = 0.0
        for k in range(len(self.slots)):
            mine = [i for i, owner in enumerate(self.owners) if owner == k]
            total += sparse_structure(len(mine), len(support.intersection(mine)))
        return total

    def start(self, coefficients: Mapping[int, float], others: np.ndarray | None = None) -> np.ndarray:
        """theta with these coefficients by place of their term; everything else as fitted, or from another theta."""
        space = self.prepared.objective.space
        theta = space.unconstrain() if others is None else np.array(others)
        theta[self.places] = 0.0
        for i, value in coefficients.items():
            theta[self.places[i]] = value / space.entries[self.places[i]].size
        return theta

    def refit(self, starts: Sequence[tuple[Support, np.ndarray]]) -> list[Refit]:
        """All supports at their optima, side by side. Ctrl-C ends it with what there is (`early`)."""
        low, high = self.prepared.objective.space.box()
        boxes = {}
        for number, (support, _) in enumerate(starts, 1):
            a, b = low.copy(), high.copy()
            out = [self.places[i] for i in range(len(self.terms)) if i not in support]
            a[out] = b[out] = 0.0
            boxes[number] = Box(a, b)
        tracks = {number: Track(self.recorder, number, "discovery") for number in boxes}
        begun = [Snapshot(number, starts[number - 1][1], None, tracks[number]) for number in boxes]
        pool = Pool(
            begun,
            lambda s: fisher_scoring(s.theta, s.track, _ITERATIONS, box=boxes[s.number], goal=_GOAL),
            self.prepared.lanes,
            self.recorder,
        )
        with jax.enable_x64(True):
            pool.run()
            self.early = self.early or pool.early
            endings = pool.endings()
        return [self._refit(starts[e.number - 1][0], e.optimum) for e in endings]

    def _refit(self, support: Support, optimum: Any) -> Refit:
        value = float(optimum.value)
        failed = "" if np.isfinite(value) else optimum.message
        numbers = len(self.others) + len(support)
        dl = description_length(value, numbers, self.records, self.structure(support)) if not failed else np.inf
        fisher = np.zeros((0, 0)) if optimum.fisher is None else optimum.fisher
        return Refit(support, optimum.theta, value, optimum.gradient, fisher, dl, failed)

    def moved(self, refit: Refit, support: Support) -> np.ndarray:
        """Where a neighbour of a refitted support begins: at its numbers, new terms at 0."""
        return self.start({i: v for i, v in self.coefficients(refit).items() if i in support}, refit.theta)

    # ---- what the Fisher matrix says --------------------------------------------------------------------------------------
    def gains(self, refit: Refit) -> dict[int, float]:
        """Of every term that is not there the log-likelihood that it is expected to gain."""
        inside = np.concatenate([self.others, self.places[sorted(refit.support)]]).astype(int)
        inverse = _inverse(refit.fisher[np.ix_(inside, inside)])
        found = {}
        for i in range(len(self.terms)):
            j = self.places[i]
            if i not in refit.support:
                mixed = refit.fisher[inside, j]
                left = refit.fisher[j, j] - mixed @ inverse @ mixed
                slope = refit.gradient[j] - mixed @ inverse @ refit.gradient[inside]
                found[i] = 0.5 * slope**2 / left if left > _FLOOR * refit.fisher[j, j] else 0.0
        return found

    def errors(self, refit: Refit) -> dict[int, float]:
        """The standard errors of the coefficients that are there."""
        chosen = sorted(refit.support)
        inside = np.concatenate([self.others, self.places[chosen]]).astype(int)
        inverse = _inverse(refit.fisher[np.ix_(inside, inside)])
        sd = np.sqrt(np.maximum(np.diag(inverse), 0.0))[len(self.others) :]
        return dict(zip(chosen, sd, strict=True))

    def worth(self, refit: Refit) -> dict[int, float]:
        """The coefficients that are there in standard errors."""
        values, errors = self.coefficients(refit), self.errors(refit)
        return {i: abs(values[i]) / max(errors[i], 1e-300) for i in values}

    def coefficients(self, refit: Refit) -> dict[int, float]:
        """In natural units, by place of the term."""
        x = self.prepared.objective.space.vector(refit.theta)
        return {i: float(x[self.places[i]]) for i in sorted(refit.support)}

    def formulas(self, refit: Refit) -> dict[Slot, Formula]:
        """What a refit says for each slot."""
        values = self.coefficients(refit)
        return {
            slot: sparse_formula(
                slot, {self.names[i]: (self.terms[i], v) for i, v in values.items() if self.owners[i] == k}, self.owners.count(k)
            )
            for k, slot in enumerate(self.slots)
        }


def sparse_formula(slot: Slot, chosen: Mapping[str, tuple[Term, float]], terms: int, bounded: bool = True) -> Formula:
    """The sum of terms with coefficients, by name, out of so many terms."""
    unit = lambda term: coefficient_unit(slot.unit, slot.units, term.powers)  # noqa: E731
    numbers = tuple(Number(name, value, unit(term), bounded=bounded) for name, (term, value) in chosen.items())
    text = sum_text([term.times(name) for name, (term, _) in chosen.items()])

    def curve(points: np.ndarray, values: Mapping[str, float]) -> np.ndarray:
        return sum((values[name] * term.values(points) for name, (term, _) in chosen.items()), np.zeros(len(points)))

    return Formula(text, numbers, "sum of terms" if chosen else "nothing", sparse_structure(terms, len(chosen)), curve)


def whole_model(
    d: Declarations,
    dataset: Dataset,
    slots: Sequence[Slot],
    libraries: Sequence[Sequence[Term]],
    options: Options,
    recorder: Recorder,
) -> Whole:
    """Compiles the model with all terms."""
    wanted = [coefficient_name(slot, term) for slot, terms in zip(slots, libraries, strict=True) for term in terms]
    free = free_names(d, wanted, [short for slot in slots for short in slot.short])
    names = tuple(free[w] for w in wanted)
    terms = tuple(t for lib in libraries for t in lib)
    owners = tuple(k for k, lib in enumerate(libraries) for _ in lib)
    formulas = {}
    for k, slot in enumerate(slots):
        chosen = {name: (t, 0.0) for name, t, owner in zip(names, terms, owners, strict=True) if owner == k}
        formulas[slot] = sparse_formula(slot, chosen, len(chosen), bounded=False)
    data = dataset_of(dataset, declared(d, formulas))
    with jax.enable_x64(True):
        prepared = prepare(data, replace(options, weights=None), recorder)
    space = prepared.objective.space.names
    places = np.array([space.index(name) for name in names], int)
    records = int(sum(np.sum(np.asarray(c.used) > 0) for c in prepared.fitted.columns[: prepared.objective.n_observed]))
    return Whole(tuple(slots), terms, owners, names, prepared, places, recorder, records)


def coefficient_name(slot: Slot, term: Term) -> str:
    """`k_xy`, with several slots `kx_xy`."""
    return f"k{slot.label}_{term.name}"


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of a scaled information matrix, directions without information left out."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    weights, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    keep = weights > _FLOOR * max(float(weights[-1]) if len(weights) else 0.0, 1e-300)
    return (vectors[:, keep] / weights[keep]) @ vectors[:, keep].T / np.outer(size, size)
