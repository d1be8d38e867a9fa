"""A model's right-hand side as an Equinox module, for solvers that are not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from hybridode.solve.defaults import with_parameters
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.tapes import state_names
from hybridode.types import Array


class VectorField(eqx.Module):
    """A model's right-hand side `f(t, y, args=None) -> (n,)`, for Diffrax, jit, vmap, grad; float32 or float64 as y is.

    `args`: natural values by name as `model.parameters()` gives them (what is left out keeps its value), `Arguments`, or None
    for the declared values. `states` names the entries of y; `start(t0=0.0, args=None)` gives the declared start.
    """

    base: Arguments
    compiled: Compiled = eqx.field(static=True)

    def __call__(self, t: Any, y: Array, args: Mapping[str, Any] | Arguments | None = None) -> Array:
        y = jnp.asarray(y)
        return self.compiled.rates(jnp.asarray(t, y.dtype), y, self._numbers(args, y.dtype))

    def start(self, t0: Any = 0.0, args: Mapping[str, Any] | Arguments | None = None) -> Array:
        """The model's start (n,), in JAX's default precision."""
        numbers = self._numbers(args, jnp.result_type(float)).at_start(t0)
        return self.compiled.start(jnp.asarray(t0, numbers.parameters.dtype), numbers)

    @property
    def states(self) -> tuple[str, ...]:
        """The user's names of the entries of y."""
        return state_names(self.compiled.system)

    def _numbers(self, args: Mapping[str, Any] | Arguments | None, dtype: Any) -> Arguments:
        base = jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf, dtype), self.base)
        if isinstance(args, Arguments):
            return jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf, dtype), args)
        return base if args is None else with_parameters(self.compiled.parameter_slices, base, args)
