"""Every stage as text: goldens of three models, LaTeX, simplification, options that do not go together, what is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import ModelError, Source, UsageError
from hybridode.expr import Symbol
from hybridode.language.check import declare
from hybridode.show import STAGES, show
from hybridode.show.equations import simplified
from tests.equations.evaluator import evaluate

HERE = Path(__file__).parent
MODELS = ("hybrid", "hodgkin_huxley", "tank")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stage", ["tree", "model", "equations", "jacobian"])
def test_stage(model: str, stage: str, golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "goldens" / f"{model}.{stage}.txt", show(HERE / f"{model}.ode", stage))


@pytest.mark.parametrize("model", MODELS)
def test_latex(model: str, golden: Callable[[Path, str], None]) -> None:
    texts = [show(HERE / f"{model}.ode", stage, latex=True) for stage in ("model", "equations", "jacobian")]
    golden(HERE / "goldens" / f"{model}.tex", "\n\n".join(texts) + "\n")


@pytest.mark.parametrize("stage", ["tree", "model", "equations", "jacobian"])
def test_equations_that_hold_together(stage: str, golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "goldens" / f"circuit.{stage}.txt", show(HERE / "circuit.ode", stage))


def test_equations_that_hold_together_in_latex(golden: Callable[[Path, str], None]) -> None:
    texts = [show(HERE / "circuit.ode", stage, latex=True) for stage in ("model", "equations", "jacobian")]
    golden(HERE / "goldens" / "circuit.tex", "\n\n".join(texts) + "\n")


def test_tape_and_jax() -> None:
    tape = show(HERE / "hybrid.ode", "tape")
    assert "tape rates" in tape and "tape jacobian" in tape and "NN_hare.W0" in tape
    jax = show(HERE / "hybrid.ode", "jax")
    assert "jax rates" in jax and "tanh" in jax and "lambda" in jax


def test_declarations_are_taken_as_well() -> None:
    path = HERE / "hybrid.ode"
    declarations = declare(Source(str(path), path.read_text()))
    for stage in ("tree", "model", "equations", "jacobian"):
        assert show(declarations, stage) == show(path, stage)


def _values(system: EquationSystem, point: dict[Symbol, float]) -> np.ndarray:
    values = dict(point)
    for d in system.definitions:
        (values[d.symbol],) = evaluate([d.expr], values)
    return np.array(evaluate(system.rates, values))


def test_simplified_equations_have_the_same_values() -> None:
    """… and the ones that are computed with are not simplified."""
    path = HERE / "hodgkin_huxley.ode"
    system = equations_of(declare(Source(str(path), path.read_text())))
    simple = simplified(system)
    symbols = [*system.states, *system.parameters, *system.inputs]
    for seed in range(3):
        point = dict(zip(symbols, np.random.default_rng(seed).uniform(0.1, 0.9, len(symbols)), strict=True))
        np.testing.assert_allclose(_values(simple, point), _values(system, point), rtol=1e-12)
    assert show(path, "equations", simplify=True) != show(path, "equations")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"stage": "jacobain"}, "did you mean jacobian?"),
        ({"stage": "zzz"}, "one of tree, model"),
        ({"stage": "tape", "latex": True}, "one of model, equations, jacobian"),
        ({"stage": "jacobian", "simplify": True}, "--stage equations"),
    ],
)
def test_options_that_do_not_go_together(options: dict, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        show(HERE / "hybrid.ode", **options)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E0810" and hint in diagnostic.hint


@pytest.mark.parametrize("stage", ["tree", "model", "equations"])
def test_a_wrong_model_is_refused(stage: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ode"
    wrong.write_text("model wrong\nstate x = 1\nx' = -k*x\ny' = = 2\n")
    with pytest.raises(ModelError):
        show(wrong, stage)


@pytest.mark.parametrize(
    ("stage", "absent"), [("tree", "sympy jax numpy"), ("model", "sympy jax"), ("equations", "jax"), ("jacobian", "jax")]
)
def test_what_a_stage_imports(stage: str, absent: str) -> None:
    code = f"import sys; from hybridode.show import show; show({str(HERE / 'hybrid.ode')!r}, {stage!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(absent.split()) & set(loaded)


def test_every_stage_has_a_function() -> None:
    assert tuple(STAGES) == ("tree", "model", "equations", "jacobian", "tape", "jax")
