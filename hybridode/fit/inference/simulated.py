"""Records that the fitted model could have given in the place of the data: drawn from its noise, with the limits of the data.

What was below (above) a limit in the data is below it again if what is drawn lies there, and else a value; a value that is drawn
below the limit of its column (in its series, if that has some, else in all) becomes one. Intervals are cells of a grid as wide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.data.cells import ABOVE, BELOW, BETWEEN
from hybridode.fit.objective.batch import Batch, Column
from hybridode.fit.objective.objective import Objective

Records = tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]  # per observation: value, censored, upper, each (S, R)


@dataclass(frozen=True, eq=False)
class Simulator:
    """Draws records: `quantiles` per observation of uniform numbers (S, R), limits (S, R) beyond which nothing is known."""

    columns: tuple[Column, ...]
    quantiles: tuple[Callable[[np.ndarray], np.ndarray], ...]
    low: tuple[np.ndarray, ...]
    high: tuple[np.ndarray, ...]

    def draw(self, rng: np.random.Generator) -> Records:
        """Records of all observations; columns of constraints stay what they are."""
        found = []
        for k, c in enumerate(self.columns):
            value, censored, upper = (np.array(x) for x in (c.value, c.censored, c.upper))
            if k < len(self.quantiles):
                used = np.asarray(c.used) > 0
                drawn = self.quantiles[k](rng.uniform(size=used.shape))
                new = _limited(drawn, censored, value, upper, self.low[k], self.high[k])
                value, censored, upper = (np.where(used, a, b) for a, b in zip(new, (value, censored, upper), strict=True))
            found.append((value, censored, upper))
        return tuple(found)


def arguments_program(objective: Objective, batch: Batch) -> Callable[[Any], Any]:
    """The arguments of the noise at the records as a function of theta (d,), compiled once."""
    return jax.jit(lambda x: objective.arguments_of_noise(x, batch, "forward"))


def simulator(objective: Objective, batch: Batch, theta: np.ndarray, program: Callable[[Any], Any] | None = None) -> Simulator:
    """Of the model at theta (d,), for the records of a batch. program: where there is one already."""
    found, _ = (program or arguments_program(objective, batch))(jnp.asarray(theta))
    eta: dict[int, np.ndarray] = {}
    for kind, joined in zip(objective.kinds, found, strict=True):
        eta |= {k: np.asarray(part) for k, part in kind.split(joined, batch)}
    quantiles, low, high = [], [], []
    for k in range(objective.n_observed):
        c = batch.columns[k]
        arguments = [np.moveaxis(eta[k], -1, 0)[i] for i in range(eta[k].shape[-1])]
        quantiles.append(_quantiles(objective.rows[k], arguments, np.asarray(c.used) > 0))
        low.append(_limits(c, BELOW))
        high.append(_limits(c, ABOVE))
    return Simulator(batch.columns, tuple(quantiles), tuple(low), tuple(high))


def _quantiles(noise: Any, arguments: list[np.ndarray], used: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Of the noise at its arguments; those of records that are not used are harmless ones."""
    neutral = [np.where(used, a, n) for a, n in zip(arguments, noise.neutral, strict=True)]
    return lambda uniform: np.asarray(noise.frozen(*neutral).ppf(uniform), float)


def _limits(c: Column, which: int) -> np.ndarray:
    """The limit of every record (S, R) of a column: its own, or the nearest one that its value allows; infinite where none is."""
    value, censored, used = np.asarray(c.value), np.asarray(c.censored), np.asarray(c.used) > 0
    away = -np.inf if which == BELOW else np.inf
    found = np.full(value.shape, away)
    everywhere = value[(censored == which) & used]
    for s in range(len(value)):
        mine = value[s][(censored[s] == which) & used[s]]
        known = np.unique(mine if len(mine) else everywhere)
        for r in np.flatnonzero(used[s]):
            if censored[s, r] == which:
                found[s, r] = value[s, r]
            elif censored[s, r] == 0 and len(known):
                fit = known[known <= value[s, r]] if which == BELOW else known[known >= value[s, r]]
                found[s, r] = (fit.max() if which == BELOW else fit.min()) if len(fit) else away
    return found


def _limited(
    drawn: np.ndarray, censored: np.ndarray, value: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, censored and upper of what was drawn."""
    between = censored == BETWEEN
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.where(between, upper - value, 1.0)
        cell = value + np.floor((drawn - value) / width) * width
    below, above = ~between & (drawn < low), ~between & (drawn > high)
    new = np.select([between, below, above], [cell, low, high], drawn)
    kind = np.select([between, below, above], [BETWEEN, BELOW, ABOVE], 0)
    return new, kind, np.where(between, cell + width, new)
