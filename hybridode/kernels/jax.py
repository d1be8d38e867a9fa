"""Tape to JAX: a traceable function, in float32 or float64 as its inputs are.

Each operation is one row of `EMIT`: (attributes, shape, dtype) -> function of the operands. Plain ones are `jax.lax`'s own, whose
derivatives are the tape's. Operations whose derivative needs care at some point are wrapped in a `custom_jvp` whose rule is
the tape's own (`ops` partials, emitted in turn), so that `jax.grad` of emitted code is as free of NaN as the tape's derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy import special

from hybridode.kernels.jax_systems import SYSTEMS
from hybridode.tape.guard import guard
from hybridode.tape.meaning import power_series_terms, series_radius
from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify

Function = Callable[..., Any]
Emitter = Callable[[Any, Shape, Any], Function]


def emit(tape: Tape) -> Callable[[Mapping[str, Any]], dict[str, Array]]:
    """The tape as a traceable function: inputs by name (more may be given than are read) -> outputs by name.

    The dtype is that of the inputs promoted to a float; of a tape without inputs JAX's default.
    """
    tape = verify(guard(tape))
    k = len(tape.inputs)

    def function(inputs: Mapping[str, Any]) -> dict[str, Array]:
        given = [jnp.asarray(inputs[i.name]) for i in tape.inputs]
        dtype = jnp.result_type(float) if not given else jnp.result_type(*given)
        dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
        values: list[Any] = [v.astype(dtype) for v in given]
        for value, i in zip(values, tape.inputs, strict=True):
            if value.shape != i.shape:
                raise ValueError(f"input {i.name} has shape {i.shape}, not {value.shape}")
        for number, (op, args, attrs, shape) in enumerate(tape.instructions, k):
            values.append(_apply(op, attrs, shape, dtype, [values[a] for a in args]))
            assert values[number].shape == shape, f"{op} gave {values[number].shape}, not {shape}"
        return {name: values[n] for name, n in tape.outputs}

    return function


def _apply(op: str, attrs: Any, shape: Shape, dtype: Any, operands: list[Any]) -> Any:
    if OPS[op].elementwise:
        operands = [a if a.shape == shape else lax.broadcast(a, shape) for a in operands]
    return EMIT[op](attrs, shape, dtype)(*operands)


# ---- elementwise ----------------------------------------------------------------------------------------------------
def _plain(function: Function) -> Emitter:
    return lambda attrs, shape, dtype: function


def _ruled(name: str, function: Callable[[Any], Function] | Function, takes_attrs: bool = False) -> Emitter:
    """An operation whose derivative is the tape's rule."""

    def emitter(attrs: Any, shape: Shape, dtype: Any) -> Function:
        return _with_rule(name, attrs, function(attrs) if takes_attrs else function)

    return emitter


@lru_cache(maxsize=1024)
def _partials_tape(name: str, attrs: Any) -> tuple[Tape, tuple[bool, ...]]:
    """The partial derivatives of an operation as a tape of scalars, and which of them are not zero everywhere."""
    b = TapeBuilder()
    row = OPS[name]
    arity = row.arity if row.arity >= 0 else len(attrs[1])
    args = [b.input(f"x{j}") for j in range(arity)]
    out = b.node(name, tuple(args), attrs)
    assert row.partials is not None, f"{name} has no derivative rule"
    partials = row.partials(b, out, *args)
    return b.finish({f"d{j}": p for j, p in enumerate(partials) if p is not None}), tuple(p is not None for p in partials)


def _with_rule(name: str, attrs: Any, function: Function) -> Function:
    wrapped = jax.custom_jvp(function)

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        out = wrapped(*primals)
        tape, present = _partials_tape(name, attrs)
        partials = elementwise(tape, primals)
        total = jnp.zeros_like(out)
        for j, tangent in enumerate(tangents):
            if present[j]:
                total = total + partials[f"d{j}"] * tangent
        return out, total

    wrapped.defjvp(rule)
    return wrapped


def elementwise(tape: Tape, primals: tuple[Any, ...]) -> dict[str, Any]:
    """A tape of scalar elementwise operations evaluated on arrays of one shape."""
    shape, dtype = primals[0].shape, primals[0].dtype
    values: list[Any] = [primals[int(i.name[1:])] for i in tape.inputs]
    for op, args, attrs, _ in tape.instructions:
        if op == "const":
            values.append(jnp.full(shape, attrs[0], None if isinstance(attrs[0], bool) else dtype))
        else:
            values.append(EMIT[op](attrs, shape, dtype)(*[values[a] for a in args]))
    return {name: values[n] for name, n in tape.outputs}


