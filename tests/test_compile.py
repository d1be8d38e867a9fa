"""The pipeline as a whole: its stages show themselves, and its functions agree with NumPy, SymPy and differences."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import hybridode as ho
from hybridode.compile import compile_model
from hybridode.solve.field import rates_with_jacobian

TEXT = """model everything
param k[2] = [0.7, 0.3]
param a = 2 in (0, 5) log
const c = 3
state x = a*k[1]
state v[2] = [1, 2]
input u from data.u, interp=linear
nn U: 2 -> 1, hidden=[4], init=glorot, seed=1
table f(s) = [[0, 1], [1, 3], [4, 0]], interp=cubic
h = hill(x, a, 2) + c
dx/dt = -k[1]*x + h*u + U(x, v[1])
v[1]' = f(x) + du/dt - v[1]*x^3
v[2]' = -k[2]*v[2] + u(0) + sin(t)
observe y ~ normal(x + v[2], a)
observe z ~ lognormal(h, 0.1)
"""


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def everything():
    return ho.parse(TEXT).compiled()


@pytest.fixture(scope="module")
def numbers(everything):
    return everything.arguments(None, {"u": ([0.0, 2.0], [0.5, 1.5])}).at_start(0.3)


POINT = (0.7, np.array([1.2, 0.4, 2.0]))


def test_every_stage_shows_itself():
    stages: dict[str, object] = {}
    compile_model(ho.parse(TEXT).declarations, dump=stages.__setitem__)
    names = list(stages)
    assert names[0] == "declarations" and names.index("canonical") < names.index("jacobian") < names.index("tape rates")
    assert {"tape jacobian", "tape start", "tape definitions", "tape observables", "jax rates", "jax start"} <= set(names)
    assert "tanh" in str(stages["jax rates"])


def test_what_stands_where(everything):
    assert everything.parameter_slices["k"] == slice(0, 2) and everything.parameter_slices["k[2]"] == slice(1, 2)
    assert everything.parameter_slices["a"] == slice(2, 3) and "c" not in everything.parameter_slices
    assert everything.observable_index == {("y", "mean"): 0, ("y", "sd"): 1, ("z", "median"): 2, ("z", "sd"): 3}
    assert everything.reads_input_rate == (True,) and everything.landing_signals == (0,)


def test_functions_against_the_interpreter(everything, numbers):
    t, y = POINT
    for name in ("rates", "definitions", "observables"):
        np.testing.assert_allclose(getattr(everything, name)(t, y, numbers), everything.numbers(name, t, y, numbers), rtol=1e-13)
    start = everything.start(0.3, numbers)
    np.testing.assert_allclose(start, [1.4, 1.0, 2.0])


def test_rates_by_hand(everything, numbers):
    t, y = POINT
    h = y[0] ** 2 / (4 + y[0] ** 2) + 3
    net = numbers.weights["U"]
    z = net["W1"] @ np.tanh(net["W0"] @ y[:2] + net["b0"]) + net["b1"]
    u = 0.5 + 0.5 * t
    rates = everything.rates(t, y, numbers)
    np.testing.assert_allclose(rates[0], -0.7 * y[0] + h * u + z[0], rtol=1e-12)
    np.testing.assert_allclose(rates[2], -0.3 * y[2] + 0.65 + np.sin(t), rtol=1e-12)


def test_derivatives_of_all_kinds(everything, numbers):
    """Our Jacobian against JAX's own derivative, through every mode and twice; parameters and weights by differences."""
    t, y = POINT
    plain = jax.jacfwd(everything.plain_rates, 1)(t, y, numbers)
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(everything.rates, 1)(t, y, numbers), plain, rtol=1e-11, atol=1e-12)
    second = jax.jacfwd(jax.jacrev(everything.plain_rates, 1), 1)(t, y, numbers)
    for twice in (jax.jacfwd(jax.jacrev(everything.rates, 1), 1), jax.jacrev(jax.jacrev(everything.rates, 1), 1)):
        np.testing.assert_allclose(twice(t, y, numbers), second, rtol=1e-9, atol=1e-10)
    many = jax.jit(jax.vmap(jax.jacfwd(everything.rates, 1), (None, 0, None)))(t, np.stack([y, y + 1]), numbers)
    np.testing.assert_allclose(many[0], plain, rtol=1e-11, atol=1e-12)
    both = jax.jacrev(everything.rates, (0, 2))(t, y, numbers)
    slope = (everything.rates(t + 1e-6, y, numbers) - everything.rates(t - 1e-6, y, numbers)) / 2e-6
    np.testing.assert_allclose(both[0], slope, rtol=1e-7, atol=1e-8)
    for name, array in numbers.weights["U"].items():
        change = np.random.default_rng(0).normal(size=np.shape(array))
        moved = [everything.numbers("rates", t, y, _with_weight(numbers, name, array + s * 1e-6 * change)) for s in (1, -1)]
        along = np.tensordot(both[1].weights["U"][name], change, axes=change.ndim)
        np.testing.assert_allclose(along, (moved[0] - moved[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def _with_weight(numbers, name, value):
    return type(numbers)(
        numbers.parameters, {"U": numbers.weights["U"] | {name: value}}, numbers.signals, numbers.inputs_at_start
    )


def test_sparse_product_of_large_systems():
    """More than 64 states: the same derivative by scattered entries."""
    n = 80
    rows, columns = tuple(range(n)) + tuple(range(1, n)), tuple(range(n)) + tuple(range(n - 1))

    def plain(t, y, args):
        return -(y**2) + jnp.concatenate([jnp.zeros(1), 3 * y[:-1]])

    def entries(t, y, args):
        return jnp.concatenate([-2 * y, jnp.full(n - 1, 3.0)])

    rates = rates_with_jacobian(plain, entries, rows, columns, n)
    y = np.linspace(-1, 1, n)
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(rates, 1)(0.0, y, None), jax.jacfwd(plain, 1)(0.0, y, None))


def test_float32(everything, numbers):
    t, y = POINT
    small = numbers.astype(np.float32)
    out = everything.rates(np.float32(t), y.astype(np.float32), small)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, everything.rates(t, y, numbers), rtol=1e-4)


def test_promoted_constants_are_parameters():
    model = ho.parse(TEXT)
    compiled = model.compiled(frozenset({"c"}))
    assert compiled.parameter_slices["c"] == slice(3, 4)
    args = compiled.arguments({"c": 10.0}, {"u": ([0.0], [0.0])})
    np.testing.assert_allclose(compiled.numbers("definitions", *POINT, args), [10 + 1.44 / 5.44])


def test_jacobian_against_sympy():
    x, y, k = sympy.symbols("x y k")
    f = [k * x * sympy.exp(-x * y) - sympy.sqrt(1 + x**2), sympy.log(1 + y**2) / (1 + x) + sympy.tanh(k * y)]
    text = "model s\nparam k = 0.7\nstate x = 1\nstate y = 1\n"
    text += "".join(f"{name}' = {sympy.sstr(e).replace('**', '^')}\n" for name, e in zip("xy", f, strict=True))
    compiled = ho.parse(text).compiled()
    at = {x: 0.4, y: -1.3, k: 0.7}
    expected = np.array(sympy.Matrix(f).jacobian([x, y]).subs(at).evalf(), float)
    found = jax.jacfwd(compiled.rates, 1)(0.0, np.array([0.4, -1.3]), compiled.arguments())
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_default_arguments_say_what_does_not_fit(everything):
    u = {"u": ([0.0], [0.0])}
    for given, words in (({"kk": 1}, "did you mean `k"), ({"k": [1, 2, 3]}, "takes 2 numbers, 3 were given")):
        with pytest.raises(ho.UsageError, match=words):
            everything.arguments(given, u)
    with pytest.raises(ho.UsageError, match="input `u` has no data") as error:
        everything.arguments()
    assert error.value.diagnostics[0].span.line == 7
    np.testing.assert_allclose(everything.arguments({"k[2]": 9, "a": 1}, u).parameters, [0.7, 9, 1])
