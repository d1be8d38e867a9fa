"""A solve as three JAX primitives: jit, vmap (into lanes), grad, jvp, jacfwd, jacrev, scan, checkpoint in any order.

    solve    p, w, s, y0, t0, ts, options                   -> ys, info, end, record, result, t_end, y_end, accepted,
                                                              rejected, pivoted
    tangent  …, info, record, p_dot, w_dot, s_dot, y0_dot   -> ys_dot                        (linear in the dots)
    adjoint  …, info, record, ys_bar                        -> p_bar, w_bar, s_bar, y0_bar   (the transpose of tangent)

`summed`: w_dot has no axes in front, all trajectories share it; w_bar then is a row for every group of lanes, to be added up.

Every operand is one trajectory's, or has the batch's axes in front; operands that all trajectories share stay without them.
Tangents and adjoints may have further axes in front of those: seeds, which share the trajectories' records. What moves with
the times is not the kernels' business: an observation time moves its value by f, the start by -f at the start (the exact
flow's derivative; a discrete one would only add the error of the step).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from hybridode.errors import Diagnostic, UsageError
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.ffi.target import call
from hybridode.kernels.jax import emit
from hybridode.kernels.llvm.job import INFO

RANKS = (1, 1, 1, 1, 0, 1, 1, 1, 2)  # of p, w, s, y0, t0, ts, options, info, record without axes in front
W, S, TS, INFO_AT = 1, 2, 5, 7  # where they stand
GIVEN = 7  # operands of a solve
YS, Y_END = 0, 6  # results of a solve that are differentiated: the state at the end is that at the last save point
SHARED = 9  # operands of the others that are not differentiated

solve_p, tangent_p, adjoint_p = Primitive("hode_solve"), Primitive("hode_tangent"), Primitive("hode_adjoint")
for _primitive in (solve_p, tangent_p, adjoint_p):
    _primitive.multiple_results = True


# ---- shapes ---------------------------------------------------------------------------------------------------------
def _batch(args: Sequence[Any]) -> tuple[int, ...]:
    """The axes of the trajectories."""
    return max((tuple(a.shape[: len(a.shape) - rank]) for a, rank in zip(args, RANKS, strict=False)), key=len)


def _front(array: Any, rank: int) -> tuple[int, ...]:
    """The axes in front of an array of this rank."""
    return tuple(array.shape[: len(array.shape) - rank])


def _solve_shapes(args: Sequence[Any], program: Program, capacity: int) -> list[tuple[tuple[int, ...], Any]]:
    batch, times, n = _batch(args), args[TS].shape[-1], program.n
    kind = np.dtype(program.dtype)
    return [
        ((*batch, times, n), kind),
        ((*batch, len(INFO)), np.dtype(np.int32)),
        ((*batch, n + 1), kind),
        ((*batch, capacity, n + 2), kind),
        (batch, np.dtype(np.int32)),
        (batch, kind),
        ((*batch, n), kind),
        *[(batch, np.dtype(np.int32))] * 3,
    ]


def _tangent_shapes(args: Sequence[Any], program: Program, summed: bool) -> list[tuple[tuple[int, ...], Any]]:
    return [((*_front(args[SHARED], 1), args[TS].shape[-1], program.n), np.dtype(program.dtype))]


def _adjoint_shapes(args: Sequence[Any], program: Program, summed: bool) -> list[tuple[tuple[int, ...], Any]]:
    front = _front(args[SHARED], 2)
    sizes = (program.parameters, program.weight_count, args[S].shape[-1], program.n)
    shapes = [(*front, k) for k in sizes]
    if summed:
        shapes[W] = (program.groups(prod(front)), program.weight_count)
    return [(shape, np.dtype(program.dtype)) for shape in shapes]


def _evaluate(kind: str, shapes: Callable[..., Any], *args: Any, program: Program, **params: Any) -> list[Any]:
    found = shapes(args, program, **params)
    layout = _layout(kind, args, program)
    if kind == "tangent" and params["summed"]:
        args = _with_full_arrays(args)
    return list(call(program, kind, *layout, [jax.ShapeDtypeStruct(*s) for s in found])(*args))


def _with_full_arrays(args: Sequence[Any]) -> tuple[Any, ...]:
    """The operands of a tangent, the tangent of the networks' arrays repeated for every trajectory."""
    full = jnp.broadcast_to(args[SHARED + W], (*_front(args[SHARED], 1), args[SHARED + W].shape[-1]))
    return (*args[: SHARED + W], full, *args[SHARED + W + 1 :])


def _abstract(kind: str, shapes: Callable[..., Any], *args: Any, program: Program, **params: Any) -> list[ShapedArray]:
    """The shapes; and a word to the program about derivatives, whose code is best made together with the solve's."""
    if kind != "solve":
        program.expect(kind, *_layout(kind, args, program))
    return [ShapedArray(*s) for s in shapes(args, program, **params)]


