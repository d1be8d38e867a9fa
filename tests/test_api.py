"""The public interface as `design/contracts.md` promises it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hybridode as ho

DECAY = """model decay
time t: h
param k: 1/h = 0.5 in (0, 10) log
param fixed_one = 1 fixed
const c = 2
state x = 3 in (1, 9)
state y = 1
dx/dt = -k*x*fixed_one*(c - 1)
dy/dt = 0*y
"""
INPUT = """model driven
input u from data.u, interp=previous
param k = 1
state x = 0
dx/dt = k*u
"""
HYBRID = """model hybrid
param k = 1 in (0, 5)
nn U: 1 -> 1, hidden=[4], init=glorot, seed=3
nn F: 1 -> 1, hidden=[2], freeze
state x = 1
dx/dt = -k*x + 0.1*U(x) + F(x)
"""
TS = np.linspace(0, 2, 5)


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_and_checking_import_nothing_heavy():
    heavy = "('jax', 'jaxlib', 'sympy', 'pint', 'pandas', 'equinox', 'diffrax', 'jaxtyping', 'matplotlib', 'numpy', 'scipy')"
    used = f"import sys, hybridode as ho; m = ho.parse({DECAY!r}); m.warnings, m.name"
    code = f"{used}; print([x for x in {heavy} if x in sys.modules])"
    assert python(code) == "[]"


def test_names_of_the_package():
    assert set(ho.__all__) <= set(dir(ho)) and all(getattr(ho, name) is not None for name in ho.__all__)
    assert callable(ho.fit) and isinstance(ho.__version__, str)
    with pytest.raises(AttributeError):
        ho.nothing  # noqa: B018


def test_simulate_runs_in_float64_and_leaves_the_flag():
    before = jax.config.read("jax_enable_x64")
    solution = ho.parse(DECAY).simulate(to=2, points=5, rtol=1e-10, atol=1e-12)
    assert jax.config.read("jax_enable_x64") == before
    assert isinstance(solution["x"], np.ndarray) and solution["x"].dtype == np.float64
    np.testing.assert_allclose(solution.t, TS)
    np.testing.assert_allclose(solution["x"], 3 * np.exp(-0.5 * TS), rtol=1e-9)


def test_set_reaches_params_consts_and_starts():
    model = ho.parse(DECAY)
    for given in ({"set": {"k": 1.0}}, {"k": 1.0}, {"set": {"c": 3}}):
        np.testing.assert_allclose(model.simulate(to=1, rtol=1e-9, **given)["x"][-1], 3 * np.exp(-1), rtol=1e-7)
    solution = model.simulate(at=[1.0], set={"x(0)": 4, "y(0)": 7})
    np.testing.assert_allclose([solution["x"][0], solution["y"][0]], [4 * np.exp(-0.5), 7], rtol=1e-5)
    solution = model.simulate(at=[11.0], start={"t": 10.0, "y": 5})
    np.testing.assert_allclose([solution["x"][0], solution["y"][0]], [3 * np.exp(-0.5), 5], rtol=1e-5)
    np.testing.assert_allclose(model.simulate(at=[11.0], start=10.0)["x"], [3 * np.exp(-0.5)], rtol=1e-5)
    np.testing.assert_allclose(model.simulate(at=[0.0], start=[8.0, 9.0])["y"], [9.0])


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({}, "E0832"), ({"to": 1, "at": [1]}, "E0822"), ({"at": [2, 1]}, "E0822"), ({"to": -1}, "E0822"),
        ({"at": [np.nan]}, "E0822"), ({"at": []}, "E0832"), ({"to": 1, "points": 0}, "E0822"), ({"to": 1, "q": 1}, "E0829"),
        ({"to": 1, "method": "rk4"}, "E0820"), ({"to": 1, "engine": "cvode"}, "E0820"), ({"to": 1, "rtol": -1}, "E0821"),
        ({"to": 1, "rtol": 0.0, "atol": 0.0}, "E0821"), ({"to": 1, "max_steps": 0}, "E0821"),
        ({"to": 1, "set": {"kk": 1}}, "E0829"), ({"to": 1, "start": {"z": 1}}, "E0829"),
        ({"to": 1, "start": [1, 2, 3]}, "E0829"), ({"to": 1, "set": {"k": [1, 2]}}, "E0829"),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense(call, code):
    with pytest.raises(ho.UsageError) as error:
        ho.parse(DECAY).simulate(**call)
    assert error.value.diagnostics[0].code == code


def test_simulate_cannot_be_traced():
    with pytest.raises(ho.UsageError, match="inside jit, grad or vmap"):
        jax.grad(lambda k: ho.parse(DECAY).simulate(to=1, k=k)["x"][-1])(1.0)


# ---- inputs ---------------------------------------------------------------------------------------------------------
def test_inputs_come_from_data(tmp_path):
    frame = pd.DataFrame({"time": [1.0, 2.0, 4.0], "u": [1.0, -1.0, 0.0], "k": [2.0, 2.0, 2.0]})
    path = tmp_path / "protocol.csv"
    frame.to_csv(path, index=False)
    for data in (frame, path, str(path)):
        solution = ho.parse(INPUT).simulate(data=data, points=4)
        np.testing.assert_allclose(solution.t, [1, 2, 3, 4])
        np.testing.assert_allclose(solution["x"], [0, 2, 0, -2], atol=1e-9)
        np.testing.assert_allclose(solution["u"], [1, -1, -1, 0])
    with pytest.raises(ho.UsageError, match="input `u` has no data"):
        ho.parse(INPUT).simulate(to=1)


def test_one_series_of_several():
    frame = pd.DataFrame({"experiment": ["a", "a", "b", "b"], "t": [0.0, 1.0, 0.0, 2.0], "u": [1.0, 1.0, 3.0, 3.0]})
    model = ho.parse(INPUT)
    np.testing.assert_allclose(model.simulate(data=frame, series="b")["x"][-1], 6.0)
    for series in (None, "c"):
        with pytest.raises(ho.UsageError, match="series"):
            model.simulate(data=frame, series=series)


def test_named_sources_and_files_beside_the_model(tmp_path):
    (tmp_path / "pump.csv").write_text("t,u\n0,2\n")
    beside = INPUT.replace("from data.u", 'from "pump.csv"')
    (tmp_path / "m.ode").write_text(beside)
    np.testing.assert_allclose(ho.load(tmp_path / "m.ode").simulate(at=[3])["x"], [6.0])
    named = ho.parse(INPUT.replace("data.u", "pump.u"))
    np.testing.assert_allclose(named.simulate(at=[3], sources={"pump": tmp_path / "pump.csv"})["x"], [6.0])
    with pytest.raises(ho.DataError):
        named.simulate(at=[3])


# ---- solver ---------------------------------------------------------------------------------------------------------
def test_parameters_are_the_trainable_ones(x64):
    values = ho.parse(DECAY).parameters()
    assert set(values) == {"k", "x(0)"} and values["k"].shape == () and float(values["x(0)"]) == 3.0
    weights = ho.parse(HYBRID).parameters()
    assert set(weights) == {"k", "U"} and set(weights["U"]) == {"W0", "b0", "W1", "b1"} and weights["U"]["W0"].shape == (4, 1)


def test_solver_is_pure(x64):
    solve = ho.parse(DECAY).solver(at=TS, rtol=1e-10, atol=1e-12, set={"c": 3})
    params = {"k": jnp.array(0.5), "x(0)": jnp.array(4.0)}
    np.testing.assert_allclose(solve(params)["x"], 4 * np.exp(-TS), rtol=1e-8)
    by = jax.jit(jax.grad(lambda p: solve(p)["x"][-1]))(params)
    np.testing.assert_allclose([by["k"], by["x(0)"]], [4 * np.exp(-2) * -2 * 2, np.exp(-2)], rtol=1e-7)
    many = jax.vmap(lambda k: solve({"k": k})["x"][-1])(jnp.array([0.25, 0.5]))
    np.testing.assert_allclose(many, 3 * np.exp([-1.0, -2.0]), rtol=1e-8)
    by_start, by_at = jax.grad(lambda s, at: jnp.sum(solve(None, start={"x": s}, at=at)["x"]), (0, 1))(2.0, jnp.array([1.0]))
    np.testing.assert_allclose([by_start, by_at[0]], [np.exp(-1), -2 * np.exp(-1)], rtol=1e-7)
    assert "not stiff" in solve(params).stats["reason"] and "reverse" in repr(solve)


def test_solver_takes_inputs(x64):
    solve = ho.parse(INPUT).solver(at=[1.0, 3.0])
    np.testing.assert_allclose(solve({"k": 2.0}, inputs={"u": ([0.0, 2.0], [1.0, 4.0])})["x"], [2.0, 12.0], rtol=1e-6)
    with pytest.raises(ho.UsageError, match="none were given"):
        solve()
    given = ho.parse(INPUT).solver(data=pd.DataFrame({"t": [0.0, 5.0], "u": [1.0, 1.0]}), at=[1.0])
    np.testing.assert_allclose(given()["x"], [1.0], rtol=1e-6)


MISFITS = [({"kk": 1.0}, "did you mean `k`"), ({"k": np.ones(2)}, "takes 1 numbers"), ({"U": {"W0": np.ones((2, 2))}}, "shape"),
           ({"U": {"W9": 1.0}}, "weights of U")]  # fmt: skip


@pytest.mark.parametrize(("params", "words"), MISFITS)
def test_parameters_that_do_not_fit(x64, params, words):
    with pytest.raises(ho.UsageError, match=words):
        ho.parse(HYBRID).solver(at=TS)(params)


def test_traced_times_need_a_method(x64):
    model = ho.parse(DECAY)
    with pytest.raises(ho.UsageError, match="cannot be measured"):
        jax.jit(lambda at: model.solver()(at=at)["x"])(TS)
    np.testing.assert_allclose(jax.jit(lambda at: model.solver(method="tsit5")(at=at)["x"])(TS), 3 * np.exp(-0.5 * TS), rtol=1e-5)
    with pytest.raises(ho.UsageError, match="no times were given"):
        model.solver()()


def test_precision_follows_the_flag():
    model = ho.parse(DECAY)
    with jax.enable_x64(False):
        for wrong in ({"rtol": 1e-7}, {"dtype": "float64"}, {"engine": "diffrax"}, {"rtol": 1e-9, "dtype": "float32"}):
            with pytest.raises(ho.UsageError, match="jax_enable_x64"):
                model.solver(at=TS, **wrong)
        for solve in (
            model.solver(at=TS),
            model.solver(at=TS, rtol=1e-4, engine="diffrax"),
            model.solver(at=TS, dtype="float32"),
        ):
            found = solve(model.parameters())
            assert found["x"].dtype == jnp.float32 == found["x + k"].dtype
            np.testing.assert_allclose(found["x"], 3 * np.exp(-0.5 * TS), rtol=1e-3)
        with pytest.raises(ho.UsageError, match="E0830"):
            model.module(rtol=1e-8)
    with jax.enable_x64(True):
        assert model.solver(at=TS)()["x"].dtype == jnp.float64
        assert model.solver(at=TS, rtol=1e-4, dtype="float32")()["x"].dtype == jnp.float32


def test_wrong_derivatives_are_told_in_our_words(x64):
    model = ho.parse(DECAY)
    with pytest.raises(ho.UsageError, match='gradient="forward"'):
        jax.jacfwd(lambda k: model.solver(at=TS, engine="diffrax")({"k": k})["x"])(0.5)
    with pytest.raises(ho.UsageError, match='gradient="reverse"'):
        jax.jit(jax.grad(lambda k: model.solver(at=TS, engine="diffrax", gradient="forward")({"k": k})["x"][-1]))(0.5)
    dosed = ho.parse(DECAY + "at 1 { x := x + 1 }\n")
    with pytest.raises(ho.UsageError, match="jumps of `at` statements"):
        dosed.solver(at=TS, engine="diffrax", gradient="adjoint")()


# ---- module and vector field ----------------------------------------------------------------------------------------
def test_module_is_trainable(x64):
    module = ho.parse(HYBRID).module(key=jax.random.key(0), at=TS, gradient="reverse")
    leaves = jax.tree_util.tree_leaves(eqx.filter(module, eqx.is_inexact_array))
    assert sorted(leaf.shape for leaf in leaves) == [(1,), (1,), (1, 4), (4,), (4, 1)]
    natural = module.parameters()
    np.testing.assert_allclose(natural["k"], 1.0)
    value, by = eqx.filter_jit(eqx.filter_value_and_grad(lambda m: jnp.sum(m()["x"] ** 2)))(module)
    nearby = eqx.tree_at(lambda m: m.unconstrained, module, module.unconstrained + 1e-6)
    np.testing.assert_allclose(by.unconstrained[0], (jnp.sum(nearby()["x"] ** 2) - value) / 1e-6, rtol=1e-3)
    assert not np.allclose(
        natural["U"]["W0"], ho.parse(HYBRID).parameters()["U"]["W0"] * 0 + ho.parse(HYBRID).module(at=TS).weights["U"]["W1"][0, 0]
    )
    same = ho.parse(HYBRID).module(at=TS)
    for name, array in ho.parse(HYBRID).parameters()["U"].items():
        np.testing.assert_allclose(same.weights["U"][name], array)


def test_vector_field(x64):
    field = ho.parse(DECAY).vector_field
    y = jnp.array([2.0, 1.0])
    assert field.states == ("x", "y") and field.start().tolist() == [3.0, 1.0]
    np.testing.assert_allclose(field(0.0, y), [-1.0, 0.0])
    np.testing.assert_allclose(field(0.0, y, {"k": 2.0}), [-4.0, 0.0])
    assert field(0.0, y.astype(jnp.float32)).dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(jax.jacfwd(field, 1))(0.0, y), [[-0.5, 0], [0, 0]], atol=1e-15)
    np.testing.assert_allclose(jax.vmap(field, (None, 0))(0.0, jnp.stack([y, 2 * y]))[:, 0], [-1.0, -2.0])
    np.testing.assert_allclose(jax.grad(lambda p: field(0.0, y, p)[0])({"k": jnp.array(1.0)})["k"], -2.0)
    solution = dfx.diffeqsolve(
        dfx.ODETerm(field), dfx.Tsit5(), 0.0, 1.0, 0.01, y, {"k": jnp.array(1.0)}, saveat=dfx.SaveAt(t1=True)
    )
    np.testing.assert_allclose(solution.ys[0, 0], 2 * np.exp(-1), rtol=1e-8)
    with pytest.raises(ho.UsageError, match="input `u` has no data"):
        ho.parse(INPUT).vector_field  # noqa: B018
    driven = ho.parse(INPUT).field(pd.DataFrame({"t": [0.0, 1.0], "u": [5.0, 6.0]}))
    np.testing.assert_allclose(driven(0.5, jnp.zeros(1)), [5.0])


def test_weights_from_a_file(tmp_path, x64):
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    shapes = {"W0": (3, 1), "b0": (3,), "W1": (1, 3), "b1": (1,)}
    arrays = {f"U.{name}": rng.normal(size=shape) for name, shape in shapes.items()}
    arrays |= {"U.shift": np.array([0.5]), "U.scale": np.ones(1), "U.out_scale": np.array(2.0)}
    save_file(arrays, tmp_path / "w.safetensors")
    text = 'model m\nstate x = 1\nnn U: 1 -> 1, hidden=[3], weights="w.safetensors"\nx\' = U(x)\n'
    (tmp_path / "m.ode").write_text(text)
    field = ho.load(tmp_path / "m.ode").vector_field
    inner = np.tanh(arrays["U.W0"][:, 0] * (0.3 - 0.5) + arrays["U.b0"])
    np.testing.assert_allclose(field(0.0, jnp.array([0.3])), 2 * (arrays["U.W1"] @ inner + arrays["U.b1"]))
    (tmp_path / "other.ode").write_text(text.replace("[3]", "[4]"))
    with pytest.raises(ho.HybridodeError, match="is 3 x 1, the network needs 4 x 1"):
        ho.load(tmp_path / "other.ode").simulate(to=1)
    (tmp_path / "none.ode").write_text(text.replace("w.safe", "v.safe"))
    with pytest.raises(ho.HybridodeError, match=r"v\.safetensors"):
        ho.load(tmp_path / "none.ode").simulate(to=1)


def test_show_and_warnings():
    model = ho.parse(DECAY)
    assert "exp" not in model.show("equations") and "k" in model.show("equations") and model.show("tape")
    assert isinstance(model.warnings, tuple) and "decay" in repr(model)


def test_errors_of_a_model_come_all_at_once():
    with pytest.raises(ho.ModelError) as error:
        ho.parse("model m\nstate x = 1\ndx/dt = -q*x\ny = zz\n")
    assert len([d for d in error.value.diagnostics if d.severity == "error"]) == 2
    with pytest.raises(ho.HybridodeError):
        ho.load(Path("/nowhere/at/all.ode"))


@pytest.mark.slow
def test_fit_gives_a_run(tmp_path):
    t = np.linspace(0.2, 4, 15)
    frame = pd.DataFrame({"t": t, "x": 3 * np.exp(-0.8 * t) + 0.02 * np.random.default_rng(0).normal(size=15)})
    run = ho.fit(ho.parse(DECAY, str(tmp_path / "decay.ode")), frame, starts=1)
    assert run.status == "converged" and abs(float(run.parameters["k"]) - 0.8) < 0.05
    np.testing.assert_allclose(run.model.parameters()["k"], run.parameters["k"], rtol=1e-6)
    directory = run.save(tmp_path / "run")
    assert (directory / "result.json").exists() and ho.load(directory / "fitted.ode").simulate(to=1).successful


def test_a_call_outside_jit_is_one_program(caplog):
    """Every operation of ours by itself would be compiled by itself: the first gradient would take a second longer."""
    model = ho.parse("model m\nparam k = 0.4 in (0, 1)\nparam l = 1 in (0, 2)\nstate x = 1\nstate y = 2\nx' = -k*x*y\ny' = l*x\n")
    with jax.enable_x64(True):
        solve, params = model.solver(at=[0.5, 1.0]), model.parameters()
        jnp.sum(jnp.ones((2,)))  # what the test itself needs
        with jax.log_compiles(), caplog.at_level("WARNING"):
            value, slope = jax.value_and_grad(lambda p: jnp.sum(solve(p)["x"]))(params)
    assert np.isfinite(value) and all(np.isfinite(s) for s in slope.values())
    compiled = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Finished XLA compilation")]
    assert 0 < len(compiled) <= 9, compiled
