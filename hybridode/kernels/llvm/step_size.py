"""The factor of the next step: powers of the error to four digits, which is more than a step size needs.

The exact logarithm and exponential, one after the other, took two fifths of a small model's step: nothing can begin before the
next step's size is known. These take a fifth of that, and the steps that come out are the same but for their last digits.
"""

from __future__ import annotations

import math

from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.methods.control import Controller

LEAST_SQUARE = 1e-60  # an error of 0 counts as this
MOST_BEFORE = 1e-8  # of the squared error that is remembered: smaller ones say nothing

# log2(m), 1 <= m <= 2, to 1e-4 and 2^f, |f| <= 1/2, to 6e-6 relative: fits of degree 4 at Chebyshev points.
_LOG2 = (-2.5056146619798776, 4.0496168925855685, -2.099402281187753, 0.6355111165200966, -0.08001087690677261)
_EXP2 = (0.9999994366362214, 0.6931279568799316, 0.24024704290857357, 0.05587109457464297, 0.00955398613441228)
_MANTISSA, _ONE, _BITS = (1 << 52) - 1, 1023 << 52, 52
_SHIFT = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest whole number in the last bits


def next_factor(loop: LaneLoop, c: Controller, square: str, good: str, before: str) -> tuple[str, str]:
    """(factor of the step size, log2 of the squared error), as `Controller` says; `before` is the latter of the last step.

    `square` is the mean of the squared scaled errors. Lanes that are not `good` are rejected; for NaN any factor comes out.
    """
    w = loop.w
    size = log2(loop, loop.maximum(square, loop.const(LEAST_SQUARE)))
    grow = w.mul(loop.const(-c.alpha / 2), size)
    if c.beta:
        grow = w.add(grow, w.mul(loop.const(c.beta / 2), before))
    factor = w.mul(loop.const(c.safety), exp2(loop, w.select(good, grow, w.mul(loop.const(-c.rejected / 2), size))))
    return loop.minimum(w.select(good, loop.const(c.most), loop.const(1.0)), factor), size


def remembered(loop: LaneLoop, size: str) -> str:
    """What the next step is told of this one's error."""
    return loop.maximum(size, loop.const(math.log2(MOST_BEFORE)))


def log2(loop: LaneLoop, x: str) -> str:
    """log2 of a positive normal number or infinity, to 1e-4."""
    w, real, integer = loop.w, loop.lanes.real, loop.lanes.integer
    assert loop.lanes.dtype == "float64", "the bits are those of float64"
    bits = w.value(f"bitcast {real} {x} to {integer}")
    exponent = loop.whole("sub", loop.whole("lshr", bits, loop.integers(_BITS)), loop.integers(1023))
    mantissa = loop.whole("or", loop.whole("and", bits, loop.integers(_MANTISSA)), loop.integers(_ONE))
    whole = w.value(f"sitofp {integer} {exponent} to {real}")
    return w.add(whole, _polynomial(loop, w.value(f"bitcast {integer} {mantissa} to {real}"), _LOG2))


def exp2(loop: LaneLoop, x: str) -> str:
    """2^x for |x| < 1000, to 6e-6 relative."""
    w, real, integer = loop.w, loop.lanes.real, loop.lanes.integer
    shift = loop.const(_SHIFT)
    shifted = w.value(f"fadd {real} {x}, {shift}")
    fraction = w.value(f"fsub {real} {x}, {w.value(f'fsub {real} {shifted}, {shift}')}")
    power = loop.whole("shl", w.value(f"bitcast {real} {shifted} to {integer}"), loop.integers(_BITS))
    bits = w.value(f"bitcast {real} {_polynomial(loop, fraction, _EXP2)} to {integer}")
    return w.value(f"bitcast {integer} {loop.whole('add', bits, power)} to {real}")


def _polynomial(loop: LaneLoop, x: str, c: tuple[float, float, float, float, float]) -> str:
    """Degree 4 in Estrin's order."""
    w, square = loop.w, loop.w.mul(x, x)
    low = w.add(w.mul(loop.const(c[1]), x), loop.const(c[0]))
    high = w.add(w.mul(loop.const(c[3]), x), loop.const(c[2]))
    return w.add(w.mul(w.add(w.mul(loop.const(c[4]), square), high), square), low)
