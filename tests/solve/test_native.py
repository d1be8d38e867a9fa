"""Native solves in NumPy: against exact solutions, SciPy and each other, and everything that can go wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import DOP853, solve_ivp

import hybridode as ho
from hybridode.errors import UsageError
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.solve import engines, native, results
from hybridode.solve.settings import METHODS, Settings
from tests.solve.native_models import BLOW_UP, DECAY, ENDS, FORCED, ROBER, compiled

ACCEPTANCE = Path(__file__).parents[1] / "acceptance"
NATIVE = [name for name, row in METHODS.items() if "native" in row.engines]
SETTINGS = Settings()


def solve(text: str, ts, method: str, settings: Settings = SETTINGS, **values):
    model = compiled(text)
    return native.solve_numbers(model, model.arguments(values or None), 0.0, np.asarray(ts, float), method, settings)


def by_scipy(text: str, ts, method: str = "Radau"):
    model = compiled(text)
    args = model.arguments()
    y0 = model.numbers("start", 0.0, np.zeros(0), args)
    found = solve_ivp(lambda t, y: model.numbers("rates", t, y, args), (0, ts[-1]), y0, method, ts, rtol=1e-11, atol=1e-13)
    assert found.success
    return found.y.T


@pytest.fixture(scope="module")
def forced() -> tuple[np.ndarray, np.ndarray]:
    ts = np.linspace(0, 10, 23)
    return ts, by_scipy(FORCED, ts, "DOP853")


@pytest.mark.parametrize("method", NATIVE)
def test_non_autonomous_against_scipy(method: str, forced) -> None:
    """States at points within steps; the error falls with the tolerance."""
    ts, expected = forced
    errors = []
    for rtol in (1e-4, 1e-7):
        raw = solve(FORCED, ts, method, Settings(rtol=rtol, atol=rtol * 1e-2))
        assert raw.result == results.SUCCESS and raw.t_end == 10.0
        errors.append(np.max(np.abs(raw.ys - expected) / np.abs(expected)))
    assert errors[0] < 3e-2 and errors[1] < errors[0] / 50


@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_stiff_against_scipy(method: str) -> None:
    ts = np.array([0.4, 40.0, 4e3, 1e5])
    raw = solve(ROBER, ts, method, Settings(rtol=1e-8, atol=1e-12))
    assert raw.result == results.SUCCESS and raw.stats["steps"] < 800
    np.testing.assert_allclose(raw.ys, by_scipy(ROBER, ts), rtol=2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_random_models_against_scipy(seed: int) -> None:
    sys.path.insert(0, str(ACCEPTANCE))
    from random_models import random_model

    text = random_model(seed).text
    ts = np.linspace(0, 1.5, 4)
    method = ("tsit5", "rodas5p")[seed % 2]
    raw = solve(text, ts, method, Settings(rtol=1e-9, atol=1e-11))
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys, by_scipy(text, ts, "LSODA"), rtol=1e-4, atol=1e-5)


def test_dop853_is_scipys() -> None:
    """One step of the same length: the new state, and the dense output within the step."""
    model, h = compiled(FORCED), 0.25
    args = model.arguments()
    y0 = model.numbers("start", 0.0, np.zeros(0), args)
    oracle = DOP853(lambda t, y: model.numbers("rates", t, y, args), 0.0, y0, 10.0, first_step=h, rtol=1e-3, atol=1e-3)
    oracle.step()
    ts = np.append(np.linspace(0, h, 7), 10.0)
    program = native.program_of(model, "dop853")
    options = program.options(1e-3, 1e-3, 1000, first=h)
    ys, info, _ = run_solve(program, args.parameters, np.zeros(0), y0, np.zeros(()), ts, options)
    assert info[0, 0] == 0 and oracle.t == h
    np.testing.assert_allclose(ys[0, :7], oracle.dense_output()(ts[:7]).T, rtol=1e-13)


# ---- what can go wrong ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", NATIVE)
def test_undefined_right_hand_side(method: str) -> None:
    raw = solve(ENDS, [0, 0.2, 0.7], method)
    assert raw.result == results.NON_FINITE and abs(raw.t_end - 0.5) < 1e-6
    assert np.isfinite(raw.ys[:2]).all() and np.isnan(raw.ys[2]).all() and np.isfinite(raw.y_end).all()


@pytest.mark.parametrize("method", NATIVE)
def test_blow_up(method: str) -> None:
    raw = solve(BLOW_UP, [0.5, 2], method)
    assert raw.result in (results.STEP_UNDERFLOW, results.NON_FINITE) and abs(raw.t_end - 1) < 1e-4
    np.testing.assert_allclose(raw.ys[0], 2, rtol=1e-3)
    assert np.isnan(raw.ys[1]) and raw.stats["steps"] < 10_000


@pytest.mark.parametrize("method", NATIVE)
def test_points_at_the_start_and_repeated(method: str) -> None:
    raw = solve(DECAY, [0, 0, 1, 1, 1, 2], method)
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys[:, 0], np.exp([0, 0, -1, -1, -1, -2]), rtol=1e-4)
    assert raw.ys[2] == raw.ys[4] and raw.ys[0] == 1.0


def test_nothing_to_integrate() -> None:
    raw = solve(DECAY, [0, 0], "tsit5")
    assert raw.result == results.SUCCESS and raw.stats["steps"] == 0 and raw.t_end == 0
    np.testing.assert_array_equal(raw.ys, [[1], [1]])


@pytest.mark.parametrize("ts", [[1, 0.5], [-1, 1]])
def test_times_must_ascend(ts) -> None:
    raw = solve(DECAY, ts, "tsit5")
    assert raw.result == results.TIMES and np.isnan(raw.ys).all()


@pytest.mark.parametrize("k, code", [(0.0, results.SUCCESS), (1e300, results.NON_FINITE), (np.nan, results.START)])
def test_extreme_parameters(k: float, code: int) -> None:
    raw = solve(DECAY, [0.1, 1], "tsit5", k=k)
    assert raw.result == code
    assert np.isnan(raw.ys).all() or code == results.SUCCESS


def test_an_implicit_method_damps_what_is_infinitely_stiff() -> None:
    raw = solve("model m\ntime t\nparam k = 1e300\nstate x = 1\nx' = -k*x\n", [1], "rodas4")
    assert raw.result == results.SUCCESS and raw.ys[0] == 0


def test_too_many_steps() -> None:
    raw = solve(FORCED, [1, 100], "tsit5", Settings(max_steps=20))
    assert raw.result == results.MAX_STEPS and raw.stats["steps"] == 20 and 0 < raw.t_end < 100
    assert np.isfinite(raw.ys[0]).all() == (raw.t_end >= 1)


def test_a_million_points() -> None:
    ts = np.linspace(0, 5, 1_000_001)
    raw = solve(DECAY, ts, "tsit5")
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys[:, 0], np.exp(-ts), atol=1e-6)


# ---- batches, threads, forks ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [2, 7, 8, 9, 200])
def test_batches_are_their_members(count: int) -> None:
    """Each lane steps for itself: bit by bit what it would be alone (in the same machine code), in any number of threads."""
    model = compiled(FORCED)
    program = native.program_of(model, "tsit5")
    p = model.arguments().parameters * np.linspace(0.7, 1.3, count)[:, None]
    ts, start = np.linspace(0, 10, 5), np.array([10.0, 5.0])
    options = program.options(1e-6, 1e-8, 1000)
    ys, info, end = run_solve(program, p, np.zeros(0), start, np.zeros(()), ts, options)
    assert np.all(info[:, 0] == 0) and (len(set(info[:, 1])) > 1 or count == 2)
    for b in (0, count // 2, count - 1):
        alone = run_solve(program, p[[b, b]], np.zeros(0), start, np.zeros(2), np.tile(ts, (2, 1)), options)
        np.testing.assert_array_equal(alone[0][1], ys[b])
        np.testing.assert_array_equal(alone[1][0], info[b])
        np.testing.assert_array_equal(alone[2][0], end[b])


def test_a_member_that_fails_does_not_touch_the_others() -> None:
    model = compiled(BLOW_UP)
    program = native.program_of(model, "tsit5")
    p = np.array([[0.1], [10.0], [0.2], [np.nan]])
    options = program.options(1e-9, 1e-9, 10_000)
    ys, info, _ = run_solve(program, p, np.zeros(0), np.ones(1), np.zeros(()), np.array([1.0]), options)
    assert list(info[:, 0] == 0) == [True, False, True, False]
    np.testing.assert_allclose(ys[[0, 2], 0, 0], [1 / 0.9, 1 / 0.8], rtol=1e-7)
    assert np.isnan(ys[[1, 3]]).all()


def test_threads_at_once() -> None:
    ts = np.linspace(0, 30, 50)
    expected = solve(FORCED, ts, "rodas4").ys
    model = compiled(FORCED)
    found: list[bool] = []

    def work() -> None:
        for _ in range(10):
            raw = native.solve_numbers(model, model.arguments(), 0.0, ts, "rodas4", SETTINGS)
            found.append(np.array_equal(raw.ys, expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40


FORK = """
import os, warnings
import numpy as np
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.solve import native
from tests.solve.native_models import FORCED, compiled
model = compiled(FORCED)
program = native.program_of(model, "tsit5")
p = np.tile(model.arguments().parameters, (300, 1))
options = program.options(1e-6, 1e-8, 1000)
go = lambda: run_solve(program, p, np.zeros(0), np.array([10.0, 5.0]), np.zeros(()), np.linspace(0, 9, 4), options)[0]
expected = go()
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(go(), expected) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(sys, "platform") or sys.platform == "win32", reason="no fork")
def test_after_a_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


