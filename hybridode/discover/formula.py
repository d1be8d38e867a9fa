"""A formula that may stand in the place of one output of a network, and its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hybridode.expr import number_text

Curve = Callable[[np.ndarray, Mapping[str, float]], np.ndarray]  # points (N, m), numbers by name -> values (N,)

_ROOM = 30.0  # how many times its first value a number may become: the bounds that are written


@dataclass(frozen=True)
class Number:
    """A number of a formula: a `param` of the model that it is written into. `log`: positive, learnt on a logarithmic scale;
    `bounded`: written with bounds round its value."""

    name: str
    value: float
    unit: str = ""
    log: bool = False
    bounded: bool = True

    def line(self) -> str:
        """Its declaration."""
        unit = f": {self.unit}" if self.unit else ""
        bounds = ""
        if self.bounded:
            low, high = self._bounds()
            bounds = f" in ({number_text(low)}, {number_text(high)})"
        return f"param {self.name}{unit} = {number_text(self.value)}{bounds}{' log' if self.log else ''}"

    def _bounds(self) -> tuple[float, float]:
        if self.log:
            return _rounded(self.value / _ROOM, down=True), _rounded(self.value * _ROOM)
        reach = _rounded(_ROOM * abs(self.value)) if self.value else 1e3
        return -reach, reach


def _rounded(value: float, down: bool = False) -> float:
    """To one digit, outwards."""
    power = math.floor(math.log10(value))
    digit = math.floor(value / 10.0**power) if down else math.ceil(value / 10.0**power)
    return float(f"{digit}e{power}")


def _nothing(points: np.ndarray, _: Mapping[str, float]) -> np.ndarray:
    return np.zeros(len(points))


@dataclass(frozen=True)
class Formula:
    """`text` in the language, over the arguments of the network and the names of `numbers`; `curve` says the same in NumPy.
    `kind`: what sort of law it is, in words; `structure`: what it costs to say which formula it is (see `ranking`); `said`: the
    name of the law for a sentence, "" of one without a name."""

    text: str
    numbers: tuple[Number, ...]
    kind: str
    structure: float = 0.0
    curve: Curve = field(default=_nothing, compare=False, repr=False)
    said: str = ""

    @property
    def values(self) -> dict[str, float]:
        return {n.name: n.value for n in self.numbers}

    def at(self, values: Mapping[str, float]) -> Formula:
        """With other values of its numbers, by name."""
        return replace(self, numbers=tuple(replace(n, value=values.get(n.name, n.value)) for n in self.numbers))

    def filled(self, digits: int = 4) -> str:
        """The text with its numbers in it, rounded, for readers."""
        import re

        known = {n.name: f"{n.value:.{digits}g}" for n in self.numbers}
        text = re.sub(r"[^\W\d]\w*", lambda m: known.get(m[0], m[0]), self.text)
        return text.replace("+ -", "- ")


def sum_text(terms: Sequence[str]) -> str:
    """`a*x + b*y`; `0` of none."""
    return " + ".join(terms) or "0"
