"""The linear systems of the tape in JAX, with whole matrices: the reference for what `kernels/llvm/rolled` does sparsely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from hybridode.tape.shapes import Shape
from hybridode.tape.systems import LinearSystem


def _matrix(system: LinearSystem, entries: Any) -> Any:
    return jnp.zeros((system.n, system.n), entries.dtype).at[system.rows, system.columns].set(entries)


def _factor(system: LinearSystem, shape: Shape, dtype: Any) -> Callable[..., Any]:
    """See `tape/systems`: L row by row, 1/D, U row by row."""
    k = np.arange(system.n)
    below = np.repeat(k, np.diff(system.lower_start)), system.lower
    above = np.repeat(k, np.diff(system.upper_start)), system.upper

    def function(entries: Any) -> Any:
        def eliminate(k: Any, a: Any) -> Any:
            later = jnp.arange(system.n) > k
            return a - jnp.where(later, a[:, k], 0.0)[:, None] * jnp.where(later, a[k] / a[k, k], 0.0)

        a = lax.fori_loop(0, system.n, eliminate, _matrix(system, entries)[np.ix_(system.order, system.order)])
        inverse = 1.0 / jnp.diagonal(a)
        return jnp.concatenate([a[below] * inverse[below[1]], inverse, a[above] * inverse[above[0]]])

    return function


def _solve(attrs: tuple[LinearSystem, bool], shape: Shape, dtype: Any) -> Callable[..., Any]:
    system, transposed = attrs

    def function(entries: Any, factors: Any, right: Any) -> Any:
        a = _matrix(system, entries)
        return jnp.linalg.solve(a.T if transposed else a, right)

    return function


def _pivots(system: LinearSystem, shape: Shape, dtype: Any) -> Callable[..., Any]:
    at = len(system.lower) + system.position
    return lambda factors: factors[at]


SYSTEMS: dict[str, Callable[[Any, Shape, Any], Callable[..., Any]]] = {
    "factor": _factor,
    "solve": _solve,
    "pivots": _pivots,
}
