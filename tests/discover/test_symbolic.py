"""The adapter to PySR against a stand-in with its interface.

The interface (names of options, `fit`, columns of `equations_`, unevaluated SymPy trees in `sympy_format`) is that of
the wheel of PySR 2.7.2, of which the part that makes `sympy_format` was tried without Julia (docs/discovery.md).
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sympy
from scipy.integrate import solve_ivp

import hybridode.api as ho
from hybridode.declarations import Network
from hybridode.discover.samples import Samples
from hybridode.discover.slots import Slot
from hybridode.discover.symbolic import check_pysr, from_sympy, symbolic_formulas
from hybridode.errors import Source, UsageError
from hybridode.language.check import declare

Z0, Z1 = sympy.symbols("z0 z1")
MODEL = """model uptake
time t from 0
state x = 4
dx/dt = -NN(x, hidden=[4], reg=l2(1e-3))
observe x ~ normal(x, 0.01)
"""


def kept(operation: Any, *args: Any) -> Any:
    """As PySR reads its equations: nothing is simplified."""
    return operation(*args, evaluate=False)


SATURATED = kept(sympy.Mul, sympy.Float(0.97), kept(sympy.Mul, Z0, kept(sympy.Pow, kept(sympy.Add, Z0, sympy.Float(0.37)), -1)))
FRONT = (  # complexity, loss, score, sympy_format
    (1, 0.5, 0.0, sympy.Float(0.6)),
    (3, 0.2, 0.4, kept(sympy.Mul, Z0, sympy.Float(0.25))),
    (7, 1e-5, 2.5, SATURATED),
    (9, 0.9e-5, 0.01, kept(sympy.Add, SATURATED, sympy.Float(1e-4))),
    (11, 0.8e-5, 0.02, sympy.erf(Z0)),
)


class PySRRegressor:
    """With the options that the adapter gives, and no others."""

    asked: dict[str, Any]

    def __init__(
        self, *, binary_operators: list[str], unary_operators: list[str], niterations: int, maxsize: int, random_state: int,
        deterministic: bool, parallelism: str, progress: bool, verbosity: int, temp_equation_file: bool,
    ) -> None:  # fmt: skip
        assert not deterministic or parallelism == "serial"  # PySR raises where this does not hold
        self.operators = {*binary_operators, *unary_operators}

    def fit(self, X: np.ndarray, y: np.ndarray, *, weights: np.ndarray, variable_names: list[str]) -> PySRRegressor:
        assert X.ndim == 2 and y.shape == weights.shape == (len(X),) and len(variable_names) == X.shape[1]
        rows = [(c, loss, str(e), score, e) for c, loss, score, e in FRONT]
        self.equations_ = pd.DataFrame(rows, columns=["complexity", "loss", "equation", "score", "sympy_format"])
        return self


@pytest.fixture
def pysr(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pysr")
    module.__spec__ = ModuleSpec("pysr", None)
    module.PySRRegressor = PySRRegressor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pysr", module)


def test_the_best_of_the_front_become_formulas(pysr: None) -> None:
    check_pysr()
    d = declare(Source("m.ode", MODEL))
    slot = Slot(Network("N", 1, ()), 0, ("x",), ("x",), "", "N", (False,), "", ("",))
    z = np.linspace(0.1, 4, 30)[:, None]
    samples = Samples(slot.network, z, np.ones(30), z / (0.4 + z), np.full((30, 1), 0.01), np.zeros((0, 30, 1)))
    first, *others = symbolic_formulas(d, slot, samples, 6, 0)
    assert [n.value for n in first.numbers] == [0.97, 0.37] and len(others) == 2  # of four one has no word in the language
    np.testing.assert_allclose(first.curve(z, first.values), 0.97 * z[:, 0] / (z[:, 0] + 0.37), rtol=1e-14)


def test_whole_powers_are_no_numbers_to_learn() -> None:
    d = declare(Source("m.ode", MODEL))
    slot = Slot(Network("N", 2, ()), 0, ("x", "y"), ("x", "y"), "", "N", (False, False), "mM^2/h", ("mM", "1"))
    formula = from_sympy(d, slot, kept(sympy.Mul, kept(sympy.Pow, Z0, sympy.Float(2.0)), sympy.Float(0.3)), 3, 6)
    assert formula is not None and [n.value for n in formula.numbers] == [0.3] and "^(2)" in formula.text


def test_julia_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "pysr.py").write_text("raise RuntimeError('no Julia could be fetched\\nhost not found')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pysr", raising=False)
    with pytest.raises(UsageError, match="E0798") as error:
        check_pysr()
    assert "does not start: no Julia could be fetched" in str(error.value) and "host" not in str(error.value)


@pytest.mark.slow
def test_formulas_are_refitted_in_the_whole_model(pysr: None) -> None:
    times = np.linspace(0, 8, 60)
    x = solve_ivp(lambda t, u: -u / (0.4 + u), (0, 8), [4.0], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
    x = x + 0.01 * np.random.default_rng(1).standard_normal(len(times))
    run = ho.fit(ho.parse(MODEL), pd.DataFrame({"t": times, "x": x}))
    assert run.status == "converged"
    found = run.discover(symbolic=True)
    mine = [c for c in found.candidates if c.how == "PySR"]
    best = min(mine, key=lambda c: c.dl)
    (formula,) = best.formulas.values()
    assert list(formula.values.values()) == pytest.approx([1.0, 0.4], rel=0.05)
