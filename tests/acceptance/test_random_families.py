"""Random families through the whole compiler against Python's own loops, and against their equations taken one by one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from random_families import RandomFamilies, random_families

from hybridode.compile import tapes_of
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.jacobian import jacobian
from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import Tape

SEEDS = range(60)


def _run(tape: Tape, name: str, model: RandomFamilies) -> np.ndarray:
    given = {
        "t": model.time,
        "y": np.array([*model.states["x"], *model.states["z"]]),
        "p": np.array(model.parameters),
    }
    return np.asarray(interpret(tape, {i.name: given[i.name] for i in tape.inputs})[name])


def _dense(system: EquationSystem, model: RandomFamilies) -> np.ndarray:
    out = np.zeros((2 * model.size, 2 * model.size))
    entries = system.jacobian or ()
    if entries:
        values = _run(tapes_of(system)["jacobian"], "jacobian", model)
        out[[e.row for e in entries], [e.column for e in entries]] = values
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_derivatives(seed: int) -> None:
    model = random_families(seed)
    system = equations_of(declare(Source("m.ode", model.text)))
    tapes = tapes_of(system)
    rates = _run(tapes["rates"], "rates", model)
    np.testing.assert_allclose(rates, [*model.rates["x"], *model.rates["z"]], rtol=1e-10, atol=1e-11, err_msg=model.text)
    q = _run(tapes["definitions"], "definitions", model)
    order = [d.symbol.index for d in system.definitions]
    np.testing.assert_allclose(q, [model.definition[k] for k in order], rtol=1e-10, atol=1e-11, err_msg=model.text)
    plain = replace(system, rates=tuple(system.rates), starts=tuple(system.starts), jacobian=None)
    one_by_one = jacobian(plain, ShapeCache().gradient)
    np.testing.assert_allclose(_dense(system, model), _dense(one_by_one, model), rtol=1e-9, atol=1e-10, err_msg=model.text)