def _exprel(x: Any) -> Any:
    at_zero, infinite = x == 0, x == jnp.inf
    safe = jnp.where(at_zero | infinite, 1.0, x)
    return jnp.where(at_zero, 1.0, jnp.where(infinite, jnp.inf, jnp.expm1(safe) / safe))


def _exprel_slope(k: int) -> Function:
    """As `meaning.exprel_slope`."""
    coefficients = [1.0 / (math.factorial(j) * (j + k + 1)) for j in range(power_series_terms(k))]
    radius = series_radius(k)

    def function(x: Any) -> Any:
        small = jnp.abs(x) <= radius
        near, far = jnp.where(small, x, 0.0), jnp.where(small, radius, x)
        distance = jnp.abs(far)
        series = jnp.full_like(x, coefficients[-1])
        for c in reversed(coefficients[:-1]):
            series = series * near + c
        up = down = -jnp.expm1(-distance) / distance
        for j in range(1, k + 1):
            up = (1.0 - j * up) / distance
            down = (j * down - jnp.exp(-distance)) / distance
        above = jnp.where(far == jnp.inf, jnp.inf, jnp.exp(far) * up)
        return jnp.where(small, series, jnp.where(far > 0, above, down))

    return function


def _hill(x: Any, k: Any, n: Any) -> Any:
    positive = x > 0
    value = 1.0 / (1.0 + lax.pow(k / jnp.where(positive, x, 1.0), n))
    return jnp.where(positive, value, jnp.where(jnp.isnan(x), x, 0.0))


def _mod(x: Any, y: Any) -> Any:
    rest = lax.rem(x, y)
    return jnp.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


def _softplus(x: Any) -> Any:
    return lax.max(x, jnp.zeros_like(x)) + lax.log1p(lax.exp(-lax.abs(x)))


def _heaviside(x: Any) -> Any:
    return jnp.where(jnp.isnan(x), x, jnp.where(x >= 0, 1.0, 0.0).astype(x.dtype))


def _polygamma(k: int) -> Function:
    return lambda x: special.polygamma(k, x)


def _scaled_log(base: float) -> Function:
    return lambda x: lax.log(x) * jnp.asarray(1 / math.log(base), x.dtype)


def _table(attrs: Any) -> Function:
    piecewise, orders = attrs
    knots, bases, _ = piecewise.arrays
    coefficients = piecewise.derivative_coefficients(orders)
    side = "right" if piecewise.right else "left"

    def function(*x: Any) -> Any:
        dtype = x[0].dtype
        cells = [jnp.searchsorted(jnp.asarray(k, dtype), a, side=side) for k, a in zip(knots, x, strict=True)]
        value = jnp.asarray(coefficients, dtype)[tuple(cells)]
        for axis in reversed(range(len(x))):
            cell, base = cells[axis], jnp.asarray(bases[axis], dtype)
            inside = (cell > 0) & (cell < len(knots[axis]))
            step = jnp.where(inside, x[axis] - base[cell], 0.0)
            step = step.reshape(step.shape + (1,) * (value.ndim - 1 - step.ndim))
            total = value[..., -1]
            for j in range(value.shape[-1] - 2, -1, -1):
                total = total * step + value[..., j]
            value = total
        nan = sum(x[1:], x[0])
        return jnp.where(jnp.isnan(nan), nan, value)

    return function


_ELEMENTWISE: dict[str, Emitter] = {
    "add": _plain(lax.add),
    "sub": _plain(lax.sub),
    "mul": _plain(lax.mul),
    "div": _plain(lax.div),
    "neg": _plain(lax.neg),
    "pow": _ruled("pow", lax.pow),
    "atan2": _ruled("atan2", lax.atan2),
    "mod": _ruled("mod", _mod),
    "min": _ruled("min", lax.min),
    "max": _ruled("max", lax.max),
    "hill": _ruled("hill", _hill),
    "exp": _plain(lax.exp),
    "expm1": _plain(lax.expm1),
    "exprel": _ruled("exprel", _exprel),
    "exprel_slope": _ruled("exprel_slope", _exprel_slope, takes_attrs=True),
    "log": _plain(lax.log),
    "log1p": _plain(lax.log1p),
    "log10": _plain(_scaled_log(10.0)),
    "log2": _plain(_scaled_log(2.0)),
    "sqrt": _ruled("sqrt", lax.sqrt),
    "sin": _plain(lax.sin),
    "cos": _plain(lax.cos),
    "tan": _plain(lax.tan),
    "asin": _ruled("asin", lax.asin),
    "acos": _ruled("acos", lax.acos),
    "atan": _plain(lax.atan),
    "sinh": _plain(lax.sinh),
    "cosh": _plain(lax.cosh),
    "tanh": _plain(lax.tanh),
    "asinh": _plain(lax.asinh),
    "acosh": _ruled("acosh", lax.acosh),
    "atanh": _plain(lax.atanh),
    "abs": _ruled("abs", lax.abs),
    "sign": _plain(lax.sign),
    "floor": _plain(lax.floor),
    "heaviside": _ruled("heaviside", _heaviside),
    "gamma": _ruled("gamma", special.gamma),
    "lgamma": _plain(lax.lgamma),
    "digamma": _ruled("digamma", lax.digamma),
    "polygamma": _ruled("polygamma", _polygamma, takes_attrs=True),
    "erf": _plain(lax.erf),
    "softplus": _ruled("softplus", _softplus),
    "sigmoid": _ruled("sigmoid", lax.logistic),
    "relu": _ruled("relu", lambda x: lax.max(x, jnp.zeros_like(x))),
    "table": _ruled("table", _table, takes_attrs=True),
    "lt": _plain(lax.lt),
    "le": _plain(lax.le),
    "eq": _plain(lax.eq),
    "ne": _plain(lax.ne),
    "and": _plain(lax.bitwise_and),
    "or": _plain(lax.bitwise_or),
    "not": _plain(lax.bitwise_not),
    "select": _plain(lax.select),
}


