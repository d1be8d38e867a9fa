"""Multiple shooting: pieces, the constrained optimum against that of single shooting, data on which single shooting fails."""

from __future__ import annotations

from functools import cache

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.integrate

from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit import run as fits
from hybridode.fit.checkpoint import Checkpoint, read_memory
from hybridode.fit.memory import Memory
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.run import fit
from hybridode.fit.search.ladder import cannot_shoot
from hybridode.fit.search.linearised import linearised
from hybridode.fit.search.nodes import first_nodes
from hybridode.fit.search.pieces import cut
from hybridode.fit.search.region import Box
from hybridode.fit.search.shooting import Problem, covariance, shoot
from hybridode.fit.search.smooth import smooth_states
from hybridode.language.check import declare
from hybridode.solve.settings import Settings
from tests.fit.test_fit import check

PREY = """model prey
param a = {a} in (0.01, 20) log
param b = {b} in (0.01, 20) log
param c = {c} in (0.01, 20) log
param d = {d} in (0.01, 20) log
state x = {x} in (0.01, 50) log
state y = {y} in (0.01, 50) log
dx/dt = a*x - b*x*y
dy/dt = d*x*y - c*y
param s = 0.2 in (0.001, 2) log
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
"""
TRUE_PREY = {"a": 1.5, "b": 1.0, "c": 3.0, "d": 1.0, "x(0)": 5.0, "y(0)": 2.0}
OFF = {"a": 1.5, "b": 1 / 1.5, "c": 1.5, "d": 1 / 1.5, "x(0)": 1.5, "y(0)": 1 / 1.5}  # start values off by half

LORENZ = """model lorenz
param sigma = 20 in (0.1, 100) log
param rho = 10 in (0.1, 200) log
param beta = 6 in (0.05, 50) log
state x = 5 in (-30, 30)
state y = 15 in (-40, 40)
state z = 1 in (0, 60)
dx/dt = sigma*(y - x)
dy/dt = x*(rho - z) - y
dz/dt = x*y - beta*z
param s = 1 in (0.01, 20) log
observe x ~ normal(x, s)
observe y ~ normal(y, s)
observe z ~ normal(z, s)
"""


def model(text):
    return declare(Source("model.ode", text))


def prey_text(off):
    numbers = {k: v * (OFF[k] if off else 1.1) for k, v in TRUE_PREY.items()}
    return PREY.format(**{k.replace("(0)", ""): v for k, v in numbers.items()})


def prey_model(off):
    return model(prey_text(off))


def prey_data(periods, per, noise=0.1, seed=0):
    p = TRUE_PREY
    t = np.linspace(0, 3.2 * periods, periods * per + 1)
    solution = scipy.integrate.solve_ivp(
        lambda t, u: [p["a"] * u[0] - p["b"] * u[0] * u[1], p["d"] * u[0] * u[1] - p["c"] * u[1]],
        (0, t[-1]), [5.0, 2.0], "DOP853", t, rtol=1e-11, atol=1e-11,
    )  # fmt: skip
    assert solution.success
    noisy = solution.y * np.exp(noise * np.random.default_rng(seed).normal(size=solution.y.shape))
    return pd.DataFrame({"t": t, "x": noisy[0], "y": noisy[1]})


def lorenz_data(end, n, noise, seed=0):
    t = np.linspace(0, end, n)
    solution = scipy.integrate.solve_ivp(
        lambda t, u: [10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]],
        (0, end), [-8, 7, 27], "DOP853", t, rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    assert solution.success
    noisy = solution.y + noise * np.random.default_rng(seed).normal(size=solution.y.shape)
    return pd.DataFrame({"t": t, "x": noisy[0], "y": noisy[1], "z": noisy[2]})


def prepared(declarations, data):
    dataset = experiments(declarations, data)
    options = fits.Options({}, frozenset(), None, 0, None, Settings(), None, {})
    return fits.prepare(dataset, options, Recorder()), dataset


