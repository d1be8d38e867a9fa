"""How many events fired, beside what the models count themselves; and `if`s that slide, said where the solve was asked for."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.cli import main
from hybridode.errors import NumericsError, UsageError
from hybridode.solve.settings import Settings
from hybridode.solve.switches import Chattering

TIMES = np.linspace(0.0, 3.0, 7)
COUNTED = {  # models that count in `n` what happens to them
    "bounces": """
        param e = 0.9 in (0.1, 1)
        state h = 1
        state v = 0
        discrete n = 0
        h' = v
        v' = -9.81
        event bounce when h < 0 { v := -e*v; h := 0; n := n + 1 }
    """,
    "set off, at the start, beside `at` and `if`": """
        param e = 1
        state x = 0
        discrete n = 0
        discrete level = 0
        x' = if x > 0.3 then e else 2*e
        at 0.5 every 0.5 { x := x - 0.1 }
        event first when x > 0.7 { level := level + 1; x := 0; n := n + 1 }
        event second when level > 1 { level := 0; n := n + 1 }
        event third when x < 1 at start { n := n + 1 }
    """,
    "algebraic": """
        param e = 0.9 in (0.1, 1)
        state h = 1
        state v = 0
        alg a = 0
        discrete n = 0
        h' = v
        v' = a
        0 = a + a^3 + 30
        event bounce when h < 0 { v := -e*v; h := 0; n := n + 1 }
    """,
}


@pytest.mark.parametrize("name", COUNTED)
def test_as_the_model_counts(name: str) -> None:
    model = ho.parse("model m" + COUNTED[name])
    one = model.simulate(at=TIMES)
    assert one.successful and one.stats["events"] == one["n"][-1] > 1 and one.stats["sliding"] == 0


def test_of_each_trajectory_of_a_batch() -> None:
    solve = ho.parse("model m" + COUNTED["bounces"]).solver(at=TIMES, method="tsit5")
    many = jax.jit(jax.vmap(lambda e: solve({"e": e})))(jnp.array([0.95, 0.9, 0.8, 0.75]))
    assert np.all(many.result == 0)
    np.testing.assert_array_equal(many.stats["events"], many["n"][:, -1])
    assert len(set(np.asarray(many.stats["events"]).tolist())) > 2


def test_of_a_long_vector() -> None:
    """The loops over long vectors count each member of a family."""
    text = """model m
    const m = 120
    state x[m]
    discrete n = 0
    x[i](0) = i/m for i in 1..m
    x[i]' = 1 + i/200 for i in 1..m
    event spike[i] when x[i] > 1.5 { x[i] := 0; n := n + 1 } for i in 1..m
    """
    sol = ho.parse(text).simulate(at=[3.0], method="tsit5")
    assert sol.successful and sol.stats["events"] == sol["n"][-1] > 150


SLIDING = "model m\nparam k = 1\nstate x = 1\nx' = if x > 0 then -k else k\n"
COARSE = {"method": "bosh3", "rtol": 1e-3, "atol": 1e-3}


def test_sliding_is_said_to_python() -> None:
    model = ho.parse(SLIDING)
    with pytest.warns(Chattering, match="model.ode:4:1") as said:
        sol = model.simulate(at=[1.005], **COARSE)
    assert [w.filename for w in said] == [__file__] and sol.stats["sliding"] == 1 and len(sol.remarks) == 1
    solve = model.solver(at=[1.005], **COARSE)
    with pytest.warns(Chattering) as said:
        assert solve().stats["sliding"] == 1
    assert [w.filename for w in said] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert jax.jit(lambda k: solve({"k": k}).stats["sliding"])(1.0) == 1  # nothing can be said inside
        assert solve({"k": 0.5}).stats["sliding"] == 0


def test_sliding_is_said_by_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.ode").write_text(SLIDING)
    options = ["--method", "bosh3", "--rtol", "1e-3", "--atol", "1e-3"]
    arguments = ["simulate", str(tmp_path / "m.ode"), "--at", "1.005", *options]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(arguments) == 0
        said = capsys.readouterr().err
        assert said.count("W0714") == 2 and "m.ode:4:1: warning W0714" in said and "Chattering" not in said  # and the hint
        assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stats"]["sliding"] == 1 and [d["code"] for d in found["diagnostics"]] == ["W0714"]
    assert main(["simulate", str(tmp_path / "m.ode"), "--to", "2"]) == 3  # for want of steps: said once, with the reason
    said = capsys.readouterr().err
    assert "E0703" in said and "slides along its border" in said and "warning" not in said


def test_sliding_is_said_by_a_fit() -> None:
    model = ho.parse(SLIDING + "observe x ~ normal(x, 0.1)\n")
    data = pd.DataFrame({"t": [0.0, 0.3, 0.6, 1.005], "x": [1.0, 0.7, 0.4, 0.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error", Chattering)
        run = ho.fit(model, data, fix=["k"], starts=1, settings=Settings(**COARSE))
    assert [line for line in run.log if "W0714" in line and "line 4" in line]


def test_events_that_set_each_other_off_are_named() -> None:
    text = """model m
    state x = 0
    discrete a = 0
    discrete b = 0
    x' = 1
    event begin when x > 1 { a := 1 }
    event there when a > 0 { a := 0; b := 1 }
    event back when b > 0 { b := 0; a := 1 }
    """
    with pytest.raises(NumericsError, match="`there` and `back` set each other off without end at t = 1"):
        ho.parse(text).simulate(at=[2.0], method="tsit5")


def test_what_is_not_combined_says_what_to_write() -> None:
    text = """model m
    state x = 0
    alg z = 0
    x' = z
    0 = z + z^3 - 2
    at 1 { x := 5 }
    event e when x > 7 { x := 0 }
    """
    with pytest.raises(UsageError, match=r"algebraic equations with located events and `at` statements.*") as refused:
        ho.parse(text).simulate(at=[2.0])
    assert "event e when t > 5" in refused.value.diagnostics[0].hint
    sol = ho.parse(text.replace("at 1 {", "event known when t > 1 {")).simulate(at=[4.0])
    np.testing.assert_allclose(sol["x"], 1.0, rtol=1e-8)  # 5 at t = 1, 7 at t = 3: then from 0
