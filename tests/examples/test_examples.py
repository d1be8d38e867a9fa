"""A short form of every example: data as published or generated, and the model against an independent solution."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import hybridode.api as ho

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = sorted(EXAMPLES.rglob("*.ode"))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_loads_without_warnings(path: Path) -> None:
    assert ho.load(path).warnings == ()


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODELS}), ids=lambda p: p.name)
def test_has_a_page_with_a_picture(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert ".svg)" in page
    assert "hybridode fit " in page or "hybridode simulate " in page


MADE = ("decay", "heat_rod", "lorenz96", "integrate_and_fire", "lotka_volterra_ude", "thermostat", "impact_oscillator",
        "bang_bang", "pendulum_dae", "diode_rectifier", "pk_oral", "pk_two_compartment", "pk_elimination", "fisher_kpp",
        "hill_gene", "double_pendulum", "robot_arm")  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_data_are_what_the_generator_writes(name: str) -> None:
    folder = EXAMPLES / name
    assert runpy.run_path(str(folder / "make_data.py"))["text"]() == (folder / "data.csv").read_text(encoding="utf-8")


def test_pelts_are_the_published_ones() -> None:
    """Sums of the published table (Hewitt 1921 in Howard's digitisation), so that a slip of one figure is seen."""
    data = pd.read_csv(EXAMPLES / "lynx_hare" / "pelts.csv", comment="#")
    assert list(data["year"]) == list(range(1900, 1921))
    assert data["hare"].sum() == pytest.approx(715.7)
    assert data["lynx"].sum() == pytest.approx(423.5)


def test_lynx_and_hare_against_scipy() -> None:
    at = np.linspace(1900, 1920, 21)
    sol = ho.load(EXAMPLES / "lynx_hare" / "lynx_hare.ode").simulate(at=at, start=1900.0, rtol=1e-10, atol=1e-10)

    def rates(_: float, u: np.ndarray) -> list[float]:
        return [0.5 * u[0] - 0.03 * u[0] * u[1], 0.025 * u[0] * u[1] - 0.8 * u[1]]

    exact = solve_ivp(rates, (1900, 1920), [30, 5], t_eval=at, method="DOP853", rtol=1e-12, atol=1e-12).y
    np.testing.assert_allclose(sol["hare"], exact[0], rtol=1e-7)
    np.testing.assert_allclose(sol.observed["lynx"], exact[1], rtol=1e-7)


def test_epidemic_conserves_boys_and_peaks_where_it_must() -> None:
    sol = ho.load(EXAMPLES / "influenza_sir" / "influenza_sir.ode").simulate(to=60, points=601, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sol["S + I + R"], 763, rtol=1e-9)
    # dI/dt = 0 where S = N/R0; beyond the end s = exp(-R0 (1 - s)) holds (Kermack and McKendrick 1927).
    peak = int(np.argmax(sol["I"]))
    assert sol["S"][peak] == pytest.approx(763 / 3.6, rel=0.05)
    share = sol["S"][-1] / 763
    assert share == pytest.approx(762 / 763 * np.exp(-3.6 * (1 - share)), rel=1e-3)


def test_untrained_network_leaves_the_known_physics() -> None:
    """The last layer begins near zero: prey grow and predators die at their own rates."""
    sol = ho.load(EXAMPLES / "lotka_volterra_ude" / "lotka_volterra_ude.ode").simulate(to=1, points=11)
    np.testing.assert_allclose(sol["x"], 0.44249296 * np.exp(1.3 * sol.t), rtol=0.03)
    np.testing.assert_allclose(sol["y"], 4.6280594 * np.exp(-1.8 * sol.t), rtol=0.03)


def test_heat_rod_against_scipy() -> None:
    """The rod with the law of conductivity that the data were made with, written in place of the network."""
    made = runpy.run_path(str(EXAMPLES / "heat_rod" / "make_data.py"))
    text = (EXAMPLES / "heat_rod" / "heat_rod.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn K")]
    known = "\n".join(lines) + "\nfunc K(u) = 0.5 + u^2/2\n"
    sol = ho.parse(known).simulate(at=made["TIMES"], rtol=1e-8, atol=1e-10, heat=made["HEAT"])
    np.testing.assert_allclose(np.asarray(sol["T"]).T, made["truth"](), rtol=1e-6, atol=1e-8)


