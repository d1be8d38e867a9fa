"""Writes `hybridode/kernels/mathlib/coefficients.py`: minimax polynomials by Remez' exchange, in 60 digits.

    python tests/kernels/generate_coefficients.py [NAME ...]     prints degrees and errors; writes when no name is given

Each row says which function of which variable on which interval a polynomial stands for, and the weight that turns its error
into the relative error of what is computed from it. The degree is the lowest that reaches the goal of each format.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

mpmath.mp.dps = 60
OUTPUT = Path(__file__).parents[2] / "hybridode" / "kernels" / "mathlib" / "coefficients.py"
GOALS = {"float64": -57.0, "float32": -28.0}  # log2 of the weighted error
DOUBLED = {"float64": -70.0, "float32": -38.0}  # where the result is a double-double
LOOSE = {"float64": -55.0, "float32": -26.0}
Function = Callable[[Any], Any]
LN2 = mpmath.log(2)
DIGAMMA_ZERO = mpmath.findroot(mpmath.digamma, mpf("1.4616321449683623"))


@dataclass(frozen=True)
class Row:
    """`function` ≈ polynomial in x on [low, high]; `weight` times its error is at most 2^goal."""

    name: str
    says: str
    function: Function
    weight: Function
    low: Any
    high: Any
    goals: dict[str, float]


def log_tail(z: Any) -> Any:
    """(2 atanh(s)/s - 2)/z with z = s²."""
    return sum(mpf(2) * z ** (k - 1) / (2 * k + 1) for k in range(1, 40))


def atanh_tail(z: Any) -> Any:
    """(atanh(s)/s - 1 - z/3)/z² with z = s²."""
    return sum(z ** (k - 2) / mpf(2 * k + 1) for k in range(2, 45))


def stirling(w: Any) -> Any:
    """z·mu(z) with z = 1/√w, where lgamma(z) = (z - 1/2) log z - z + log(2π)/2 + mu(z)."""
    if w < mpf(10) ** -12:
        return mpf(1) / 12 - w / 360 + w * w / 1260
    z = 1 / mpmath.sqrt(w)
    return z * (mpmath.loggamma(z) - (z - 0.5) * mpmath.log(z) + z - mpmath.log(2 * mpmath.pi) / 2)


def digamma_tail(w: Any) -> Any:
    """(log z - 1/(2z) - digamma(z))·z² with z = 1/√w."""
    if w < mpf(10) ** -12:
        return mpf(1) / 12 - w / 120 + w * w / 252
    z = 1 / mpmath.sqrt(w)
    return (mpmath.log(z) - 1 / (2 * z) - mpmath.digamma(z)) * z * z


def erf_exponent(a: Any) -> Any:
    """(-log erfc(a)/a - 2/√π)/a."""
    if a < mpf(10) ** -12:
        return 2 / mpmath.pi
    return (-mpmath.log(mpmath.erfc(a)) / a - 2 / mpmath.sqrt(mpmath.pi)) / a


def erf_weight(a: Any) -> Any:
    return a * a * mpmath.erfc(a) / mpmath.erf(a) if a > 0 else mpf(0)


def over(f: Function, limit: Any, small: float = 1e-12) -> Function:
    """f(x), or its limit at 0 where the formula is 0/0 (the error there is that of the second term)."""
    return lambda x: f(x) if abs(x) > small else mpf(limit)


def of_square(f: Function, limit: Any) -> Function:
    """A function of t as one of z = t²."""
    return over(lambda z: f(mpmath.sqrt(z)), limit)


sin, cos, pi = mpmath.sin, mpmath.cos, mpmath.pi
ROWS = (
    Row("EXP", "(e^r - 1 - r)/r², |r| <= ln(2)/2", over(lambda r: (mpmath.expm1(r) - r) / r**2, 0.5),
        abs, -LN2 * 0.501, LN2 * 0.501, LOOSE),
    Row("EXP2", "(2^r - 1 - r ln 2)/r², |r| <= 1/2", over(lambda r: (mpmath.expm1(r * LN2) - r * LN2) / r**2, LN2**2 / 2),
        lambda r: r * r, mpf("-.501"), mpf(".501"), GOALS),
    Row("LOG", "(2 atanh(s)/s - 2)/z of z = s², s = f/(2 + f)", log_tail, lambda z: z / 2, mpf(0), mpf("0.02945"), GOALS),
    Row("ATANH", "(atanh(s)/s - 1 - z/3)/z² of z = s²", atanh_tail, lambda z: z * z, mpf(0), mpf("0.02945"), DOUBLED),
    Row("TANH", "(tanh r - r)/r³ of z = r², |r| <= 0.75 ln(2)/2", of_square(lambda r: (mpmath.tanh(r) - r) / r**3, mpf(-1) / 3),
        lambda z: z, mpf(0), mpf("0.0677"), LOOSE),
    Row("SIN", "(sin r - r)/r³ of z = r², |r| <= π/4", of_square(lambda r: (sin(r) - r) / r**3, mpf(-1) / 6),
        lambda z: z, mpf(0), mpf("0.6169"), GOALS),
    Row("COS", "(cos r - 1 + z/2)/z² of z = r², |r| <= π/4", of_square(lambda r: (cos(r) - 1 + r * r / 2) / r**4, mpf(1) / 24),
        lambda z: z * z, mpf(0), mpf("0.6169"), GOALS),
    Row("SINPI", "(sin πf - πf)/f³ of z = f², |f| <= 1/2", of_square(lambda f: (sin(pi * f) - pi * f) / f**3, -(pi**3) / 6),
        lambda z: z * mpmath.sqrt(z + mpf(10) ** -30) / sin(pi * mpmath.sqrt(z + mpf(10) ** -30)), mpf(0), mpf("0.25"), GOALS),
    Row("ATAN", "(atan t - t)/t³ of z = t², 0 <= t <= 1", of_square(lambda t: (mpmath.atan(t) - t) / t**3, mpf(-1) / 3),
        lambda z: z, mpf(0), mpf(1), GOALS),
    Row("ASIN", "(asin t - t)/t³ of z = t², 0 <= t <= 1/2", of_square(lambda t: (mpmath.asin(t) - t) / t**3, mpf(1) / 6),
        lambda z: z, mpf(0), mpf("0.25"), GOALS),
    Row("ERF", "(-log erfc(a)/a - 2/√π)/a, 0 <= a <= 6 (float32: 4)", erf_exponent, erf_weight, mpf(0), mpf(6), LOOSE),
    Row("STIRLING", "z mu(z) of w = 1/z², z >= 5: lgamma(z) = (z - 1/2) log z - z + log(2π)/2 + mu(z)", stirling,
        lambda w: mpf("0.2"), mpf(0), mpf("0.04"), LOOSE),
    Row("LGAMMA", "lgamma(2 + t)/t, -0.66 <= t <= 1/2", over(lambda t: mpmath.loggamma(2 + t) / t, 1 - mpmath.euler),
        lambda t: 2, mpf("-.67"), mpf(".501"), LOOSE),
    Row("DIGAMMA", "digamma(3/2 + t)/(3/2 + t - x0), |t| <= 1/2", lambda t: mpmath.digamma(1.5 + t) / (1.5 + t - DIGAMMA_ZERO),
        lambda t: 1, mpf("-.501"), mpf(".501"), LOOSE),
    Row("DIGAMMA_TAIL", "(log z - 1/(2z) - digamma(z)) z² of w = 1/z², z >= 4", digamma_tail,
        lambda w: w, mpf(0), mpf("0.0625"), LOOSE),
)  # fmt: skip

# Constants as unevaluated sums, largest part first.
CONSTANTS = {
    "LN2": LN2,
    "LOG2E": 1 / LN2,
    "LOG10E": 1 / mpmath.log(10),
    "LOG10_2": mpmath.log(2, 10),
    "PI": pi,
    "HALF_PI": pi / 2,
    "TWO_OVER_PI": 2 / pi,
    "TWO_OVER_SQRT_PI": 2 / mpmath.sqrt(pi),
    "DIGAMMA_ZERO": DIGAMMA_ZERO,
    "LOG2_SQRT_TWO_PI": mpmath.log(2 * pi, 2) / 2,
    "HALF_LOG_TWO_PI": mpmath.log(2 * pi) / 2,
    "LOG_PI": mpmath.log(pi),
    "THIRD": mpf(1) / 3,
}


def exchange(values: list[Any], weights: list[Any], points: list[Any], degree: int) -> tuple[list[Any], Any]:
    """Remez' exchange on a grid: coefficients and the largest weighted error."""
    n = degree + 2
    usable = [k for k, w in enumerate(weights) if w > mpf(10) ** -18]
    at = [usable[round(j * (len(usable) - 1) / (n - 1))] for j in range(n)]
    for _ in range(12):
        rows = [[points[k] ** j for j in range(degree + 1)] + [(-1) ** i / weights[k]] for i, k in enumerate(at)]
        solution = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([values[k] for k in at]))
        coefficients = list(solution[: degree + 1])
        errors = [w * (mpmath.polyval(coefficients[::-1], x) - v) for w, x, v in zip(weights, points, values, strict=True)]
        extremes: list[int] = []
        for k in usable:
            if extremes and mpmath.sign(errors[k]) == mpmath.sign(errors[extremes[-1]]):
                if abs(errors[k]) > abs(errors[extremes[-1]]):
                    extremes[-1] = k
            else:
                extremes.append(k)
        while len(extremes) > n:
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        worst = max(abs(e) for e in errors)
        if len(extremes) < n or extremes == at or worst < abs(solution[degree + 1]) * 1.01:
            break
        at = extremes
    return coefficients, worst


