"""The setting `checkpoints`: what it takes, where it goes, the same gradients whatever it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.errors import UsageError
from hybridode.solve.settings import Settings
from tests.solve.native_models import DECAY, FORCED
from tests.solve.test_native_events import DOSES

TS = np.linspace(0.5, 12.0, 7)
BOTH = """model both
param k = 1
param g = 0.7
state x = 1
discrete n = 0
x' = -k*x
at 1 every 2 { x := x + g*(1 + n) }
event low when x < 0.4 { x := 0.5 + 0.1*n; n := n + 1 }
"""


BALANCE = """model balance
param k = 0.7
state y = 1
alg x = 1
y' = -k*x*(1 + 0.1*sin(t))
0 = x + 0.1*x^3 - 1.1*y
"""


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def derivatives(text: str, kept: str | int, **chosen: Any) -> list[np.ndarray]:
    """Gradients of a weighted sum by everything that is learnt, of one trajectory and of three; a Jacobian."""
    model = ho.parse(text)
    solve = model.solver(at=TS, checkpoints=kept, **chosen)
    given = {name: jnp.asarray(value) for name, value in model.parameters().items()}
    weights = jnp.cos(jnp.arange(TS.size))

    def weighed(params: dict[str, Any]) -> Any:
        sol = solve(params)
        return jnp.sum(weights * sol["x"]), sol.result

    slopes, result = jax.grad(weighed, has_aux=True)(given)
    assert result == 0
    several = {name: value * jnp.array([0.9, 1.0, 1.1]) for name, value in given.items()}
    together, results = jax.jit(jax.vmap(jax.grad(weighed, has_aux=True)))(several)
    assert not np.any(results)
    forwards = jax.jacfwd(lambda params: solve(params)["x"])(given)
    return [np.asarray(x) for x in jax.tree_util.tree_leaves((slopes, together, forwards))]


MODELS = {"smooth": FORCED, "at statements": DOSES, "at statements and events": BOTH, "algebraic": BALANCE}


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_the_same_gradients(text: str) -> None:
    expected = derivatives(text, "all")
    assert all(np.isfinite(x).all() and np.any(x) for x in expected)
    for kept in ("sqrt", 3):
        for x, y in zip(derivatives(text, kept), expected, strict=True):
            np.testing.assert_array_equal(x, y)


def test_diffrax_takes_a_number() -> None:
    """It is the number of its recursive checkpointing; a square root is the native engine's."""
    solve = ho.parse(DECAY).solver(at=TS, engine="diffrax", method="tsit5", checkpoints=4)
    slope = jax.jit(jax.grad(lambda k: jnp.sum(solve({"k": k})["x"])))(1.0)
    exact = np.sum((1 - TS) * np.exp(-TS))  # of x = k exp(-k t) by k
    np.testing.assert_allclose(slope, exact, rtol=1e-5)
    refused: tuple[dict[str, Any], ...] = ({"engine": "diffrax"}, {"method": "kvaerno5"})
    for chosen in refused:
        with pytest.raises(UsageError) as caught:
            ho.parse(DECAY).solver(at=TS, checkpoints="sqrt", **chosen)
        (only,) = caught.value.diagnostics
        assert only.code == "E0840" and "sqrt" in only.message and "number" in only.hint


@pytest.mark.parametrize("kept", ["ALL", "sqrt", 2, "64", 1000.0, np.int64(7)])
def test_words_and_numbers(kept: Any) -> None:
    found = Settings(checkpoints=kept).checkpoints
    assert found in ("all", "sqrt") or isinstance(found, int)
    assert str(found) == str(kept).lower().removesuffix(".0")
    assert hash(Settings(checkpoints=kept)) == hash(Settings(checkpoints=found))


@pytest.mark.parametrize(
    ("kept", "code"), [("some", "E0820"), ("sqr", "E0820"), (1, "E0821"), (0, "E0821"), ("1", "E0821"), (2.5, "E0821")]
)
def test_what_makes_no_sense(kept: Any, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(checkpoints=kept)
    assert caught.value.diagnostics[0].code == code
    assert "all" in caught.value.diagnostics[0].hint or "sqrt" in caught.value.diagnostics[0].hint


def test_a_fit_takes_it(tmp_path: Path) -> None:
    """The numbers of a fit are the same to rounding, and its results say what was kept."""
    times = np.linspace(0, 3, 13)
    rows = "\n".join(f"{t},{1.3 * np.exp(-0.8 * t)}" for t in times)
    data = tmp_path / "data.csv"
    data.write_text(f"t,x\n{rows}\n")
    text = "model decay\ntime t\nparam k = 0.5 in (0, 5)\nparam a = 1 in (0, 5)\nstate x = a\nx' = -k*x\n"
    observed = "observe x ~ normal(x, 0.1)\n"
    fits = [ho.fit(ho.parse(text + observed), str(data), settings=Settings(checkpoints=kept), starts=1) for kept in ("all", 5)]
    assert [run.result["settings"]["checkpoints"] for run in fits] == ["all", 5]
    assert fits[0].result["settings"]["gradient"] == "forward" and "2 tangents" in fits[0].result["settings"]["gradient_reason"]
    values = [[p["value"] for p in run.result["parameters"].values()] for run in fits]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-12)  # the one in NumPy, the other through JAX
    np.testing.assert_allclose(sorted(values[0]), [0.8, 1.3], rtol=1e-5)