def _layout(kind: str, args: Sequence[Any], program: Program) -> tuple[int, bool]:
    """The lanes of the code (see `Program.lanes`)."""
    lanes = prod(_batch(args)) if kind == "solve" else prod(_front(args[SHARED], 1 if kind == "tangent" else 2))
    return program.lanes(lanes, args[W].ndim > 1)


def _set_up(primitive: Primitive, kind: str, shapes: Callable[..., Any]) -> None:
    evaluate = partial(_evaluate, kind, shapes)
    primitive.def_impl(jax.jit(evaluate, static_argnames=("program", "capacity", "summed")))
    primitive.def_abstract_eval(partial(_abstract, kind, shapes))
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=True), platform="cpu")


_set_up(solve_p, "solve", _solve_shapes)
_set_up(tangent_p, "tangent", _tangent_shapes)
_set_up(adjoint_p, "adjoint", _adjoint_shapes)


# ---- derivatives ----------------------------------------------------------------------------------------------------
def _rates(program: Program, t: Any, y: Any, p: Any, w: Any, s: Any) -> Any:
    """f at points: t (…), y (…, n), p (…, m), w (…, k), s (…, c)."""
    function = emit(program.rates)
    ((name, _),) = program.rates.outputs

    def one(t: Any, y: Any, p: Any, w: Any, s: Any) -> Any:
        given = program.given(t, y, p, w, s)
        return function({i.name: given[i.name] for i in program.rates.inputs})[name]

    for _ in range(t.ndim):
        one = jax.vmap(one)
    return one(t, y, p, w, s)


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, ad.Zero)


def _zero(primal: Any) -> Any:
    aval = jax.typeof(primal)
    return ad.Zero(aval.to_tangent_aval())


def _solve_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, program: Program, capacity: int) -> Any:
    """Records the steps and carries tangents over them."""
    p, w, s, y0, t0, ts, _ = primals
    p_dot, w_dot, s_dot, y0_dot, t0_dot, ts_dot, _ = tangents
    out = solve_p.bind(*primals, program=program, capacity=program.capacity)
    ys, info, record, result = out[0], out[1], out[3], out[4]
    batch = _batch(primals)
    moved = None

    def full(x: Any, rank: int) -> Any:
        return jnp.broadcast_to(x, (*batch, *x.shape[x.ndim - rank :]))

    if not _is_zero(t0_dot):
        change = -full(t0_dot, 0)[..., None] * _rates(program, full(t0, 0), full(y0, 1), full(p, 1), full(w, 1), full(s, 1))
        y0_dot = change if _is_zero(y0_dot) else full(y0_dot, 1) + change
    if not all(_is_zero(dot) for dot in (p_dot, w_dot, s_dot, y0_dot)):
        dots = [ad.instantiate_zeros(dot) for dot in (p_dot, w_dot, s_dot, y0_dot)]
        summed = bool(batch and program.weights and w.ndim == 1 and not _is_zero(w_dot))
        dots = [dot if summed and k == W else full(dot, 1) for k, dot in enumerate(dots)]
        (moved,) = tangent_p.bind(*primals, info, record, *dots, program=program, summed=summed)
    if not _is_zero(ts_dot):
        points = [jnp.broadcast_to(full(x, 1)[..., None, :], (*batch, ts.shape[-1], x.shape[-1])) for x in (p, w, s)]
        change = full(ts_dot, 1)[..., None] * _rates(program, full(ts, 1), ys, *points)
        change = jnp.where(result[..., None, None] == 0, change, jnp.nan)
        moved = change if moved is None else moved + change
    out_dots = [_zero(x) for x in out]
    if moved is not None:
        out_dots[YS], out_dots[Y_END] = moved, moved[..., -1, :]
    return out, out_dots


