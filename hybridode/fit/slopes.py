"""First and second derivatives of the natural values by the unconstrained numbers: a row per transform of `parameters`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hybridode.fit.parameters import TRANSFORMS, ParameterSpace

Pair = tuple[Any, Any]


def _sigmoid(x: Any) -> Any:
    """Accurate towards both ends."""
    return np.exp(-np.logaddexp(0.0, -x))


def _between(z: Any, width: Any) -> Pair:
    up, down = _sigmoid(z), _sigmoid(-z)
    first = width * up * down
    return first, first * (down - up)


def _of_exponential(x: Any, inner: Pair) -> Pair:
    """Of x = exp(u) from the derivatives of u."""
    first, second = inner
    return x * first, x * (first**2 + second)


def _log_capped(z: Any, x: Any, b: Any) -> Pair:
    up, down = _sigmoid(np.log(b) - z), _sigmoid(z - np.log(b))
    return _of_exponential(x, (up, -up * down))


# Of z, x, a, b, s (see TRANSFORMS).
SLOPES: dict[str, Callable[[Any, Any, Any, Any, Any], Pair]] = {
    "free": lambda z, x, a, b, s: (s + 0 * z, 0 * z),
    "between": lambda z, x, a, b, s: _between(z, b - a),
    "above": lambda z, x, a, b, s: (s * _sigmoid(z), s * _sigmoid(z) * _sigmoid(-z)),
    "below": lambda z, x, a, b, s: (s * _sigmoid(-z), -s * _sigmoid(z) * _sigmoid(-z)),
    "log between": lambda z, x, a, b, s: _of_exponential(x, _between(z, np.log(b) - np.log(a))),
    "log above": lambda z, x, a, b, s: _of_exponential(x, (_sigmoid(z), _sigmoid(z) * _sigmoid(-z))),
    "log": lambda z, x, a, b, s: (x, x),
    "log capped": lambda z, x, a, b, s: _log_capped(z, x, b),
}
assert SLOPES.keys() == TRANSFORMS.keys()


@dataclass(frozen=True, eq=False)
class Natural:
    """x, dx/dz and d2x/dz2, each (B, d): every value depends on its own number alone."""

    x: np.ndarray
    first: np.ndarray
    second: np.ndarray


@dataclass(frozen=True, eq=False)
class NaturalValues:
    """A parameter space at many points at once."""

    space: ParameterSpace

    @cached_property
    def _groups(self) -> list[tuple[str, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        entries = self.space.entries
        found = []
        for kind in dict.fromkeys(e.transform for e in entries):
            places = np.array([i for i, e in enumerate(entries) if e.transform == kind])
            a, b, s = (np.array([getattr(entries[i], f) for i in places]) for f in ("lower", "upper", "size"))
            found.append((kind, places, (a, b, s)))
        return found

    def __call__(self, z: np.ndarray) -> Natural:
        """At z (B, d)."""
        out = Natural(np.empty_like(z), np.empty_like(z), np.empty_like(z))
        with np.errstate(all="ignore"):
            for kind, places, (a, b, s) in self._groups:
                mine = z[:, places]
                x = TRANSFORMS[kind].forward(mine, a, b, s, np)
                first, second = SLOPES[kind](mine, x, a, b, s)
                out.x[:, places], out.first[:, places], out.second[:, places] = x, first, second
        return out
