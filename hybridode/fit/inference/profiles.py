"""Profile likelihoods: for one parameter held at a row of values, the best that all others can still do.

    PL(c) = min of the objective over theta with theta[i] = c,   95 % interval: {c: PL(c) - min <= chi2(0.95; 1)/2 = 1.92}

(A. Raue et al., Bioinformatics 25 (2009) 1923.) A profile is followed from the optimum in both directions, each a generator
that asks for points like any other optimiser, so that all profiles of a model share the lanes. On the scale of the signed root
r = sqrt(2 (PL - min)), which is straight where the likelihood is normal, a step aims at an equal rise; the others are predicted
along the valley by the Fisher matrix and set right by Fisher scoring with theta[i] pinned. The slope of a profile is the
objective's own derivative there (the others are optimal), so that a crossing is interpolated by Hermite's cubic.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask, EvaluateMany, Optimum, Point
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring

ROOT95 = 1.959963984540054  # of the deviance at the ends of a 95 % interval
RISE = 0.5  # of the root in one step
_BEYOND = 0.25  # the root goes so far past the end before a profile stops
_COARSE, _LOOKS = 0.25, 4  # a crossing with no level as near as this is looked at again, so many times
GOAL = 1e-6  # expected gain at which the others count as optimal
BETTER = 0.1  # log-likelihood by which a profile that falls has found another optimum
MOST_LEVELS = 60
_ITERATIONS = 40  # of the others at one level
_WIDEST, _STRETCH = 4.0, 3.0  # steps on the unconstrained scale; how much longer than the one before
_REACH, _LINEAR_REACH = 14.0, 1e3  # unconstrained distance at which a flat profile is given up: a factor of a million
_RETRIES = 5
_LEAP = 1.5  # of the root in one step: the others may have been lost on the way, so a shorter step is tried
_FAR = 4.6  # unconstrained distance (a factor of 100) from which a side that cannot be solved any further counts as flat
_DAMPING = 1e-4  # information about the others, per unit squared, that does not lead anywhere


@dataclass(frozen=True, eq=False)
class Level:
    """The best point of all others with z = theta[i] held: the whole vector, the objective, its slope dPL/dz, Fisher matrix."""

    z: float
    theta: np.ndarray
    value: float
    slope: float
    fisher: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class Side:
    """One half of a profile, from the optimum outwards. `crossing`: z where the 95 % limit is reached, NaN where it is not, with
    the reason in `open`: "bound", "flat" or "failed". `better`: a point below the optimum, where one was met."""

    levels: tuple[Level, ...]
    crossing: float
    open: str = ""
    better: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of entry i, named `name`: z and objective of its levels in order, what stands on both sides."""

    index: int
    name: str
    best: Level
    below: Side
    above: Side

    @property
    def levels(self) -> list[Level]:
        """From the lowest z to the highest."""
        return [*reversed(self.below.levels), self.best, *self.above.levels]

    def interval(self, space: ParameterSpace) -> tuple[float, float]:
        """The 95 % interval in natural units, NaN on an open side."""
        low, high = (self._natural(space, side.crossing) for side in (self.below, self.above))
        return low, high

    def natural(self, space: ParameterSpace) -> np.ndarray:
        """The levels' values in natural units."""
        return np.array([self._natural(space, level.z) for level in self.levels])

    def _natural(self, space: ParameterSpace, z: float) -> float:
        vector = self.best.theta[: space.size].copy()
        vector[self.index] = z
        return float(space.vector(vector)[self.index]) if np.isfinite(z) else np.nan