def fit(row: Row, dtype: str) -> list[float]:
    high = row.high if row.name != "ERF" or dtype == "float64" else mpf(4)
    count = 400
    points = [(row.low + high) / 2 - (high - row.low) / 2 * mpmath.cos(pi * j / count) for j in range(count + 1)]
    values, weights = [row.function(x) for x in points], [abs(row.weight(x)) for x in points]
    for degree in range(1, 32):
        coefficients, worst = exchange(values, weights, points, degree)
        if worst > 0 and mpmath.log(worst, 2) < row.goals[dtype]:
            break
    print(f"{row.name:14} {dtype}: degree {degree}, error 2^{float(mpmath.log(worst, 2)):.1f}", file=sys.stderr)
    return [round_to(c, dtype) for c in coefficients]


def round_to(x: Any, dtype: str) -> float:
    if dtype == "float64":
        return float(x)
    near = np.float32(float(x))  # within an ulp: rounding twice is seen in one of 2^29 cases
    return float(
        min(
            (near, np.nextafter(near, np.float32(9e9)), np.nextafter(near, np.float32(-9e9))),
            key=lambda c: abs(mpf(float(c)) - x),
        )
    )


def parts(x: Any, dtype: str, count: int = 4) -> list[float]:
    result = []
    for _ in range(count):
        result.append(round_to(x, dtype))
        x = x - mpf(result[-1])
    return result


