"""asin, acos, atan, atan2. The sums with multiples of π/2 keep its rounding error."""

from __future__ import annotations

from hybridode.kernels.mathlib.arithmetic import fast_two_sum, polynomial, with_sign_of
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, POLYNOMIALS


def _atan_tail(c: Code, t: Value) -> Value:
    """atan(t) - t for 0 <= t <= 1."""
    z = t * t
    return t * z * polynomial(c, z, POLYNOMIALS["ATAN"][c.lanes.dtype])


def atan(c: Code, x: Value) -> Value:
    """atan(a) = π/2 - atan(1/a) for a > 1."""
    a = abs(x)
    high, low = CONSTANTS["HALF_PI"][c.lanes.dtype][:2]
    large = a > 1.0
    t = large.where(1.0 / a, a)
    tail = _atan_tail(c, t)
    s, e = fast_two_sum(large.where(high, 0.0), large.where(-t, t))
    return with_sign_of(s + (e + large.where(low - tail, tail)), x)


def atan2(c: Code, y: Value, x: Value) -> Value:
    """The angle of (x, y), in all quadrants and for zeros and infinities as in C99 (F.9.1.4)."""
    dtype = c.lanes.dtype
    high, low = CONSTANTS["HALF_PI"][dtype][:2]
    pi, pi_low = CONSTANTS["PI"][dtype][:2]
    a, b = abs(y), abs(x)
    steep = a > b
    t = steep.where(b, a) / steep.where(a, b)
    t = b.equals(a).where(a.equals(0.0).where(0.0, 1.0), t)  # 0/0 and inf/inf too
    tail = _atan_tail(c, t)
    left = x.bits() < 0
    # angle = base ± (t + tail) with base 0, π/2 or π
    base = steep.where(high, left.where(pi, 0.0))
    base_low = steep.where(low, left.where(pi_low, 0.0))
    minus = steep ^ left
    s, e = fast_two_sum(base, minus.where(-t, t))
    return with_sign_of(s + (e + (base_low + minus.where(-tail, tail))), y)


def _root(c: Code, z: Value) -> tuple[Value, Value]:
    """√z as a sum of two; NaN for z < 0."""
    s = c.intrinsic("sqrt", z)
    return s, s.equals(0.0).where(0.0, c.fma(-s, s, z) / (s + s))


def _asin_tail(c: Code, t: Value, z: Value) -> Value:
    """asin(t) - t for |t| <= 1/2, z = t²."""
    return t * z * polynomial(c, z, POLYNOMIALS["ASIN"][c.lanes.dtype])


def asin(c: Code, x: Value) -> Value:
    """asin(a) = π/2 - 2 asin(√((1 - a)/2)) for a > 1/2."""
    a = abs(x)
    high, low = CONSTANTS["HALF_PI"][c.lanes.dtype][:2]
    large = a > 0.5
    z = large.where(0.5 - 0.5 * a, a * a)
    root, root_low = _root(c, z)
    t = large.where(root, a)
    tail = _asin_tail(c, t, z)
    s, e = fast_two_sum(c.value(high), t * -2.0)
    beyond = s + (e + (low - 2.0 * (root_low + tail)))
    return with_sign_of(large.where(beyond, t + tail), x)


def acos(c: Code, x: Value) -> Value:
    """π/2 - asin(x), 2 asin(√((1 - x)/2)) for x > 1/2, π less that of -x for x < -1/2."""
    a = abs(x)
    high, low = CONSTANTS["HALF_PI"][c.lanes.dtype][:2]
    large = a > 0.5
    z = large.where(0.5 - 0.5 * a, a * a)
    root, root_low = _root(c, z)
    t = large.where(root, x)
    tail = _asin_tail(c, t, z)
    twice = 2.0 * (t + (tail + root_low))
    s, e = fast_two_sum(c.value(2.0 * high), t * -2.0)
    left = s + (e + (2.0 * low - 2.0 * (root_low + tail)))
    middle = high - (t - (low - tail))
    return large.where((x > 0.0).where(twice, left), middle)