@cache
def short_problem():
    """Three periods in six pieces, shot from near the truth: what is shot, where it begins (theta, nodes), the shot, and single
    shooting at its theta."""
    with jax.enable_x64(True):
        ready, dataset = prepared(prey_model(off=False), prey_data(3, 12))
        objective = ready.objective
        pieces = cut(ready.fitted, [6])
        theta = objective.theta(objective.space.unconstrain({}))
        nodes, spread = first_nodes(objective, pieces, smooth_states(dataset), theta)
        problem = Problem(objective, pieces, spread, linearised(objective, pieces))
        begin = theta, nodes, np.zeros(0, int), Box.unbounded(len(theta))
        shot = shoot(problem, *begin, Track(Recorder()))
        point = ready.lanes.point(shot.theta)
    return problem, begin, shot, point


def test_pieces_share_the_records_and_follow_each_other():
    with jax.enable_x64(True):
        frame = pd.concat([prey_data(2, 12).assign(id="a"), prey_data(1, 9).assign(id="b")])
        ready, _ = prepared(prey_model(off=False), frame)
        pieces = cut(ready.fitted, [5, 2])
    assert pieces.owner.tolist() == [0] * 5 + [1] * 2
    assert pieces.first.tolist() == [True, False, False, False, False, True, False]
    lanes = pieces.batch
    inner = ~pieces.first[1:]
    np.testing.assert_array_equal(lanes.t0[1:][inner], lanes.horizon[:-1][inner])
    for c, whole in zip(lanes.columns, ready.fitted.columns, strict=True):
        for row in (0, 1):
            mine = pieces.owner == row
            times = np.take_along_axis(lanes.ts, c.time, axis=1)[mine][c.used[mine] > 0]
            used = whole.used[row] > 0
            np.testing.assert_array_equal(times, ready.fitted.ts[row][whole.time[row][used]])
            np.testing.assert_array_equal(c.value[mine][c.used[mine] > 0], whole.value[row][used])


def test_the_constrained_optimum_is_that_of_single_shooting():
    problem, _, shot, point = short_problem()
    assert shot.closed and shot.gap < 1e-6
    assert np.isfinite(point.value)
    assert point.value == pytest.approx(shot.value, abs=1e-4)
    decrement = point.gradient @ np.linalg.solve(point.fisher, point.gradient)
    assert decrement < 1e-4  # what Newton's step would still gain, in log-likelihood
    np.testing.assert_allclose(covariance(problem.pieces, shot), np.linalg.inv(point.fisher), rtol=1e-3, atol=1e-9)


class Killed(BaseException):
    """As sudden as kill -9."""


@pytest.mark.parametrize("after", [3, 9])
def test_a_shot_that_was_killed_goes_on_from_its_checkpoint(after, tmp_path):
    whole, begin, shot, _ = short_problem()
    assert shot.iterations > 10
    evaluated = []

    def evaluate(theta, nodes):
        evaluated.append(theta)
        return whole._evaluate(theta, nodes)

    class Dying(Track):
        def accept(self, *point):
            super().accept(*point)
            if self.iteration == after:
                raise Killed

    def shooting(memory, track):
        problem = Problem(whole.objective, whole.pieces, whole.spread, evaluate)
        problem.memory = memory
        with jax.enable_x64(True):
            return shoot(problem, *begin, track)

    memory = Memory(keeping=True)
    with pytest.raises(Killed):
        shooting(memory, Dying(Recorder()))
    first, checkpoint = len(evaluated), Checkpoint(tmp_path, {})
    checkpoint.folder.mkdir()
    checkpoint.write(memory.take(), 0.0)
    again = shooting(read_memory(tmp_path, []), Track(Recorder()))
    whole_count = len([*evaluated])
    evaluated.clear()
    alone = shooting(Memory(), Track(Recorder()))
    assert whole_count <= len(evaluated) + 1  # only where it goes on the problem is solved once more
    assert first > after and len(evaluated) > first
    for one in (again, alone):
        assert one.nodes.tobytes() == shot.nodes.tobytes() and one.theta.tobytes() == shot.theta.tobytes()
        assert (one.value, one.gap, one.iterations) == (shot.value, shot.gap, shot.iterations)


