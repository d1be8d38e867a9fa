"""The order of convergence of every native method, as compiled: at the end of steps and within them, by halving a fixed step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hybridode.kernels.ffi.numbers import run_solve
from hybridode.solve import native
from hybridode.solve.settings import METHODS
from tests.solve.native_models import FORCED, compiled

# order; order of the dense output (its local error is one higher): Tsitouras 2011, Bogacki & Shampine 1989, Hairer, Norsett &
# Wanner 1993, Hairer & Wanner 1996, Steinebach 2023, Shampine & Reichelt 1997
ORDERS = {"tsit5": (5, 4), "bosh3": (3, 3), "dop853": (8, 7), "rodas4": (4, 3), "rodas5p": (5, 4), "rosenbrock23": (2, 2)}
END = 2.0
STEPS = {"dop853": (6, 12), "tsit5": (40, 80), "rodas5p": (80, 160)}  # others (160, 320): before rounding, after the first terms


def test_every_method_is_here() -> None:
    assert set(ORDERS) == {name for name, row in METHODS.items() if "native" in row.engines}


@pytest.fixture(scope="module")
def exact():
    model = compiled(FORCED)
    args = model.arguments()
    return solve_ivp(lambda t, y: model.numbers("rates", t, y, args), (0, END), [10.0, 5.0], "DOP853", rtol=1e-13, atol=1e-14,
                     dense_output=True).sol  # fmt: skip


def errors(method: str, count: int, exact) -> tuple[float, float]:
    """(at the end, the largest within steps) for so many equal steps; every step is accepted at a tolerance without bounds."""
    model = compiled(FORCED)
    program = native.program_of(model, method)
    h = END / count
    within = (np.arange(count)[:, None] + np.array([0.23, 0.5, 0.81])).ravel() * h
    ts = np.concatenate([within, [END]])
    options = program.options(1e6, 1e6, 10 * count, h, h)
    found = run_solve(program, model.arguments().parameters, np.zeros(0), np.array([10.0, 5.0]), np.zeros(()), ts, options)
    ys = found[0][0]
    wrong = np.max(np.abs(ys - exact(ts).T), axis=1)
    return float(wrong[-1]), float(np.max(wrong[:-1]))


@pytest.mark.parametrize("method", ORDERS)
def test_order(method: str, exact) -> None:
    order, dense = ORDERS[method]
    coarse, fine = (errors(method, count, exact) for count in STEPS.get(method, (160, 320)))
    at_end, within = (np.log2(a / b) for a, b in zip(coarse, fine, strict=True))
    assert at_end > order - 0.3
    assert within > min(order, dense + 1) - 0.3