def test_population_that_spreads_against_scipy() -> None:
    """The ring with the growth that the data were made with, written in place of the network."""
    folder = EXAMPLES / "fisher_kpp"
    made, text = runpy.run_path(str(folder / "make_data.py")), (folder / "fisher_kpp.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn growth")]
    known = "\n".join(lines) + "\nfunc growth(rho) = rho*(1 - rho)\n"
    sol = ho.parse(known).simulate(at=made["TIMES"], rtol=1e-9, atol=1e-11, D=made["DIFFUSION"])
    np.testing.assert_allclose(np.asarray(sol["rho"]).T, made["truth"](), rtol=1e-6, atol=1e-9)


def test_coarse_atmosphere_against_scipy() -> None:
    """With a quartic in place of the network, on the eight slow variables."""
    text = (EXAMPLES / "lorenz96" / "lorenz96.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn U")]
    known = ho.parse("\n".join(lines) + "\nfunc U(x) = 0.6 + 1.26*x - 0.0026*x^2 - 0.0074*x^3 + 0.0003*x^4\n")
    plot = runpy.run_path(str(EXAMPLES / "lorenz96" / "plot_closure.py"))
    closure = np.polynomial.Polynomial([0.6, 1.26, -0.0026, -0.0074, 0.0003])
    start = np.random.default_rng(3).uniform(-5, 12, 8)
    exact = plot["forecast"](start[None], closure)[0]
    given = {f"x[{k + 1}](0)": v for k, v in enumerate(start)}
    sol = known.simulate(at=0.05 * np.arange(plot["AHEAD"]), set=given, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(np.asarray(sol["x"]).T, exact, atol=2e-3)


def test_gene_that_switches_itself_on_against_scipy() -> None:
    folder = EXAMPLES / "hill_gene"
    made, model = runpy.run_path(str(folder / "make_data.py")), ho.load(folder / "hill_gene.ode")
    for series, begin in (("3", made["BEGINS"][2]), ("4", made["BEGINS"][3])):
        sol = model.simulate(at=made["TIMES"], data=folder / "data.csv", series=series, set=made["TRUTH"], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(sol["x"], made["truth"](begin), rtol=1e-6)


def test_one_start_finds_the_law_of_regulation() -> None:
    """The fit of the formula in its shortest form."""
    folder = EXAMPLES / "hill_gene"
    run = ho.fit(ho.load(folder / "hill_gene.ode"), folder / "data.csv", starts=1)
    assert run.status == "converged"
    for name, truth in runpy.run_path(str(folder / "make_data.py"))["TRUTH"].items():
        assert run.parameters[name] == pytest.approx(truth, rel=0.05)


def test_double_pendulum_against_scipy() -> None:
    """With the friction that the data were made with in place of the network. Energy and what friction took add up."""
    folder = EXAMPLES / "double_pendulum"
    made, text = runpy.run_path(str(folder / "make_data.py")), (folder / "double_pendulum.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn friction")]
    model = ho.parse("\n".join(lines) + "\nfunc friction(w) = 0.02*w + 0.1*tanh(w)\n")
    for series, release in zip("12", made["RELEASES"], strict=True):
        at = np.concatenate([[0.0], made["TIMES"]])
        sol = model.simulate(at=at, data=folder / "data.csv", series=series, rtol=1e-10, atol=1e-10)
        found = np.stack([np.asarray(sol[name]) for name in ("a", "b", "a'", "b'", "lost")])
        np.testing.assert_allclose(found[:, 1:], made["truth"](release), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(sol["energy"] + sol["lost"], sol["energy"][0], rtol=1e-8)


def test_thermostat_against_scipy() -> None:
    """The house with the law of loss that the data were made with, written in place of the network."""
    made = runpy.run_path(str(EXAMPLES / "thermostat" / "make_data.py"))
    text = (EXAMPLES / "thermostat" / "thermostat.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn loss")]
    known = "\n".join(lines) + "\nfunc loss(d) = 0.15*d + 0.01*d^2\n"
    given = {"q": made["HEAT"], "low": made["LOW"], "high": made["HIGH"]}
    sol = ho.parse(known).simulate(at=list(made["TIMES"]), set=given, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sol["T"], made["truth"](), rtol=1e-7)


def test_bouncing_ball_at_the_published_restitution() -> None:
    sol = ho.load(EXAMPLES / "bouncing_ball" / "bouncing_ball.ode").simulate(at=[15.0], set={"e": 0.9880083920248757}, rtol=1e-10)
    assert sol.successful
    assert sol["h"][0] == pytest.approx(20, rel=1e-8)


def test_impact_oscillator_against_the_exact_solution() -> None:
    """The formulas between hits, with the reset: `at` and `event` in one run. Without a stop they are SciPy's."""
    made = runpy.run_path(str(EXAMPLES / "impact_oscillator" / "make_data.py"))
    places, hits = made["truth"]()
    model = ho.load(EXAMPLES / "impact_oscillator" / "impact_oscillator.ode")
    sol = model.simulate(at=list(made["TIMES"]), set={"wall": made["WALL"], "r": made["RESTITUTION"]}, rtol=1e-9, atol=1e-9)
    assert sol.successful
    np.testing.assert_allclose(sol["x"], places, atol=1e-6)
    np.testing.assert_array_equal(sol["hits"], np.searchsorted(hits, made["TIMES"]))
    assert min(hits) < made["RESET"] < max(hits)
    rates = lambda t, u: [u[1], made["SHAKE"] * np.cos(made["OMEGA"] * t) - 2 * made["DAMPING"] * u[1] - u[0]]  # noqa: E731
    first = made["TIMES"] < made["RESET"]
    free = solve_ivp(rates, (0, 10), [0, 0], "DOP853", made["TIMES"][first], rtol=1e-11, atol=1e-11).y[0]
    np.testing.assert_allclose(made["truth"](wall=1e3)[0][first], free, atol=1e-7)


def test_bang_bang_against_the_exact_solution() -> None:
    """Landing on the switches makes parabolas exact, at any tolerance."""
    made = runpy.run_path(str(EXAMPLES / "bang_bang" / "make_data.py"))
    model = ho.load(EXAMPLES / "bang_bang" / "bang_bang.ode")
    for tolerance in (1e-3, 1e-6):
        given = {"line": made["LINE"], "a": made["PUSH"]}
        sol = model.simulate(at=list(made["TIMES"]), set=given, method="tsit5", rtol=tolerance, atol=tolerance)
        assert sol.successful and sol.stats["steps"] < 30
        np.testing.assert_allclose(sol["x"], made["truth"](), atol=1e-9)


def test_integrate_and_fire_against_the_exact_solution() -> None:
    made = runpy.run_path(str(EXAMPLES / "integrate_and_fire" / "make_data.py"))
    voltages, spikes, _ = made["truth"]()
    model = ho.load(EXAMPLES / "integrate_and_fire" / "integrate_and_fire.ode")
    given = {"level": made["LEVEL"], "w": made["W"], "tau_s": made["TAU_S"]}
    sol = model.simulate(at=list(made["TIMES"]), set=given, rtol=1e-9, atol=1e-9)
    assert sol.successful and len(spikes) > 150
    np.testing.assert_allclose(sol["cell"], voltages, atol=1e-6)


def test_tablets_against_the_closed_form() -> None:
    folder = EXAMPLES / "pk_oral"
    made, model = runpy.run_path(str(folder / "make_data.py")), ho.load(folder / "pk_oral.ode")
    rows = pd.read_csv(folder / "data.csv", dtype={"ID": str}).query("EVID == 1").set_index("ID")
    given = {name: value for name, value in made["TRUTH"].items() if name in ("ka", "CL", "V", "tlag")}
    for subject in ("4", "2"):  # four tablets, one
        dose = rows.loc[subject]
        at = made["TIMES"]
        sol = model.simulate(at=at, data=folder / "data.csv", series=subject, set=given, rtol=1e-9, atol=1e-11)
        exact = made["concentration"](at, float(dose["AMT [mg]"]), dose["WT [kg]"], int(dose["ADDL"]) + 1)
        np.testing.assert_allclose(sol.observed["conc"], exact, rtol=1e-6, atol=1e-9)


def test_saturated_enzyme_against_scipy() -> None:
    """With the law that the data were made with in place of the network."""
    folder = EXAMPLES / "pk_elimination"
    made, text = runpy.run_path(str(folder / "make_data.py")), (folder / "pk_elimination.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn clearance")]
    model = ho.parse("\n".join(lines) + "\nfunc clearance(c) = 30/(4 + c)\n")
    given = {"ka": made["KA"], "V": made["V"]}
    sol = model.simulate(at=made["TIMES"], data=folder / "data.csv", series="5", set=given, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sol["C"], made["truth"](800), rtol=1e-6)


