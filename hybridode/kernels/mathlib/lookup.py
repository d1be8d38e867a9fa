"""Lookup tables: the cell by bisection, its polynomial by Horner's rule; each lane loads from its own place."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hybridode.kernels.mathlib.code import Code, Definition, Value
from hybridode.tape.tables import Piecewise


def table_name(attrs: tuple[Piecewise, tuple[int, ...]]) -> str:
    """A name by content."""
    piecewise, orders = attrs
    content = repr((piecewise.knots, piecewise.degree, piecewise.coefficients, piecewise.right, orders))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _global(c: Code, name: str, numbers: Sequence[float]) -> str:
    """A constant array of the module."""
    single = c.lanes.scalar
    name = f"@hode_{name}_{'f64' if single == 'double' else 'f32'}"
    elements = ", ".join(f"{single} {c.lanes.number(x)}" for x in numbers)
    text = f"{name} = internal unnamed_addr constant [{len(numbers)} x {single}] [{elements}]"
    c.requires(Definition(name, text))
    return name


def _load(c: Code, name: str, index: Value) -> Value:
    """The element of an array at each lane's index."""
    single, width, integer = c.lanes.scalar, c.lanes.width, c.type_of("bits")
    align = c.format.bits // 8
    if width == 1:
        place = c.line(f"getelementptr {single}, ptr {name}, {integer} {index.name}", "bits").name
        return c.line(f"load {single}, ptr {place}, align {align}", "real")
    places = c.line(f"getelementptr {single}, ptr {name}, {integer} {index.name}", "bits").name
    result = "poison"
    for k in range(width):
        place = c.line(f"extractelement <{width} x ptr> {places}, i32 {k}", "bits").name
        one = c.line(f"load {single}, ptr {place}, align {align}", "real").name
        result = c.line(f"insertelement {c.lanes.real} {result}, {single} {one}, i32 {k}", "real").name
    return Value(c, result, "real")


def _cell(c: Code, x: Value, knots: str, count: int, right: bool) -> Value:
    """How many of the knots lie at or below x (`right`), or below it."""
    position = c.value(0, "bits")
    step = 1 << (count.bit_length() - 1)
    while step:
        tried = position + step
        knot = _load(c, knots, tried - 1)
        inside = (tried <= count) & ((knot <= x) if right else (knot < x))
        position = inside.where(tried, position)
        step >>= 1
    return position


def table(c: Code, *x: Value, attrs: tuple[Piecewise, tuple[int, ...]]) -> Value:
    """The derivative of some orders of a table of one or two axes (see `hybridode.tape.tables`)."""
    piecewise, orders = attrs
    name = table_name(attrs)
    _, bases, _ = piecewise.arrays
    coefficients = _global(c, f"table_{name}_coefficients", [float(v) for v in piecewise.derivative_coefficients(orders).ravel()])
    place, steps = c.value(0, "bits"), []
    for axis, value in enumerate(x):
        knots = piecewise.knots[axis]
        count = len(knots)
        # One more than a power of two reaches needs no check of its own: what is beyond the end is never `inside`.
        padded = [*knots, *[knots[-1]] * ((1 << count.bit_length()) - count)]
        cell = _cell(c, value, _global(c, f"table_{name}_knots{axis}", padded), count, piecewise.right)
        base = _load(c, _global(c, f"table_{name}_bases{axis}", [float(b) for b in bases[axis]]), cell)
        end = cell.equals(0) | cell.equals(count)
        steps.append(end.where(0.0, value - base))
        place = place * (count + 1) + cell
    size = piecewise.degree + 1
    place = place * size ** len(x)
    result = _horner(c, coefficients, place, steps, size)
    for value in x:
        result = value.is_nan().where(value, result)
    return result


def _horner(c: Code, coefficients: str, place: Value, steps: Sequence[Value], size: int) -> Value:
    rows = []
    inner = size if len(steps) == 2 else 1
    for i in range(size):
        row = _load(c, coefficients, place + ((i + 1) * inner - 1))
        for j in reversed(range(inner - 1)):
            row = c.muladd(row, steps[1], _load(c, coefficients, place + (i * inner + j)))
        rows.append(row)
    value = rows[-1]
    for row in reversed(rows[:-1]):
        value = c.muladd(value, steps[0], row)
    return value