def profiles(
    space: ParameterSpace,
    best: Point,
    evaluate_many: EvaluateMany,
    recorder: Recorder | None = None,
    box: Box | None = None,
    entries: Sequence[int] | None = None,
    rise: float = RISE,
) -> tuple[list[Profile], str]:
    """Profiles of the parameters (or those at `entries`) round an optimum. best: the evaluation there, with its Fisher matrix.
    box: bounds of the whole vector. rise: of the root in one step. The second value says why it ended before its end, "" if it
    did not."""
    box = Box.unbounded(len(best.theta)) if box is None else box
    entries = range(space.size) if entries is None else entries
    recorder = Recorder() if recorder is None else recorder
    reach = [_LINEAR_REACH if e.transform == "free" else _REACH for e in space.entries]
    jobs = [(i, sign) for i in entries for sign in (-1, 1)]
    declared = space.unconstrain()
    paths = [_Path(best, i, sign, box, _reach(reach[i], space, i, sign), float(declared[i]), rise) for i, sign in jobs]
    tracks = [Track(recorder, number, "profiles") for number in range(1, len(jobs) + 1)]
    starts = [Snapshot(track.start, best.theta, None, track) for track in tracks]
    pool = Pool(starts, lambda start: paths[start.number - 1].follow(start.track), evaluate_many, recorder)
    pool.run()
    sides = [path.side() for path in paths]
    found = [Profile(i, space.names[i], _level(best, i), sides[2 * k], sides[2 * k + 1]) for k, i in enumerate(entries)]
    return found, pool.early


def _reach(usual: float, space: ParameterSpace, i: int, sign: int) -> float:
    """Scales that end in a straight line (`x = a + s softplus(z)`) go as far as linear ones on that side."""
    straight = {"above": 1, "below": -1}.get(space.entries[i].transform)
    return _LINEAR_REACH if straight == sign else usual


def _level(point: Point | Optimum, i: int) -> Level:
    fisher = np.zeros((0, 0)) if point.fisher is None else point.fisher
    return Level(float(point.theta[i]), point.theta, point.value, float(point.gradient[i]), fisher)


