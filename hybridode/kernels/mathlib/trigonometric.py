"""sin, cos, tan: reduction to a quadrant (`reduction`), then polynomials on [-π/4, π/4]. Odd and even to the last bit."""

from __future__ import annotations

from hybridode.kernels.mathlib.arithmetic import fast_two_sum, flip_sign, polynomial, quotient, sign_bits
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import POLYNOMIALS
from hybridode.kernels.mathlib.reduction import quadrant


def _sin_near(c: Code, r: Value, z: Value) -> Value:
    return c.muladd(r * z, polynomial(c, z, POLYNOMIALS["SIN"][c.lanes.dtype]), r)


def _cos_near(c: Code, z: Value) -> Value:
    """1 - z/2 + z²·P, the first difference without rounding error."""
    s, e = fast_two_sum(c.value(1.0), z * -0.5)
    return s + c.muladd(z * z, polynomial(c, z, POLYNOMIALS["COS"][c.lanes.dtype]), e)


def _is_odd(n: Value) -> Value:
    return (n & 1).differs(0)


def _second_bit_as_sign(c: Code, n: Value) -> Value:
    return (n & 2) << (c.format.bits - 2)


def sin(c: Code, x: Value) -> Value:
    q = quadrant(c, abs(x))
    z = q.r * q.r
    value = _is_odd(q.n).where(_cos_near(c, z), _sin_near(c, q.r, z))
    return flip_sign(value, _second_bit_as_sign(c, q.n) ^ sign_bits(x))


def cos(c: Code, x: Value) -> Value:
    q = quadrant(c, abs(x))
    z = q.r * q.r
    value = _is_odd(q.n).where(_sin_near(c, q.r, z), _cos_near(c, z))
    return flip_sign(value, _second_bit_as_sign(c, q.n + 1))


def tan(c: Code, x: Value) -> Value:
    """sin/cos, or -cos/sin in odd quadrants; the reduced argument's rounding error is taken along."""
    dtype = c.lanes.dtype
    q = quadrant(c, abs(x), pair=True)
    r, low = q.r, q.low
    assert low is not None
    z = r * r
    s, s_low = fast_two_sum(r, c.muladd(r * z, polynomial(c, z, POLYNOMIALS["SIN"][dtype]), low))
    one, e = fast_two_sum(c.value(1.0), z * -0.5)
    k, k_low = fast_two_sum(one, c.muladd(z * z, polynomial(c, z, POLYNOMIALS["COS"][dtype]), e - r * low))
    odd = _is_odd(q.n)
    value = quotient(c, (odd.where(k, s), odd.where(k_low, s_low)), (odd.where(-s, k), odd.where(-s_low, k_low)))
    return flip_sign(value, sign_bits(x))
