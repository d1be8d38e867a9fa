"""Observations whose noise is alike, as one: a program with one likelihood for all of them compiles in a fraction of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.batch import Batch, Column
from hybridode.fit.objective.limits import Kinds, information, log_likelihood
from hybridode.fit.objective.noise import Noise
from hybridode.types import Array


@dataclass(frozen=True, eq=False)
class Kind:
    """The observations `members` (their numbers) of one noise `row` and one set of `limits`, their records one behind the other;
    `minimised`: the row with the robust loss in it; `places` (a,) of each member's arguments among the observables."""

    members: tuple[int, ...]
    row: Noise
    minimised: Noise
    limits: Kinds
    places: tuple[np.ndarray, ...]

    def column(self, batch: Batch) -> Column:
        """The records (…, R) of all members."""
        mine = [batch.columns[k] for k in self.members]
        if len(mine) == 1:
            return mine[0]
        join = lambda name: jnp.concatenate([jnp.asarray(getattr(c, name)) for c in mine], axis=-1)  # noqa: E731
        return Column(*map(join, ("time", "value", "censored", "used", "upper")))

    def arguments(self, series: Batch, observed: Array) -> Array:
        """Of observables (T, q) of one series: the noise's arguments at the records (R, a)."""
        counts = [series.columns[k].time.shape[-1] for k in self.members]
        where = np.concatenate([np.tile(at, (n, 1)) for at, n in zip(self.places, counts, strict=True)])
        return observed[self.column(series).time[:, None], where]

    def split(self, joined: Array, batch: Batch) -> list[tuple[int, Array]]:
        """(member, its part (S, R_k, …)) of what is (S, R, …)."""
        ends = np.cumsum([batch.columns[k].time.shape[-1] for k in self.members])
        return list(zip(self.members, jnp.split(joined, ends[:-1], axis=1), strict=True))

    def counts(self, wrong: Array, batch: Batch) -> dict[int, Array]:
        """How many of the records (S, R) are wrong, by member."""
        widths = [batch.columns[k].time.shape[-1] for k in self.members]
        mine = np.repeat(np.eye(len(widths), dtype=int), widths, axis=0)
        return dict(zip(self.members, jnp.sum(wrong, axis=0, dtype=int) @ mine, strict=True))

    def loss(self, eta: Array, batch: Batch) -> tuple[Array, Array]:
        """Minus the weighted log-likelihood of the records, from the arguments eta (S, R, a); which (S, R) have probability 0."""
        c = self.column(batch)
        value = log_likelihood(self.minimised, c.value, c.upper, c.censored, tuple(jnp.moveaxis(eta, -1, 0)), self.limits)
        return -jnp.sum(c.used * jnp.where(c.used > 0, value, 0.0)), (c.used > 0) & jnp.isneginf(value)

    def information(self, eta: Array, batch: Batch) -> Array:
        """Fisher information (…, a, a) of the arguments eta (…, a) at the records, with their weights."""
        a, c = eta.shape[-1], self.column(batch)
        value, upper, censored = (x.reshape(-1) for x in (c.value, c.upper, c.censored))
        matrices = information(self.minimised, value, upper, censored, eta.reshape(-1, a), self.limits)
        return c.used[..., None, None] * matrices.reshape(*eta.shape, a)


def kinds_alike(
    rows: Sequence[Noise], minimised: Sequence[Noise], limits: Sequence[Kinds], places: Sequence[np.ndarray]
) -> tuple[Kind, ...]:
    """The kinds among the observations, in the order of their first members."""
    found: dict[tuple[int, Kinds], list[int]] = {}
    for k, (row, kinds) in enumerate(zip(rows, limits, strict=True)):
        found.setdefault((id(row), kinds), []).append(k)
    return tuple(
        Kind(tuple(ks), rows[ks[0]], minimised[ks[0]], limits[ks[0]], tuple(places[k] for k in ks)) for ks in found.values()
    )
