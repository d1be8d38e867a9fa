"""From emitted tapes to the functions of a model: (t, y, args) -> a vector, with the symbolic Jacobian as a derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from hybridode.solve.problem import Arguments, environment
from hybridode.types import Array

Function = Callable[[Any, Array, Arguments], Array]
_DENSE_UP_TO = 64  # states up to which a dense product with the Jacobian is quicker than a sparse one


def vector_function(emitted: Callable[[Mapping[str, Any]], dict[str, Array]] | None, output: str) -> Function:
    """One output of an emitted tape; an empty vector where there is none."""

    def function(t: Any, y: Array, args: Arguments) -> Array:
        if emitted is None:
            return jnp.zeros(0, args.parameters.dtype)
        return emitted(environment(t, y, args))[output].astype(args.parameters.dtype)

    return function


def rates_with_jacobian(plain: Function, jacobian: Function | None, rows: tuple[int, ...], columns: tuple[int, ...], n: int,
                        lenient: bool = False) -> Function:  # fmt: skip
    """The rates, whose derivative with respect to y is `jacobian` -> (entries,) at (rows, columns); all else by JAX.

    Diffrax's implicit methods ask for it column by column under vmap; the entries are then computed once. `lenient`: where the
    rates or the entries are not finite all derivatives are 0. Inside an implicit method that happens only in steps that are
    rejected, whose derivatives do not count, but Lineax would end the whole program over them.
    """
    product = _product(np.asarray(rows, np.int32), np.asarray(columns, np.int32), n)

    @jax.custom_jvp
    def rates(t: Any, y: Array, args: Arguments) -> Array:
        return plain(t, y, args)

    @partial(rates.defjvp, symbolic_zeros=True)
    def rates_jvp(primals: tuple[Any, Array, Arguments], tangents: tuple[Any, Any, Any]) -> tuple[Array, Array]:
        (t, y, args), (dt, dy, dargs) = primals, tangents
        by_jax = (dt, dargs) if jacobian is not None else (dt, dargs, dy)
        usable = jnp.all(jnp.isfinite(plain(t, y, args))) if lenient else True
        # Reverse mode multiplies 0 by what it finds at a place that does not count: it must find something finite.
        value, change = _moved(plain, (t, args, jnp.where(usable, y, 1.0) if lenient else y), by_jax)
        value = jnp.where(usable, value, jnp.nan) if lenient else value
        if jacobian is not None and not _is_zero(dy):
            entries = jacobian(t, y, args)
            usable = usable & jnp.all(jnp.isfinite(entries))
            change = change + product(jnp.where(usable, entries, 0.0) if lenient else entries, dy)
        return value, jnp.where(usable, change, 0.0) if lenient else change

    return rates


def _moved(plain: Function, primals: tuple[Any, Arguments, Array], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """Value and change of the rates along the first of (t, args, y), as far as these have tangents that are not zero."""
    leaves, tree = jax.tree_util.tree_flatten(primals)
    changes = jax.tree_util.tree_leaves(tangents, is_leaf=_is_zero)
    moving = [i for i, change in enumerate(changes) if not _is_zero(change)]

    def along(*moved: Array) -> Array:
        whole = list(leaves)
        for i, leaf in zip(moving, moved, strict=True):
            whole[i] = leaf
        t, args, y = jax.tree_util.tree_unflatten(tree, whole)
        return plain(t, y, args)

    if moving:
        return jax.jvp(along, tuple(leaves[i] for i in moving), tuple(changes[i] for i in moving))
    value = along()
    return value, jnp.zeros_like(value)


def _is_zero(change: Any) -> bool:
    return isinstance(change, SymbolicZero)


def _product(rows: np.ndarray, columns: np.ndarray, n: int) -> Callable[[Array, Array], Array]:
    """Entries of a sparse matrix times a vector."""
    if n > _DENSE_UP_TO:
        return lambda entries, v: jax.ops.segment_sum(entries * v[columns], rows, n)
    return lambda entries, v: dense_jacobian(entries, rows, columns, n) @ v


def dense_jacobian(entries: Array, rows: np.ndarray, columns: np.ndarray, n: int) -> Array:
    """The (n, n) matrix of sparse entries: a gather, which XLA does better than a scatter."""
    place = np.full((n, n), len(rows), np.int32)
    place[rows, columns] = np.arange(len(rows))
    return jnp.append(entries, jnp.zeros((), entries.dtype))[place]
