"""One formula from two runs: what they share and in what they differ."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from hybridode.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_two_runs_share_a_formula_and_say_what_differs(tmp_path: Path) -> None:
    times, runs = np.arange(31) * 0.1, []
    for k, (gain, start) in enumerate(((0.8, (0.44, 4.63)), (0.6, (1.5, 1.0)))):
        rates = lambda _, u, gain=gain: [1.3 * u[0] - 0.9 * u[0] * u[1], gain * u[0] * u[1] - 1.8 * u[1]]  # noqa: E731
        exact = solve_ivp(rates, (0, 3), start, t_eval=times, rtol=1e-10, atol=1e-12).y
        noisy = exact + 0.005 * exact.mean(axis=1, keepdims=True) * np.random.default_rng(k + 50).normal(size=exact.shape)
        rows = [f"{start[0]},{start[1]},{t:.1f},{x:.6f},{y:.6f}" for t, x, y in zip(times, *noisy, strict=True)]
        data, run = tmp_path / f"{k}.csv", tmp_path / f"run{k}"
        data.write_text("\n".join(["x(0),y(0),t,x,y", *rows]) + "\n", encoding="utf-8")
        model = str(EXAMPLES / "lotka_volterra_ude" / "lotka_volterra_ude.ode")
        assert main(["fit", model, str(data), "--out", str(run), "-q", "--only-fit"]) == 0
        runs.append(run)
    assert main(["discover", *map(str, runs), "-q"]) == 0
    for run, gain in zip(runs, (0.8, 0.6), strict=True):
        found = json.loads((run / "findings" / "discovery.json").read_text(encoding="utf-8"))
        assert [f["text"] for f in found["formulas"]] == ["kx_xy*x*y", "ky_xy*x*y"]
        values = {row[0]: row[1] for row in found["numbers"]["rows"]}
        assert values == {"kx_xy": pytest.approx(-0.9, rel=0.03), "ky_xy": pytest.approx(gain, rel=0.03)}
        said = " ".join(found["sentences"])
        assert "agree on `kx_xy`" in said and "differ in `ky_xy`" in said
        together = found["together"]
        assert "kx_xy" in together["common"] and "ky_xy" in together["by_run"] and together["dl"] < together["dl_apart"]
        numbers = {row[0]: row[1:] for row in together["rows"]}
        for name, truth in (("kx_xy", -0.9), ("ky_xy[run0]", 0.8), ("ky_xy[run1]", 0.6)):
            value, se, low, high, _ = numbers[name]
            assert value == pytest.approx(truth, rel=0.01) and low < truth < high and se < 0.01
    shared, data = runs[1] / "together.ode", runs[1] / "together.csv"
    assert "by run (" in shared.read_text(encoding="utf-8")
    assert main(["fit", str(shared), str(data), "--starts", "1", "--out", str(tmp_path / "again"), "-q", "--only-fit"]) == 0
    assert main(["simulate", str(shared), "--group", "run=run1", "--set", "x(0)=1.5", "--set", "y(0)=1", "--to", "3", "-q"]) == 0
    table = pd.read_csv(tmp_path / "again" / "parameters.csv").query("not fixed").set_index("name")["value"].to_dict()
    assert table == pytest.approx({n: row[0] for n, row in numbers.items()}, rel=1e-3)


@pytest.mark.slow
def test_two_runs_share_a_law_with_a_name(tmp_path: Path) -> None:
    """One enzyme at two amounts: the saturation is common, the rate is by run."""
    model = tmp_path / "uptake.ode"
    model.write_text(
        "model uptake\ntime t from 0\nparam s = 0.05 in (1e-3, 1) log\nstate x = 4\n"
        "dx/dt = -NN(x, hidden=[4], zero_at=[0], reg=l2(1e-3))\nobserve x ~ normal(x, s)\n",
        encoding="utf-8",
    )
    times, runs = np.linspace(0, 8, 60), []
    for k, rate in enumerate((1.0, 0.6)):
        exact = solve_ivp(lambda _, u, v=rate: -v * u / (0.8 + u), (0, 8), [4.0], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
        noisy = exact + 0.01 * np.random.default_rng(k + 5).standard_normal(len(times))
        data, run = tmp_path / f"{k}.csv", tmp_path / f"run{k}"
        data.write_text(
            "\n".join(["t,x", *(f"{t:.6f},{x:.6f}" for t, x in zip(times, noisy, strict=True))]) + "\n", encoding="utf-8"
        )
        assert main(["fit", str(model), str(data), "--out", str(run), "-q", "--only-fit"]) == 0
        runs.append(run)
    assert main(["discover", *map(str, runs), "-q"]) == 0
    found = json.loads((runs[0] / "findings" / "discovery.json").read_text(encoding="utf-8"))
    assert [f["kind"] for f in found["formulas"]] == ["Michaelis and Menten's law"]
    numbers = {row[0]: row[1] for row in found["together"]["rows"]}
    assert "K" in found["together"]["common"] and numbers["K"] == pytest.approx(0.8, rel=0.05)
    assert numbers["v[run0]"] == pytest.approx(1.0, rel=0.02) and numbers["v[run1]"] == pytest.approx(0.6, rel=0.02)
