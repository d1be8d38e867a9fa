"""exp and its relatives, from one reduction: x = k·ln 2 + r, |r| <= ln(2)/2, e^r by a polynomial.

Cody & Waite (1980) reduction with fused multiply-adds; no tables, so that lanes need no gathers. The sums keep their rounding
errors (`s`, `low`) so that what is built on them stays within 2 ulp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hybridode.kernels.mathlib.arithmetic import (
    Pair,
    clamp,
    fast_two_sum,
    nearest,
    polynomial,
    quotient,
    two_factors,
    two_sum,
    with_sign_of,
)
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, POLYNOMIALS
from hybridode.kernels.mathlib.logarithm import log1p_of_small

# Outside these, e^x and e^x/x are 0 or infinite and e^x - 1 is -1 (the exponents still fit the two factors).
LOWEST = {"float64": -746.0, "float32": -105.0}
HIGHEST = {"float64": 720.0, "float32": 95.0}
ALL_OF_MINUS_ONE = {"float64": -40.0, "float32": -20.0}
# From here on tanh is 1, and coshes and sinhes are half an exponential.
FLAT = {"float64": 20.0, "float32": 10.0}
BELOW = 0.25  # see tanh


@dataclass(frozen=True)
class Reduced:
    """x = k·ln 2 + r + low; `tail` is e^r - 1 - r."""

    k: Value
    shifted: Value
    first: Value
    r: Value
    tail: Value

    def low(self, c: Code) -> Value:
        """The rounding error of r."""
        return c.fma(self.k, -CONSTANTS["LN2"][c.lanes.dtype][1], self.first - self.r)


def reduce(c: Code, x: Value) -> Reduced:
    dtype = c.lanes.dtype
    ln2 = CONSTANTS["LN2"][dtype]
    k, shifted = nearest(c, x, CONSTANTS["LOG2E"][dtype][0])
    first = c.fma(k, -ln2[0], x)  # exact
    r = c.fma(k, -ln2[1], first)
    return Reduced(k, shifted, first, r, r * r * polynomial(c, r, POLYNOMIALS["EXP"][dtype]))


def exp_scaled(c: Code, x: Value, highest: bool = True) -> tuple[Value, Value, Value, Value]:
    """e^x as (p, low, f, g): (p + low)·f·g. x is clamped to where the result is neither 0 nor (`highest`) infinite."""
    dtype = c.lanes.dtype
    y = reduce(c, clamp(x, LOWEST[dtype], HIGHEST[dtype] if highest else None))
    s, e = fast_two_sum(c.value(1.0), y.r)
    return (s, e + y.tail, *two_factors(c, y.shifted))


def exp(c: Code, x: Value) -> Value:
    s, low, f, g = exp_scaled(c, x)
    return (s + low) * f * g


def _exp_pair_of_minus(c: Code, a: Value) -> Pair:
    """e^-a for a >= 0 as a sum of two."""
    s, low, f, g = exp_scaled(c, -a, highest=False)
    p, p_low = fast_two_sum(s, low)
    return p * f * g, p_low * f * g


def expm1_scaled(c: Code, x: Value) -> tuple[Value, Value, Value, Value]:
    """e^x - 1 as (s, low, f, g): (s + low)·f·g.

    2^k(e^r - 1) + 2^k - 1 = 2^k((1 - 2^-k) + r + tail), the first sum without rounding error.
    """
    dtype, m = c.lanes.dtype, c.format.mantissa
    y = reduce(c, clamp(x, ALL_OF_MINUS_ONE[dtype], HIGHEST[dtype]))
    f, g = two_factors(c, y.shifted)
    # 2^-k by its bits: the shifted integer is k + 2·bias above bits that the shift drops. Beyond k = m + 8 it does not matter.
    inverse = ((c.value(3 * c.format.bias, "bits") - y.shifted.bits()) << m).real()
    one = (y.k > m + 8.0).where(1.0, 1.0 - inverse)
    s, e = fast_two_sum(one, y.r)
    return s, e + (y.tail + y.low(c)), f, g


def expm1(c: Code, x: Value) -> Value:
    s, low, f, g = expm1_scaled(c, x)
    return c.intrinsic("copysign", (s + low) * f * g, x)


def exprel(c: Code, x: Value) -> Value:
    """(e^x - 1)/x, 1 at 0; divided before the last factor, so that it overflows only where it should."""
    s, low, f, g = expm1_scaled(c, x)
    finite = x.equals(0.0).where(1.0, (s + low) * f / x * g)
    return (x > HIGHEST[c.lanes.dtype]).where(math.inf, finite)


def sigmoid(c: Code, x: Value) -> Value:
    """1/(1 + e^-x) for x >= 0, e^x/(1 + e^x) below: no overflow, and subnormal results."""
    e, e_low = _exp_pair_of_minus(c, abs(x))
    d, d_low = fast_two_sum(c.value(1.0), e)
    right = x >= 0.0
    return quotient(c, (right.where(1.0, e), right.where(0.0, e_low)), (d, d_low + e_low))


def softplus(c: Code, x: Value) -> Value:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    return (x > 0.0).where(x, 0.0) + log1p_of_small(c, *_exp_pair_of_minus(c, abs(x)))


def sinh(c: Code, x: Value) -> Value:
    """(E + E/(E + 1))/2 with E = e^|x| - 1."""
    a = abs(x)
    s, low, f, g = expm1_scaled(c, a)
    p, p_low = fast_two_sum(s, low)
    half_g = g * 0.5
    top = 2.0 ** (c.format.mantissa + 4)  # from here on E/(E + 1) is 1
    e = p * f * g
    cut = e > top
    e, e_low = cut.where(top, e), cut.where(0.0, p_low * f * g)
    d, d_low = two_sum(c.value(1.0), e)
    q = quotient(c, (e, e_low), (d, d_low + e_low))
    result = p * f * half_g + c.muladd(q, 0.5, p_low * f * half_g)
    return with_sign_of((a < 4.0 * c.format.smallest_normal).where(a, result), x)  # half a subnormal is rounded


def cosh(c: Code, x: Value) -> Value:
    s, low, f, g = exp_scaled(c, abs(x))
    p = s + low
    return p * f * (g * 0.5) + 0.5 / (p * f * g)


def tanh(c: Code, x: Value) -> Value:
    """With |x| = k·ln(2)/2 + r, s = 2^k and T = tanh r: ((s + 1)T + s - 1)/((s - 1)T + s + 1).

    k is rounded a little downwards (`BELOW`), so that little cancels in the numerator: -0.25 <= 2r/ln 2 <= 0.75. From k = 2
    on the numerator is taken from the rounded denominator, of which only its distance then matters: it is 2 - 2T less.
    """
    dtype, m, bias = c.lanes.dtype, c.format.mantissa, c.format.bias
    ln2, limit, a = CONSTANTS["LN2"][dtype], FLAT[dtype], abs(x)
    a = (a > limit).where(limit, a)
    k, shifted = nearest(c, c.muladd(a, 2 * CONSTANTS["LOG2E"][dtype][0], -BELOW))
    r = c.fma(k, -ln2[1] / 2, c.fma(k, -ln2[0] / 2, a))
    z = r * r
    t = c.muladd(z * r, polynomial(c, z, POLYNOMIALS["TANH"][dtype]), r)
    s = ((shifted.bits() - bias) << m).real()
    less, more = s - 1.0, s + 1.0
    bottom = c.fma(less, t, more)
    top = (k > 1.5).where(c.fma(2.0, t, bottom - 2.0), c.fma(more, t, less))
    return with_sign_of(top / bottom, x)
