"""The Fisher information in its own directions: what the data know well (stiff), badly, and not at all (sloppy).

    F = sum over records of J' I J,   F v = lambda v,   a direction v is known to within 1/sqrt(lambda)

in logarithms of the parameters (one unit is a factor of e; parameters at 0 or with both signs: shares of their size), networks
taken out by a Schur complement. A direction reads as a product of powers: v = (1, 1)/sqrt(2) is `k1*k2`, (1, -1) is `k1/k2`.
(J. J. Waterfall et al., Phys. Rev. Lett. 97 (2006) 150601; R. N. Gutenkunst et al., PLoS Comput. Biol. 3 (2007) e189.)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hybridode.fit.inference.relations import LITTLE, monomial, natural_slope
from hybridode.fit.outcome.uncertainty import Z95, marginal_information
from hybridode.fit.parameters import ParameterSpace

_LEAST = 0.1  # part of the largest entry of a direction below which a parameter is left out of its name
_SIMPLE, _BOTTOMS = 0.05, 3  # exponents so near to a fraction of small numbers are written as it
_TINY = 1e-300


@dataclass(frozen=True)
class Direction:
    """`eigenvalue`; `vector` (k,) of length 1; `text`: as a product of powers; `sd`: how far it is known, in e-folds."""

    eigenvalue: float
    vector: np.ndarray
    text: str
    sd: float

    @property
    def determined(self) -> bool:
        """Whether the data say anything of it: its standard deviation is below 4.5 e-folds."""
        return self.eigenvalue >= LITTLE


@dataclass(frozen=True)
class Spectrum:
    """Directions from the stiffest to the sloppiest."""

    names: tuple[str, ...]
    directions: tuple[Direction, ...]

    @property
    def condition(self) -> float:
        """The largest eigenvalue over the smallest, infinite where that is 0."""
        if not self.directions:
            return 1.0
        least = self.directions[-1].eigenvalue
        return self.directions[0].eigenvalue / least if least > 0 else np.inf

    def sentences(self) -> list[str]:
        """How many directions the data determine, and which is known best and worst."""
        if not self.directions:
            return []
        count, all_ = sum(d.determined for d in self.directions), len(self.directions)
        best, worst = self.directions[0], self.directions[-1]
        all_of = f"all {all_}" if count == all_ else f"{count} of {all_}"
        if all_ == 1:
            return [f"the data {'' if count else 'do not '}determine the parameter"]
        known = f"the stiffest is `{best.text}` ({_within(best.sd)})"
        rest = f"the sloppiest `{worst.text}` ({_within(worst.sd) if worst.determined else 'not determined'})"
        return [f"the data determine {all_of} directions in the parameters; {known}, {rest}"]

    def content(self) -> dict[str, Any]:
        """The fields of the finding `spectrum`."""
        found: dict[str, Any] = {
            "unit": "natural logarithms of the parameters", "parameters": list(self.names), "condition": self.condition,
            "determined": sum(d.determined for d in self.directions),
            "directions": [{"eigenvalue": d.eigenvalue, "sd": d.sd, "text": d.text, "determined": d.determined,
                            "components": dict(zip(self.names, d.vector.tolist(), strict=True))} for d in self.directions],
        }  # fmt: skip
        if not np.isfinite(self.condition):
            found["condition_reason"] = "a direction has no information at all"
        return found


def spectrum(space: ParameterSpace, z: np.ndarray, fisher: np.ndarray) -> Spectrum:
    """Of the Fisher matrix (d, d) over unconstrained parameters (k,) and weights, at z (k,)."""
    k = space.size
    scale = relative_scale(space, z)
    information = marginal_information(fisher, k) * np.outer(scale, scale)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    noise = 1e-12 * max(float(values[-1]), _TINY) if k else 0.0  # of the decomposition itself
    found = []
    for value, v in zip(values[::-1], vectors.T[::-1], strict=True):
        value = float(value) if value > noise else 0.0
        v = v if v[np.argmax(np.abs(v))] > 0 else -v
        found.append(Direction(value, v, _text(space.names, v), 1 / np.sqrt(value) if value > 0 else np.inf))
    return Spectrum(space.names, tuple(found))


def relative_scale(space: ParameterSpace, z: np.ndarray) -> np.ndarray:
    """dz/dlog x (k,); of an entry at 0 dz/d(x/size), its size being that of the declared value."""
    x, slope = space.vector(z), natural_slope(space, z)
    size = np.array([e.size for e in space.entries])
    return np.where(np.abs(x) > 1e-12 * size, x, size) / slope


def _text(names: tuple[str, ...], v: np.ndarray) -> str:
    """As a product of powers, the largest exponent being 1."""
    exponents = v / np.max(np.abs(v))
    powers = []
    for e in exponents:
        simple = Fraction(float(e)).limit_denominator(_BOTTOMS)
        if abs(e) <= _LEAST:
            powers.append(Fraction(0))
        else:
            powers.append(simple if simple and abs(float(simple) - e) < _SIMPLE else Fraction(round(float(e) * 100), 100))
    return monomial(names, powers)


def _within(sd: float) -> str:
    """A 95 % interval of a logarithm in words."""
    wide = Z95 * sd
    return f"known to {100 * wide:.2g} %" if wide < 0.3 else f"known to a factor of {np.exp(min(wide, 700)):.2g}"
