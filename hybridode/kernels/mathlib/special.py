"""erf, gamma, lgamma, digamma: within 8 ulp away from their zeros (NIST DLMF, chapters 5 and 7)."""

from __future__ import annotations

import math

from hybridode.kernels.mathlib.arithmetic import fast_two_sum, polynomial, two_product, two_sum, with_sign_of
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, POLYNOMIALS
from hybridode.kernels.mathlib.exponential import expm1_scaled
from hybridode.kernels.mathlib.logarithm import assemble, split
from hybridode.kernels.mathlib.power import exp2_scaled, log2_pair

ERF_IS_ONE = {"float64": 6.0, "float32": 4.0}
# Where gamma has long been infinite (and 1/gamma 0), while the exponent still fits `two_factors`.
GAMMA_IS_INFINITE = {"float64": 200.0, "float32": 50.0}
STIRLING_FROM = 5.0
DIGAMMA_SERIES_FROM = 4.0


def _fit(c: Code, name: str, x: Value) -> Value:
    return polynomial(c, x, POLYNOMIALS[name][c.lanes.dtype])


def erf(c: Code, x: Value) -> Value:
    """1 - e^-y with y = -log erfc(a), a polynomial: good to the last digits near 0 and where erf is nearly 1."""
    dtype = c.lanes.dtype
    first, second = CONSTANTS["TWO_OVER_SQRT_PI"][dtype][:2]
    limit = ERF_IS_ONE[dtype]
    a = abs(x)
    a = (a > limit).where(limit, a)
    y = c.muladd(a, first, a * c.muladd(a, _fit(c, "ERF", a), c.value(second)))
    s, low, f, g = expm1_scaled(c, -y)
    return with_sign_of(abs((s + low) * f * g), x)


def sin_pi(c: Code, f: Value) -> Value:
    """sin(πf) for |f| <= 1/2."""
    pi, pi_low = CONSTANTS["PI"][c.lanes.dtype][:2]
    z = f * f
    return c.muladd(f, pi, f * c.muladd(z, _fit(c, "SINPI", z), c.value(pi_low)))


def fraction(c: Code, a: Value) -> tuple[Value, Value]:
    """(a less the integer next to it, where that integer is odd)."""
    n = c.intrinsic("rint", a)
    half = n * 0.5
    return a - n, c.intrinsic("rint", half).differs(half)


def is_pole(c: Code, x: Value) -> Value:
    """A negative integer, or -infinity."""
    return (x < 0.0) & c.intrinsic("floor", x).equals(x)


def gamma(c: Code, x: Value) -> Value:
    """Stirling's formula for z >= 5 with the exponent of 2 as a sum of two; below by gamma(a + 5), for x < 0 by reflection.

    gamma(-a) = -π/(a sin(πa) gamma(a)), in which a is exact.
    """
    dtype = c.lanes.dtype
    log2e = CONSTANTS["LOG2E"][dtype]
    whole = abs(x)
    limit = GAMMA_IS_INFINITE[dtype]
    a = (whole > limit).where(limit, whole)
    small = a < STIRLING_FROM
    z, z_low = fast_two_sum(c.value(STIRLING_FROM), a)
    z, z_low = small.where(z, a), small.where(z_low, 0.0)
    log2_z, log2_low = log2_pair(c, z)
    # (z - 1/2) log2 z - z log2 e + log2 √(2π) + mu(z) log2 e, and its slope times the rounding error of z
    h = z - 0.5
    t, t_low = two_product(c, h, log2_z)
    u, u_low = two_product(c, z, c.value(log2e[0]))
    s, low = two_sum(t, -u)
    inverse = 1.0 / z
    mu = inverse * _fit(c, "STIRLING", inverse * inverse)
    low = low + (c.muladd(h, log2_low, t_low) - c.muladd(z, log2e[1], u_low))
    low = low + c.muladd(mu, log2e[0], CONSTANTS["LOG2_SQRT_TWO_PI"][dtype][0] + z_low * (log2_z - inverse * (0.5 * log2e[0])))
    negative = x < 0.0
    s, low = fast_two_sum(s, low)
    p, p_low, f, g = exp2_scaled(c, negative.where(-s, s), negative.where(-low, low))
    p = p + p_low
    # a(a + 1)…(a + 4) = a·others
    around = c.muladd(a, a, a * 4.0)
    others = (a + 4.0) * (a + 2.0) * (around + 3.0)
    part, odd = fraction(c, whole)
    sine = sin_pi(c, part)
    pi = CONSTANTS["PI"][dtype][0]
    top = negative.where(small.where(others * -pi, -pi), 1.0)
    bottom = negative.where(odd.where(-sine, sine) * small.where(1.0, a), small.where(a * others, 1.0))
    p, f, g = small.where(p * f * g, p), small.where(1.0, f), small.where(1.0, g)
    result = p * top / bottom * f * g
    result = x.equals(0.0).where(c.intrinsic("copysign", math.inf, x), result)
    return is_pole(c, x).where(math.nan, result)