@dataclass(eq=False)
class _Path:
    """One side while it is followed."""

    start: Point
    index: int
    sign: int
    box: Box
    reach: float
    declared: float
    rise: float = RISE
    levels: list[Level] = field(default_factory=list)
    open: str = ""
    better: np.ndarray | None = None

    def root(self, value: float) -> float:
        if not np.isfinite(value):
            return np.inf
        return float(np.sqrt(2 * max(value - self.start.value, 0.0)))

    def follow(self, track: Track) -> Generator[Ask, Point, Optimum]:
        """Asks until the limit is crossed, or the side turns out to be open."""
        at, length, limit = _level(self.start, self.index), np.nan, self._limit()
        last = Optimum(self.start.theta, self.start.value, self.start.gradient, self.start.fisher, "converged", "", 0)
        while len(self.levels) < MOST_LEVELS:
            length = self._length(at, length)
            for attempt in range(_RETRIES):
                z = at.z + self.sign * length
                z = min(z, limit) if self.sign > 0 else max(z, limit)
                last = yield from self._at(at, z, track)
                leaps = self.root(last.value) - self.root(at.value) > _LEAP
                if np.isfinite(last.value) and (not leaps or attempt == _RETRIES - 1):
                    break
                length /= 4
            else:
                self.open = "flat" if self._far(at) else "failed"
                return last
            at = _level(last, self.index)
            self.levels.append(at)
            if at.value < self.start.value - BETTER:
                if self._far(at) and self.start.value - at.value < ROOT95**2 / 2:  # errors of the solver, at tiny or huge values
                    self.open = "flat"
                else:
                    self.better, self.open = at.theta, "better"
                return last
            if self.root(at.value) >= ROOT95 + _BEYOND or (at.z == limit and self.root(at.value) >= ROOT95):
                yield from self._look_again(track)
                return last
            if at.z == limit:
                self.open = "bound" if limit in (self.box.low[self.index], self.box.high[self.index]) else "flat"
                return last
        self.open = "flat"
        return last

    def _far(self, at: Level) -> bool:
        """Whether a side has been flat for so long that what lies beyond its last level does not matter."""
        return self.reach == _REACH and abs(at.z - self.start.theta[self.index]) > _FAR and self.root(at.value) < ROOT95

    def _limit(self) -> float:
        """The last z that is tried."""
        ends = float(self.start.theta[self.index]), self.declared  # an optimum may stand far off where all is flat
        far = max(self.sign * z for z in ends) * self.sign + self.sign * self.reach
        return float(np.clip(far, self.box.low[self.index], self.box.high[self.index]))

    def _length(self, at: Level, last: float) -> float:
        """Of the step on which the root is expected to rise by RISE, from slope and curvature of the profile."""
        wanted = 0.5 * (self.root(at.value) + self.rise) ** 2 + self.start.value - at.value
        slope, curvature = max(self.sign * at.slope, 0.0), _curvature(at.fisher, self.index)
        most = min(_WIDEST * (self.reach / _REACH), _STRETCH * last if np.isfinite(last) else 1.0)
        bottom = slope + np.sqrt(slope**2 + 2 * curvature * wanted)
        return float(np.clip(2 * wanted / max(bottom, 1e-300), 1e-9, most))

    def _at(self, at: Level, z: float, track: Track) -> Generator[Ask, Point, Optimum]:
        """The others at their best with theta[i] = z, from where the valley of `at` leads."""
        low, high = self.box.low.copy(), self.box.high.copy()
        low[self.index] = high[self.index] = z
        guess = at.theta + _valley(at.fisher, self.index) * (z - at.z)
        return (yield from fisher_scoring(guess, track, _ITERATIONS, box=Box(low, high), goal=GOAL))

    def _look_again(self, track: Track) -> Generator[Ask, Point, None]:
        """Where the limit was passed in a long step: levels near it."""
        for _ in range(_LOOKS):
            z = self.crossing()
            if min(abs(self.root(level.value) - ROOT95) for level in self.levels) <= _COARSE:
                return
            found = yield from self._at(min(self.levels, key=lambda level: abs(level.z - z)), z, track)
            if not np.isfinite(found.value):
                return
            self.levels = sorted([*self.levels, _level(found, self.index)], key=lambda level: self.sign * level.z)

    def crossing(self) -> float:
        """z where the root is that of a 95 % interval, NaN when it was not reached."""
        levels = [_level(self.start, self.index), *self.levels]
        roots = np.array([self.root(level.value) for level in levels])
        beyond = np.flatnonzero(roots >= ROOT95)
        if not len(beyond):
            return np.nan
        b = int(beyond[0])
        pair, r = levels[b - 1 : b + 1], roots[b - 1 : b + 1]
        slopes = [
            self.sign * level.slope / root if root > 1e-3 else np.sqrt(_curvature(level.fisher, self.index))
            for level, root in zip(pair, r, strict=True)
        ]
        away = np.abs(np.array([level.z for level in pair]) - self.start.theta[self.index])
        cubic = CubicHermiteSpline(away, r, slopes)
        inside = [x for x in np.atleast_1d(cubic.solve(ROOT95, extrapolate=False)) if away[0] <= x <= away[1]]
        straight = away[0] + (away[1] - away[0]) * (ROOT95 - r[0]) / max(r[1] - r[0], 1e-300)
        return float(self.start.theta[self.index] + self.sign * (inside[0] if inside else straight))

    def side(self) -> Side:
        crossing = self.crossing()
        why = "" if np.isfinite(crossing) else self.open or "interrupted"
        return Side(tuple(self.levels), crossing, why, self.better)


def _others(fisher: np.ndarray, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the others, and d others/dz along the valley: -F_oo^-1 F_oi, damped where there is next to no information."""
    others = np.delete(np.arange(len(fisher)), i)
    weights, vectors = np.linalg.eigh(fisher[np.ix_(others, others)])
    return others, -(vectors / (np.maximum(weights, 0.0) + _DAMPING)) @ (vectors.T @ fisher[others, i])


def _valley(fisher: np.ndarray, i: int) -> np.ndarray:
    """d theta/dz (d,) along the valley, 1 at i."""
    direction = np.zeros(len(fisher))
    others, along = _others(fisher, i)
    direction[others], direction[i] = along, 1.0
    return direction


def _curvature(fisher: np.ndarray, i: int) -> float:
    """Second derivative of the profile: what is left of F_ii when the others follow (a Schur complement), not below 0."""
    others, along = _others(fisher, i)
    return max(float(fisher[i, i] + fisher[i, others] @ along), 0.0)
