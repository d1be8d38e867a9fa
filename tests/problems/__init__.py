"""Published initial-value problems: models as `.ode` files, where they end and what comes out (reference.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

HERE = Path(__file__).parent
STIFF = ("pollu", "hires", "rober", "orego", "vdpol")
NONSTIFF = ("pleiades", "lorenz", "arenstorf", "lotka_volterra")


@dataclass(frozen=True, eq=False)
class Problem:
    """`reference` (n,): the states at `end`; solvers get atol = scale*rtol; `digits`: the accuracy of the reference."""

    name: str
    text: str
    end: float
    stiff: bool
    scale: float
    floor: float
    digits: float
    source: str
    reference: np.ndarray

    def error(self, y: np.ndarray) -> float:
        """max |y - reference|/(|reference| + floor): the Test Set's measure (scd = -log10 of it) where floor is 0."""
        return float(np.max(np.abs(np.asarray(y) - self.reference) / (np.abs(self.reference) + self.floor)))


@cache
def problems() -> Mapping[str, Problem]:
    """All problems by name."""
    rows = tomllib.loads((HERE / "reference.toml").read_text(encoding="utf-8"))
    made = {}
    for name, row in rows.items():
        numbers = {key: float(row[key]) for key in ("end", "scale", "floor", "digits")}
        text = (HERE / f"{name}.ode").read_text(encoding="utf-8")
        stiff = row["kind"] != "nonstiff"
        made[name] = Problem(name, text, stiff=stiff, source=row["source"], reference=np.array(row["values"]), **numbers)
    return MappingProxyType(made)


@cache
def pollu_gradient() -> np.ndarray:
    """d (sum of POLLU's states at the end) by its parameters in order, then by its initial values (make_references.py)."""
    return np.array(tomllib.loads((HERE / "pollu_gradient.toml").read_text(encoding="utf-8"))["values"])


def chain(n: int) -> str:
    """n states in a row, each with its neighbours: diffusion and a saturating loss, written out line by line."""
    lines = ["model chain", "param k = 10", "param r = 1", "param s = 0.5"]
    lines += [f"state x{i} = {1 + (i % 7) / 7}" for i in range(n)]
    for i in range(n):
        left, right = f"x{max(i - 1, 0)}", f"x{min(i + 1, n - 1)}"
        lines.append(f"dx{i}/dt = k*({left} - 2*x{i} + {right}) - r*x{i}/(s + x{i})")
    return "\n".join(lines) + "\n"


CHAIN_END = 1.0


def grid(m: int) -> str:
    """Two reacting species in m by m cells, opposite edges neighbours, written out line by line (the Brusselator with diffusion,
    Hairer, Norsett & Wanner I, section II.10)."""
    lines = ["model grid", "param A = 3.4", "param B = 1", "param alpha = 0.002"]
    cells = [(i, j) for i in range(m) for j in range(m)]
    for i, j in cells:
        lines += [
            f"state u{i}_{j} = {22 * (j / m * (1 - j / m)) ** 1.5!r}",
            f"state v{i}_{j} = {27 * (i / m * (1 - i / m)) ** 1.5!r}",
        ]
    for i, j in cells:
        u, v = f"u{i}_{j}", f"v{i}_{j}"
        near = [((i + 1) % m, j), ((i - 1) % m, j), (i, (j + 1) % m), (i, (j - 1) % m)]
        for x, reaction in ((u, f"B + {u}^2*{v} - (A + 1)*{u}"), (v, f"A*{u} - {u}^2*{v}")):
            spread = " + ".join(f"{x[0]}{a}_{b}" for a, b in near)
            lines.append(f"d{x}/dt = {reaction} + alpha*{m * m}*({spread} - 4*{x})")
    return "\n".join(lines) + "\n"


GRID_END = 1.0