def _near(c: Code, a: Value) -> tuple[Value, Value, Value]:
    """lgamma(a) for a < 5 as t·P(t) ± log q: (t, q, ±1)."""
    one, minus = a - 1.0, c.value(-1.0)
    t, q, sign = a, a * (a + 1.0), minus
    rows = (
        (0.5, one, a, -1.0),
        (1.34, a - 2.0, c.value(1.0), 1.0),  # below 1.5 the two terms of the row above would cancel
        (2.5, a - 3.0, one, 1.0),
        (3.5, a - 4.0, one * (a - 2.0), 1.0),
        (4.5, a - 5.0, one * (a - 2.0) * (a - 3.0), 1.0),
    )
    for start, shifted, product, direction in rows:
        beyond = a >= start
        t, q, sign = beyond.where(shifted, t), beyond.where(product, q), beyond.where(direction, sign)
    return t, q, sign


def lgamma(c: Code, x: Value) -> Value:
    """log|gamma(x)|: a polynomial round the zero at 2 carried over by the recurrence, Stirling's formula from 5 on."""
    dtype = c.lanes.dtype
    a = abs(x)
    large = a >= STIRLING_FROM
    t, q, sign = _near(c, a)
    y = split(c, large.where(a, q))
    log = assemble(c, y.k, y.m - 1.0)
    near = c.muladd(t, _fit(c, "LGAMMA", t), sign * log)  # sign * log is exact
    inverse = 1.0 / large.where(a, STIRLING_FROM)
    mu = inverse * _fit(c, "STIRLING", inverse * inverse)
    far = c.muladd(a - 0.5, log - 1.0, CONSTANTS["HALF_LOG_TWO_PI"][dtype][0] - 0.5 + mu)
    positive = large.where(far, near)
    # lgamma(-a) = log(π/(a |sin πa|)) - lgamma(a); near 0 both are -log a
    part, _ = fraction(c, a)
    y = split(c, CONSTANTS["PI"][dtype][0] / (a * abs(sin_pi(c, part))))
    reflected = assemble(c, y.k, y.m - 1.0) - positive
    tiny = a < 2.0 ** (-c.format.mantissa - 8)
    result = ((x < 0.0) & ~tiny).where(reflected, positive)
    result = (is_pole(c, x) | x.equals(0.0) | a.equals(math.inf)).where(math.inf, result)
    return x.is_nan().where(x, result)


def cot_pi(c: Code, a: Value) -> Value:
    """cot(πa)."""
    part, _ = fraction(c, a)
    return sin_pi(c, 0.5 - abs(part)) / sin_pi(c, part)


def digamma(c: Code, x: Value) -> Value:
    """On [1, 2) the distance from the zero times a polynomial, up to 4 by the recurrence, above by the asymptotic series.

    digamma(-a) = digamma(a) + 1/a + π cot(πa).
    """
    dtype = c.lanes.dtype
    zero, zero_low = CONSTANTS["DIGAMMA_ZERO"][dtype][:2]
    a = abs(x)
    negative, below = x < 0.0, a < 1.0
    third, fourth = a >= 2.0, a >= 3.0
    b = below.where(a + 1.0, fourth.where(a - 2.0, third.where(a - 1.0, a)))
    core = ((b - zero) - zero_low) * _fit(c, "DIGAMMA", b - 1.5)
    one = a - 1.0
    top = fourth.where(a + a - 3.0, third.where(1.0, below.where(-1.0, 0.0)))
    bottom = fourth.where(one * b, third.where(one, below.where(a, 1.0)))
    near = core + (below & negative).where(0.0, top / bottom)
    large = a >= DIGAMMA_SERIES_FROM
    safe = large.where(a, DIGAMMA_SERIES_FROM)
    inverse = 1.0 / safe
    w = inverse * inverse
    y = split(c, safe)
    far = assemble(c, y.k, y.m - 1.0) - c.muladd(inverse, 0.5, w * _fit(c, "DIGAMMA_TAIL", w))
    positive = large.where(far, near)
    reflected = positive + below.where(0.0, 1.0 / a) + CONSTANTS["PI"][dtype][0] * cot_pi(c, a)
    result = negative.where(reflected, positive)
    result = x.equals(0.0).where(-c.intrinsic("copysign", math.inf, x), result)
    result = x.equals(math.inf).where(x, is_pole(c, x).where(math.nan, result))
    return x.is_nan().where(x, result)
