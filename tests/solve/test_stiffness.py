"""The choice of a method: what is known to be stiff is found to be, in bounded time and without compiling."""

from __future__ import annotations

import time

import numpy as np
import pytest

import hybridode as ho
from hybridode import store
from hybridode.solve import stiffness, trial
from hybridode.solve.settings import Settings
from hybridode.solve.stiffness import choose_method
from tests.solve.native_models import ROBER, VAN_DER_POL

DECAY = "model d\nparam k = 1\nstate x = 1\nx' = -k*x\n"
PREY = """model lv
state x = 30
state y = 4
dx/dt = 0.55*x - 0.028*x*y
dy/dt = 0.024*x*y - 0.8*y
"""
CASES = {  # name -> (text, end, settings, method)
    "decay": (DECAY, 5.0, Settings(), "tsit5"),
    "prey and predator": (PREY, 50.0, Settings(), "tsit5"),
    "tight": (PREY, 50.0, Settings(rtol=1e-10, atol=1e-10), "dopri8"),
    "rober": (ROBER, 1e5, Settings(rtol=1e-6, atol=1e-10), "kvaerno5"),
    "rober, loose": (ROBER, 1e5, Settings(rtol=1e-3, atol=1e-8), "kvaerno3"),
    "van der pol, mu = 1000": (VAN_DER_POL.replace("mu = 10", "mu = 1000"), 2000.0, Settings(), "kvaerno5"),
    "van der pol, mu = 1": (VAN_DER_POL.replace("mu = 10", "mu = 1"), 20.0, Settings(), "tsit5"),
    "blows up": ("model b\nstate x = 1\nx' = x^2\n", 2.0, Settings(), "tsit5"),
    "constant": ("model c\nstate x = 1\nx' = 1\n", 2.0, Settings(), "tsit5"),
    "asked for": (ROBER, 1e5, Settings(method="dopri8"), "dopri8"),
}


@pytest.mark.parametrize("name", CASES)
def test_choice(name):
    text, end, settings, expected = CASES[name]
    compiled = ho.parse(text).compiled()
    began = time.perf_counter()
    method, reason, _ = choose_method(compiled, compiled.arguments(), 0.0, end, settings)
    assert method == expected, reason
    assert time.perf_counter() - began < 60  # a guard against an unbounded measurement: 0.5 s is its limit


def test_measurements_are_those_of_the_model():
    """Decay at rate 1e4 towards a slow orbit: the eigenvalue is known, and so are the steps for stability."""
    model = ho.parse("model s\nstate x = 0\nx' = -1e4*(x - sin(t))\n")
    method, reason, found = choose_method(model.compiled(), model.compiled().arguments(), 0.0, 10.0, Settings())
    assert method == "kvaerno5" and reason.startswith("stiff")
    np.testing.assert_allclose(found["spectral_radius"], 1e4)
    np.testing.assert_allclose(found["stability_steps"], 1e5 / 3.3, rtol=1e-6)
    assert found["accuracy_steps"] < 1000 and found["reached"] == 10.0


def test_a_grid_is_measured_without_dense_matrices():
    n = 150
    lines = [
        f"u[{i}]' = 1e5*({f'u[{i - 1}]' if i > 1 else '0'} - 2*u[{i}] + {f'u[{i + 1}]' if i < n else '0'})"
        for i in range(1, n + 1)
    ]
    compiled = ho.parse(f"model g\nstate u[{n}] = 1\n" + "\n".join(lines) + "\n").compiled()
    method, _, found = choose_method(compiled, compiled.arguments(), 0.0, 1.0, Settings())
    assert method == "kvaerno5"
    np.testing.assert_allclose(found["spectral_radius"], 4e5, rtol=0.05)  # 4 D/dx² cos²(…)


def test_stiff_with_jumping_inputs_avoids_stages_past_the_end_of_a_step():
    model = ho.parse("model s\ninput u from data.u, interp=previous\nstate x = 0\nx' = -1e4*(x - u)\n")
    compiled = model.compiled()
    args = compiled.arguments(None, {"u": ([0.0, 1.0, 2.0], [0.0, 1.0, -1.0])})
    assert choose_method(compiled, args, 0.0, 10.0, Settings())[0] == "kencarp4"


def test_at_statements_are_followed():
    """The start is at rest; only the dose makes the fast decay visible."""
    rates = "x' = -1e5*n*x + n*sin(t)\nn' = 0\n"
    model = ho.parse(f"model s\nstate x = 0\nstate n = 0\n{rates}at 1 {{\n n := 1\n x := 1\n}}\n")
    method, _, found = choose_method(model.compiled(), model.compiled().arguments(), 0.0, 10.0, Settings())
    assert method == "kvaerno5" and found["spectral_radius"] == pytest.approx(1e5)


def test_a_choice_is_kept(tmp_path, monkeypatch):
    """By the model and every number: a second process does not measure again; what was cut short is not kept."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "kept"))
    compiled = ho.parse(ROBER).compiled()
    args = compiled.arguments()
    first = choose_method(compiled, args, 0.0, 1e5, Settings())
    monkeypatch.setattr(stiffness, "trial_solve", lambda *given: pytest.fail("it was measured again"))
    assert choose_method(ho.parse(ROBER).compiled(), args, 0.0, 1e5, Settings()) == first
    monkeypatch.undo()
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "kept"))
    for end, settings, y0 in (
        (2e5, Settings(), None),
        (1e5, Settings(rtol=1e-4), None),
        (1e5, Settings(), np.array([1.0, 0, 0.1])),
    ):
        count = store.size()[0]
        choose_method(compiled, args, 0.0, end, settings, y0)
        assert store.size()[0] == count + 1
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    count = store.size()[0]
    assert "measured up to" in choose_method(compiled, args, 0.0, 3e5, Settings())[1] and store.size()[0] == count


def test_the_trial_follows_the_solution():
    """Against an exact solution with a moving field, through `at` statements: a trial is a solve."""
    text = "model s\nstate x = 0\nx' = -50*(x - sin(t)) + cos(t)\nat 1 {\n x := x + 1\n}\n"
    compiled = ho.parse(text).compiled()
    found = trial.trial_solve(compiled, compiled.arguments(), 0.0, 2.0, np.zeros(1), Settings(rtol=1e-4, atol=1e-6))
    t, x = np.array(found.times), np.array(found.states)[:, 0]
    after = np.flatnonzero(t == 1.0)[-1]
    np.testing.assert_allclose(x[:after], np.sin(t[:after]), atol=1e-3)
    np.testing.assert_allclose(x[after:], np.sin(t[after:]) + np.exp(-50 * (t[after:] - 1)), atol=2e-3)
    assert found.times[-1] == 2.0 and not found.note and len(t) < 120
