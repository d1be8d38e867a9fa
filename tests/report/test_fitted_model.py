"""The fitted text keeps the user's file and reads back as exactly the fitted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hybridode.declarations import Declarations
from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.report.fitted_model import fitted_text
from tests.report.fake import fitted_run


def model(text: str) -> Declarations:
    return declare(Source("m.ode", text))


def values_of(declarations: Declarations) -> dict[str, tuple[float, ...]]:
    return {p.name: p.values for p in (*declarations.parameters, *declarations.constants)}


@pytest.mark.parametrize(
    ("line", "name", "value", "expected"),
    [
        ("param k: 1/h = 1.3 in (0, 10) log  # why", "k", 0.1 + 0.2, "param k: 1/h = 0.30000000000000004 in (0, 10) log  # why"),
        ("param k = 2*3", "k", 7.0, "param k = 7"),
        ("param k: 1/h in (0.1, 10) log", "k", 2.5, "param k: 1/h = 2.5 in (0.1, 10) log"),
        ("param k in (0.1, 10)", "k", 2.5, "param k = 2.5 in (0.1, 10)"),
        ("param k = -65 [mV]", "k", -64.5, "param k = -64.5 [mV]"),
        ("param k = 1", "k", 1e-30, "param k = 1e-30"),
        ("param k = 1", "k", -3.0, "param k = -3"),
        ("param k[3] = [1, 2, 3]", "k", np.array([0.5, 1e-3, 4]), "param k[3] = [0.5, 0.001, 4]"),
        ("param k[2] = 1", "k", np.array([0.5, 4]), "param k[2] = [0.5, 4]"),
        ("param k[2] in (0, 9)", "k", np.array([0.5, 4]), "param k[2] = [0.5, 4] in (0, 9)"),
        ("param k = 1 \\\n  in (0, 5)", "k", 2.0, "param k = 2 \\\n  in (0, 5)"),
        ("const k = 9.81", "k", 9.7, "const k = 9.7"),
    ],
)
def test_one_line(line: str, name: str, value: Any, expected: str) -> None:
    text = f"model m\n{line}\nstate x = 1\nx' = -{'sum(k)' if '[' in line.split('=')[0] else 'k'}*x\n"
    out = fitted_text(model(text), {name: value})
    assert out == text.replace(line, expected)
    assert values_of(model(out))[name] == tuple(np.atleast_1d(value))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("state x = 1 in (0.1, 5)", "state x = 2.5 in (0.1, 5)"),
        ("state x: mM in (0.1, 5)", "state x: mM = 2.5 in (0.1, 5)"),
        ("state x = 1\nprior x(0) ~ normal(1, 1)", "state x = 2.5\nprior x(0) ~ normal(1, 1)"),
    ],
)
def test_learnt_starts(lines: str, expected: str) -> None:
    text = f"model m\n{lines}\nx' = -x\n"
    out = fitted_text(model(text), {"x(0)": 2.5})
    assert out == text.replace(lines, expected)
    assert values_of(model(out))["x(0)"] == (2.5,)


NETWORKS = """model m
state x = 1
state y = 1
nn U: 2 -> 1, hidden=[3]
nn V: 1 -> 1, out_scale=5, weights="old.safetensors"
x' = NN(x, y, hidden=[4])*NN(x) + U(x, y)
y' = -NN(x,
        y) + V(x)
"""


def test_networks_name_their_file() -> None:
    declarations = model(NETWORKS)
    assert [n.name for n in declarations.networks] == ["U", "V", "NN_x", "NN_x_2", "NN_y"]
    out = fitted_text(declarations, {}, {n.name: {"out_scale": float(i)} for i, n in enumerate(declarations.networks, 1)})
    again = model(out)
    assert [n.name for n in again.networks] == [n.name for n in declarations.networks]
    assert {n.weights for n in again.networks} == {"weights.safetensors"}
    assert [n.out_scale for n in again.networks] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert fitted_text(again, {}, {n.name: {"out_scale": float(i)} for i, n in enumerate(again.networks, 1)}) == out


def test_the_start_of_the_data_is_written_once() -> None:
    text = 'model m "doc"\nstate x = 1\nx\' = -x\n'
    out = fitted_text(model(text), {}, start=1900.0)
    assert out.startswith('model m "doc"\n\ntime t from 1900  # ')
    assert fitted_text(model(out), {}, start=1900.0) == out
    with_time = 'model m\ntime t: h "hours"\nstate x = 1\nx\' = -x\n'
    assert fitted_text(model(with_time), {}, start=2.5) == with_time.replace("t: h", "t: h from 2.5")
    assert fitted_text(model(text), {}, start=0.0) == text


def test_whole_example_reads_back() -> None:
    run = fitted_run()
    out = fitted_text(run.declarations, run.parameters, start=1900.0)
    assert {p.name: p.values[0] for p in model(out).parameters} == run.parameters
    kept = [line for line in run.declarations.source.text.splitlines() if line.startswith("#")]
    assert [line for line in out.splitlines() if line.startswith("#")] == kept
