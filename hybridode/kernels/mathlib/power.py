"""x^y = 2^(y·log2 x), the logarithm and the product as sums of two numbers so that the exponent keeps its last digits.

log2 x is good to about 2^-66 (float32: 2^-37) of itself and is at most 1075 in size, so that the error of the exponent is
2^-56 at most: see Muller et al., Handbook of Floating-Point Arithmetic (2018), 10.4, on how many digits pow needs.
"""

from __future__ import annotations

import math

from hybridode.kernels.mathlib.arithmetic import (
    Pair,
    clamp,
    fast_two_sum,
    nearest,
    polynomial,
    quotient,
    sign_bits,
    two_factors,
    two_product,
    two_sum,
)
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, POLYNOMIALS
from hybridode.kernels.mathlib.logarithm import split

# Powers of two with exponents outside ±these are 0 or infinite.
FARTHEST = {"float64": 1080.0, "float32": 155.0}


def log2_from_quotient(c: Code, k: Value, s: Value, s_low: Value) -> Pair:
    """k + log2((1 + s)/(1 - s)) = k + 2 atanh(s)/ln 2 for |s| <= 0.172 as a sum of two."""
    dtype = c.lanes.dtype
    third, per_ln2 = CONSTANTS["THIRD"][dtype], CONSTANTS["LOG2E"][dtype]
    z, z_low = two_product(c, s, s)
    z_low = c.muladd(s + s, s_low, z_low)
    # atanh(s) = s + s·z·(1/3 + z·P(z))
    t, t_low = fast_two_sum(c.value(third[0]), z * polynomial(c, z, POLYNOMIALS["ATANH"][dtype]))
    t_low = t_low + third[1]
    w, w_low = two_product(c, z, t)
    w_low = w_low + c.muladd(z, t_low, z_low * t)
    p, p_low = two_product(c, s, w)
    p_low = p_low + c.muladd(s, w_low, s_low * w)
    a, a_low = fast_two_sum(s, p)
    a_low = a_low + (s_low + p_low)
    y = a * (2.0 * per_ln2[0])
    y_low = c.fma(a, 2.0 * per_ln2[0], -y) + c.muladd(a, 2.0 * per_ln2[1], a_low * (2.0 * per_ln2[0]))
    high, e = fast_two_sum(k, y)
    return high, e + y_low


def log2_pair(c: Code, x: Value, subnormal: bool = True) -> Pair:
    """log2 of a positive finite number as a sum of two; `subnormal=False` where x is known to be normal."""
    y = split(c, x, subnormal)
    f = y.m - 1.0
    d = y.m + 1.0
    d_low = y.m - (d - 1.0)
    s = f / d
    # The remainder over d, with 1/d = (1 - s)/2.
    s_low = (c.fma(-s, d, f) - s * d_low) * (0.5 - 0.5 * s)
    return log2_from_quotient(c, y.k, s, s_low)


def log2_ratio(c: Code, x: Value, y: Value, subnormal: bool = True) -> Pair:
    """log2(x/y) of positive finite numbers, without the quotient's overflow or rounding."""
    a, b = split(c, x, subnormal), split(c, y, subnormal)
    root = math.sqrt(2.0)
    down, up = a.m > b.m * root, b.m > a.m * root
    m = down.where(a.m * 0.5, up.where(a.m + a.m, a.m))
    k = (a.k - b.k) + down.where(1.0, up.where(-1.0, 0.0))
    n, n_low = two_sum(m, -b.m)
    d, d_low = two_sum(m, b.m)
    s = n / d
    s_low = ((c.fma(-s, d, n) + n_low) - s * d_low) / d
    return log2_from_quotient(c, k, s, s_low)


def times(c: Code, pair: Pair, y: Value) -> Pair:
    """y times a sum of two; |y| so large that 2 to the product is 0, 1 or infinite is cut, so that nothing overflows."""
    y = clamp(y, -(2.0**66), 2.0**66)
    high, low = two_product(c, pair[0], y)
    low = c.muladd(pair[1], y, low)
    limit = FARTHEST[c.lanes.dtype]
    inside = abs(high) < limit
    return clamp(high, -limit, limit), inside.where(low, 0.0)


def exp2_scaled(c: Code, high: Value, low: Value) -> tuple[Value, Value, Value, Value]:
    """2^(high + low) as (p, low, f, g): (p + low)·f·g, for |high| <= `FARTHEST`."""
    dtype = c.lanes.dtype
    ln2 = CONSTANTS["LN2"][dtype]
    k, shifted = nearest(c, high)
    r = (high - k) + low
    t, t_low = two_product(c, r, c.value(ln2[0]))
    tail = c.muladd(r * r, polynomial(c, r, POLYNOMIALS["EXP2"][dtype]), t_low)
    s, e = fast_two_sum(c.value(1.0), t)
    return (s, e + tail, *two_factors(c, shifted))


