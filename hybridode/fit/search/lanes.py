"""The objective at many vectors in one call: starts times series fill the lanes and threads of the native engine.

Blocks have one size, which depends on the model and the data only: nothing is compiled again when starts end, and a start's
numbers do not depend on how many others there are. Idle places of a block are solved over no time at all.

A search wanders where the model is stiff though it is not at the declared values. What an explicit method does not solve in many
times the steps that it needs there is solved by an implicit one, compiled when that first happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.batch import Batch, up_to
from hybridode.fit.objective.direct.evaluate import Direct, cannot
from hybridode.fit.objective.objective import Evaluation, Objective
from hybridode.fit.objective.xla import LITTLE, SOME, compiler_options
from hybridode.fit.search.ask import WHOLE, Ask, Point, View
from hybridode.fit.search.chart import Chart
from hybridode.solve import results
from hybridode.solve.native import program_of

MOST_LANES, MOST_DIRECT = 16, 64  # starts in a block, of a program of JAX and without one
FISHER_MOST = 160  # trainable numbers up to which the Fisher matrix is worth its forward sensitivities in every iteration
MOST_BYTES = 1 << 28  # of a block's steps and sensitivities
MORE_STEPS, LEAST_STEPS = 20, 2000  # of an explicit method: times those expected at the declared values, and so many at least
_STEEPEST = 1e150  # entry of a Fisher matrix beyond which a point counts as one that cannot be evaluated: products overflow


Blocks = Callable[[list[np.ndarray], View, bool], list[Evaluation]]  # points (B, d) of each block, view, by the implicit method
PARTS = 8  # blocks that a round is cut into where others evaluate them


class Lanes:
    """Evaluates asks whose view is a `View`: `lanes(asks) -> points`. Value, gradient and Fisher matrix.

    `implicit`: the method for what takes more than `most_steps`; None: there is no such method and no such limit. `stiff`: how
    many points it had to solve. `postponing`: such points are not solved but marked."""

    def __init__(self, objective: Objective, batch: Batch, implicit: str | None = None, most_steps: int = 0) -> None:
        self.objective = objective
        self.batch = batch
        self.views: dict[View, Batch] = {WHOLE: batch}
        self.implicit, self.most_steps, self.stiff = implicit, most_steps, 0
        self.spread: Blocks | None = None  # evaluates blocks elsewhere, see `fit/workers`
        self.is_other = self.postponing = False
        limited = replace(objective.settings, max_steps=min(most_steps, objective.settings.max_steps)) if implicit else None
        self._quick = objective if limited is None else replace(objective, settings=limited)

    @cached_property
    def other(self) -> Lanes:
        """What solves the points that are stiff."""
        assert self.implicit is not None, "there is an implicit method"
        other = Lanes(replace(self.objective, method=self.implicit), self.batch)
        other.spread, other.is_other = self.spread, True
        return other

    @cached_property
    def chart(self) -> Chart:
        """The coordinates in which starts search that learn parameters alone."""
        return Chart.of(self.objective.space)

    @cached_property
    def width(self) -> int:
        """Starts in a block: what memory allows of 16; 1 with networks, whose arrays lanes then share, and with Diffrax."""
        objective, batch = self.objective, self.batch
        if objective.networks or objective.settings.engine != "native" or objective.compiled.size == 0:
            return 1
        n, (series, times) = objective.compiled.size, np.shape(batch.ts)
        kept = program_of(objective.compiled, objective.method).capacity * (n + 2)
        each = 8 * series * (kept + times * n * max(objective.n_parameters, 1))
        return int(np.clip(2 ** int(np.log2(max(MOST_BYTES / each, 1))), 1, MOST_LANES if self.direct is None else MOST_DIRECT))

    @cached_property
    def direct(self) -> Direct | None:
        """What evaluates without JAX, where that can."""
        return Direct(self._quick) if cannot(self._quick, self.batch) is None else None

    @cached_property
    def _program(self) -> Callable[[Any, Any, Batch], Evaluation]:
        def one(theta: Any, active: Any, batch: Batch) -> Evaluation:
            horizon = jnp.where(active, batch.horizon, batch.t0)
            return self._quick.value_and_fisher(theta, replace(batch, horizon=horizon))

        return jax.jit(jax.vmap(one, (0, 0, None)), compiler_options=compiler_options(LITTLE if self.is_other else SOME))

    def evaluations(self, thetas: np.ndarray, view: View = WHOLE) -> Evaluation:
        """Of thetas (N, d), NumPy arrays with an axis of N in front."""
        memory = self._quick.memory
        if not memory.in_use or (self.width == 1 and self.spread is None):  # single evaluations remember for themselves
            found = self._blocks(thetas, view)
        else:
            compute = lambda rest: self._blocks(rest, view)._asdict()  # noqa: E731
            found = Evaluation(**memory.answers(b"lanes" + self._quick.identity, self._records(view), thetas, compute))
        return found if self.implicit is None or self.postponing else self._with_stiff(thetas, view, found)

    def _records(self, view: View) -> Batch:
        """The records that a view sees."""
        if view not in self.views:
            self.views[view] = up_to(self.batch, view.horizon)
        return self.views[view]

    def _blocks(self, thetas: np.ndarray, view: View) -> Evaluation:
        """Of thetas (N, d), computed block by block, here or elsewhere."""
        most = self.width if self.spread is None else min(self.width, -(-len(thetas) // PARTS))
        parts = [thetas[at : at + most] for at in range(0, len(thetas), most)]
        if self.spread is None:
            found = [self.block(part, view) for part in parts]
        else:
            found = self.spread(parts, view, self.is_other)
        return jax.tree_util.tree_map(lambda *leaves: np.concatenate(leaves), *found)

    def block(self, thetas: np.ndarray, view: View) -> Evaluation:
        """Of thetas (B, d) with B up to the width, computed here."""
        return self._computed(thetas, self._records(view))

    def _computed(self, thetas: np.ndarray, records: Batch) -> Evaluation:
        count = len(thetas)
        if self.direct is not None:
            return self.direct(thetas, records)
        if self.width == 1:  # the program that everything else uses too
            single = self._quick.with_fisher if thetas.shape[1] <= FISHER_MOST else self._quick.with_gradient
            return jax.tree_util.tree_map(lambda leaf: np.asarray(leaf)[None], single(thetas[0], records))
        full = np.concatenate([thetas, np.repeat(thetas[:1], self.width - count, axis=0)])
        found = self._program(full, np.arange(self.width) < count, records)
        return jax.tree_util.tree_map(lambda leaf: np.asarray(leaf)[:count], found)

    def _with_stiff(self, thetas: np.ndarray, view: View, found: Evaluation) -> Evaluation:
        """The evaluations with those that took too many steps made by the implicit method."""
        rows = np.flatnonzero(np.any(np.asarray(found.results) == results.MAX_STEPS, axis=1))
        if not len(rows):
            return found
        self.stiff += len(rows)
        again = self.other.evaluations(thetas[rows], view)

        def put(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            whole = np.array(old)
            whole[rows] = new
            return whole

        return jax.tree_util.tree_map(put, found, again)

    def impatient(self, theta: np.ndarray) -> Objective:
        """The objective whose solves end where an explicit method takes far too many steps, if that can evaluate theta: a
        search by gradients turns back from such points, and should learn so soon. Else the objective without this limit."""
        quick = self._quick
        return quick if np.isfinite(float(quick.with_gradient(theta, self.batch).value)) else self.objective

    def evaluation(self, theta: np.ndarray, view: View = WHOLE) -> Evaluation:
        """Of one vector."""
        return _row(self.evaluations(np.asarray(theta)[None], view), 0)

    def __call__(self, asks: Sequence[Ask]) -> list[Point]:
        """The points asked for, in order."""
        points: list[Point | None] = [None] * len(asks)
        for view in dict.fromkeys(ask.view for ask in asks):
            mine = [i for i, ask in enumerate(asks) if ask.view == view]
            found = self._points(np.array([asks[i].theta for i in mine]), view)
            for i, point in zip(mine, found, strict=True):
                points[i] = point
        return [p for p in points if p is not None]

    def point(self, theta: np.ndarray, view: View = WHOLE) -> Point:
        """One vector."""
        return self._points(np.array(theta, float)[None], view)[0]

    def point_on(self, records: Batch, theta: np.ndarray) -> Point:
        """One vector on other records of the same shapes, computed here and not kept."""
        thetas = np.array(theta, float)[None]
        return self._told(thetas, self._computed(thetas, records))[0]

    def _points(self, thetas: np.ndarray, view: View) -> list[Point]:
        found = self.evaluations(thetas, view)
        return self._told(thetas, found, self.postponing & np.any(np.asarray(found.results) == results.MAX_STEPS, axis=-1))

    def _told(self, thetas: np.ndarray, found: Evaluation, waits: np.ndarray | bool = False) -> list[Point]:
        """What optimisers are told of thetas (N, d), which are theirs to keep."""
        count, gradient = len(thetas), np.asarray(found.gradient, float)
        fisher = np.zeros((count, 0, 0)) if found.fisher is None else np.asarray(found.fisher, float)
        with np.errstate(invalid="ignore"):
            steepest = [np.max(np.abs(a), axis=tuple(range(1, a.ndim)), initial=0.0) for a in (gradient, fisher)]
        bad = ~np.isfinite(found.value), ~(np.maximum(*steepest) <= _STEEPEST), np.broadcast_to(waits, count)
        rows = zip(thetas, np.asarray(found.value).tolist(), gradient, fisher, *(b.tolist() for b in bad), strict=True)
        points = []
        for row, (theta, value, g, h, unknown, steep, postponed) in enumerate(rows):
            reason = self.objective.why(_row(found, row)) if unknown else ""
            if steep and not reason:
                value, reason = np.inf, "the predictions change without bound with the parameters"
                g, h = np.zeros_like(g), np.zeros_like(h)
            points.append(Point(theta, value, g, h, reason, postponed))
        return points


def _row(found: Evaluation, row: int) -> Evaluation:
    """One of many evaluations."""
    return Evaluation(*(None if leaf is None else leaf[row] for leaf in found))
