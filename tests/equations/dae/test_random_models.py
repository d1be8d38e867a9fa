"""Random circuits and mechanisms: whatever was reduced, the equations as written hold at consistent points, and the invariants
stay where they are along the reduced dynamics."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hybridode.equations.canonical import residuals
from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, Symbol, node, sub
from tests.equations.dae.reduced import Point, consistent, reduced
from tests.equations.evaluator import evaluate


def some(few: int, many: int) -> list:
    """Numbers of models: a few, and many more in the slow tests."""
    return [*range(few), *(pytest.param(k, marks=pytest.mark.slow) for k in range(few, many))]


def check(text: str, t: float, seed: int) -> EquationSystem:
    """Asserts what this file says of a model; gives the reduced system."""
    system = reduced(text)
    rng = np.random.default_rng(seed)
    p = consistent(system, t, rng.uniform(0.3, 0.9, len(system.states)))
    y = np.array([p.symbols[s] for s in system.states])
    differential = np.array([k not in system.unknowns for k in range(len(y))])
    rates = np.where(differential, p.rates, 0.0)
    values = dict(p.symbols)
    for s, rate in zip(system.states, p.rates, strict=True):
        if s.kind == "state":
            values[Symbol("derivative", s.name, s.index)] = rate
    equations = [e for e, _ in residuals(system.declarations)]
    for state in system.declarations.states:
        for k, e in enumerate(state.rate):
            written = Symbol("derivative", state.name, k if state.shape else -1)
            equations.append(_difference(written, e))
    left = np.array(evaluate(equations, values), float)
    size = 1.0 + np.abs(list(values.values())).max()
    assert np.abs(left).max() < 1e-7 * size, left
    if system.invariants:
        h = 1e-5 / (1.0 + np.abs(rates).max())
        after, before = (Point(system, t + s * h, y + s * h * rates).invariants for s in (1, -1))
        drift = (after - before) / (2 * h)
        assert np.abs(drift).max() < 1e-4 * size, drift
    return system


def _difference(s: Symbol, e: Expr) -> Expr:
    return sub(node("sym", (), s), e)


# ---- circuits -------------------------------------------------------------------------------------------------------
LAWS = {  # of voltage u and current i of component k
    "R": "u{k} = {v}*i{k}",
    "C": "{v}*u{k}' = i{k}",
    "L": "u{k} = {v}*i{k}'",
    "N": "i{k} = u{k}/{v} + u{k}^3",
    "V": "u{k} = {v}*cos(t) + sin(2*t)",
}


def circuit(seed: int) -> str:
    """A random connected circuit, component by component, with the laws of Kirchhoff at every node but the ground; sources stand
    on a tree."""
    rng = random.Random(seed)
    nodes = rng.randint(2, 5)
    tree = [(rng.randrange(k), k) for k in range(1, nodes + 1)]
    edges = [(a, b, rng.choice("RCLNV")) for a, b in tree]
    for _ in range(rng.randint(1, 4)):
        a, b = rng.sample(range(nodes + 1), 2)
        edges.append((a, b, rng.choice("RRCLN")))
    lines = ["model circuit", "state clock = 0", "clock' = 1", *(f"alg v{n} = 0" for n in range(1, nodes + 1))]
    at: list[list[str]] = [[] for _ in range(nodes + 1)]
    for k, (a, b, kind) in enumerate(edges):
        lines.append(f"{'state' if kind == 'C' else 'alg'} u{k} = 0.3")
        lines.append(f"{'state' if kind == 'L' else 'alg'} i{k} = 0.2")
        voltage = " - ".join(f"v{n}" for n in (a, b) if n) if a else f"-v{b}"
        lines.append(f"0 = {voltage} - u{k}")
        lines.append("0 = " + LAWS[kind].format(k=k, v=round(rng.uniform(0.5, 2), 2)).replace(" = ", " - (") + ")")
        at[a].append(f"- i{k}")
        at[b].append(f"+ i{k}")
    lines += [f"0 = {' '.join(at[n])}".replace("= + ", "= ").replace("= - ", "= -") for n in range(1, nodes + 1)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", some(15, 200))
def test_circuits(seed: int) -> None:
    """Loops of capacitors and sources, and nodes where only coils meet, hide constraints: index 2."""
    check(circuit(seed), 0.4, seed)


def test_circuits_of_both_kinds_occur() -> None:
    systems = [reduced(circuit(seed)) for seed in range(12)]
    assert any(s.invariants for s in systems) and any(not s.invariants for s in systems) and any(s.unknowns for s in systems)


# ---- mechanisms -----------------------------------------------------------------------------------------------------
def mechanism(seed: int) -> str:
    """Masses with forces and one to three constraints of places (index 3) or velocities (index 2)."""
    rng = random.Random(seed)
    n, m = rng.randint(3, 5), rng.randint(1, 2)
    lines = ["model mechanism", *(f"state x{i} = 0.5" for i in range(n)), *(f"alg l{k} = 0" for k in range(m))]
    forces: list[list[str]] = [[f"-{round(rng.uniform(0.5, 2), 1)}*x{i} - 0.1*x{i}'"] for i in range(n)]
    for k in range(m):
        a, b, c = rng.sample(range(n), 3)
        p, q = round(rng.uniform(0.5, 2), 1), round(rng.uniform(0.5, 2), 1)
        if rng.random() < 0.3:
            lines.append(f"0 = {p}*x{a}' + x{b}*x{c}' - {q}*sin(t)")
            slopes = [(a, f"{p}"), (c, f"x{b}")]
        else:
            lines.append(f"0 = {p}*x{a}^2 + {q}*x{b} - x{c} - 0.2*sin(t)")
            slopes = [(a, f"{2 * p}*x{a}"), (b, f"{q}"), (c, "-1")]
        for i, slope in slopes:
            forces[i].append(f"l{k}*({slope})")
    for i, terms in enumerate(forces):
        mass = round(rng.uniform(0.5, 2), 1)
        left = f"{mass}*x{i}'' + 0.2*x{(i + 1) % n}''" if rng.random() < 0.3 else f"{mass}*x{i}''"
        lines.append(f"{left} = {' + '.join(terms)}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", some(8, 100))
def test_mechanisms(seed: int) -> None:
    check(mechanism(seed), 0.3, seed)