def is_ordinary(c: Code, x: Value) -> Value:
    """Positive, finite and normal."""
    return (x >= c.format.smallest_normal) & (x < math.inf)


def pow_(c: Code, x: Value, y: Value) -> Value:
    """x^y; for positive normal x and results that are far from the ends, else by `pow_of_any`."""
    log2, log2_low = log2_pair(c, x, subnormal=False)
    high, low = two_product(c, log2, y)
    p, p_low, f, g = exp2_scaled(c, high, c.muladd(log2_low, y, low))
    usual = (p + p_low) * f * g
    rare = ~(is_ordinary(c, x) & (abs(high) < FARTHEST[c.lanes.dtype]))
    return c.where_any(rare, [usual], lambda: [c.outside("pow_of_any", pow_of_any, x, y)])[0]


def pow_of_any(c: Code, x: Value, y: Value) -> Value:
    """x^y with the special cases of C99 (F.9.4.4): x^0 = 1, 1^y = 1, NaN for x < 0 and y no integer."""
    a = abs(x)
    p, low, f, g = exp2_scaled(c, *times(c, log2_pair(c, a), y))
    result = (p + low) * f * g
    # 0 and infinity: the power is 0 or infinite by the signs of log a and y.
    vanishes = a.equals(0.0) ^ (y < 0.0)
    result = (a.equals(0.0) | a.equals(math.inf)).where(vanishes.where(0.0, math.inf), result)
    integer, half = c.intrinsic("rint", y).equals(y), y * 0.5
    odd = integer & c.intrinsic("rint", half).differs(half)
    result = (result.bits() | odd.where(sign_bits(x), c.value(0, "bits"))).real()
    result = ((x < 0.0) & ~integer & a.differs(math.inf)).where(math.nan, result)
    result = (x.is_nan() | y.is_nan()).where(math.nan, result)
    return (y.equals(0.0) | x.equals(1.0)).where(1.0, result)


def hill(c: Code, x: Value, k: Value, n: Value) -> Value:
    """x^n/(k^n + x^n) = 1/(1 + w), w = (k/x)^n; for positive normal x, k and w far from the ends, else by `hill_of_any`."""
    log2, log2_low = log2_ratio(c, k, x, subnormal=False)
    high, low = two_product(c, log2, n)
    usual = _hill_from_exponent(c, high, c.muladd(log2_low, n, low), None)
    rare = ~(is_ordinary(c, x) & is_ordinary(c, k) & (abs(high) < FARTHEST[c.lanes.dtype]))
    return c.where_any(rare, [usual], lambda: [c.outside("hill_of_any", hill_of_any, x, k, n)])[0]


def _hill_from_exponent(c: Code, high: Value, low: Value, sign: Value | None) -> Value:
    """1/(1 + sign·2^(high + low)), `sign` 1 or -1 (None: 1), from the smaller of 2^± so that nothing overflows."""
    above = high > 0.0
    p, p_low, f, g = exp2_scaled(c, above.where(-high, high), above.where(-low, low))
    p, p_low = fast_two_sum(p, p_low)
    e, e_low = p * f * g, p_low * f * g
    if sign is not None:
        e, e_low = sign * e, sign * e_low
    d, d_low = fast_two_sum(c.value(1.0), e)
    result = quotient(c, (above.where(e, 1.0), above.where(e_low, 0.0)), (d, d_low + e_low))
    return result if sign is None else d.equals(0.0).where(math.inf, result)


def hill_of_any(c: Code, x: Value, k: Value, n: Value) -> Value:
    """0 for x <= 0; powers as in `pow_of_any`, w up to any size."""
    a = abs(k)
    high, low = times(c, log2_ratio(c, a, x), n)
    # k/x is 0 or infinite (or NaN) where an operand is: 2^±FARTHEST stands for it.
    limit = FARTHEST[c.lanes.dtype]
    none, all_ = a.equals(0.0) | (x.equals(math.inf) & a.differs(math.inf)), a.equals(math.inf) & x.differs(math.inf)
    edge = (none ^ (n < 0.0)).where(-limit, limit)
    high = n.equals(0.0).where(0.0, (none | all_).where(edge, high))
    low = (none | all_ | n.equals(0.0)).where(0.0, low)
    integer, half = c.intrinsic("rint", n).equals(n), n * 0.5
    odd = integer & c.intrinsic("rint", half).differs(half)
    result = _hill_from_exponent(c, high, low, ((k < 0.0) & odd).where(-1.0, 1.0))
    wrong = x.is_nan() | ((k < 0.0) & ~integer & a.differs(math.inf)) | ((k.is_nan() | n.is_nan()) & n.differs(0.0))
    wrong = wrong | (x.equals(math.inf) & a.equals(math.inf) & n.differs(0.0))
    result = wrong.where(math.nan, result)
    return (x <= 0.0).where(0.0, result)
