"""Many numbers as one vector of a solve, and back: two linear JAX primitives, each the other's transpose.

There XLA concatenates in one kernel. On the way back it would compile a kernel for every piece, 10 ms each (for a model of 25
parameters most of the time to the first gradient): a handler copies them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from hybridode.kernels.cache import loaded
from hybridode.kernels.ffi.program import api_version
from hybridode.kernels.ffi.target import register
from hybridode.kernels.llvm.unpacking import unpacking_module

pack_p, unpack_p = Primitive("hode_pack"), Primitive("hode_unpack")
pack_p.multiple_results = unpack_p.multiple_results = True


def pack(pieces: Sequence[Any]) -> Any:
    """The elements of arrays of one floating-point type, one array after the other, as a vector. On the CPU only."""
    if len(pieces) == 1:
        return pieces[0].reshape(-1)
    return pack_p.bind(*pieces)[0]


@cache
def _target(number_bytes: int) -> str:
    module = unpacking_module(api_version(), number_bytes)
    return register(module.handler, loaded(module))


def _packed(*pieces: Any) -> list[Any]:
    return [jnp.concatenate([piece.reshape(-1) for piece in pieces])]


def _unpacked(vector: Any, *, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    return list(
        jax.ffi.ffi_call(_target(vector.dtype.itemsize), [jax.ShapeDtypeStruct(shape, vector.dtype) for shape in shapes])(vector)
    )


def _pack_transpose(bars: Sequence[Any], *pieces: Any) -> list[Any]:
    (bar,) = bars
    undefined = [ad.is_undefined_primal(piece) for piece in pieces]
    if isinstance(bar, ad.Zero):
        return [ad.Zero(p.aval) if u else None for p, u in zip(pieces, undefined, strict=True)]
    shapes = tuple(tuple(p.aval.shape if u else p.shape) for p, u in zip(pieces, undefined, strict=True))
    found = unpack_p.bind(bar, shapes=shapes) if len(shapes) > 1 else [bar.reshape(shape) for shape in shapes]
    return [x if u else None for x, u in zip(found, undefined, strict=True)]


def _unpack_transpose(bars: Sequence[Any], vector: Any, *, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    return [pack([ad.instantiate_zeros(bar) for bar in bars])]


def _linear_jvp(primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    out = primitive.bind(*primals, **params)
    return out, primitive.bind(*(ad.instantiate_zeros(t) for t in tangents), **params)


def _pack_batch(pieces: Sequence[Any], dims: Sequence[Any]) -> Any:
    size = next(p.shape[d] for p, d in zip(pieces, dims, strict=True) if d is not None)
    rows = [
        jnp.broadcast_to(p.reshape(-1), (size, p.size)) if d is None else jnp.moveaxis(p, d, 0).reshape(size, -1)
        for p, d in zip(pieces, dims, strict=True)
    ]
    return [jnp.concatenate(rows, axis=1)], [0]


def _unpack_batch(vectors: Sequence[Any], dims: Sequence[Any], *, shapes: tuple[tuple[int, ...], ...]) -> Any:
    rows = jnp.moveaxis(vectors[0], dims[0], 0)
    ends = np.cumsum([prod(shape) for shape in shapes])[:-1]
    parts = jnp.split(rows, ends, axis=1)
    return [part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)], [0] * len(shapes)


pack_p.def_abstract_eval(lambda *pieces: [ShapedArray((sum(prod(p.shape) for p in pieces),), pieces[0].dtype)])
unpack_p.def_abstract_eval(lambda vector, *, shapes: [ShapedArray(shape, vector.dtype) for shape in shapes])
pack_p.def_impl(jax.jit(_packed))
unpack_p.def_impl(jax.jit(_unpacked, static_argnames="shapes"))
for _primitive, _function in ((pack_p, _packed), (unpack_p, _unpacked)):
    mlir.register_lowering(_primitive, mlir.lower_fun(_function, multiple_results=True), platform="cpu")
    ad.primitive_jvps[_primitive] = partial(_linear_jvp, _primitive)
ad.primitive_transposes[pack_p] = _pack_transpose
ad.primitive_transposes[unpack_p] = _unpack_transpose
batching.primitive_batchers[pack_p] = _pack_batch
batching.primitive_batchers[unpack_p] = _unpack_batch
