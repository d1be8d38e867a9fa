"""`hybridode discover` from a fit to a model that every command accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize_scalar

import hybridode.api as ho
from hybridode.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interactions of prey and predator, fitted and discovered."""
    folder = tmp_path_factory.mktemp("ude") / "example"
    shutil.copytree(EXAMPLES / "lotka_volterra_ude", folder)
    made = folder / "run"
    assert main(["fit", str(folder / "lotka_volterra_ude.ode"), str(folder / "data.csv"), "--out", str(made), "-q"]) == 0
    assert json.loads((made / "result.json").read_text(encoding="utf-8"))["status"] == "converged"
    assert main(["discover", str(made), "-q"]) == 0
    return made


def profiled_ends(data: Path) -> list[float]:
    """The 95 % interval of the prey's coefficient by SciPy alone: the likelihood with both scatters at their best, the predator's
    coefficient at its best for each value of the prey's."""
    t, x, y = np.genfromtxt(data, delimiter=",", skip_header=1, comments="#", invalid_raise=False)[:, :3].T
    keep = np.isfinite(t)
    t, x, y = t[keep], x[keep], y[keep]

    def nll(a: float, b: float) -> float:
        rates = lambda _, u: [1.3 * u[0] + a * u[0] * u[1], b * u[0] * u[1] - 1.8 * u[1]]  # noqa: E731
        sol = solve_ivp(rates, (0, t[-1]), (0.44249296, 4.6280594), "DOP853", t, rtol=1e-9, atol=1e-11).y
        return 0.5 * len(t) * float(np.log(np.mean((sol[0] - x) ** 2)) + np.log(np.mean((sol[1] - y) ** 2)))

    best = lambda a: minimize_scalar(lambda b: nll(a, b), bounds=(0.7, 0.9), method="bounded", options={"xatol": 1e-7})  # noqa: E731
    top = minimize_scalar(lambda a: best(a).fun, bounds=(-0.95, -0.85), method="bounded", options={"xatol": 1e-6})
    over = lambda a: best(a).fun - top.fun - 1.920729  # noqa: E731
    return [brentq(over, top.x + side * 0.02, top.x, xtol=1e-6) for side in (-1, 1)]


def test_the_true_terms_are_found_with_their_coefficients(run: Path) -> None:
    found = json.loads((run / "findings" / "discovery.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "formula" and found["model"] == "discovered.ode"
    assert [f["text"] for f in found["formulas"]] == ["kx_xy*x*y", "ky_xy*x*y"]
    numbers = {row[0]: row[1:] for row in found["numbers"]["rows"]}
    for name, truth in (("kx_xy", -0.9), ("ky_xy", 0.8)):
        value, _, low, high, _, how = numbers[name]
        assert value == pytest.approx(truth, rel=0.03) and low < truth < high and how == "profile likelihood"
    assert numbers["kx_xy"][2:4] == pytest.approx(profiled_ends(run.parent / "data.csv"), abs=2e-4)
    assert found["formulas"][0]["stated"].startswith("interaction_x = kx_xy*x*y with kx_xy = -0.90")
    assert found["formulas"][0]["stated"] in (run / "report.html").read_text(encoding="utf-8").replace("&#x27;", "'")
    included = {(of, term): p for of, term, p, _ in found["terms"]["rows"]}
    for of in ("interaction_x", "interaction_y"):
        assert included[of, "k*x*y"] > 0.6 > 0.3 > max(p for key, p in included.items() if key != (of, "k*x*y") and key[0] == of)


def test_the_discovered_model_extrapolates(run: Path) -> None:
    """Against SciPy's solution of the true equations, 17 times as far as the data."""
    sol = ho.load(run / "discovered.ode").simulate(to=50, points=501, rtol=1e-9, atol=1e-9)
    rates = lambda _, u: [1.3 * u[0] - 0.9 * u[0] * u[1], 0.8 * u[0] * u[1] - 1.8 * u[1]]  # noqa: E731
    truth = solve_ivp(rates, (0, 50), (0.44249296, 4.6280594), "DOP853", sol.t, rtol=1e-11, atol=1e-12).y
    for name, expected in zip("xy", truth, strict=True):
        assert np.sqrt(np.mean((np.asarray(sol[name]) - expected) ** 2)) < 0.05 * expected.max()


def test_the_discovered_model_is_fitted_like_any_other(run: Path, tmp_path: Path) -> None:
    data = run.parent / "data.csv"
    assert main(["fit", str(run / "discovered.ode"), str(data), "--starts", "1", "--out", str(tmp_path / "again"), "-q"]) == 0
    result = json.loads((tmp_path / "again" / "result.json").read_text(encoding="utf-8"))
    found = json.loads((run / "findings" / "discovery.json").read_text(encoding="utf-8"))
    assert result["objective"]["nll"] == pytest.approx(found["comparison"]["rows"][0][1], abs=1e-3)


def test_the_learnt_term_is_sampled_with_bands(run: Path) -> None:
    found = json.loads((run / "findings" / "learnt.json").read_text(encoding="utf-8"))
    for term, rate in zip(found["terms"], (-0.9, 0.8), strict=True):
        table = {name: np.array(column) for name, column in zip(term["columns"], zip(*term["rows"], strict=True), strict=True)}
        truth = rate * table["x"] * table["y"]
        inside = (table["lower95"] <= truth) & (truth <= table["upper95"])
        assert inside.mean() > 0.6  # a band round a penalised network is no exact one
        assert np.max(np.abs(table["formula"] - truth)) < 0.03 * np.max(np.abs(truth))


def test_a_model_without_networks_has_nothing_to_discover(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = tmp_path / "plain"
    options = ["--starts", "1", "--out", str(made), "-q"]
    assert main(["fit", str(run / "discovered.ode"), str(run.parent / "data.csv"), *options]) == 0
    assert main(["discover", str(made)]) == 2
    assert "E0795" in capsys.readouterr().err
