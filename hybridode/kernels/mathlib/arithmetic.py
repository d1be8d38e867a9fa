"""Building blocks: polynomials, error-free transformations, exponents and signs.

Error-free transformations: T. J. Dekker, Numer. Math. 18 (1971); D. E. Knuth, TAOCP 2, 4.2.2; J.-M. Muller et al.,
Handbook of Floating-Point Arithmetic (2nd ed., 2018), chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.kernels.mathlib.code import Code, Value

Pair = tuple[Value, Value]  # an unevaluated sum, the second at most half an ulp of the first


def polynomial(c: Code, x: Value, coefficients: Sequence[float]) -> Value:
    """c0 + c1·x + c2·x² + … in Estrin's order: pairs first, so that the chain of dependent operations is short."""
    level: list[Value] = [c.value(k) for k in coefficients]
    power = x
    while len(level) > 1:
        pairs = [c.muladd(level[i + 1], power, level[i]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
        if len(level) > 1:
            power = power * power
    return level[0]


def two_sum(a: Value, b: Value) -> Pair:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_two_sum(a: Value, b: Value) -> Pair:
    """Exact where |a| >= |b| (or a is 0)."""
    s = a + b
    return s, b - (s - a)


def two_product(c: Code, a: Value, b: Value) -> Pair:
    p = a * b
    return p, c.fma(a, b, -p)


def quotient(c: Code, n: Pair, d: Pair) -> Value:
    """A quotient of sums of two, within about 0.6 ulp: one division, its remainder multiplied by the reciprocal."""
    inverse = 1.0 / d[0]
    q = n[0] * inverse
    rest = c.fma(-q, d[0], n[0]) + (n[1] - q * d[1])
    return c.muladd(rest, inverse, q)


def clamp(x: Value, low: float, high: float | None) -> Value:
    """NaN stays NaN."""
    if high is not None:
        x = (x > high).where(high, x)
    return (x < low).where(low, x)


def sign_bits(x: Value) -> Value:
    """Only the sign of x, as bits."""
    return x.bits() & x.code.format.sign_bit


def flip_sign(x: Value, signs: Value) -> Value:
    """x with its sign flipped where `signs` (bits) has one."""
    return (x.bits() ^ signs).real()


def with_sign_of(magnitude: Value, x: Value) -> Value:
    """`magnitude` (not negative) with the sign of x."""
    return (magnitude.bits() | sign_bits(x)).real()


def two_factors(c: Code, shifted: Value) -> Pair:
    """2^k as two factors, each in range for every k that a finite or barely overflowing result needs.

    `shifted` is k + round_shift + 2·bias. Multiplying by one after the other rounds only once, also among subnormals.
    """
    f = c.format
    k = shifted.bits()
    half = k >> 1
    return (half << f.mantissa).real(), ((k - half) << f.mantissa).real()


def round_shift(c: Code) -> float:
    """The constant of `nearest`: round_shift + 2·bias, so that the low bits are a biased exponent that can be halved."""
    return c.format.round_shift + 2 * c.format.bias


def nearest(c: Code, x: Value, scale: float = 1.0) -> Pair:
    """The integer next to x·scale as (real, shifted), for |x·scale| < 2^(mantissa - 2)."""
    shift = round_shift(c)
    shifted = c.muladd(x, scale, c.value(shift)) if scale != 1.0 else x + shift
    return shifted - shift, shifted
