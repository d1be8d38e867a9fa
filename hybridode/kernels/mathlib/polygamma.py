"""Operations with a number as their attribute: derivatives of digamma and of exprel."""

from __future__ import annotations

import math
from fractions import Fraction

from hybridode.kernels.mathlib.arithmetic import polynomial
from hybridode.kernels.mathlib.code import Code, Value
from hybridode.kernels.mathlib.exponential import HIGHEST, exp_scaled, expm1
from hybridode.kernels.mathlib.special import cot_pi, is_pole


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


def cot_derivative(k: int) -> list[int]:
    """Coefficients in c = cot(u) of the k-th derivative of cot: Q_0 = c, Q_(n+1) = -(1 + c²)·Q_n'."""
    q = [0, 1]
    for _ in range(k):
        slope = [j * q[j] for j in range(1, len(q))]
        q = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    return q


def polygamma(c: Code, x: Value, attrs: int) -> Value:
    """The k-th derivative of digamma, k >= 1; for x < 0 from 1 - x by reflection (DLMF 5.15.6)."""
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
        direct = direct + power(1.0 / (b + float(i)), k + 1)
    sign = 1.0 if k % 2 else -1.0
    right = (direct * float(math.factorial(k)) + total * float(math.factorial(k - 1))) * sign
    cot = cot_pi(c, abs(x)) * -1.0  # of x < 0
    q = [float(a) for a in cot_derivative(k)]
    value = c.value(q[-1])
    for a in reversed(q[:-1]):
        value = c.muladd(value, cot, c.value(a))
    left = right * (-sign) - value * math.pi ** (k + 1)
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