def _linear_jvp(primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    if not all(_is_zero(t) for t in tangents[:SHARED]):
        raise UsageError(
            Diagnostic("E0841", "the native engine has no second derivatives of a solve",
                       hint='use engine="diffrax", gradient="forward" for derivatives of derivatives')
        )  # fmt: skip
    out = primitive.bind(*primals, **params)
    if all(_is_zero(t) for t in tangents):
        return out, [_zero(x) for x in out]
    dots = [ad.instantiate_zeros(t) for t in tangents[SHARED:]]
    return out, primitive.bind(*primals[:SHARED], *dots, **params)


def _tangent_transpose(cotangents: Sequence[Any], *args: Any, program: Program, summed: bool) -> list[Any]:
    (ys_bar,) = cotangents
    wanted = [ad.is_undefined_primal(a) for a in args[SHARED:]]
    if _is_zero(ys_bar):
        bars = [ad.Zero(a.aval) if w else None for a, w in zip(args[SHARED:], wanted, strict=True)]
    else:
        found = list(adjoint_p.bind(*args[:SHARED], ys_bar, program=program, summed=summed))
        if summed:
            found[W] = jnp.sum(found[W], axis=0)
        bars = [bar if w else None for bar, w in zip(found, wanted, strict=True)]
    return [*[None] * SHARED, *bars]


def _adjoint_transpose(cotangents: Sequence[Any], *args: Any, program: Program, summed: bool) -> list[Any]:
    if all(_is_zero(c) for c in cotangents):
        return [*[None] * SHARED, ad.Zero(args[SHARED].aval)]
    dots = [ad.instantiate_zeros(c) for c in cotangents]
    if summed:
        front = _front(dots[0], 1)
        each = jnp.repeat(dots[W], program.lanes(prod(front))[0], axis=0)[: prod(front)]
        dots[W] = each.reshape(*front, each.shape[-1])
    return [*[None] * SHARED, *tangent_p.bind(*args[:SHARED], *dots, program=program, summed=False)]


ad.primitive_jvps[solve_p] = _solve_jvp
ad.primitive_jvps[tangent_p] = partial(_linear_jvp, tangent_p)
ad.primitive_jvps[adjoint_p] = partial(_linear_jvp, adjoint_p)
ad.primitive_transposes[tangent_p] = _tangent_transpose
ad.primitive_transposes[adjoint_p] = _adjoint_transpose


# ---- batches --------------------------------------------------------------------------------------------------------
def _with_axis(arrays: Sequence[Any], dims: Sequence[Any], ranks: Sequence[int], size: int) -> list[Any]:
    """The new axis in front of the trajectories' axes; operands of a solve that all trajectories share stay as they are."""
    batch: tuple[int, ...] = ()
    for array, dim, rank in zip(arrays, dims, ranks, strict=True):
        shape = [k for axis, k in enumerate(array.shape) if axis != dim]
        batch = max(batch, tuple(shape[: len(shape) - rank]), key=len)
    out = []
    for k, (array, dim, rank) in enumerate(zip(arrays, dims, ranks, strict=True)):
        if dim is None and k < GIVEN and array.ndim == rank:
            out.append(array)
            continue
        array = array[None] if dim is None else jnp.moveaxis(array, dim, 0)
        own = array.shape[array.ndim - rank :]
        array = array.reshape(array.shape[0], *(batch if array.ndim > rank + 1 else (1,) * len(batch)), *own)
        out.append(jnp.broadcast_to(array, (size, *batch, *own)))
    return out


def _size(args: Sequence[Any], dims: Sequence[Any]) -> int:
    return next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)


def _solve_batch(args: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
    out = solve_p.bind(*_with_axis(args, dims, RANKS[:GIVEN], _size(args, dims)), **params)
    return out, [0] * len(out)


def _unsummed(primitive: Primitive, program: Program, *args: Any) -> list[Any]:
    """A tangent or adjoint of summed arrays by one of arrays of each trajectory."""
    if primitive is tangent_p:
        return tangent_p.bind(*_with_full_arrays(args), program=program, summed=False)
    found = list(adjoint_p.bind(*args, program=program, summed=False))
    each = found[W].reshape(-1, program.weight_count)
    width = program.lanes(len(each))[0]
    full = jnp.pad(each, ((0, -len(each) % width), (0, 0)))
    found[W] = full.reshape(-1, width, program.weight_count).sum(1)
    return found


def _linear_batch(primitive: Primitive, rank: int, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
    size = _size(args, dims)
    if params["summed"]:  # what is added up is a trajectory's once more
        return jax.vmap(partial(_unsummed, primitive, params["program"]), tuple(dims))(*args), [0] * (
            1 if primitive is tangent_p else 4
        )
    shared, dots = args[:SHARED], args[SHARED:]
    at = 0  # where the new axis stands in the dots
    if any(d is not None for d in dims[:SHARED]):
        # Trajectories of their own: the record has all their axes, so it says how many of the dots' axes are seeds.
        taken = dims[SHARED] is not None
        trajectories = len(shared[INFO_AT].shape) - RANKS[INFO_AT] - (dims[INFO_AT] is not None)
        at = len(dots[0].shape) - rank - taken - trajectories
        shared = _with_axis(shared, dims[:SHARED], RANKS, size)
    moved = []
    for array, dim in zip(dots, dims[SHARED:], strict=True):
        if dim is None:
            array = jnp.broadcast_to(jnp.expand_dims(array, at), (*array.shape[:at], size, *array.shape[at:]))
        else:
            array = jnp.moveaxis(array, dim, at)
        moved.append(array)
    out = primitive.bind(*shared, *moved, **params)
    return out, [at] * len(out)


batching.primitive_batchers[solve_p] = _solve_batch
batching.primitive_batchers[tangent_p] = partial(_linear_batch, tangent_p, 1)
batching.primitive_batchers[adjoint_p] = partial(_linear_batch, adjoint_p, 2)