@pytest.mark.parametrize(("starts", "stage"), [(None, "gradient matching"), (1, "multiple shooting, joint polish")])
def test_thirty_periods_from_starts_off_by_half_where_single_shooting_fails(starts, stage):
    declarations, data = prey_model(off=True), prey_data(30, 12)
    run = check(fit(declarations, data, starts=starts))
    assert run.result["status"] == "converged"
    if starts is None:  # growing parts of the records may lead there too: what gradient matching begins is always there
        reached = run.result["starts"][-1]["objective"]
        assert len(run.result["starts"]) == 25 and reached == pytest.approx(run.result["objective"]["nll"], abs=1e-3)
    assert run.result["search"]["stage"] in (stage, "direct" if starts is None else stage)
    assert run.result["starts"][0]["objective"] > run.result["objective"]["nll"] + 500  # all records at once end far off
    for name, value in TRUE_PREY.items():
        entry = run.result["parameters"][name]
        assert abs(entry["value"] - value) < 4 * entry["se"], name
    assert run.parameters["s"] == pytest.approx(0.1, rel=0.1)
    assert any(line.startswith("ladder: ") for line in run.log)


def test_lorenz_is_recovered_from_a_far_start():
    run = check(fit(model(LORENZ), lorenz_data(10, 201, 0.5)))
    assert min(s["objective"] for s in run.result["starts"][:8]) > run.result["objective"]["nll"] + 500
    assert run.result["search"]["stage"] != "direct"
    found = [run.parameters[n] for n in ("sigma", "rho", "beta")]
    np.testing.assert_allclose(found, [10, 28, 8 / 3], rtol=0.02)
    assert run.parameters["s"] == pytest.approx(0.5, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "most"), [("multiple shooting", 1015), ("joint polish", -190)])
def test_an_interrupt_on_the_ladder_keeps_the_best_so_far(stage, most):
    """In the midst of the pieces: not worse than the direct result; where they are closed: what they found."""
    passed = []

    def stop(progress):
        passed.append(progress)
        if progress.stage == stage and sum(p.stage == stage for p in passed) == 2:
            raise KeyboardInterrupt

    run = check(fit(prey_model(off=True), prey_data(30, 12), starts=1, progress=stop))
    assert run.result["status"] == "interrupted" and run.cut_short == "interrupted"
    assert np.isfinite(run.result["objective"]["nll"])
    direct = [p.objective for p in passed if p.stage == "fisher scoring"]
    assert run.result["objective"]["nll"] < min(min(direct) + 1e-6, most)
    assert run.result["search"]["evidence"].startswith("the fit leaves")


@pytest.mark.slow
def test_a_state_that_nobody_sees_is_carried_from_piece_to_piece():
    text = "".join(line for line in LORENZ.splitlines(keepends=True) if line[:9] not in ("observe y", "observe z"))
    text = text.replace("sigma = 20", "sigma = 15").replace("rho = 10", "rho = 20").replace("beta = 6", "beta = 4")
    run = check(fit(model(text), lorenz_data(10, 401, 0.3)[["t", "x"]]))
    assert run.result["search"]["stage"] == "multiple shooting, joint polish"
    np.testing.assert_allclose([run.parameters[n] for n in ("sigma", "rho", "beta")], [10, 28, 8 / 3], rtol=0.05)


@pytest.mark.slow
def test_a_chaotic_record_too_long_for_single_shooting_is_solved_in_pieces():
    data = lorenz_data(40, 401, 1.0)
    run = check(fit(model(LORENZ), data))
    search = run.result["search"]
    assert (search["stage"], run.result["status"]) == ("multiple shooting", "converged")
    assert search["pieces"] > 50 and search["largest_gap"] < 1e-6
    np.testing.assert_allclose([run.parameters[n] for n in ("sigma", "rho", "beta")], [10, 28, 8 / 3], rtol=0.03)
    at_data = run.predictions[run.predictions["kind"] == "data"]
    for column in "xyz":
        found = at_data[at_data["column"] == column]["location"].to_numpy()
        assert np.std(found - data[column]) == pytest.approx(1.0, rel=0.15)
    density = run.residuals["log_density"].sum()
    assert density == pytest.approx(-run.result["objective"]["nll"], abs=1e-3)
    assert any("forgets its start" in line for line in run.log)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("at 2 { stop }", "events that end the run"),
        ("event e when x > 3 at start { x := 2 }", "events that fire where"),
        ("alg z = 0\nz^3 + z = x", "algebraic"),
    ],
)
def test_what_is_not_cut_is_refused_by_name(change, words):
    with jax.enable_x64(True):
        declarations = model(PREY.format(a=1, b=1, c=1, d=1, x=1, y=1) + change + "\n")
        ready, _ = prepared(declarations, prey_data(1, 9))
        assert words in (cannot_shoot(ready.objective, 7) or "")
