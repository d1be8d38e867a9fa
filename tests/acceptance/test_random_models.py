"""Random models through the whole compiler against Python's own arithmetic, and against each other's emitters."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from random_models import RandomModel, random_model

import hybridode as ho

SEEDS = range(60)


def _vectors(model: RandomModel, compiled) -> dict[str, np.ndarray]:
    """The standard inputs of the model's tapes at the oracle's point."""
    y = np.array([model.states[s.name] for s in compiled.system.states])
    p = np.array([model.parameters[s.name] for s in compiled.system.parameters])
    return {"t": np.asarray(model.time), "y": y, "p": p}


@pytest.mark.parametrize("seed", SEEDS)
def test_interpreter_agrees_with_python(seed: int) -> None:
    from hybridode.tape.interpret import interpret

    model = random_model(seed)
    compiled = ho.parse(model.text).compiled()
    at = _vectors(model, compiled)
    tape = compiled.tapes["rates"]
    (rates,) = interpret(tape, {i.name: at[i.name] for i in tape.inputs}).values()
    for symbol, value in zip(compiled.system.states, rates, strict=True):
        assert math.isclose(value, model.rates[symbol.name], rel_tol=1e-11, abs_tol=1e-12), (symbol, model.text)


@pytest.mark.parametrize("seed", list(SEEDS)[:12])
def test_jax_agrees_with_python(seed: int) -> None:
    import jax

    model = random_model(seed)
    with jax.enable_x64(True):
        compiled = ho.parse(model.text).compiled()
        args = compiled.arguments()
        at = _vectors(model, compiled)
        rates = compiled.rates(at["t"], at["y"], args)
        definitions = compiled.definitions(at["t"], at["y"], args)
    for symbol, value in zip(compiled.system.states, rates, strict=True):
        assert math.isclose(float(value), model.rates[symbol.name], rel_tol=1e-11, abs_tol=1e-12), (symbol, model.text)
    for symbol, position in compiled.definition_index.items():
        assert math.isclose(float(definitions[position]), model.definitions[symbol.name], rel_tol=1e-11, abs_tol=1e-12)


@pytest.mark.parametrize("seed", list(SEEDS)[:30])
def test_jacobian_agrees_with_differences(seed: int) -> None:
    from hybridode.tape.interpret import interpret

    model = random_model(seed)
    compiled = ho.parse(model.text).compiled()
    at = _vectors(model, compiled)
    entries = compiled.system.jacobian
    rates = compiled.tapes["rates"]

    def f(y: np.ndarray) -> np.ndarray:
        (out,) = interpret(rates, {i.name: {**at, "y": y}[i.name] for i in rates.inputs}).values()
        return np.asarray(out)

    values = np.zeros(0)
    if entries:
        tape = compiled.tapes["jacobian"]
        (values,) = interpret(tape, {i.name: at[i.name] for i in tape.inputs}).values()
    n = len(at["y"])
    exact = np.zeros((n, n))
    for e, v in zip(entries, values, strict=True):
        exact[e.row, e.column] = v
    for j in range(n):
        h = 1e-6
        step = h * np.eye(n)[j]
        central = (f(at["y"] + step) - f(at["y"] - step)) / (2 * h)
        one_sided = [(f(at["y"] + step) - f(at["y"])) / h, (f(at["y"]) - f(at["y"] - step)) / h]
        for i in range(n):
            if abs(one_sided[0][i] - one_sided[1][i]) > 1e-3 * (1 + abs(central[i])):
                continue  # a kink or jump within the stencil: differences say nothing
            assert math.isclose(exact[i, j], central[i], rel_tol=2e-5, abs_tol=2e-6), (i, j, model.text)
