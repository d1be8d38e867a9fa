"""Logarithms: x = 2^k(1 + f), 1 + f in [√½, √2), log(1 + f) from s = f/(2 + f).

log(1 + f) = 2 atanh(s) = f - f²/2 + s(f²/2 + R(s²)), where the largest terms are exact or nearly so (the arrangement of
K. C. Ng's FDLIBM; see Muller, Elementary Functions, 3rd ed., 2016, chapter 11). The polynomial is our own fit.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from hybridode.kernels.mathlib.arithmetic import Pair, fast_two_sum, polynomial, two_sum, with_sign_of
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, POLYNOMIALS
from hybridode.kernels.mathlib.formats import Format


def bits_of(f: Format, x: float) -> int:
    """The bits of a number in a format."""
    return int.from_bytes(struct.pack(">d" if f.bits == 64 else ">f", x), "big")


@dataclass(frozen=True)
class Split:
    """A positive number as m·2^k with m in [√½, √2); `biased` is k + bias as bits."""

    m: Value
    k: Value
    biased: Value


def split(c: Code, x: Value, subnormal: bool = True) -> Split:
    """`subnormal=False` where x is known to be normal. Anything goes in; only positive finite numbers come out right."""
    f = c.format
    offset = float(2**f.mantissa + f.bias)
    shift = c.value(offset)
    if subnormal:
        lift = f.mantissa + 2
        small = x < f.smallest_normal
        x, shift = small.where(x * 2.0**lift, x), small.where(offset + lift, offset)
    root = bits_of(f, math.sqrt(0.5))
    t = x.bits() + (f.one_bits - root)
    biased = t >> f.mantissa
    k = (biased | bits_of(f, 2.0**f.mantissa)).real() - shift
    return Split(((t & f.mantissa_mask) + root).real(), k, biased)


def series(c: Code, f: Value) -> tuple[Value, Value]:
    """(f²/2, s(f²/2 + R)): log(1 + f) is f - the first + the second."""
    s = f / (f + 2.0)
    z = s * s
    half = f * 0.5 * f
    return half, s * c.muladd(z, polynomial(c, z, POLYNOMIALS["LOG"][c.lanes.dtype]), half)


def assemble(c: Code, k: Value, f: Value, low: Value | None = None) -> Value:
    """log(2^k(1 + f)) + low."""
    ln2 = CONSTANTS["LN2"][c.lanes.dtype]
    half, rest = series(c, f)
    rest = c.muladd(k, ln2[1], rest if low is None else rest + low)
    return c.muladd(k, ln2[0], f - (half - rest))


def special(x: Value, result: Value) -> Value:
    """The result for positive finite x; infinity and NaN as they are, -infinity at 0, NaN below."""
    result = (x < math.inf).where(result, x)
    return (x > 0.0).where(result, x.equals(0.0).where(-math.inf, math.nan))


def log(c: Code, x: Value) -> Value:
    y = split(c, x)
    return special(x, assemble(c, y.k, y.m - 1.0))


def log_of_sum(c: Code, u: Value, e: Value, more: Value | None = None) -> Value:
    """log(u + e) + more·ln 2 for u >= 2^-100, |e| at most half an ulp of u."""
    fmt = c.format
    y = split(c, u, subnormal=False)
    f = y.m - 1.0
    inverse = ((c.value(2 * fmt.bias, "bits") - y.biased) << fmt.mantissa).real()
    # e/u = e·2^-k/(1 + f), of which two digits are enough; beyond 2^60 it is nothing (and 2^-k leaves the format).
    low = e * inverse * c.muladd(f, f - 1.0, c.value(1.0))
    low = (u < 2.0**60).where(low, 0.0)
    return special(u, assemble(c, y.k if more is None else y.k + more, f, low))


def log1p(c: Code, x: Value) -> Value:
    u, e = two_sum(c.value(1.0), x)
    return x.equals(0.0).where(x, log_of_sum(c, u, e))


def log1p_of_small(c: Code, x: Value, x_low: Value) -> Value:
    """log(1 + x + x_low) for 0 <= x <= 1 or NaN, without the special cases."""
    u, e = fast_two_sum(c.value(1.0), x)
    big = u > math.sqrt(2.0)
    f = big.where(u * 0.5 - 1.0, u - 1.0)
    low = (e + x_low) * big.where(0.5, 1.0) * c.muladd(f, f - 1.0, c.value(1.0))
    return assemble(c, big.where(1.0, 0.0), f, low)


def _times_constant(c: Code, high: Value, low: Value, constant: tuple[float, ...]) -> Pair:
    p = high * constant[0]
    return p, c.fma(high, constant[0], -p) + c.muladd(high, constant[1], low * constant[0])


def _log_pair(c: Code, f: Value) -> Pair:
    """log(1 + f) as a sum of two."""
    half, rest = series(c, f)
    high = f - half
    return high, ((f - high) - half) + rest


def log2(c: Code, x: Value) -> Value:
    """Exact at powers of two: k is added to a sum of two."""
    y = split(c, x)
    p, low = _times_constant(c, *_log_pair(c, y.m - 1.0), CONSTANTS["LOG2E"][c.lanes.dtype])
    s, e = fast_two_sum(y.k, p)
    return special(x, s + (e + low))


def log10(c: Code, x: Value) -> Value:
    y = split(c, x)
    p, low = _times_constant(c, *_log_pair(c, y.m - 1.0), CONSTANTS["LOG10E"][c.lanes.dtype])
    k, k_low = _times_constant(c, y.k, c.value(0.0), CONSTANTS["LOG10_2"][c.lanes.dtype])
    s, e = fast_two_sum(k, p)
    return special(x, s + (e + (low + k_low)))


def _large(c: Code) -> float:
    """Above this, x² + 1 is x²."""
    return 2.0**28 if c.format.bits == 64 else 2.0**13


def asinh(c: Code, x: Value) -> Value:
    """log(1 + a + a²/(1 + √(1 + a²))); log(2a) for large a."""
    a = abs(x)
    big = a > _large(c)
    b = big.where(1.0, a)
    square = b * b
    u, e = two_sum(c.value(1.0), b + square / (1.0 + c.intrinsic("sqrt", c.muladd(b, b, c.value(1.0)))))
    return with_sign_of(log_of_sum(c, big.where(a, u), big.where(0.0, e), big.where(1.0, 0.0)), x)


def acosh(c: Code, x: Value) -> Value:
    """log(1 + t + √(t(t + 2))) with t = x - 1; log(2x) for large x."""
    big = x > _large(c)
    t = big.where(1.0, x - 1.0)
    w = c.fma(t, t, t + t)
    w_low = c.fma(t, t, (t + t) - w)
    root = c.intrinsic("sqrt", w)
    root_low = w.equals(0.0).where(0.0, (c.fma(-root, root, w) + w_low) / (root + root))
    y, y_low = fast_two_sum(root, t)
    u, e = two_sum(c.value(1.0), y)
    e = e + (y_low + root_low)
    return (x < 1.0).where(math.nan, log_of_sum(c, big.where(x, u), big.where(0.0, e), big.where(1.0, 0.0)))


def atanh(c: Code, x: Value) -> Value:
    """log(1 + 2a/(1 - a))/2."""
    a = abs(x)
    d = 1.0 - a
    d_low = (1.0 - d) - a
    t = (a + a) / d
    t_low = (c.fma(-t, d, a + a) - t * d_low) / d
    u, e = two_sum(c.value(1.0), t)
    return with_sign_of(log_of_sum(c, u, e + t_low) * 0.5, x)