# ---- choice ---------------------------------------------------------------------------------------------------------
def test_simulate_says_which_engine_and_why() -> None:
    model = ho.parse(DECAY)
    sol = model.simulate(to=2, points=5)
    assert sol.successful and sol.stats["engine"] == "native" and sol.stats["method"] == "Tsit5"
    np.testing.assert_allclose(sol["x"], np.exp(-sol.t), rtol=1e-5)
    np.testing.assert_allclose(sol.at([0.3])["x"], np.exp(-0.3), rtol=1e-5)
    by_request = model.simulate(to=2, points=5, engine="diffrax")
    assert by_request.stats["engine"] == "diffrax"
    stiff = ho.parse(ROBER).simulate(to=1e4, points=3)
    assert stiff.successful and stiff.stats["method"] == "Rodas4" and "stiff" in stiff.stats["reason"]


@pytest.mark.parametrize("reason", [{"dtype": "float32", "rtol": 1e-7}, {"gradient": "adjoint"}, {"method": "kvaerno5"}])
def test_what_it_cannot_solve_is_said(reason: dict[str, str]) -> None:
    """`auto` leaves it to Diffrax and says why; asking for the engine is an error with the same reason."""
    model = compiled(DECAY)
    choice = engines.choose(model, model.arguments(), 0.0, 2.0, Settings(**reason))
    assert choice.settings.engine == "diffrax" and "Diffrax, because" in choice.reason
    with pytest.raises(UsageError) as caught:
        engines.choose(model, model.arguments(), 0.0, 2.0, Settings(engine="native", **reason))
    assert caught.value.diagnostics[0].code == "E0840"


