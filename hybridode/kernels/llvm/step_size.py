"""The factor of the next step: powers of the error to a percent, which is more than a step size needs.

Nothing of the next step can begin before its size is known, so what counts is the length of this chain. The bits of a number,
read as an integer, are its logarithm to base 2 but for straight lines between the powers of two (J. F. Blinn, IEEE Computer
Graphics & Applications 17 (1997) 80-84); the factor lies in so small a range that its power is a polynomial. Exact functions,
one after the other, took two fifths of a small model's step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib.formats import format_of
from hybridode.methods.control import Controller

MOST_BEFORE = 1e-8  # of the squared error that is remembered: smaller ones say nothing
_LINE = 0.0430  # half the most by which log2(m), 1 <= m <= 2, is above m - 1: the line is moved by it
_POWER = (1.0, 0.6910839300834798, 0.23671188428917694, 0.055982175805882974, 0.011284115057935527, 0.0014681838300745621)
_KEPT = 13  # binary digits of the fraction of a logarithm
LOWEST, HIGHEST = math.log2(0.2), 3.0  # where the polynomial is 2^x to 0.18 %, and exact at 0: the least relative error there


def next_factor(loop: LaneLoop, c: Controller, square: str, good: str, before: str) -> tuple[str, str]:
    """(factor of the step size, log2 of the squared error), as `Controller` says; `before` is the latter of the last step.

    `square` is the mean of the squared scaled errors. Lanes that are not `good` are rejected; NaN gives the least factor.
    """
    assert LOWEST <= math.log2(c.least) and math.log2(c.most) <= HIGHEST, "factors beyond the range of `exp2`"
    w, safety = loop.w, math.log2(c.safety)
    size = log2(loop, square)
    base = loop.const(safety)
    grow = w.add(w.mul(loop.const(c.beta / 2), before), base) if c.beta else base
    grow = loop.least(w.add(w.mul(loop.const(-c.alpha / 2), size), grow), loop.const(math.log2(c.most)))
    shrink = loop.least(w.add(w.mul(loop.const(-c.rejected / 2), size), base), loop.const(0.0))
    power = loop.greatest(w.select(good, grow, shrink), loop.const(math.log2(c.least)))
    return exp2(loop, power), size


def remembered(loop: LaneLoop, size: str) -> str:
    """What the next step is told of this one's error."""
    return loop.greatest(size, loop.const(math.log2(MOST_BEFORE)))


def log2(loop: LaneLoop, x: str) -> str:
    """log2 of a positive number to 0.05; of 0 the least there is, of infinity and NaN more than the most."""
    w, f = loop.w, format_of(loop.lanes)
    spare = f.bits - f.mantissa  # so many digits are dropped for the others to fit into a mantissa
    kept = f.mantissa - spare
    first = (f.bias + f.mantissa) << f.mantissa  # 2^mantissa: what is put into its mantissa is added to it
    number = _bits(loop, x, (("lshr", spare), ("or", first)))
    return w.add(w.mul(number, loop.const(2.0**-kept)), loop.const(_LINE - f.bias - 2.0**spare))


def exp2(loop: LaneLoop, x: str) -> str:
    """2^x for LOWEST <= x <= HIGHEST, to 0.18 %."""
    w, c = loop.w, [loop.const(k) for k in _POWER]
    square = w.mul(x, x)
    low, middle, high = (w.add(w.mul(c[k + 1], x), c[k]) for k in (0, 2, 4))
    return w.add(w.mul(w.add(w.mul(high, square), middle), square), low)


def power(loop: LaneLoop, x: str, exponent: float) -> str:
    """x^exponent for positive x and |exponent| <= 1/2, to a tenth."""
    w, f = loop.w, format_of(loop.lanes)
    moved = w.add(w.mul(log2(loop, x), loop.const(exponent)), loop.const(f.round_shift / 2.0**_KEPT))
    return _bits(loop, moved, (("shl", f.mantissa - _KEPT), ("add", f.one_bits)))


def _bits(loop: LaneLoop, x: str, operations: Sequence[tuple[str, int]]) -> str:
    """Operations with constants on the bits of a number. One number goes through a vector of two: it stays in its register."""
    lanes = loop.lanes if loop.lanes.width > 1 else Lanes(2, loop.lanes.dtype)
    w, real, kind = loop.w, lanes.real, f"i{format_of(lanes).bits}"
    integer = f"<{lanes.width} x {kind}>"
    alone = loop.lanes.width == 1
    x = w.value(f"insertelement {real} poison, {lanes.scalar} {x}, i32 0") if alone else x
    value = w.value(f"bitcast {real} {x} to {integer}")
    for op, number in operations:
        value = w.value(f"{op} {integer} {value}, <{', '.join([f'{kind} {number}'] * lanes.width)}>")
    result = w.value(f"bitcast {integer} {value} to {real}")
    return w.value(f"extractelement {real} {result}, i32 0") if alone else result
