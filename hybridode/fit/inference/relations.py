"""What is known where single parameters are not: products, ratios and sums that the data determine.

Directions along which the Fisher information is next to nothing are taken out; what is orthogonal to them is determined. Reduced
to row echelon form in the logarithms of the parameters, its rows are monomials when their exponents are simple fractions
(`k1*k2`, `v/K`), in the natural values sums (`a + b`). Structural scale symmetries always show in this way (their directions are
the same everywhere); other kinds may not, and then only the names of those that can be traded are said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from hybridode.fit.parameters import ParameterSpace

LITTLE = 0.05  # information about a direction, per e-fold squared, that counts as nothing: a standard deviation of 4.5 e-folds
_TAKES_PART = 0.02  # entry of a unit direction from which a parameter takes part in it
_STAYS = 0.05  # part of the movement of one parameter that a combination may move
_SIMPLE, _LARGEST = 0.05, 3  # exponents this near to a fraction of numbers up to 3 are that fraction
_FRACTIONS = sorted({Fraction(sign * a, b) for a in range(_LARGEST + 1) for b in range(1, _LARGEST + 1) for sign in (-1, 1)})


@dataclass(frozen=True)
class Combination:
    """A quantity that the data determine though its parts are not: as text in the user's names, its value and its relative (sums:
    absolute) standard deviation, `relative` saying which; the places of its parts."""

    text: str
    value: float
    sd: float
    parts: tuple[int, ...]
    relative: bool = True


def unknown_directions(information: np.ndarray, little: float = LITTLE) -> np.ndarray:
    """Orthonormal directions (d, r) with less than `little` information (d, d)."""
    weights, vectors = np.linalg.eigh(information)
    return vectors[:, weights < little]


def partners(information: np.ndarray, i: int) -> list[int]:
    """The places that take part in the unknown directions in which i takes part, i itself left out."""
    unknown = unknown_directions(information)
    mine = unknown @ unknown[i]  # the projection of e_i
    size = float(np.linalg.norm(mine))
    return [j for j in range(len(information)) if j != i and abs(mine[j]) > _TAKES_PART * size] if size > 0 else []


def logarithmic(space: ParameterSpace, z: np.ndarray, information: np.ndarray) -> np.ndarray | None:
    """Information (k, k) about unconstrained numbers as that about logarithms of values; None where a value is 0 or not log."""
    x, slope = space.vector(z), natural_slope(space, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = x / slope  # dz/dlog x
        found = information * np.outer(scale, scale)
    return found if np.all(np.isfinite(found)) else None


def combination_of(
    space: ParameterSpace, z: np.ndarray, information: np.ndarray, i: int, along: np.ndarray
) -> Combination | None:
    """The monomial or the sum with entry i that is determined where i is not; None where there is no simple one.

    z (k,): unconstrained; information (k, k): about it (networks taken out); along (n, k): unconstrained points of the valley, on
    which it must stay what it is while entry i moves."""
    x, slope = space.vector(z), natural_slope(space, z)
    valley = np.array([space.vector(point) for point in along])
    size = float(np.mean(np.abs(x)))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        natural = information * np.outer(size / slope, size / slope)  # about x/size
    in_logarithms = logarithmic(space, z, information)
    found = []
    if in_logarithms is not None and np.all(valley > 0) and (row := _row(in_logarithms, i)) is not None:
        powers = [Fraction(float(p)).limit_denominator(_LARGEST) for p in row]
        one = Combination(monomial(space.names, powers), float(np.prod(x**row)), _sd(in_logarithms, row), _places(row, i))
        found.append((_moved(np.log(valley) @ row, np.log(valley[:, i])), one))
    if np.all(np.isfinite(natural)) and (row := _row(natural, i)) is not None and set(np.abs(row)) <= {0.0, 1.0}:
        one = Combination(_sum(space.names, row), float(row @ x), size * _sd(natural, row), _places(row, i), False)
        found.append((_moved(valley @ row, valley[:, i]), one))
    moved, best = min(found, key=lambda pair: pair[0], default=(np.inf, None))
    return best if moved < _STAYS else None


def _moved(quantity: np.ndarray, entry: np.ndarray) -> float:
    """How much a quantity moves along a valley, as part of how much the entry does."""
    return float(np.ptp(quantity) / max(np.ptp(entry), 1e-300))


def _places(row: np.ndarray, i: int) -> tuple[int, ...]:
    return tuple(int(j) for j in np.flatnonzero(row) if j != i)


def _row(information: np.ndarray, i: int) -> np.ndarray | None:
    """Simple exponents (k,) of two parts or more with 1 at i, orthogonal to all unknown directions; None where there are none."""
    unknown = unknown_directions(information)
    involved = np.flatnonzero(np.linalg.norm(unknown, axis=1) > _TAKES_PART)
    if i not in involved or len(involved) < 2:
        return None
    order = [i, *(int(j) for j in involved if j != i)]
    left, values, _ = np.linalg.svd(unknown[order], full_matrices=True)
    rank = int(np.sum(values > _TAKES_PART))
    known = left[:, rank:].T  # (m, n): orthogonal to what is unknown
    if not len(known):
        return None
    reduced = _echelon(known)
    if abs(reduced[0, 0]) < 0.5:
        return None
    simple = np.array([float(min(_FRACTIONS, key=lambda f, v=v: abs(float(f) - v))) for v in reduced[0]])
    if np.max(np.abs(simple - reduced[0])) > _SIMPLE or np.count_nonzero(simple) < 2:
        return None
    row = np.zeros(len(information))
    row[order] = simple
    return row


def _echelon(rows: np.ndarray) -> np.ndarray:
    """Reduced row echelon form by complete elimination; the first column is the first pivot, if it can be one, then the last
    ones: so the first row has few other entries."""
    rows, at = rows.copy(), 0
    columns = [0, *range(rows.shape[1] - 1, 0, -1)]
    for column in columns:
        if at == len(rows):
            break
        pivot = at + int(np.argmax(np.abs(rows[at:, column])))
        if abs(rows[pivot, column]) < 1e-3:
            continue
        rows[[at, pivot]] = rows[[pivot, at]]
        rows[at] /= rows[at, column]
        for other in range(len(rows)):
            if other != at:
                rows[other] -= rows[other, column] * rows[at]
        at += 1
    return rows


def _sd(information: np.ndarray, row: np.ndarray) -> float:
    """Standard deviation of row . (what the information is about), within the directions that are known."""
    weights, vectors = np.linalg.eigh(information)
    known = weights >= LITTLE
    return float(np.sqrt(np.sum((vectors[:, known].T @ row) ** 2 / weights[known])))


def monomial(names: Sequence[str], powers: Sequence[Fraction]) -> str:
    """`k1*k2^2/k3` of names and exponents."""
    over = [_power(n, p) for n, p in zip(names, powers, strict=True) if p > 0]
    under = [_power(n, -p) for n, p in zip(names, powers, strict=True) if p < 0]
    below = f"({'*'.join(under)})" if len(under) > 1 else "".join(under)
    return ("*".join(over) or "1") + (f"/{below}" if under else "")


def _power(name: str, power: Fraction) -> str:
    if power == 1 or power.denominator == 1:
        return name if power == 1 else f"{name}^{power}"
    return f"{name}^({power})" if power.denominator <= _LARGEST else f"{name}^{float(power):.2g}"


def _sum(names: Sequence[str], row: np.ndarray) -> str:
    signed = [(name, value) for name, value in zip(names, row, strict=True) if value]
    signed.sort(key=lambda pair: -pair[1])
    return " ".join([signed[0][0], *(f"{'+' if b[1] > 0 else '-'} {b[0]}" for _, b in pairwise(signed))])


def natural_slope(space: ParameterSpace, z: np.ndarray) -> np.ndarray:
    """dx/dz (k,) by central differences (each entry depends on its own z only)."""
    h = 1e-5
    return (space.vector(z + h) - space.vector(z - h)) / (2 * h)
