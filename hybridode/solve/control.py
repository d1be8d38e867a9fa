"""The step-size controller: Diffrax's, and an end to steps that have become too small to move the time."""

from __future__ import annotations

from typing import Any

import diffrax as dfx
import jax.numpy as jnp
import optimistix as optx
from jax import lax
from jax.flatten_util import ravel_pytree

from hybridode.types import Array


class UntilUnderflow(dfx.AbstractAdaptiveStepSizeController):
    """A controller that stops the solve once a rejected step leads to one that the time cannot resolve.

    Without it a solution that blows up, or a right-hand side that stays undefined, costs `max_steps` steps of no length.
    Diffrax's own enumeration must carry the reason: `dt_min_reached` for a finite error, `max_steps_rejected`
    (which nothing else here uses) where the error was infinite or undefined.
    """

    controller: dfx.PIDController
    smallest: Array

    @property
    def rtol(self) -> Any:
        return self.controller.rtol

    @property
    def atol(self) -> Any:
        return self.controller.atol

    @property
    def norm(self) -> Any:
        return self.controller.norm

    def wrap(self, direction: Any) -> UntilUnderflow:
        return _made(self.controller.wrap(direction), self.smallest)

    def init(self, *args: Any) -> Any:
        return self.controller.init(*args)

    def adapt_step_size(self, t0: Any, t1: Any, y0: Any, y1_candidate: Any, args: Any, y_error: Any, error_order: Any,
                        controller_state: Any) -> Any:  # fmt: skip
        keep, next_t0, next_t1, made_jump, state, result = self.controller.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, controller_state
        )
        floor = jnp.maximum(4 * jnp.finfo(t0.dtype).eps * jnp.abs(t0), self.smallest)
        # Written so that a step size of NaN counts as too small.
        stuck = ~keep & ~(next_t1 - next_t0 > floor) & (result == dfx.RESULTS.successful)
        undefined = ~jnp.all(jnp.isfinite(ravel_pytree(y_error)[0]))  # backsolve integrates a tuple
        reason = dfx.RESULTS.where(undefined, dfx.RESULTS.max_steps_rejected, dfx.RESULTS.dt_min_reached)
        return keep, next_t0, next_t1, made_jump, state, dfx.RESULTS.where(stuck, reason, result)


def _made(inner: Any, smallest: Any) -> Any:
    make: Any = UntilUnderflow  # its rtol, atol and norm are properties; type checkers take them for fields to be given
    return make(inner, smallest)


def controller(rtol: float, atol: float, t0: Array, t1: Array, jumps: Array | None,
               stops: Array | None) -> dfx.AbstractAdaptiveStepSizeController:  # fmt: skip
    """Diffrax's proportional-integral-derivative controller with our end.

    It steps to `stops` and to both sides of `jumps` (of the right-hand side) before t1; neither is differentiated.
    """
    inner = _made(dfx.PIDController(rtol=rtol, atol=atol, norm=optx.rms_norm), 1e-24 * lax.stop_gradient(jnp.abs(t1 - t0)))
    if jumps is None and stops is None:
        return inner
    # Diffrax would go on to the far side of a jump at the very end, and not save there.
    jump_ts = None if jumps is None else lax.stop_gradient(jnp.where(jumps < t1, jumps, jnp.inf))
    return dfx.ClipStepSizeController(inner, step_ts=None if stops is None else lax.stop_gradient(stops), jump_ts=jump_ts)
