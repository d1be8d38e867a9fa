"""Gradient matching for models without networks: parameters read off smoothed states before anything is solved.

Over short windows a state changes by the integral of its rate, so the parameters that bring both sides together along the
smoothed states are a least-squares problem without a solve (J. M. Varah, SIAM J. Sci. Stat. Comput. 3 (1982) 28; in this integral
form, which differentiates no noise, I. Dattner, C. A. J. Klaassen, Electron. J. Stat. 9 (2015) 1939). Rates linear in their
parameters take one step of linear least squares, others Levenberg-Marquardt. Equations that read a state without a curve are
left out. The result is one more start of the search and nothing else. (Networks: `training.match_gradients`.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from hybridode.declarations import entry_names
from hybridode.expr import Symbol
from hybridode.fit.objective.assignment import parameter_places
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import numpy_arguments
from hybridode.fit.parameters import Entry
from hybridode.fit.search.attainable import SCALES, records_of, scatter
from hybridode.fit.search.smooth import Curve
from hybridode.solve.problem import environment
from hybridode.tape.many import at_many

_WINDOWS, _INTERVALS = 100, 4  # windows per series at most, and into how many intervals the integral over one is cut
_LENGTH = 2.0  # of a window, in median distances of the records
_WORK = 4_000_000  # instructions of the interpreter in one iteration, at most
_ITERATIONS = 20
_STEP = 1e-6  # of a difference, on the unconstrained scale
_NUDGE = 0.01  # the same on the natural scale, of the value
_TIE = 1e-4  # how strongly parameters that the curves hardly determine are held
_ENOUGH = 1e-3  # relative gain of an iteration below which the rest is not worth it
_MARGIN = 0.01  # share of a range by which values stay off its ends
SCALE_ARGUMENTS = ("sd", "scale", "b")
_LOOSE = 1.5  # scales of the noise begin above what a smooth curve leaves


@dataclass(frozen=True)
class Matched:
    """theta, or None with the reason; `words` say what was done."""

    theta: np.ndarray | None
    words: str

    def plain(self) -> dict[str, np.ndarray]:
        """As arrays."""
        words = np.frombuffer(self.words.encode(), np.uint8)
        return {"theta": np.zeros(0) if self.theta is None else self.theta, "words": words}

    @staticmethod
    def of(plain: Mapping[str, np.ndarray]) -> Matched:
        return Matched(plain["theta"] if len(plain["theta"]) else None, plain["words"].tobytes().decode())


def _trained(objective: Objective, batch: Batch, row: int, entry: str) -> int | None:
    """The place in theta of an entry of the parameter vector of one series (its group's, where it has values by group)."""
    place = parameter_places(objective.compiled).get(entry)
    i = -1 if place is None else int(np.asarray(batch.index)[row, place])
    return i if 0 <= i < objective.n_parameters else None


def noise_scales(objective: Objective, batch: Batch) -> dict[int, float]:
    """Place in theta -> what a smooth curve leaves, for parameters that are the scale of a noise by themselves."""
    found: dict[int, list[float]] = {}
    for k, o in enumerate(objective.compiled.declarations.observations):
        names = [str(e.data) for a, e in o.arguments if a in SCALE_ARGUMENTS and e.op == "sym"]
        scale = SCALES.get(o.distribution)
        if not names or scale is None:
            continue
        for row in range(batch.count):
            place = _trained(objective, batch, row, names[0])
            t, y, _ = records_of(batch, k, row)
            left = scatter(t, scale(y), objective.jumps_of(row)) if len(y) and place is not None else None
            if left and place is not None:
                found.setdefault(place, []).append(left)
    return {i: float(np.sqrt(np.mean(np.square(v)))) for i, v in found.items()}


def with_noise_scales(objective: Objective, theta: np.ndarray, scales: Mapping[int, float]) -> np.ndarray:
    """theta with the scales of the noise somewhat above what smooth curves leave."""
    values = objective.space.vector(theta[: objective.n_parameters])
    for i, value in scales.items():
        values[i] = _inside(objective.space.entries[i], _LOOSE * value)
    out = np.array(theta)
    for i in scales:
        out[i] = objective.space.unconstrain_vector(values)[i]
    return out


def _inside(e: Entry, value: float) -> float:
    """The value brought inside the bounds of an entry."""
    if not np.isfinite(e.lower) and not np.isfinite(e.upper):
        return value
    if e.log and e.lower >= 0:
        low = e.lower * 1.01 if e.lower > 0 else min(e.declared, e.upper) * 1e-6
        return float(np.clip(value, low, e.upper / 1.01 if np.isfinite(e.upper) else np.inf))
    width = e.upper - e.lower if np.isfinite(e.upper - e.lower) else e.size
    return float(np.clip(value, e.lower + _MARGIN * width, e.upper - _MARGIN * width))


def starts_from_curves(
    objective: Objective, batch: Batch, curves: Sequence[Mapping[Symbol, Curve]], theta: np.ndarray
) -> np.ndarray:
    """theta with learnt starts where the curves begin (the mean of the series that share one)."""
    states = {(s.name, max(s.index, 0)): s for s in objective.compiled.system.states}
    begins: dict[int, list[float]] = {}
    for p in (p for p in objective.compiled.declarations.parameters if p.start_of):
        for number, entry in enumerate(entry_names(p.name, p.shape)):
            symbol = states.get((p.start_of, number))
            for row, curve in enumerate(curves):
                place = _trained(objective, batch, row, entry)
                if place is not None and symbol is not None and symbol in curve:
                    begins.setdefault(place, []).append(float(curve[symbol].value(np.array(curve[symbol].start))))
    values = objective.space.vector(theta[: objective.n_parameters])
    for i, found in begins.items():
        values[i] = _inside(objective.space.entries[i], float(np.mean(found)))
    return np.concatenate([objective.space.unconstrain_vector(values), theta[objective.n_parameters :]])


def match(objective: Objective, batch: Batch, curves: Sequence[Mapping[Symbol, Curve]], theta: np.ndarray) -> Matched:
    """The start that the smoothed states suggest. Starts and scales of the noise come from the curves too."""
    compiled, k = objective.compiled, objective.n_parameters
    states = compiled.system.states
    if compiled.system.unknowns:
        return Matched(None, "its algebraic equations have no slopes to be matched to")
    seen = [i for i, s in enumerate(states) if curves and all(s in c for c in curves)]
    if not seen:
        return Matched(None, "no state is observed as it is")
    cost = compiled.tapes["rates"].count() * batch.count * (k + 1) * (_INTERVALS + 1)
    windows = int(min(_WINDOWS, _WORK / cost))
    if windows < 8:
        return Matched(None, f"the interpreter would take {cost} instructions for one window")
    scene = _Scene(objective, batch, curves, seen, windows)
    begin = starts_from_curves(objective, batch, curves, theta)
    chosen = scene.readable(begin)
    if not len(chosen):
        return Matched(None, "every rate reads a state that is not observed as it is")
    z, before, after = _least_squares(objective, lambda z: scene.misfit(np.concatenate([z, begin[k:]]), chosen), begin[:k])
    if not after < before:
        return Matched(None, f"no parameters bring rates nearer to the slopes than the declared ones (misfit {before:.3g})")
    words = (
        f"rates matched to {len(chosen)} of {len(states)} smoothed states, misfit {before:.3g} -> {after:.3g} of their changes"
    )
    return Matched(np.concatenate([z, begin[k:]]), words)


class _Scene:
    """Smoothed states in windows of all series: times (S, W, T), values (S, W, T, n), and how much they change in each."""

    def __init__(
        self, objective: Objective, batch: Batch, curves: Sequence[Mapping[Symbol, Curve]], seen: Sequence[int], windows: int
    ) -> None:
        self.objective, self.batch, self.seen = objective, batch, np.array(seen)
        states, times, values, whole = objective.compiled.system.states, [], [], []
        for row, c in enumerate(curves):
            start, end = max(c[states[i]].start for i in seen), min(c[states[i]].end for i in seen)
            known: np.ndarray = np.unique(np.asarray(batch.ts)[row])
            distance = float(np.median(known[1:] - known[:-1]))
            length = min(max(_LENGTH * distance, (end - start) / windows), (end - start) / 4)
            begins = np.linspace(start, end - length, windows)
            t = begins[:, None] + length * np.linspace(0, 1, _INTERVALS + 1)
            y = np.zeros((*t.shape, len(states)))
            for i in seen:
                y[..., i] = c[states[i]].value(t)
            times.append(t)
            values.append(y)
            jumps = objective.jumps_of(row)
            whole.append(np.searchsorted(jumps, t[:, 0], side="left") == np.searchsorted(jumps, t[:, -1], side="left"))
        self.times, self.values = np.stack(times), np.stack(values)
        self.whole = np.stack(whole)[..., None]  # of windows across a jump nothing is asked
        self.changes = np.where(self.whole, self.values[:, :, -1] - self.values[:, :, 0], 0.0)
        self.signals = [self._signals(row) for row in range(batch.count)]
        size = np.sqrt(np.mean(self.changes**2, axis=(0, 1)))
        self.size = np.where(size > 0, size, 1.0)

    def _signals(self, row: int) -> tuple[np.ndarray, ...]:
        """Values and rates (k, W*T) of the inputs; () where there are none."""
        signals: Any = jax.tree_util.tree_map(lambda leaf: np.asarray(leaf)[row], self.batch.signals)
        if not signals.count:
            return ()
        found = [signals(t) for t in self.times[row].ravel()]
        return np.stack([u for u, _ in found], axis=-1), np.stack([du for _, du in found], axis=-1)

    def rates(self, theta: np.ndarray, shift: float = 0.0) -> np.ndarray:
        """(S, W, T, n); states without a curve are at their start (plus a shift)."""
        compiled, moving = self.objective.compiled, ("t", "y", "u", "du")
        values, out = np.array(self.values), np.zeros_like(self.values)
        unseen = np.setdiff1d(np.arange(len(self.size)), self.seen)
        for row in range(len(values)):
            args = numpy_arguments(self.objective, self.batch, row, theta)
            if len(unseen):
                start = compiled.numbers("start", float(self.batch.t0[row]), np.zeros(0), args)
                values[row][..., unseen] = start[unseen] * (1 + shift) + shift
            fixed = environment(0.0, np.zeros(compiled.size), args)
            signals = self.signals[row]
            with np.errstate(all="ignore"):
                rate = at_many(compiled.tapes["rates"], fixed, moving[: 2 + len(signals)], "rates")
                found = rate(self.times[row].ravel(), values[row].reshape(-1, compiled.size).T, *signals)
            out[row] = found.T.reshape(out[row].shape)
        return out

    def readable(self, theta: np.ndarray) -> np.ndarray:
        """The states with a curve whose rates read no state without one."""
        if len(self.seen) == len(self.size):
            return self.seen
        moved = np.any(self.rates(theta) != self.rates(theta, 0.1), axis=(0, 1, 2))
        return self.seen[~moved[self.seen]]

    def misfit(self, theta: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """What is left of the changes over the windows, in their root mean squares."""
        rates, steps = self.rates(theta)[..., chosen], np.diff(self.times, axis=2)[..., None]
        integrals = np.where(self.whole, np.sum(0.5 * (rates[:, :, 1:] + rates[:, :, :-1]) * steps, axis=2), 0.0)
        left = (integrals - self.changes[..., chosen]) / self.size[chosen]
        return (left / np.sqrt(left[..., 0].size)).ravel()


def _least_squares(
    objective: Objective, misfit: Callable[[np.ndarray], np.ndarray], z: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """From z to the least sum of squares: (z, value before, value after). What the misfit does not feel stays."""
    r = misfit(z)
    before = _squares(r)
    z, r, value, felt = _linear_step(objective, misfit, z, r)
    units, damping = np.eye(len(z))[felt], 1e-3
    for _ in range(_ITERATIONS if len(felt) and np.isfinite(value) else 0):
        jacobian = np.stack([(misfit(z + _STEP * e) - r) / _STEP for e in units], axis=1)
        normal, right = jacobian.T @ jacobian, -(jacobian.T @ r)
        scale = np.diag(normal) + _TIE * float(np.max(np.diag(normal)))
        gained = 0.0
        for _ in range(8):
            trial = np.array(z)
            trial[felt] += np.clip(np.linalg.solve(normal + damping * np.diag(scale), right), -2.0, 2.0)
            residual = misfit(trial)
            if _squares(residual) < value:
                gained = value - _squares(residual)
                z, r, value, damping = trial, residual, _squares(residual), damping / 5
                break
            damping *= 5
        if gained <= _ENOUGH * value:
            break
    return z, before, value


def _linear_step(
    objective: Objective, misfit: Callable[[np.ndarray], np.ndarray], z: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """One step of least squares on the natural scale, where rates are often linear in their parameters, kept if it is better: z,
    residuals, their squares, and the places of z that they feel."""
    space, value = objective.space, _squares(r)
    x = space.vector(z)
    columns = []
    for i, e in enumerate(space.entries):
        moved = np.array(x)
        for change in (_NUDGE, -_NUDGE):
            moved[i] = _inside(e, x[i] + change * (abs(x[i]) or 1.0))
            if moved[i] != x[i]:
                break
        columns.append((misfit(space.unconstrain_vector(moved)) - r) / ((moved[i] - x[i]) or 1.0))
    jacobian = np.stack(columns, axis=1)
    size = np.linalg.norm(jacobian, axis=0)
    if not np.all(np.isfinite(size)) or not np.isfinite(value):
        return z, r, value, np.zeros(0, int)
    felt = np.flatnonzero(size > 1e-9 * size.max(initial=0.0))
    best = np.array(x)
    best[felt] -= np.linalg.lstsq(jacobian[:, felt] / size[felt], r, rcond=1e-6)[0] / size[felt]
    trial = space.unconstrain_vector(np.array([_inside(e, v) for e, v in zip(space.entries, best, strict=True)]))
    residual = misfit(trial)
    return (trial, residual, _squares(residual), felt) if _squares(residual) < value else (z, r, value, felt)


def _squares(r: np.ndarray) -> float:
    value = float(r @ r)
    return value if np.isfinite(value) else np.inf