def test_infusions_and_steady_states_against_matrix_exponentials() -> None:
    folder = EXAMPLES / "pk_two_compartment"
    made, model = runpy.run_path(str(folder / "make_data.py")), ho.load(folder / "pk_two_compartment.ode")
    given = {name: value for name, value in made["TRUTH"].items() if name != "prop"}
    both = np.array([*made["SOON"], *made["LATER"]])
    wanted = {"2": (both, made["infused"](both, 200, 1.0) + made["tablets"](both, 100, 48.0, 12.0, 3)),
              "5": (both[:9], made["tablets"](both[:9], 100, 0.0, 12.0, 1, before=120))}  # fmt: skip
    for subject, (at, exact) in wanted.items():
        sol = model.simulate(at=at, data=folder / "data.csv", series=subject, set=given, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(sol.observed["DV"], exact, rtol=2e-6)


def test_filmed_pendulum_against_scipy() -> None:
    made = runpy.run_path(str(EXAMPLES / "pendulum_dae" / "make_data.py"))
    given = {"L": made["LENGTH"], "c": made["FRICTION"], "angle": made["ANGLE"]}
    sol = ho.load(EXAMPLES / "pendulum_dae" / "pendulum_dae.ode").simulate(at=made["TIMES"], set=given, rtol=1e-9, atol=1e-10)
    found = np.stack([np.asarray(sol["x"]), np.asarray(sol["y"])], 1)
    np.testing.assert_allclose(found, made["truth"](), rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("precision")
def test_robot_arm_against_scipy() -> None:
    """With the friction that the data were made with."""
    track = runpy.run_path(str(EXAMPLES / "robot_arm" / "track.py"))
    made, at = track["MADE"], track["TIMES"]
    laws = [f"func friction{j}(w) = ({c} + {s}*exp(-(w/0.5)^2))*tanh(w/0.1) + {v}*w"
            for j, c, s, v in zip((1, 2), made["COULOMB"], made["STRIBECK"], made["VISCOUS"], strict=True)]  # fmt: skip
    text = (EXAMPLES / "robot_arm" / "robot_arm.ode").read_text(encoding="utf-8")
    known = ho.parse("\n".join([line for line in text.splitlines() if not line.startswith("nn ")] + laws) + "\n")
    torque = np.stack([1.5 * np.sin(3 * at), 0.6 * np.cos(5 * at)], axis=1)
    data = pd.DataFrame({"t": at, "tau1": torque[:, 0], "tau2": torque[:, 1]})
    sol = known.simulate(at=at, data=data, rtol=1e-9, atol=1e-10)
    exact = made["arm"](at, np.zeros(2), at, torque)
    np.testing.assert_allclose(np.stack([sol["q1"], sol["q2"]]), exact, atol=2e-6)


def test_diode_rectifier_against_scipy() -> None:
    """The rectifier with the leak that the data were made with, written in place of the network."""
    made = runpy.run_path(str(EXAMPLES / "diode_rectifier" / "make_data.py"))
    text = (EXAMPLES / "diode_rectifier" / "diode_rectifier.ode").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("nn leak")]
    known = "\n".join(lines) + "\nfunc leak(v) = 0.03*v - 0.3*softplus((-v - 5)/0.4)\n"
    sol = ho.parse(known).simulate(at=made["TIMES"], set={"Is": made["SATURATION"]}, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(sol["vc"], made["truth"](), rtol=1e-5, atol=1e-6)


def test_transistor_amplifier_ends_at_the_published_values() -> None:
    """Mazzia and Magherini (2008), problem TRANSAMP."""
    model = ho.load(EXAMPLES / "transistor_amplifier" / "transistor_amplifier.ode")
    sol = model.simulate(at=[0.2], rtol=1e-8, atol=1e-8)
    for name, value in (("y1", -0.5562145012262709e-2), ("y5", 2.704617865010554), ("y8", 1.236995868091548)):
        assert sol[name][0] == pytest.approx(value, rel=1e-5)
