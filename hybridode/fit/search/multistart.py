"""Several starts: the declared values first, then a Latin hypercube near them and inside the bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hybridode.fit.objective.priors import BoundPrior
from hybridode.fit.objective.quantiles import latin_hypercube, normal_quantile
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.progress import Track
from hybridode.fit.search.ask import Ask, EvaluateMany, Point

_NEAR = 1.0  # standard deviation of the starts near the declared values, on the unconstrained scale
_INNER = 0.05  # the outermost part of each range in which nothing starts
MOST_DRAWN = 24  # attempts to find a point that can be evaluated


Draw = Callable[[int, int], np.ndarray]  # another point for a start (its number) that could not be evaluated, by attempt 1, 2, …


def starting_points(
    space: ParameterSpace, priors: Sequence[BoundPrior], first: np.ndarray, count: int, seed: int
) -> list[np.ndarray]:
    """`count` unconstrained vectors: `first`, then by turns one near it and one from the whole of the bounds or priors."""
    if count <= 1 or space.size == 0:
        return [first] * max(count, 1)
    near, wide = _spread(space, priors, first, latin_hypercube(count - 1, space.size, np.random.default_rng(seed)))
    return [first] + [near[j] if j % 2 == 0 else wide[j] for j in range(count - 1)]


def drawing(space: ParameterSpace, priors: Sequence[BoundPrior], first: np.ndarray, seed: int) -> Draw:
    """Points anew: by turns from the whole of the bounds or priors, and ever nearer to `first`. A start's draws are its own: they
    do not depend on which others fail."""

    def draw(number: int, attempt: int) -> np.ndarray:
        unit = np.random.default_rng((seed, number, attempt)).random((1, space.size))
        near, wide = _spread(space, priors, first, unit)
        return wide[0] if attempt % 2 else first + 0.5 ** (attempt // 2) * (near[0] - first)

    return draw


def evaluated_starts(
    evaluate_many: EvaluateMany, points: Sequence[np.ndarray], draw: Draw | None, tracks: Sequence[Track]
) -> tuple[list[Point], list[int]]:
    """The points where the starts begin, evaluated, others in the place of those that could not be; and how many were drawn for
    each start. A start for which no attempt is any good keeps its first point."""
    found = evaluate_many([Ask(theta) for theta in points])
    drawn = [0] * len(points)
    failed = [i for i, point in enumerate(found) if point.failed and not point.postponed]
    if draw is None:
        return found, drawn
    for attempt in range(1, MOST_DRAWN + 1):
        if not failed:
            break
        again = evaluate_many([Ask(draw(tracks[i].start, attempt)) for i in failed])
        for i, point in zip(failed, again, strict=True):
            drawn[i] += 1
            if not point.failed or point.postponed:
                track = tracks[i]
                track.log.append(
                    f"start {track.start}: {drawn[i]} drawn anew, as the first could not be evaluated: {found[i].reason}"
                )
                found[i] = point
        failed = [i for i in failed if found[i].failed and not found[i].postponed]
    return found, drawn


def _spread(
    space: ParameterSpace, priors: Sequence[BoundPrior], first: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points near `first` and points in the whole of the bounds or priors, of points `unit` (n, size) in the unit cube.

    A range with both ends is filled evenly in its own scale (linear or log); without two ends, and near `first`, points are
    normally distributed on the unconstrained scale.
    """
    near = first + _NEAR * normal_quantile(np.clip(unit, 1e-3, 1 - 1e-3))
    wide = np.array(near)
    for i, e in enumerate(space.entries):
        u = _INNER + (1 - 2 * _INNER) * unit[:, i]
        if e.transform in ("between", "log between"):
            wide[:, i] = np.log(u) - np.log1p(-u)
        else:
            wide[:, i] = first[i] + 2 * (near[:, i] - first[i])
    for prior in priors:
        for i in prior.entries:
            wide[:, i] = _from_prior(space, prior, i, unit[:, i], wide[:, i])
    return near, wide


def _from_prior(space: ParameterSpace, prior: BoundPrior, i: int, unit: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Quantiles of the prior where they lie inside the bounds."""
    e = space.entries[i]
    x = np.asarray(prior.quantile(_INNER + (1 - 2 * _INNER) * unit), float)
    inside = np.isfinite(x) & (x > e.lower) & (x < e.upper)
    out = np.array(otherwise)
    for j in np.flatnonzero(inside):
        whole = np.array([q.declared for q in space.entries])
        whole[i] = x[j]
        out[j] = space.unconstrain_vector(whole)[i]
    return out
