"""Power series in time of a differential equation and of its derivatives by all unknowns, in exact arithmetic modulo a prime.

A number is a dual vector (1 + m,): its value and its derivatives by m unknowns, modulo P = 2^31 - 1. Coefficients come order by
order from recurrences (A. Griewank, A. Walther, Evaluating Derivatives, 2008, ch. 13); a state's next coefficient is its rate's
over the order. Functions start from values that are drawn at random, as exp(u) is another number whatever rational u is: only
their differential equations matter (e' = u' e).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.inference.structural.program import Program

P = 2**31 - 1


class Singular(Exception):
    """A division by 0, a logarithm or an odd root of 0 at the start; or a number without a root modulo P."""


def inverse(a: int) -> int:
    """Modulo P."""
    if a % P == 0:
        raise Singular
    return pow(int(a), P - 2, P)


def residue(value: float) -> int:
    """A decimal number modulo P."""
    exact = Fraction(repr(float(value)))
    return exact.numerator % P * inverse(exact.denominator) % P


class Series:
    """The coefficients (instructions, N + 1, 1 + m) of a program along a solution, filled order by order."""

    def __init__(self, program: Program, orders: int, unknowns: int, leaves: Mapping[Symbol, np.ndarray],
                 states: Mapping[Symbol, int], rates: Sequence[int], starts: Sequence[np.ndarray], rng: np.random.Generator,
                 known: Mapping[str, int], needed: Sequence[int] | None = None) -> None:  # fmt: skip
        """leaves: series (N + 1, 1 + m) of symbols that are not states; starts: dual numbers (1 + m,) of each state; needed:
        places that are computed, None: all. Raises Singular."""
        self.program, self.orders, self.width = program, orders, 1 + unknowns
        self.c = np.zeros((len(program.instructions), orders + 1, self.width), np.int64)
        self.x = np.zeros((len(rates), orders + 2, self.width), np.int64)
        self.leaves, self.states, self.rates, self.rng, self.known = leaves, states, rates, rng, known
        self.circles: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # argument -> series of sine and cosine
        if len(rates):
            self.x[:, 0] = np.array(starts)
        for k in range(orders + 1):
            for i in range(len(program.instructions)) if needed is None else needed:
                self._fill(i, k)
            for s, rate in enumerate(rates):
                self.x[s, k + 1] = self.c[rate, k] * inverse(k + 1) % P

    # ---- dual numbers ------------------------------------------------------------------------------------------------
    @staticmethod
    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Products of dual numbers (…, 1 + m)."""
        out = a[..., :1] * b % P
        out[..., 1:] = (out[..., 1:] + a[..., 1:] * b[..., :1]) % P
        return out

    def _over(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        i = inverse(int(b[0]))
        value = int(a[0]) * i % P
        out = (a - value * b % P) % P * i % P
        out[0] = value
        return out

    def _sum(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sum over j of a[j] b[-1 - j], dual numbers in rows."""
        return self.times(a, b[::-1]).sum(axis=0) % P if len(a) else np.zeros(self.width, np.int64)

    def _weighted(self, u: np.ndarray, e: np.ndarray, k: int) -> np.ndarray:
        """(1/k) sum over j = 1 … k of j u[j] e[k - j]."""
        j = np.arange(1, k + 1, dtype=np.int64)[:, None]
        return self._sum(j * u[1 : k + 1] % P, e[:k]) * inverse(k) % P

    def _new(self, at_zero: int | None, u0: np.ndarray, slope: int) -> np.ndarray:
        """The first value of a function of u0 with this derivative, random unless u0 is 0 itself."""
        value = at_zero if at_zero is not None and int(u0[0]) == 0 else int(self.rng.integers(2, P - 1))
        out = slope * u0 % P
        out[0] = value
        return out

    # ---- operations --------------------------------------------------------------------------------------------------
    def _fill(self, i: int, k: int) -> None:
        op, args, data = self.program.instructions[i]
        c = self.c
        if op == "const":
            c[i, k, 0] = residue(data) if k == 0 else 0
        elif op == "random":
            c[i, k, 0] = self.known[data] if k == 0 else 0
        elif op == "leaf":
            c[i, k] = self.x[self.states[data], k] if data in self.states else self.leaves[data][k]
        elif op == "add":
            c[i, k] = (c[args[0], k] + c[args[1], k]) % P
        elif op == "neg":
            c[i, k] = -c[args[0], k] % P
        elif op == "mul":
            c[i, k] = self._sum(c[args[0], : k + 1], c[args[1], : k + 1])
        elif op == "div":
            a, b = c[args[0]], c[args[1]]
            rest = self._sum(c[i, :k], b[1 : k + 1])
            c[i, k] = self._over((a[k] - rest) % P, b[0])
        else:
            getattr(self, f"_{op}")(i, k, c[args[0]], args[0])

    def _exp(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        c = self.c[i]
        if k == 0:
            c[0] = self._new(1, u[0], 1)
            c[0, 1:] = c[0, 1:] * int(c[0, 0]) % P
        else:
            c[k] = self._weighted(u, c, k)

    def _log(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        c = self.c[i]
        if k == 0:
            c[0] = self._new(None, u[0], inverse(int(u[0, 0])))
            if int(u[0, 0]) == 1:
                c[0, 0] = 0
        else:  # u l' = u': k u0 l_k = k u_k - sum j l_j u_{k-j}
            j = np.arange(1, k, dtype=np.int64)[:, None]
            rest = self._sum(j * c[1:k] % P, u[1:k]) * inverse(k) % P
            c[k] = self._over((u[k] - rest) % P, u[0])

    def _sqrt(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        c = self.c[i]
        if k == 0:
            value = int(u[0, 0])
            root = pow(value, (P + 1) // 4, P)  # P = 3 mod 4
            if root * root % P != value or value == 0:
                raise Singular
            c[0] = u[0] * inverse(2 * root) % P
            c[0, 0] = root
        else:
            rest = self._sum(c[1:k], c[1:k])
            c[k] = self._over((u[k] - rest) % P, 2 * c[0] % P)

    def _sin(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        self.c[i, k] = self._circle(k, u, place)[0][k]

    def _cos(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        self.c[i, k] = self._circle(k, u, place)[1][k]

    def _circle(self, k: int, u: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Sine and cosine of the series at a place, up to order k."""
        if place not in self.circles:
            self.circles[place] = (np.zeros_like(u), np.zeros_like(u))
            t = 0 if int(u[0, 0]) == 0 else int(self.rng.integers(2, P - 1))
            over = inverse(1 + t * t)
            for array, value, slope in zip(self.circles[place], (2 * t * over % P, (1 - t * t) * over % P),
                                           ((1 - t * t) * over % P, -2 * t * over % P), strict=True):  # fmt: skip
                array[0] = slope * u[0] % P
                array[0, 0] = value
        sine, cosine = self.circles[place]
        if k:
            sine[k], cosine[k] = self._weighted(u, cosine, k), -self._weighted(u, sine, k) % P
        return sine, cosine

    def _tanh(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        self._by_slope(i, k, u, 0, lambda f: (1 - f * f) % P, lambda c: self._one_minus(self._square(c)))

    def _sigmoid(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        self._by_slope(i, k, u, inverse(2), lambda f: f * (1 - f) % P, lambda c: (c - self._square(c)) % P)

    def _by_slope(self, i: int, k: int, u: np.ndarray, at_zero: int, slope: Callable[[int], int],
                  series: Callable[[np.ndarray], np.ndarray]) -> None:  # fmt: skip
        """f' = g(f) u' with g a polynomial: of its value, and of its series so far."""
        c = self.c[i]
        if k == 0:
            c[0] = self._new(at_zero, u[0], 1)
            c[0, 1:] = c[0, 1:] * slope(int(c[0, 0])) % P
        else:
            c[k] = self._weighted(u, series(c[:k]), k)

    def _atan(self, i: int, k: int, u: np.ndarray, place: int) -> None:
        c = self.c[i]
        bottom = self._square(u[: k + 1])
        bottom[0, 0] = (bottom[0, 0] + 1) % P
        if k == 0:
            c[0] = self._new(0, u[0], inverse(int(bottom[0, 0])))
        else:
            j = np.arange(1, k, dtype=np.int64)[:, None]
            rest = self._sum(j * c[1:k] % P, bottom[1:k]) * inverse(k) % P
            c[k] = self._over((u[k] - rest) % P, bottom[0])

    def _square(self, c: np.ndarray) -> np.ndarray:
        return np.array([self._sum(c[: j + 1], c[: j + 1]) for j in range(len(c))])

    @staticmethod
    def _one_minus(c: np.ndarray) -> np.ndarray:
        out = -c % P
        out[0, 0] = (out[0, 0] + 1) % P
        return out


def reduced(matrix: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Reduced row echelon form modulo P, without its rows of zeros, and the columns of its pivots."""
    rows, pivots = matrix % P, []
    at = 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[at:, column])
        if not len(below):
            continue
        pivot = at + int(below[0])
        rows[[at, pivot]] = rows[[pivot, at]]
        rows[at] = rows[at] * inverse(int(rows[at, column])) % P
        others = np.flatnonzero(rows[:, column])
        others = others[others != at]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[at] % P) % P
        pivots.append(column)
        at += 1
        if at == len(rows):
            break
    return rows[:at], pivots


def null_space(matrix: np.ndarray) -> np.ndarray:
    """A basis (r, m) modulo P of the vectors that a matrix (n, m) takes to 0, in reduced row echelon form."""
    rows, pivots = reduced(matrix)
    m = matrix.shape[1]
    free = [j for j in range(m) if j not in pivots]
    basis = np.zeros((len(free), m), np.int64)
    for r, j in enumerate(free):
        basis[r, j] = 1
        basis[r, pivots] = -rows[:, j] % P
    return reduced(basis)[0] if len(free) else basis


def fraction(value: int, most: int = 40) -> Fraction | None:
    """The fraction of small numbers that a residue is, None where it is none."""
    for bottom in range(1, most + 1):
        top = value * bottom % P
        top = top - P if top > P // 2 else top
        if abs(top) <= most:
            return Fraction(top, bottom)
    return None
