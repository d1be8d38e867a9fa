"""Reduced systems as numbers: values of everything at a consistent point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import least_squares

from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import Symbol
from hybridode.language.check import declare
from tests.equations.evaluator import Net, evaluate


def reduced(text: str) -> EquationSystem:
    return equations_of(declare(Source("model.ode", text)))


class Point:
    """Numbers of a system at (t, y): `symbols` of states, parameters and definitions, `rates` (residuals of algebraic ones)."""

    def __init__(self, system: EquationSystem, t: float, y: np.ndarray, nets: dict[str, Net] | None = None) -> None:
        d = system.declarations
        self.system = system
        values = {Symbol("parameter", p.name, i if p.shape else -1): v for p in d.parameters for i, v in enumerate(p.values)}
        values |= {Symbol("time", d.time): t} | dict(zip(system.states, y, strict=True))
        for x in system.definitions:
            (values[x.symbol],) = evaluate([x.expr], values, nets)
        self.symbols: dict[Symbol, float] = values
        self.rates = np.array(evaluate(system.rates, values, nets), float)
        self.invariants = np.array(evaluate([x.expr for x in system.invariants], values, nets), float)

    def named(self) -> dict[str, float]:
        """By the user's names; derivatives too (`x'`)."""
        out = {str(s) + "'" * (s.kind == "derivative"): v for s, v in self.symbols.items()}
        rows = zip(self.system.states, self.rates, strict=True)
        unknown = {self.system.states[k] for k in self.system.unknowns}
        return out | {f"{s}'": v for s, v in rows if s not in unknown}


def consistent(system: EquationSystem, t: float, start: np.ndarray, nets: dict[str, Net] | None = None) -> Point:
    """The point near `start` where residuals and invariants vanish, by SciPy; asserts that there is one."""
    unknowns = list(system.unknowns)

    def wrong(y: np.ndarray) -> np.ndarray:
        p = Point(system, t, y, nets)
        return np.concatenate([p.rates[unknowns], p.invariants, 1e-8 * (y - start)])

    found = least_squares(wrong, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac").x
    p = Point(system, t, found, nets)
    left = np.concatenate([p.rates[unknowns], p.invariants])
    assert np.abs(left).max(initial=0.0) < 1e-9, left
    return p


def slope(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """The Jacobian by complex steps, a column each."""
    return np.stack([np.imag(f(z + 1e-30j * e)) / 1e-30 for e in np.eye(len(z))], axis=1)