def test_methods_belong_to_engines() -> None:
    model = compiled(DECAY)
    with pytest.raises(UsageError) as caught:
        engines.choose(model, model.arguments(), 0.0, 2.0, Settings(engine="diffrax", method="rodas4"))
    assert caught.value.diagnostics[0].code == "E0840"
    with pytest.raises(UsageError) as caught:
        engines.choose(model, model.arguments(), 0.0, 2.0, Settings(method="rodas4", dtype="float32", rtol=1e-7))
    assert caught.value.diagnostics[0].code == "E0840"


# ---- the first step -------------------------------------------------------------------------------------------------
def timed(unit: str, text: str) -> str:
    """The model with its time counted in another unit."""
    head, *rates = text.split("x' = ")
    return head + "x' = " + " = ".join(f"({rate.strip()})*{unit}" for rate in rates) + "\n"


@pytest.mark.parametrize("method", NATIVE)
def test_the_unit_of_time_does_not_matter(method: str) -> None:
    counts = []
    for unit in ("1", "1e9", "1e-9"):
        raw = solve(timed(unit, DECAY), [2 / float(unit)], method)
        assert raw.result == results.SUCCESS
        np.testing.assert_allclose(raw.ys[0], np.exp(-2), rtol=1e-4)
        counts.append(int(raw.stats["steps"]))
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("method", NATIVE)
@pytest.mark.parametrize("rate, exact", [("0*x", 1.0), ("0*x + sin(t)^2", 1 + 50 - np.sin(200) / 4), ("1e-300*x", 1.0)])
def test_a_start_at_rest(method: str, rate: str, exact: float) -> None:
    raw = solve(f"model r\ntime t\nstate x = 1\nx' = {rate}\n", [100], method, Settings(rtol=1e-7, atol=1e-9, max_steps=10**6))
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys[0], exact, rtol=1e-4)


@pytest.mark.parametrize("method", NATIVE)
@pytest.mark.parametrize(
    "start, end", [(0.0, 1e-300), (0.0, 1e-12), (1.0, np.nextafter(1.0, 2.0)), (1e6, 1e6 + 1e-9), (3.0, 3.0)]
)
def test_tiny_spans(method: str, start: float, end: float) -> None:
    model = compiled("model d\ntime t\nstate x = 2\nx' = -x\n")
    raw = native.solve_numbers(model, model.arguments(), start, np.array([end]), method, SETTINGS)
    assert raw.result == results.SUCCESS and raw.stats["steps"] <= 12
    np.testing.assert_allclose(raw.ys[0], 2 * np.exp(-(end - start)), rtol=1e-12)


@pytest.mark.parametrize("method", NATIVE)
def test_a_start_at_zero(method: str) -> None:
    raw = solve("model z\ntime t\nstate x = 0\nx' = 3 - x\n", [0.5, 4], method, Settings(rtol=1e-6, atol=1e-12))
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys[:, 0], 3 - 3 * np.exp([-0.5, -4]), rtol=1e-4)
