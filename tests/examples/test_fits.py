"""The examples fitted by their commands, as README shows them (minutes: run with -m slow)."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import nbinom

import hybridode.api as ho
from hybridode.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


def fitted(folder: Path, example: str, model: str, data: str, *options: str) -> tuple[Path, dict]:
    shutil.copytree(EXAMPLES / example, folder / example)
    assert main(["fit", str(folder / example / model), str(folder / example / data), *options]) == 0
    (run,) = (folder / example).glob("*.runs/001")
    return run, json.loads((run / "result.json").read_text(encoding="utf-8"))


def test_hybrid_lynx_and_hare(tmp_path: Path) -> None:
    run, result = fitted(tmp_path, "lynx_hare", "lynx_hare_hybrid.ode", "pelts.csv", "--hold-out", "last:5")
    assert result["status"] == "converged"
    # The forecast is better than that of the mean of the years before (in the same log-normal terms).
    data = pd.read_csv(EXAMPLES / "lynx_hare" / "pelts.csv", comment="#")
    known, later = np.log(data[data["year"] <= 1915]), np.log(data[data["year"] > 1915])
    scores = []
    for column in ("hare", "lynx"):
        m, s = known[column].mean(), known[column].std()
        z = (later[column] - m) / s
        scores.append((-0.5 * z**2 - np.log(s) - 0.5 * np.log(2 * np.pi) - later[column]).mean())
    assert result["hold_out"]["log_score"] > np.mean(scores)
    # What was written computes what was fitted, networks included.
    curve = pd.read_csv(run / "predictions.csv").query("kind == 'curve' and column == 'lynx'")
    sol = ho.load(run / "fitted.ode").simulate(at=curve["time"].to_numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sol.observed["lynx"], curve["location"], rtol=1e-3)
    assert "NN_hare" in (run / "report.html").read_text(encoding="utf-8")


def test_three_forecasts_of_lynx_and_hare(tmp_path: Path) -> None:
    """What is known helps: the freer the model, the closer to the years it saw and the worse its forecast."""
    folder, runs = tmp_path / "lynx_hare", []
    shutil.copytree(EXAMPLES / "lynx_hare", folder)
    for model in ("lynx_hare", "lynx_hare_hybrid", "lynx_hare_neural"):
        runs.append(folder / f"run_{model}")
        options = ["--hold-out", "last:5", "--out", str(runs[-1])]
        assert main(["fit", str(folder / f"{model}.ode"), str(folder / "pelts.csv"), *options]) == 0
    physics, hybrid, neural = (json.loads((run / "result.json").read_text(encoding="utf-8")) for run in runs)
    assert physics["objective"]["nll"] > hybrid["objective"]["nll"] > neural["objective"]["nll"]
    rmse, score = (lambda r: r["hold_out"]["rmse"]), (lambda r: r["hold_out"]["log_score"])
    assert rmse(physics) < 5.1 and rmse(hybrid) < 6 and rmse(hybrid) < rmse(neural) < 9
    assert score(hybrid) > score(physics) > score(neural)
    made = runpy.run_path(str(folder / "compare.py"))
    assert made["table"](runs).count("\n") == 4
    assert len(made["draw"](runs).axes) == 2


def test_influenza_is_the_optimum_that_scipy_finds(tmp_path: Path) -> None:
    from scipy.integrate import solve_ivp

    _, result = fitted(tmp_path, "influenza_sir", "influenza_sir.ode", "boarding_school.csv")
    data = pd.read_csv(EXAMPLES / "influenza_sir" / "boarding_school.csv", comment="#")

    def loss(z: np.ndarray) -> float:
        beta, gamma, k, start = np.exp(z)
        flow = lambda t, u: [-beta * u[0] * u[1] / 763, beta * u[0] * u[1] / 763 - gamma * u[1]]  # noqa: E731
        sol = solve_ivp(flow, (0, 13), [763 - start, start], t_eval=data["day"], rtol=1e-10, atol=1e-10)
        return -nbinom.logpmf(data["in_bed"], k, k / (k + sol.y[1])).sum()

    found = minimize(
        loss, np.log([1.9, 0.5, 15, 1.8]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    )
    assert found.success
    assert result["objective"]["nll"] == pytest.approx(found.fun, abs=1e-4)
    np.testing.assert_allclose(
        [result["parameters"][n]["value"] for n in ("beta", "gamma", "k", "I0")], np.exp(found.x), rtol=1e-3
    )


def test_interactions_are_found(tmp_path: Path) -> None:
    run, result = fitted(tmp_path, "lotka_volterra_ude", "lotka_volterra_ude.ode", "data.csv")
    assert result["status"] == "converged"
    sol = ho.load(run / "fitted.ode").simulate(to=3, points=301)
    for learnt, truth in (("interaction_x", "-0.9*x*y"), ("interaction_y", "0.8*x*y")):
        assert np.sqrt(np.mean((sol[learnt] - sol[truth]) ** 2)) < 0.03 * np.max(np.abs(sol[truth]))


def test_closure_of_a_coarse_atmosphere(tmp_path: Path) -> None:
    """Forecasts from starts of another run: much better than without a closure, and than the best line."""
    run, result = fitted(tmp_path, "lorenz96", "lorenz96.ode", "data.csv")
    assert result["status"] == "converged"
    plot = runpy.run_path(str(EXAMPLES / "lorenz96" / "plot_closure.py"))
    errors = plot["judged"](plot["learnt"](run))[0]
    for i in (4, 10, 20):
        assert errors["learnt"][i] < errors["none"][i] / 3
        assert errors["learnt"][i] < errors["line"][i] / 1.1


def test_heat_rod_learns_the_law_of_conductivity(tmp_path: Path) -> None:
    run, result = fitted(tmp_path, "heat_rod", "heat_rod.ode", "data.csv")
    assert result["status"] == "converged"
    sol = ho.load(run / "fitted.ode").simulate(to=1, points=201)
    hot = np.asarray(sol["T[1]"])
    assert hot.max() > 1.7
    assert np.sqrt(np.mean((np.asarray(sol["K(T[1])"]) - 0.5 - hot**2 / 2) ** 2)) < 0.05


def test_growth_of_a_population_that_spreads_is_learnt(tmp_path: Path) -> None:
    """To 2 % of its peak, 1/4, at all densities that occur (Fisher and Kolmogorov's equation)."""
    run, result = fitted(tmp_path, "fisher_kpp", "fisher_kpp.ode", "data.csv")
    assert result["status"] == "converged"
    density, growth = runpy.run_path(str(EXAMPLES / "fisher_kpp" / "plot_growth.py"))["learnt"](run)
    assert density.min() < 1e-4 and density.max() > 0.95
    assert np.max(np.abs(growth - density * (1 - density))) < 0.02 * 0.25
    assert result["parameters"]["D"]["value"] == pytest.approx(0.01, rel=0.01)


def test_hill_gene(tmp_path: Path) -> None:
    """The formula's numbers within 5 %; the law as a network within 2 % of its height."""
    _, result = fitted(tmp_path / "formula", "hill_gene", "hill_gene.ode", "data.csv")
    made = runpy.run_path(str(EXAMPLES / "hill_gene" / "make_data.py"))
    for name, truth in made["TRUTH"].items():
        found = result["parameters"][name]
        assert found["value"] == pytest.approx(truth, rel=0.05) and abs(found["value"] - truth) < 3 * found["se"]
    run, result = fitted(tmp_path / "hybrid", "hill_gene", "hill_gene_hybrid.ode", "data.csv")
    assert result["status"] == "converged"
    x, regulation = runpy.run_path(str(EXAMPLES / "hill_gene" / "plot_regulation.py"))["learnt"](run)
    assert x.min() < 0.01 and x.max() > 4.9
    assert np.max(np.abs(regulation - 1.1 * x**3 / (2**3 + x**3))) < 0.02 * 1.1


def test_friction_of_a_double_pendulum(tmp_path: Path) -> None:
    """Within 2 % of its largest value at all speeds that occur, and the energy that is lost is what friction took."""
    run, result = fitted(tmp_path, "double_pendulum", "double_pendulum.ode", "data.csv")
    assert result["status"] == "converged"
    folder = EXAMPLES / "double_pendulum"
    made, learnt = (runpy.run_path(str(folder / name)) for name in ("make_data.py", "plot_friction.py"))
    for series, release in zip("12", made["RELEASES"], strict=True):
        found = learnt["learnt"](run, series)
        truth = made["friction"](found["speed"])
        assert np.max(np.abs(found["friction"] - truth)) < 0.02 * np.max(np.abs(truth))
        gone = found["energy"][0] - found["energy"]
        np.testing.assert_allclose(gone, found["lost"], atol=1e-5 * found["lost"][-1])
        assert found["lost"][-1] == pytest.approx(made["truth"](release)[4, -1], rel=0.01)


def test_bouncing_ball(tmp_path: Path) -> None:
    """The published answer; one start at least ends at the local optimum, which the result says."""
    _, result = fitted(tmp_path, "bouncing_ball", "bouncing_ball.ode", "data.csv", "--starts", "20")
    assert result["parameters"]["e"]["value"] == pytest.approx(0.9880083920248757, rel=1e-9)
    local = ((20 - 19.368) / 0.1) ** 2 / 2 + np.log(0.1 * np.sqrt(2 * np.pi))
    assert any(start["objective"] == pytest.approx(local, rel=1e-2) for start in result["starts"])


def test_thermostat(tmp_path: Path) -> None:
    _, result = fitted(tmp_path, "thermostat", "thermostat.ode", "data.csv")
    assert result["status"] == "converged"
    for name, truth in (("q", 9.0), ("low", 18.0), ("high", 21.5)):
        found = result["parameters"][name]
        assert abs(found["value"] - truth) < 3 * found["se"]


def test_integrate_and_fire(tmp_path: Path) -> None:
    _, result = fitted(tmp_path, "integrate_and_fire", "integrate_and_fire.ode", "data.csv")
    assert result["status"] == "converged"
    for name, truth in (("level", -50.0), ("w", 0.1), ("tau_s", 5.0)):
        found = result["parameters"][name]
        assert abs(found["value"] - truth) < 3 * found["se"]


def test_impact_oscillator(tmp_path: Path) -> None:
    """The optimum is that of the exact solution, found by SciPy from the truth, and the truth is within three errors."""
    _, result = fitted(tmp_path, "impact_oscillator", "impact_oscillator.ode", "data.csv")
    agrees(result, "impact_oscillator", lambda made, q: made["truth"](*q)[0], {"wall": 10.0, "r": 0.8}, 0.5)


def test_bang_bang(tmp_path: Path) -> None:
    _, result = fitted(tmp_path, "bang_bang", "bang_bang.ode", "data.csv")
    agrees(result, "bang_bang", lambda made, q: made["truth"](*q), {"line": 0.15, "a": 1.3}, 0.05)


def agrees(result: dict, example: str, exact: Callable, truth: dict[str, float], noise: float) -> None:
    """The result has the parameters that minimize the squares of `exact(generator, parameters)` against `place`."""
    assert result["status"] == "converged"
    made, place = runpy.run_path(str(EXAMPLES / example / "make_data.py")), pd.read_csv(EXAMPLES / example / "data.csv")["place"]

    def loss(q: np.ndarray) -> float:
        return float(np.sum(((exact(made, q) - place) / noise) ** 2) / 2)

    options = {"xatol": 1e-7, "fatol": 1e-8, "initial_simplex": np.array(list(truth.values())) * [[1, 1], [1.01, 1], [1, 1.01]]}
    best = minimize(loss, list(truth.values()), method="Nelder-Mead", options=options)
    assert best.success
    for (name, value), optimum in zip(truth.items(), best.x, strict=True):
        found = result["parameters"][name]
        assert abs(found["value"] - value) < 3 * found["se"]
        assert abs(found["value"] - optimum) < 0.02 * found["se"]


def test_filmed_pendulum(tmp_path: Path) -> None:
    _, result = fitted(tmp_path, "pendulum_dae", "pendulum_dae.ode", "data.csv")
    assert result["status"] == "converged"
    for name, truth in (("L", 0.7), ("c", 0.15), ("angle", 1.2)):
        found = result["parameters"][name]
        assert abs(found["value"] - truth) < 3 * found["se"]


@pytest.mark.usefixtures("precision")
def test_robot_arm_follows_its_path_once_friction_is_learnt(tmp_path: Path) -> None:
    run, result = fitted(tmp_path, "robot_arm", "robot_arm.ode", "data.csv")
    assert result["status"] == "converged"
    track = runpy.run_path(str(EXAMPLES / "robot_arm" / "track.py"))
    speed = np.linspace(-4, 4, 81)
    truth = track["MADE"]["friction"](np.stack([speed, speed]))
    for joint in (1, 2):
        learnt = track["learnt"](run, joint, speed)
        assert np.sqrt(np.mean((learnt - truth[joint - 1]) ** 2)) < 0.05 * np.max(np.abs(truth[joint - 1]))
    errors = track["errors"](track["tracked"](run))
    assert errors["learnt friction"] < 2 < 10 < min(errors["no friction"], errors["viscous friction"])


def test_diode_rectifier_learns_the_leak(tmp_path: Path) -> None:
    """A network inside an algebraic equation, judged where the diode has been."""
    run, result = fitted(tmp_path, "diode_rectifier", "diode_rectifier.ode", "data.csv")
    assert result["status"] == "converged"
    sol = ho.load(run / "fitted.ode").simulate(to=60, points=601)
    voltage = np.asarray(sol["vd"])
    truth = 0.03 * voltage - 0.3 * np.logaddexp(0, (-voltage - 5) / 0.4)
    assert np.sqrt(np.mean((np.asarray(sol["leak(vd)"]) - truth) ** 2)) < 0.1
    assert abs(result["parameters"]["Is"]["value"] / 2e-6 - 1) < 0.4


@pytest.mark.parametrize("name", ["pk_oral", "pk_two_compartment"])
def test_truth_lies_within_the_intervals_of_doses(name: str, tmp_path: Path) -> None:
    _, result = fitted(tmp_path, name, f"{name}.ode", "data.csv")
    assert result["status"] == "converged"
    truth = runpy.run_path(str(EXAMPLES / name / "make_data.py"))["TRUTH"]
    for parameter, entry in result["parameters"].items():
        low, high = entry["interval95"]
        assert low < truth[parameter] < high, parameter


def test_the_law_of_elimination_is_learnt(tmp_path: Path) -> None:
    run, result = fitted(tmp_path, "pk_elimination", "pk_elimination.ode", "data.csv")
    assert result["status"] == "converged"
    made = runpy.run_path(str(EXAMPLES / "pk_elimination" / "make_data.py"))
    for name, truth in (("ka", made["KA"]), ("V", made["V"]), ("prop", made["PROP"])):
        low, high = result["parameters"][name]["interval95"]
        assert low < truth < high, name
    sol = ho.load(run / "fitted.ode").simulate(
        at=np.linspace(1, 36, 200), data=tmp_path / "pk_elimination" / "data.csv", series="5"
    )
    law = made["VMAX"] / (made["KM"] + sol["C"])
    np.testing.assert_allclose(sol["clearance(C)"], law, rtol=0.1)
