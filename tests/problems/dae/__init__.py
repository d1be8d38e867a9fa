"""Differential-algebraic problems: models as `.ode` files, where they end and what comes out (reference.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

HERE = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class DaeProblem:
    """`reference` (n,): the values of `names` at `end`; solvers get atol = scale*rtol; `digits`: the accuracy of the reference.

    `condition`: how many times its tolerance a solve's error may be. `constraints`: what the text says is 0 all the time.
    """

    name: str
    text: str
    index: int
    names: tuple[str, ...]
    constraints: tuple[str, ...]
    end: float
    scale: float
    floor: float
    digits: float
    condition: float
    source: str
    reference: np.ndarray

    def values(self, solution: Any) -> np.ndarray:
        """(times, n): the compared names of a solution."""
        return np.stack([np.asarray(solution[name]) for name in self.names], axis=1)

    def error(self, y: np.ndarray) -> float:
        """max |y - reference|/(|reference| + floor): the Test Set's measure (scd = -log10 of it) where floor is 0."""
        return float(np.max(np.abs(np.asarray(y) - self.reference) / (np.abs(self.reference) + self.floor)))


@cache
def dae_problems() -> Mapping[str, DaeProblem]:
    """All problems by name."""
    rows = tomllib.loads((HERE / "reference.toml").read_text(encoding="utf-8"))
    made = {}
    for name, row in rows.items():
        numbers = {key: float(row[key]) for key in ("end", "scale", "floor", "digits", "condition")}
        names, values = tuple(row["values"]), np.array(list(row["values"].values()))
        text = (HERE / f"{name}.ode").read_text(encoding="utf-8")
        made[name] = DaeProblem(name, text, row["index"], names, tuple(row["constraints"]), source=row["source"],
                                reference=values, **numbers)  # fmt: skip
    return MappingProxyType(made)
