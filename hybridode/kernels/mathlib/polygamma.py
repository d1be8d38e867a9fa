"""Operations with a number as their attribute: derivatives of digamma and of exprel."""

from __future__ import annotations

import math
from fractions import Fraction

from hybridode.kernels.mathlib.arithmetic import polynomial
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.exponential import HIGHEST, exp_scaled, expm1
from hybridode.kernels.mathlib.special import fraction, is_pole, sin_pi


def bernoulli(count: int) -> list[Fraction]:
    """B_0 … B_count, from sum_j C(n + 1, j) B_j = 0."""
    numbers = [Fraction(1)]
    for n in range(1, count + 1):
        total = sum((math.comb(n + 1, j) * numbers[j] for j in range(n)), Fraction(0))
        numbers.append(-total / (n + 1))
    return numbers


def euler_maclaurin(k: int, digits: int) -> tuple[int, list[float]]:
    """How many terms are summed one by one, and the coefficients of 1/z² … of the rest divided by (k - 1)!/z^k.

    The rest of sum_i k!/(x + i)^(k+1) from z = x + N on is (k-1)!/z^k (1 + k/(2z) + sum_j B_2j C(2j + k - 1, 2j) /z^2j)
    (DLMF 5.15.8). N grows until the first term left out is below 2^-digits for every z >= N.
    """
    numbers = bernoulli(40)
    terms = [float(numbers[2 * j] * math.comb(2 * j + k - 1, 2 * j)) for j in range(1, 21)]
    for n in range(4, 200):
        for used in range(2, 12):
            if abs(terms[used]) / float(n) ** (2 * used + 2) < 2.0**-digits:
                return n, terms[:used]
    raise AssertionError(f"polygamma of order {k} is too high")


def power(x: Value, n: int) -> Value:
    """x^n for n >= 1 by repeated squaring."""
    result: Value | None = None
    while n:
        if n & 1:
            result = x if result is None else result * x
        x, n = (x * x, n >> 1) if n > 1 else (x, 0)
    assert result is not None
    return result


def zeta_less_one(s: int) -> float:
    """zeta(s) - 1 for s >= 2 by Euler and Maclaurin's formula from 16 on (DLMF 25.2.9)."""
    numbers, n = bernoulli(16), 16.0
    rising, terms = float(s), [m**-s for m in map(float, range(2, 16))] + [n ** (1 - s) / (s - 1), 0.5 * n**-s]
    for j in range(1, 9):
        terms.append(float(numbers[2 * j]) * rising / math.factorial(2 * j) * n ** (1 - s - 2 * j))
        rising *= (s + 2 * j - 1) * (s + 2 * j)
    return math.fsum(terms)


def cotangent_rest(k: int, digits: int) -> list[float]:
    """What the k-th derivative of π cot(πf) is less its poles at 0, 1 and -1, for |f| <= 1/2: the coefficients of 1, f², …,
    behind a factor f for even k.

    π cot(πf) = 1/f + 1/(f - 1) + 1/(f + 1) - 2 sum_n (zeta(2n) - 1) f^(2n - 1) (DLMF 4.19.6, 4.22.3).
    """
    found: list[float] = []
    for n in range((k + 2) // 2, 200):
        size = math.factorial(2 * n - 1) // math.factorial(2 * n - 1 - k)
        found.append(-2.0 * zeta_less_one(2 * n) * size)
        if abs(found[-1]) * 0.5 ** (2 * n - 1 - k) < math.factorial(k) * 2.0**-digits:
            return found
    raise AssertionError(f"polygamma of order {k} is too high")


def cot_derivative(k: int) -> list[int]:
    """Coefficients in c = cot(u) of the k-th derivative of cot: Q_0 = c, Q_(n+1) = -(1 + c²)·Q_n'."""
    q = [0, 1]
    for _ in range(k):
        slope = [j * q[j] for j in range(1, len(q))]
        q = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    return q


def cot_slope(c: Code, k: int, x: Value) -> Value:
    """The k-th derivative of π cot(πx): the nearest three poles, whose distances are exact, and a series.

    For even k it has a zero where two poles are equally near; there it is the odd polynomial in cot(πx).
    """
    f, _ = fraction(c, x)
    poles = 1.0 / power(f - 1.0, k + 1) + 1.0 / power(f + 1.0, k + 1) + 1.0 / power(f, k + 1)
    smooth = polynomial(c, f * f, cotangent_rest(k, c.format.mantissa + 4))
    value = c.muladd(poles, (-1.0) ** k * math.factorial(k), smooth if k % 2 else f * smooth)
    if k % 2:
        return value
    cot = sin_pi(c, 0.5 - abs(f)) / sin_pi(c, f)
    odd = polynomial(c, cot * cot, [float(a) for a in cot_derivative(k)[1::2]])
    return (abs(f) > 0.25).where(odd * cot * math.pi ** (k + 1), value)


def polygamma(c: Code, x: Value, attrs: int) -> Value:
    """The k-th derivative of digamma, k >= 1; for x < 0 from 1 - x by reflection (DLMF 5.15.6).

    Powers are taken before their reciprocals, because every rounding of a reciprocal would count k + 1 times.
    """
    k = attrs
    assert k >= 1, "digamma is an operation of its own"
    negative = x < 0.0
    b = negative.where(1.0 - x, x)
    count, terms = euler_maclaurin(k, c.format.mantissa + 4)
    inverse = 1.0 / (b + float(count))
    rest = polynomial(c, inverse * inverse, [1.0, *terms])
    total = power(inverse, k) * c.muladd(inverse, 0.5 * k, rest)
    direct: Value = c.value(0.0)
    for i in reversed(range(count)):
        direct = direct + 1.0 / power(b + float(i), k + 1)
    sign = 1.0 if k % 2 else -1.0
    right = (direct * float(math.factorial(k)) + total * float(math.factorial(k - 1))) * sign
    left = right * -sign - cot_slope(c, k, negative.where(x, 0.5))
    result = negative.where(left, right)
    result = (is_pole(c, x) | x.equals(0.0)).where(sign * math.inf, result)
    return x.is_nan().where(x, result)


def exprel_slope(c: Code, x: Value, attrs: int) -> Value:
    """The integral of s^k e^(sx) from 0 to 1: a series of positive terms near 0, else by parts, scaled by e^-x for x > 0.

    For x < 0 the series is e^x·sum_j k!/(k + 1 + j)! |x|^j (Kummer's transformation, DLMF 13.2.39).
    """
    k = attrs
    radius = max(1.5, float(k))
    goal = 2.0 ** (-c.format.mantissa - 6)
    count = next(n for n in range(4, 400) if radius**n / math.factorial(n) * (k + 1) < goal)
    a, negative = abs(x), x < 0.0
    small = a <= radius
    s, low, f, g = exp_scaled(c, x)
    p = s + low
    near = small.where(a, 0.0)
    rising = polynomial(c, near, [1.0 / (math.factorial(j) * (j + k + 1)) for j in range(count)])
    falling = polynomial(c, near, [math.factorial(k) / math.factorial(k + 1 + j) for j in range(count)])
    series = negative.where(p * f * g * falling, rising)
    a = small.where(radius, a)
    up = down = -expm1(c, -a) / a
    for j in range(1, k + 1):
        up, down = (1.0 - up * float(j)) / a, (down * float(j) - p * f * g) / a
    up = (x > HIGHEST[c.lanes.dtype]).where(math.inf, up * p * f * g)
    return small.where(series, (x > 0.0).where(up, down))
