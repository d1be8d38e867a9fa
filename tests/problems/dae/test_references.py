"""The reference values of differential-algebraic problems, published or reduced by hand, against IDA on residuals of index 1."""

from __future__ import annotations

import numpy as np
import pytest

from tests.problems.dae import dae_problems
from tests.problems.dae.residuals import WRITTEN
from tests.solve.dae_oracle import integrate, of_problem

# (rtol, error that IDA reaches with it); Robertson's balance of mass cannot be held closer than rounding, which bounds rtol.
REACHED = {
    "rober_dae": (1e-6, 1e-4), "transamp": (1e-7, 1e-5), "chemakzo": (1e-9, 1e-7), "caraxis": (1e-9, 1e-4),
    "pendulum": (1e-8, 1e-3), "slider_crank": (1e-8, 1e-4), "diode_circuit": (1e-9, 1e-6),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_ida_agrees(name: str) -> None:
    problem, written, (rtol, reached) = dae_problems()[name], WRITTEN[name], REACHED[name]
    y, _ = integrate(of_problem(name), np.zeros(0), np.array([problem.end]), rtol=rtol, atol=rtol * problem.scale)
    assert problem.error(y[0, [written.names.index(n) for n in problem.names]]) < reached