# ---- structural -----------------------------------------------------------------------------------------------------
def _const(attrs: Any, shape: Shape, dtype: Any) -> Function:
    array = np.array(attrs).reshape(shape)
    return lambda: jnp.asarray(array, None if array.dtype == bool else dtype)


def _gather(attrs: Any, shape: Shape, dtype: Any) -> Function:
    def function(x: Any) -> Any:
        flat = x if x.ndim == 1 else lax.reshape(x, (size(x.shape),))
        if isinstance(attrs, range) and attrs.step > 0:
            part = flat if len(attrs) == flat.shape[0] else lax.slice(flat, (attrs.start,), (attrs.stop,), (attrs.step,))
        else:
            part = flat.at[np.array(attrs)].get(mode="promise_in_bounds", unique_indices=len(set(attrs)) == len(attrs))
        return part if shape == part.shape else lax.reshape(part, shape)

    return function


def _scatter_add(attrs: Any, shape: Shape, dtype: Any) -> Function:
    places = np.array(attrs)
    total = size(shape)
    counts = np.bincount(places, minlength=total)
    most = int(counts.max())

    def padded(x: Any) -> Any:
        # Each place reads its elements and a zero for those it lacks: gathers and sums, which every backend does
        # well and in one order.
        at = np.full((most, total), len(places))
        order = np.argsort(places, kind="stable")
        rank = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        at[rank, places[order]] = order
        flat = jnp.concatenate([jnp.ravel(x), jnp.zeros(1, x.dtype)])
        rows = flat.at[at].get(mode="promise_in_bounds")
        return lax.reshape(jnp.sum(rows, axis=0) if most > 1 else rows[0], shape)

    def scattered(x: Any) -> Any:
        return lax.reshape(jnp.zeros(total, x.dtype).at[places].add(jnp.ravel(x), mode="promise_in_bounds"), shape)

    return padded if most * total <= 8 * (len(places) + total) else scattered


def _concat(attrs: Any, shape: Shape, dtype: Any) -> Function:
    def function(*parts: Any) -> Any:
        whole = lax.concatenate([lax.reshape(p, (size(p.shape),)) if p.ndim != 1 else p for p in parts], 0)
        return whole if whole.shape == shape else lax.reshape(whole, shape)

    return function


def _broadcast(attrs: Any, shape: Shape, dtype: Any) -> Function:
    kept = () if attrs is None else (1 - attrs,)
    return lambda x: lax.broadcast_in_dim(x, shape, kept)


def _sum(attrs: Any, shape: Shape, dtype: Any) -> Function:
    return lambda x: jnp.sum(x, axis=attrs)


def _matmul(attrs: Any, shape: Shape, dtype: Any) -> Function:
    left, right = attrs
    return _product(0 if left else 1, 1 if right else 0)


def _product(left: int, right: int) -> Function:
    """Contraction over one axis of each, in full precision (GPUs round float32 operands to 10 bits unless told)."""
    axes = (((left,), (right,)), ((), ()))
    return lambda a, b: lax.dot_general(a, b, axes, precision=lax.Precision.HIGHEST)


EMIT: dict[str, Emitter] = {
    **_ELEMENTWISE,
    "const": _const,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "concat": _concat,
    "broadcast": _broadcast,
    "sum": _sum,
    "matvec": _plain(_product(1, 0)),
    "matvec_transposed": _plain(_product(0, 0)),
    "outer": _plain(lambda x, y: lax.dot_general(x, y, (((), ()), ((), ())), precision=lax.Precision.HIGHEST)),
    "matmul": _matmul,
    **SYSTEMS,
}
