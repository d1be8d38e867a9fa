"""The terms that a sparse formula is made of: products and powers of a network's arguments, and what the model knows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from hybridode.declarations import Network
from hybridode.discover.slots import Slot

Values = Callable[[np.ndarray], np.ndarray]  # (N, m) -> (N,)

DEGREES = {1: 5, 2: 3, 3: 2, 4: 2, 5: 2}  # of polynomials by number of arguments; more: 1 and products of two
_AWAY = 0.05  # of the largest size: an argument that stays so far from 0 on one side may stand below a fraction
_REPEATED = 0.99999  # correlation from which two terms cannot be told apart where the data reach


@dataclass(frozen=True, eq=False)
class Term:
    """`text` in the language, without its coefficient (`x*y`); `name`: of the coefficient after `k_`; `over`: the coefficient is
    divided by the text; `powers`: exponents of the arguments, for units."""

    text: str
    name: str
    values: Values
    powers: tuple[float, ...]
    over: bool = False

    def times(self, coefficient: str) -> str:
        """The term with its coefficient."""
        if not self.text:
            return coefficient
        return f"{coefficient}/{self.text}" if self.over else f"{coefficient}*{self.text}"


def library(slot: Slot, points: np.ndarray) -> tuple[Term, ...]:
    """The terms for a slot whose arguments take the values points (N, m). Those that the network's form excludes (parity, zeros),
    that grow past all numbers there or repeat another one are left out."""
    terms = [*_monomials(slot), *_odd_squares(slot, points), *_circular(slot), *_fractions(slot, points)]
    allowed = [t for t in terms if promised(slot.network, t.values, points)]
    return _distinct(allowed, points)


def _monomials(slot: Slot) -> list[Term]:
    m = len(slot.arguments)
    degree = DEGREES.get(m, 2)
    found = []
    for total in range(degree + 1):
        for chosen in combinations_with_replacement(range(m), total):
            powers = tuple(chosen.count(i) for i in range(m))
            if m not in DEGREES and max(powers, default=0) > 1:
                continue
            found.append(_monomial(slot, powers))
    return found


def _monomial(slot: Slot, powers: tuple[int, ...]) -> Term:
    factors = [a if p == 1 else f"{a}^{p}" for a, p in zip(slot.arguments, powers, strict=True) if p]
    names = [a if p == 1 else f"{a}{p}" for a, p in zip(slot.short, powers, strict=True) if p]
    joint = "" if all(len(a) == 1 for a in slot.short) else "_"
    exponents = np.array(powers)
    return Term("*".join(factors), joint.join(names) or "0", lambda z: np.prod(z**exponents, axis=1), tuple(map(float, powers)))


def _odd_squares(slot: Slot, points: np.ndarray) -> list[Term]:
    """`abs(w)*w`, drag, of an argument that changes its sign."""
    if len(slot.arguments) != 1 or not points.min() < 0 < points.max():
        return []
    a = slot.arguments[0]
    inside = a[1:-1] if a[0] == "(" else a
    return [Term(f"abs({inside})*{a}", f"abs_{slot.short[0]}", lambda z: np.abs(z[:, 0]) * z[:, 0], (2.0,))]


def _circular(slot: Slot) -> list[Term]:
    """Sine and cosine of angles."""
    found = []
    for i, (a, short) in enumerate(zip(slot.arguments, slot.short, strict=True)):
        if slot.angles[i]:
            inside = a[1:-1] if a[0] == "(" else a
            none = (0.0,) * len(slot.arguments)
            found.append(Term(f"sin({inside})", f"sin_{short}", lambda z, i=i: np.sin(z[:, i]), none))
            found.append(Term(f"cos({inside})", f"cos_{short}", lambda z, i=i: np.cos(z[:, i]), none))
    return found


def _fractions(slot: Slot, points: np.ndarray) -> list[Term]:
    """`1/x` of arguments that stay away from 0."""
    found = []
    for i, (a, short) in enumerate(zip(slot.arguments, slot.short, strict=True)):
        z = points[:, i]
        if (z.min() > 0 or z.max() < 0) and np.abs(z).min() > _AWAY * np.abs(z).max():
            powers = tuple(-1.0 if j == i else 0.0 for j in range(len(slot.arguments)))
            found.append(Term(a, f"over_{short}", lambda z, i=i: 1 / z[:, i], powers, over=True))
    return found


def promised(network: Network, curve: Values, points: np.ndarray) -> bool:
    """Whether a curve has what the network's form promises: its parity, and 0 where the network is 0."""
    z = points[:64]
    here = curve(z)
    size = float(np.max(np.abs(here), initial=0.0))
    if network.symmetry:
        sign = -1.0 if network.symmetry == "odd" else 1.0
        if not np.allclose(curve(-z), sign * here, rtol=1e-6, atol=1e-9 * size):
            return False
    if network.zero_at:
        at = np.where([a is None for a in network.zero_at], z, [0.0 if a is None else a for a in network.zero_at])
        with np.errstate(all="ignore"):
            there = curve(at)
        return bool(np.all(np.isfinite(there)) and np.allclose(there, 0.0, atol=1e-9 * size))
    return True


def _distinct(terms: list[Term], points: np.ndarray) -> tuple[Term, ...]:
    kept: list[tuple[Term, np.ndarray]] = []
    for term in terms:
        values = term.values(points)
        length = np.linalg.norm(values)
        if not np.isfinite(length) or length == 0:
            continue
        direction = values / length
        if all(abs(direction @ other) < _REPEATED for _, other in kept):
            kept.append((term, direction))
    return tuple(term for term, _ in kept)