def two_over_pi_words() -> list[int]:
    """64-bit words of the binary digits of 2/π: one word of zeros, then the digits from 2^-1 on."""
    with mpmath.workdps(500):
        digits = int(mpmath.floor(mpmath.ldexp(2 / mpmath.pi, 64 * 20)))
    return [0] + [(digits >> (64 * (19 - k))) & (2**64 - 1) for k in range(20)]


def table(title: str, entries: list[tuple[str, str, dict[str, list[float]]]]) -> str:
    lines = [f"{title}: dict[str, dict[str, tuple[float, ...]]] = {{"]
    for name, says, formats in entries:
        lines.append(f'    "{name}": {{' + (f"  # {says}" if says else ""))
        for dtype, numbers in formats.items():
            lines.append(f'        "{dtype}": (' + ", ".join(map(repr, numbers)) + "),")
        lines.append("    },")
    return "\n".join([*lines, "}"])


def main() -> None:
    chosen = sys.argv[1:]
    rows = [r for r in ROWS if not chosen or r.name in chosen]
    fits = [(r.name, r.says, {dtype: fit(r, dtype) for dtype in GOALS}) for r in rows]
    if chosen:
        return
    constants = [(name, "", {dtype: parts(+x, dtype) for dtype in GOALS}) for name, x in CONSTANTS.items()]
    words = "\n".join(f"    0x{w:016X}," for w in two_over_pi_words())
    OUTPUT.write_text(
        '"""Minimax polynomials, and constants as unevaluated sums: generated by tests/kernels/generate_coefficients.py."""\n\n'
        "# fmt: off\n# ruff: noqa: E501\n\n"
        + table("POLYNOMIALS", fits)
        + "\n\n"
        + table("CONSTANTS", constants)
        + "\n\n# The binary digits of 2/π in words of 64, after a word of zeros.\nTWO_OVER_PI_WORDS = (\n"
        + words
        + "\n)\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
