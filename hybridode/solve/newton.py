"""Newton's iteration inside the stages of the implicit methods.

Diffrax solves a stage for the slope f and by default also judges convergence there, against `atol + rtol*|f|`. That is
a tolerance in the wrong unit (with steps of 1e10 an error of atol in f is 1e10*atol in y), and its test for having
reached rounding does not hold at tight tolerances, where half of all steps were then rejected. Here the change of the
stage's state decides, measured as the step controller measures it: Hairer & Wanner, Solving Ordinary Differential
Equations II, section IV.8, eq. (8.10), with kappa the share of the tolerance that the iteration may leave over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import optimistix as optx

from hybridode.types import Array

KAPPA = 0.01
MAX_ITERATIONS = 10


class StageNewton(optx.AbstractRootFinder):
    """Simplified Newton iteration (one Jacobian and one factorisation per step) that converges in the states."""

    rtol: float
    atol: float
    norm: Callable[[Any], Array] = optx.rms_norm
    kappa: float = KAPPA

    @property
    def _chord(self) -> dfx.VeryChord:
        return dfx.VeryChord(rtol=self.rtol, atol=self.atol, norm=self.norm)

    def init(self, fn: Any, y: Any, args: Any, options: Any, f_struct: Any, aux_struct: Any, tags: Any) -> Any:
        return self._chord.init(fn, y, args, options, f_struct, aux_struct, tags)

    def step(self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any) -> Any:
        slope, moved, aux = self._chord.step(fn, y, args, options, state, tags)
        change, state_there = _in_states(moved.diff, slope, args)
        size = jnp.abs(state_there)
        distance = self.norm(change / (self.atol + self.rtol * size))
        return slope, eqx.tree_at(lambda s: s.diffsize, moved, distance.astype(moved.diffsize.dtype)), aux

    def terminate(self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any) -> Any:
        rate = state.diffsize / state.diffsize_prev
        again = state.step >= 2
        left = state.diffsize * jnp.where(again & (rate < 1), rate / (1 - rate), 1.0)
        converged = jnp.minimum(left, state.diffsize) <= self.kappa
        diverged = (state.step >= 1) & ~jnp.isfinite(state.diffsize) | (again & (rate > 2))
        failed = state.result != optx.RESULTS.successful
        result = optx.RESULTS.where(diverged & ~converged, optx.RESULTS.nonlinear_divergence, optx.RESULTS.successful)
        return failed | converged | diverged, optx.RESULTS.where(failed, state.result, result)

    def postprocess(self, fn: Any, y: Any, aux: Any, args: Any, options: Any, state: Any, tags: Any, result: Any) -> Any:
        # A step whose stages fail is rejected, but reverse mode goes through it with cotangents of 0: 0 times inf would be NaN.
        return jnp.where(result == optx.RESULTS.successful, y, jnp.zeros_like(y)), aux, {}


def _in_states(change: Any, unknown: Any, args: Any) -> tuple[Array, Array]:
    """The change of a stage's unknown as one of its state, and that state.

    `args` is what Diffrax hands to the equations of a stage (diffrax/_solver/runge_kutta.py): eight things where the unknown is
    the slope f, seven where it is the increment k.
    """
    if len(args) == 8:
        _, diagonal, _, product, _, partial_state, _, control = args
        return diagonal * product(change, control), partial_state + diagonal * product(unknown, control)
    _, diagonal, _, _, partial_state, _, _ = args
    return diagonal * change, partial_state + diagonal * unknown
