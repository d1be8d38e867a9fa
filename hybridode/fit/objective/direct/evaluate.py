"""The objective at many vectors in NumPy: what `Objective.value_and_fisher` says, for models that native solves take alone.

A solve and its tangents are machine code over the lanes of all starts and series; the rest is a few hundred operations of NumPy
on arrays over all of them. Nothing is traced or compiled beside that code. Every operation works start by start, so the numbers
of a start do not depend on how many others there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.direct.densities import prior_of
from hybridode.fit.objective.direct.layout import NOBODY, Directions, Inputs, Records, directions, inputs_of, records_of
from hybridode.fit.objective.direct.scores import score_of
from hybridode.fit.objective.objective import Evaluation, Objective
from hybridode.fit.slopes import Natural, NaturalValues
from hybridode.kernels.ffi import numbers
from hybridode.kernels.ffi.program import Program
from hybridode.solve import results
from hybridode.solve.consistent import at_the_start
from hybridode.solve.constrained import is_constrained
from hybridode.solve.native import TAPES, options_of, program_of, switched
from hybridode.tape.derive import forward
from hybridode.tape.points import Pointwise
from hybridode.tape.tape import Tape

KEPT = 8  # batches of records whose layout is kept


def cannot(objective: Objective, batch: Batch) -> str | None:
    """Why the objective has to be a program of JAX, in words, or None."""
    compiled, settings = objective.compiled, objective.settings
    reasons = {
        "it has networks": bool(objective.networks),
        "Diffrax solves it": settings.engine != "native",
        "there is nothing to solve or to learn": compiled.size == 0 or objective.n_parameters == 0,
        "things happen at known times": compiled.events is not None or batch.doses is not None,
        "it has algebraic equations": at_the_start(compiled) is not None or is_constrained(compiled),
        "there are steady states": batch.steady is not None or batch.before is not None or objective.fixed_points is not None,
        "the steps are not kept": settings.checkpoints != "all",
        "it has a robust loss": objective.loss is not None,
        "some records are limits": any(objective.limits),
    }
    found = next((reason for reason, holds in reasons.items() if holds), None)
    if found is not None:
        return found
    if any(score_of(row) is None for row in objective.minimised):
        return "a noise model has no score in NumPy"
    if switched(compiled, objective.method, "float64") is not None:
        return "its `if`s are located"
    if not objective.mode(objective.n_parameters, batch).forward:
        return "an adjoint is cheaper than tangents"
    return None


class Observed(NamedTuple):
    """ys (B, S, T, n), their derivatives in K directions (B, K, S, T, n), results (B, S); the observables: a list of arrays
    (B, 1, S, T), or with 1 for an axis that they do not depend on, and their derivatives (B, K, S, T), None for 0."""

    ys: np.ndarray
    y_dots: np.ndarray
    results: np.ndarray
    values: list[Any]
    dots: list[Any]


@dataclass(frozen=True, eq=False)
class _Laid:
    """What belongs to one batch of records."""

    batch: Batch  # kept, so that its identity stays its own
    t0: np.ndarray
    ts: np.ndarray
    inputs: Inputs
    directions: Directions
    records: tuple[Records, ...]


class Direct:
    """Evaluates an objective for which `cannot` has no reason."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._laid: dict[int, _Laid] = {}

    # ---- made once ----------------------------------------------------------------------------------------------------------
    @cached_property
    def program(self) -> Program:
        return program_of(self.objective.compiled, self.objective.method)

    @cached_property
    def _options(self) -> np.ndarray:
        return options_of(self.program, self.objective.settings)

    @cached_property
    def _natural(self) -> NaturalValues:
        return NaturalValues(self.objective.space)

    @cached_property
    def _start(self) -> Pointwise:
        return Pointwise(forward(self.objective.compiled.tapes["start"], ("p",)))

    @cached_property
    def _observe(self) -> Pointwise:
        return Pointwise(forward(self.objective.compiled.tapes["observables"], ("y", "p")))

    def _read(self) -> tuple[list[int], list[int]]:
        """The parameters that the solve reads, and the others that the observables read."""
        tapes, count = self.objective.compiled.tapes, len(self.objective.compiled.system.parameters)
        solve = set().union(*(_entries_read(tapes[name], count) for name in (*TAPES, "start") if name in tapes))
        return sorted(solve), sorted(set(_entries_read(tapes["observables"], count)) - solve)

    def laid(self, batch: Batch) -> _Laid:
        """The batch, ready."""
        found = self._laid.get(id(batch))
        if found is None:
            objective = self.objective
            t0, ts = np.asarray(batch.t0, float), np.minimum(np.asarray(batch.ts, float), np.asarray(batch.horizon)[:, None])
            found = _Laid(batch, t0, ts, inputs_of(objective.compiled, batch.signals, t0, ts),
                          directions(np.asarray(batch.index), objective.n_parameters, *self._read()),
                          records_of(objective.kinds, batch))  # fmt: skip
            self._laid = {**dict(list(self._laid.items())[1 - KEPT :]), id(batch): found}
        return found

    def along(self, theta: np.ndarray, batch: Batch, ts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The model at theta (d,) along other times (S, T): states (S, T, n), observables (S, T, q), results (S,)."""
        t0, series = np.asarray(batch.t0, float), len(ts)
        nowhere = Directions(np.zeros((series, 0), int), 0, np.zeros((series, 0, self.objective.base.size)), True)
        laid = _Laid(batch, t0, ts, inputs_of(self.objective.compiled, batch.signals, t0, ts), nowhere, ())
        found = self.observed(self._natural(np.asarray(theta, float)[None]), laid)
        observed = [np.broadcast_to(value, (1, 1, *ts.shape))[0, 0] for value in found.values]
        return found.ys[0], np.stack(observed, axis=-1), found.results[0]

    def sensitivities(self, theta: np.ndarray, batch: Batch, ts: np.ndarray) -> tuple[np.ndarray, ...]:
        """What `along` gives, and between observables and results the derivatives of states and observables by theta,
        (S, T, n, d) and (S, T, q, d)."""
        t0, count = np.asarray(batch.t0, float), len(theta)
        by = directions(np.asarray(batch.index), self.objective.n_parameters, *self._read())
        laid = _Laid(batch, t0, ts, inputs_of(self.objective.compiled, batch.signals, t0, ts), by, ())
        found = self.observed(self._natural(np.asarray(theta, float)[None]), laid)
        values = np.stack([np.broadcast_to(value, (1, 1, *ts.shape))[0, 0] for value in found.values], axis=-1)
        by_states, by_values = np.zeros((*found.ys.shape[1:], count)), np.zeros((*values.shape, count))
        for row, mine in enumerate(by.numbers):
            for k, number in enumerate(mine):
                if number == NOBODY:
                    continue
                by_states[row, ..., number] = found.y_dots[0, k, row]
                for i, dot in enumerate(found.dots):
                    if dot is not None:
                        by_values[row, :, i, number] = np.broadcast_to(dot, (1, *found.y_dots.shape[1:4]))[0, k, row]
        return found.ys[0], values, by_states, by_values, found.results[0]

    # ---- the model ------------------------------------------------------------------------------------------------------------
    def observed(self, at: Natural, laid: _Laid) -> Observed:
        """The model at natural values (B, d): states, observables, and their derivatives by the unconstrained numbers."""
        d, n = laid.directions, self.objective.compiled.size
        batch, (series, times), k = len(at.x), laid.ts.shape, laid.directions.numbers.shape[1]
        p = self._parameters(at.x, laid)[:, None]
        first = np.where(d.numbers == NOBODY, 0.0, at.first[:, d.numbers])  # (B, S, K)
        p_dot = first.swapaxes(1, 2)[..., None] * d.mask.swapaxes(0, 1)  # (B, K, S, m)
        y0, y0_dot = self._starts(p, p_dot[:, : d.moving], laid)
        solved, code = self._solve(p[:, 0], y0, laid)
        ys = solved.found.ys.reshape(batch, series, times, n)
        y_dot = np.zeros((batch, k, series, times, n))
        if d.moving:
            seeds = (d.moving, batch * series)
            operands = np.zeros((*seeds, self.program.parameters))
            operands[..., : p.shape[-1]] = p_dot[:, : d.moving].swapaxes(0, 1).reshape(*seeds, -1)
            starts = y0_dot.swapaxes(0, 1).reshape(*seeds, n)
            layout = self.program.lanes(max(d.moving * batch * series, 2))
            found = numbers.tangents(self.program, solved.operands, solved.found, operands, starts, layout, quick=True)
            y_dot[:, : d.moving] = found.reshape(d.moving, batch, series, times, n).swapaxes(0, 1)
        given = {
            "t": [laid.ts], "y": lambda i: ys[:, None, ..., i], "p": lambda i: p[..., None, i],
            "y.dot": lambda i: y_dot[..., i], "p.dot": lambda i: p_dot[..., None, i],
            "u": lambda i: laid.inputs.u[..., i], "du": lambda i: laid.inputs.du[..., i],
            "u0": lambda i: laid.inputs.u0[:, None, i],
        }  # fmt: skip
        out = self._observe(given)
        return Observed(ys, y_dot, code, [0.0 if v is None else v for v in out["observables"]], out["observables.dot"])

    def _parameters(self, x: np.ndarray, laid: _Laid) -> np.ndarray:
        """The parameter vectors (B, S, m)."""
        own, index = np.asarray(laid.batch.numbers), np.asarray(laid.batch.index)
        shape = (len(x), len(index))
        base = self.objective.base
        parts = [np.broadcast_to(a, (*shape, a.shape[-1])) for a in (x[:, None], base, own)]
        return np.concatenate(parts, axis=-1)[:, np.arange(len(index))[:, None], index]

    def _starts(self, p: np.ndarray, p_dot: np.ndarray, laid: _Laid) -> tuple[np.ndarray, np.ndarray]:
        """Where the solves begin (B, S, n), and its derivatives (B, K, S, n)."""
        out = self._start({"t": [laid.t0], "p": lambda i: p[..., i], "p.dot": lambda i: p_dot[..., i],
                           "u0": lambda i: laid.inputs.u0[:, i]})  # fmt: skip
        y0 = np.zeros((p.shape[0], 1, p.shape[2], self.objective.compiled.size))
        y0_dot = np.zeros((*p_dot.shape[:-1], y0.shape[-1]))
        for i, (value, dot) in enumerate(zip(out["start"], out["start.dot"], strict=True)):
            y0[..., i] = 0.0 if value is None else value
            if dot is not None:
                y0_dot[..., i] = dot
        return y0[:, 0], y0_dot

    def _solve(self, p: np.ndarray, y0: np.ndarray, laid: _Laid) -> tuple[_Solves, np.ndarray]:
        """The solves of p (B, S, m) from y0 (B, S, n), and their results (B, S)."""
        program, (batch, series, n) = self.program, y0.shape
        count = batch * series
        u0 = np.broadcast_to(laid.inputs.u0, (batch, *laid.inputs.u0.shape))
        spread = lambda a: np.broadcast_to(a, (batch, *a.shape)).reshape(count, *a.shape[1:])  # noqa: E731
        operands = numbers.Operands.of(
            program, np.concatenate([p, u0], axis=-1).reshape(count, -1), np.zeros(0), y0.reshape(count, n), spread(laid.t0),
            spread(laid.ts), self._options, spread(laid.inputs.s),
        )  # fmt: skip
        layout = program.lanes(max(count, 2))
        if laid.directions.moving:
            program.expect("tangent", *layout)
        found = numbers.solve(program, operands, layout, program.capacity if laid.directions.moving else 0, quick=True)
        code = found.info[:, 0].reshape(batch, series)
        return _Solves(operands, found), np.where(np.all(np.isfinite(y0), axis=-1), code, results.START)

    # ---- the objective --------------------------------------------------------------------------------------------------------
    def __call__(self, thetas: np.ndarray, batch: Batch) -> Evaluation:
        """Of thetas (B, d): everything with an axis of B in front."""
        laid = self.laid(batch)
        at = self._natural(np.asarray(thetas, float))
        with np.errstate(all="ignore"):
            observed = self.observed(at, laid)
            loss, never, slope, weight, jacobian = self._likelihood(observed, laid)
            gradient, fisher = _gathered(laid.directions, slope, weight, jacobian, at.x.shape[1])
            prior, of_prior, curvature = prior_of(self.objective.priors, at)
            gradient += of_prior
            if self.objective.priors:
                diagonal = np.arange(at.x.shape[1])
                fisher[:, diagonal, diagonal] += curvature
            value = loss + prior
            ok = np.all(observed.results == results.SUCCESS, axis=1) & np.all(never == 0, axis=1)
            ok &= np.isfinite(value) & np.all(np.isfinite(gradient), axis=1)
        parts = np.stack([loss, prior, np.zeros_like(loss)], axis=-1)
        return Evaluation(np.where(ok, value, np.inf), np.where(ok[:, None], gradient, 0.0),
                          np.where(ok[:, None, None], fisher, 0.0), observed.results.astype(np.int32), never, parts)  # fmt: skip

    def _likelihood(self, observed: Observed, laid: _Laid) -> tuple[np.ndarray, ...]:
        """The loss (B,), how many records of each observation are impossible (B, q); of all arguments of all records, one behind
        the other: slopes of the loss and weights (B, S, N), derivatives (B, K, S, N)."""
        batch, series, k = len(observed.ys), len(laid.ts), laid.directions.numbers.shape[1]
        total = sum(len(r.places) * r.value.shape[1] for r in laid.records)
        loss, never = np.zeros(batch), np.zeros((batch, len(laid.records)), int)
        slopes, weights = np.zeros((batch, series, total)), np.zeros((batch, series, total))
        jacobian = np.zeros((batch, k, series, total))
        place = 0
        for r in laid.records:
            shape = (batch, 1, *r.value.shape)
            eta = [np.broadcast_to(r.at(observed.values[i]), shape)[:, 0] for i in r.places]
            used = r.weight > 0
            good = r.score.valid(*eta) & used
            if not good.all():
                eta = [np.where(good, a, neutral) for a, neutral in zip(eta, r.score.neutral, strict=True)]
            density, by, information = r.score.of(r.value, *eta)
            impossible = (used & ~good) | (used & np.isneginf(density))
            never[:, r.number] = impossible.reshape(batch, -1).sum(axis=1)
            weighed = r.weight * (density if r.whole else np.where(used, density, 0.0))
            loss -= weighed.reshape(batch, -1).sum(axis=1)
            for i, slope, one in zip(r.places, by, information, strict=True):
                here = slice(place, place + r.value.shape[1])
                slopes[..., here], weights[..., here] = -r.weight * slope, r.weight * one
                if not r.whole:
                    slopes[..., here] = np.where(used, slopes[..., here], 0.0)
                    weights[..., here] = np.where(used, weights[..., here], 0.0)
                dot = observed.dots[i]
                if dot is not None:
                    jacobian[..., here] = r.at(dot) if r.whole else np.where(used, r.at(dot), 0.0)
                place = here.stop
        return loss, never, slopes, weights, jacobian


class _Solves(NamedTuple):
    operands: numbers.Operands
    found: numbers.Solved


def _gathered(
    d: Directions, slope: np.ndarray, weight: np.ndarray, jacobian: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (B, d) and Fisher matrix (B, d, d) from slopes and weights (B, S, N) and derivatives (B, K, S, N)."""
    batch, k, series, n = jacobian.shape
    gradient, fisher = np.zeros((batch, count)), np.zeros((batch, count, count))
    root = np.sqrt(weight)
    if d.same:
        flat, here = jacobian.reshape(batch, k, series * n), d.numbers[0]
        gradient[:, here] = (flat @ slope.reshape(batch, series * n, 1))[..., 0]
        scaled = flat * root.reshape(batch, 1, series * n)
        fisher[:, here[:, None], here] = scaled @ np.swapaxes(scaled, 1, 2)
        return gradient, fisher
    own = np.ascontiguousarray(jacobian.swapaxes(1, 2))  # (B, S, K, N)
    each = (own @ slope[..., None])[..., 0]
    scaled = own * root[:, :, None]
    matrices = scaled @ np.swapaxes(scaled, 2, 3)
    for row, numbers_ in enumerate(d.numbers):
        there = np.flatnonzero(numbers_ != NOBODY)
        here = numbers_[there]
        gradient[:, here] += each[:, row, there]
        fisher[:, here[:, None], here] += matrices[:, row, there[:, None], there]
    return gradient, fisher


def _entries_read(tape: Tape, count: int) -> set[int]:
    """The places of the input p that a tape reads; all of them where it reads p otherwise than by gathering."""
    at = next((number for number, i in enumerate(tape.inputs) if i.name == "p"), None)
    if at is None:
        return set()
    found: set[int] = set()
    for i in tape.instructions:
        if at in i.args:
            if i.op != "gather":
                return set(range(count))
            found.update(i.attrs)
    return found if found else set(range(count))
