"""Networks: tape nodes and Equinox modules mean the same; symmetry, monotonicity, positivity, first weights, weights files."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from hybridode.declarations import Network
from hybridode.errors import ModelError, Source
from hybridode.networks import lower as tape_networks
from hybridode.networks import module as module_networks
from hybridode.networks.initialise import SMALL, constants, initialise
from hybridode.networks.lower import lower, weight_shapes
from hybridode.networks.module import NetworkModule
from hybridode.networks.weights import load_weights, save_weights
from hybridode.tape.derive import reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import TapeBuilder
from hybridode.tape.verify import verify

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def random_weights(net: Network, size: float = 0.8) -> dict[str, np.ndarray]:
    return {name: size * RNG.normal(size=shape) for name, shape in weight_shapes(net).items()}


def evaluate(net: Network, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """By the tape: x (inputs,) or (inputs, k)."""
    b = TapeBuilder()
    tape = verify(b.finish({"f": lower(net)(b, b.input("x", x.shape))}))
    return interpret(tape, {"x": x, **{f"{net.name}.{k}": v for k, v in {**constants(net), **weights}.items()}})["f"]


OPTIONS = {
    "plain": Network("U", 3, (2,), hidden=(5, 4)),
    "scaled": Network("U", 3, (2,), hidden=(5,), shift=(1.0, -2.0, 0.5), scale=(0.5, 2.0, 10.0), out_scale=3.5),
    "no hidden layer": Network("U", 3, (), hidden=()),
    "odd": Network("U", 3, (2,), hidden=(5, 4), symmetry="odd", act="softplus"),
    "even": Network("U", 3, (2,), hidden=(5,), symmetry="even", act="tanh", final="sin"),
    "up": Network("U", 3, (), hidden=(5, 4), monotone=("up",)),
    "mixed": Network("U", 3, (2, 2), hidden=(5,), monotone=("up", "none", "down"), act="softplus", out_scale=0.1),
    "zero at": Network("U", 3, (2,), hidden=(5, 4), zero_at=(0.0, 0.5, -1.0), shift=(1.0, -2.0, 0.5), scale=(0.5, 2.0, 10.0)),
    "zero at some": Network("U", 3, (2,), hidden=(5,), zero_at=(0.25, None, 1.0), out_scale=3.5),
    "positive": Network("U", 3, (2,), hidden=(5,), positive=True, out_scale=7.0),
    "positive odd final": Network("U", 3, (2,), hidden=(5,), positive=True, final="tanh"),
    **{f"act {act}": Network("U", 3, (2,), hidden=(5, 4), act=act) for act in tape_networks.ACTIVATIONS if act != "linear"},
    **{f"final {act}": Network("U", 3, (2,), hidden=(4,), final=act) for act in tape_networks.ACTIVATIONS},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_tape_and_module_mean_the_same(name: str):
    net = OPTIONS[name]
    weights = random_weights(net)
    module = NetworkModule(net, weights={**weights, **constants(net)})
    xs = RNG.normal(size=(3, 6))
    expected = np.asarray(jax.vmap(module, 1, 1)(xs))
    assert evaluate(net, weights, xs) == pytest.approx(expected, rel=1e-13, abs=1e-15)
    for k in range(2):
        assert evaluate(net, weights, xs[:, k]) == pytest.approx(expected[:, k], rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("name", ["scaled", "odd", "even", "mixed", "positive", "act gelu", "zero at", "zero at some"])
def test_gradients_by_weights_and_inputs(name: str):
    net = OPTIONS[name]
    weights = random_weights(net)
    b = TapeBuilder()
    tape = b.finish({"f": lower(net)(b, b.input("x", (3,)))})
    x = RNG.normal(size=3)
    inputs = {"x": x, **{f"U.{k}": v for k, v in {**constants(net), **weights}.items()}}
    back = reverse(tape, [i.name for i in tape.inputs])
    bars = interpret(back, {**inputs, "f.bar": np.ones(tape.shape(tape.output("f")))})
    module = NetworkModule(net, weights=weights)
    by_module, by_x = jax.grad(lambda mx: mx[0](mx[1]).sum())((module, jnp.asarray(x)))
    assert bars["x.bar"] == pytest.approx(np.asarray(by_x), rel=1e-11, abs=1e-14)
    for key, value in by_module.weights.items():
        assert bars[f"U.{key}.bar"] == pytest.approx(np.asarray(value), rel=1e-11, abs=1e-14), key
    assert all(not np.any(v) for v in by_module.constants.values())


def test_activations_are_named_once():
    assert set(tape_networks.ACTIVATIONS) == set(module_networks.ACTIVATIONS)


@pytest.mark.parametrize("sign", [1, -1])
def test_symmetries_are_exact(sign: int):
    net = Network(
        "U", 2, (3,), hidden=(6, 6), act="swish", symmetry="odd" if sign < 0 else "even", shift=(1.0, 2.0), scale=(2.0, 3.0)
    )
    weights = random_weights(net, 2.0)
    xs = RNG.normal(size=(2, 20)) * 3
    assert np.array_equal(evaluate(net, weights, -xs), sign * evaluate(net, weights, xs))
    assert ("b2" in weights) == (sign > 0)


@pytest.mark.parametrize("act", ["tanh", "softplus", "relu", "sigmoid"])
def test_monotone_networks_are_monotone_for_all_weights(act: str):
    net = Network("U", 3, (2,), hidden=(6, 5), act=act, final="softplus", monotone=("up", "none", "down"))
    for _ in range(5):
        weights = random_weights(net, 1.5)
        x = np.repeat(RNG.normal(size=(3, 1)), 50, 1)
        for j, sign in ((0, 1), (2, -1)):
            line = x.copy()
            line[j] = np.linspace(-4, 4, 50)
            steps = sign * np.diff(evaluate(net, weights, line), axis=1)
            assert (steps >= -1e-14).all() and steps.max() > 0


@pytest.mark.parametrize("name", ["zero at", "zero at some"])
def test_networks_are_exactly_zero_where_they_should_be(name: str):
    net = OPTIONS[name]
    weights = random_weights(net, 3.0)
    x = RNG.normal(size=(3, 40)) * 5
    for j, number in enumerate(net.zero_at):
        if number is not None:
            x[j] = number
    assert np.array_equal(evaluate(net, weights, x), np.zeros((2, 40)))
    assert np.array_equal(evaluate(net, weights, x[:, 0]), np.zeros(2))
    assert np.array_equal(NetworkModule(net, weights={**weights, **constants(net)})(x[:, 0]), np.zeros(2))
    assert np.abs(evaluate(net, weights, x + 0.1)).min() > 0


def test_a_monotone_network_that_is_zero_at_zero_has_one_sign():
    net = Network("U", 2, (), hidden=(6, 5), monotone=("up", "up"), zero_at=(0.0, 0.0))
    for _ in range(5):
        values = evaluate(net, random_weights(net, 2.0), np.abs(RNG.normal(size=(2, 50))))
        assert (values >= 0).all() and values.max() > 0


def test_positive_networks_are_positive_and_one_scale_at_zero():
    net = Network("U", 2, (2,), hidden=(4,), positive=True, out_scale=7.0)
    zeros = {k: np.zeros(s) for k, s in weight_shapes(net).items()}
    assert evaluate(net, zeros, np.array([0.3, 0.4])) == pytest.approx([7.0, 7.0], rel=1e-15)
    assert (evaluate(net, random_weights(net, 5.0), RNG.normal(size=(2, 200)) * 10) > 0).all()
    assert evaluate(net, initialise(net), np.array([0.3, 0.4])) == pytest.approx([7.0, 7.0], rel=2e-2)


# ---- first weights --------------------------------------------------------------------------------------------------
def test_first_weights_are_glorot_with_a_small_last_layer():
    net = Network("U", 40, (50,), hidden=(60,))
    weights = initialise(net, 3)
    limit = np.sqrt(6 / 100)
    assert list(weights) == ["W0", "b0", "W1", "b1"] and weights["W0"].shape == (60, 40)
    assert np.abs(weights["W0"]).max() <= limit
    assert weights["W0"].std() == pytest.approx(limit / np.sqrt(3), rel=0.05) and abs(weights["W0"].mean()) < 0.02
    assert weights["W1"].std() == pytest.approx(SMALL, rel=0.1)
    assert not weights["b0"].any() and not weights["b1"].any()
    glorot = initialise(dataclasses.replace(net, init="glorot"), 3)
    assert np.abs(glorot["W1"]).max() == pytest.approx(np.sqrt(6 / 110), rel=0.01)
    assert not initialise(dataclasses.replace(net, init="zero"), 3)["W1"].any()
    assert initialise(net, 3, np.float32)["W0"].dtype == np.float32


def test_first_weights_depend_on_seed_and_name_and_nothing_else():
    net = Network("U", 2, (), hidden=(4,))
    same = initialise(net, 5)
    assert all(np.array_equal(v, initialise(dataclasses.replace(net, doc="other"), 5)[k]) for k, v in same.items())
    assert not np.array_equal(same["W0"], initialise(net, 6)["W0"])
    assert not np.array_equal(same["W0"], initialise(dataclasses.replace(net, name="V"), 5)["W0"])
    pinned = dataclasses.replace(net, seed=5)
    assert np.array_equal(initialise(pinned, 99)["W0"], same["W0"])
    code = (
        "from hybridode.declarations import Network; from hybridode.networks.initialise import initialise;"
        "print(initialise(Network('U', 2, (), hidden=(4,)), 5)['W0'][0, 0].hex())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == float(same["W0"][0, 0]).hex()


@pytest.mark.parametrize("name", ["even", "up", "odd", "plain"])
@pytest.mark.parametrize("init", ["small", "zero"])
def test_every_first_network_can_learn(name: str, init: str):
    """Some weight has a gradient at the start, also where symmetry or |w| would hide it."""
    net = dataclasses.replace(OPTIONS[name], init=init, final="linear")
    module = NetworkModule(net, seed=1)
    gradient = jax.grad(lambda m: m(jnp.array([0.3, -0.4, 0.5])).sum())(module)
    last = f"W{len(net.hidden)}"
    assert np.abs(np.asarray(gradient.weights[last])).max() > 1e-3
    assert np.abs(np.asarray(module(jnp.array([0.3, -0.4, 0.5])))).max() < (1e-2 if init == "small" else 1e-10)


def test_constants_until_they_are_known():
    assert {k: v.tolist() for k, v in constants(Network("U", 2, ())).items()} == {
        "shift": [0, 0],
        "scale": [1, 1],
        "out_scale": 1,
    }
    net = Network("U", 2, (), shift=(1.0, 2.0), scale=(3.0, 4.0), out_scale=5.0)
    assert {k: v.tolist() for k, v in constants(net).items()} == {"shift": [1, 2], "scale": [3, 4], "out_scale": 5}
    assert constants(dataclasses.replace(net, symmetry="odd"))["shift"].tolist() == [0, 0]


def test_the_module_is_an_equinox_module():
    module = NetworkModule(OPTIONS["plain"], seed=2, dtype=jnp.float32)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(module))
    assert eqx.filter_jit(module)(jnp.zeros(3, jnp.float32)).dtype == jnp.float32


# ---- weights files --------------------------------------------------------------------------------------------------
SPANNED = Network("U", 2, (), hidden=(3,), span=Source("m.ode", "nn U: 2 -> 1").span(0, 4))


def test_weights_go_into_a_file_and_come_back(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    weights = {
        **random_weights(SPANNED),
        "shift": np.array([1.0, 2.0]),
        "scale": np.array([3.0, 4.0]),
        "out_scale": np.array(0.5),
    }
    save_weights(path, {"U": weights, "V": random_weights(SPANNED)})
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]
    assert set(load_file(path)) >= {"U.W0", "U.b1", "U.out_scale", "V.W0"}
    found = load_weights(path, SPANNED)
    assert set(found) == set(weights) and all(np.array_equal(found[k], v) for k, v in weights.items())
    written = load_weights(path, dataclasses.replace(SPANNED, out_scale=9.0))
    assert written["out_scale"] == 9.0 and written["shift"].tolist() == [1.0, 2.0]
    save_weights(path, {"U": {k: v.astype(np.float32) for k, v in random_weights(SPANNED).items()}})
    alone = load_weights(path, SPANNED)
    assert alone["W0"].dtype == np.float64 and alone["scale"].tolist() == [1.0, 1.0]


def broken(code: str, path: Path, net: Network, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_weights(path, net)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code and diagnostic.span is SPANNED.span and diagnostic.hint
    for word in words:
        assert word in diagnostic.message + diagnostic.hint


def test_weights_files_that_do_not_fit(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    broken("E0550", path, SPANNED, "cannot be read", "relative to the model file")
    path.write_bytes(b"\x80\x04pickled nonsense that is no safetensors file")
    broken("E0551", path, SPANNED, "not a safetensors file")
    path.write_bytes(b"")
    broken("E0551", path, SPANNED)
    save_weights(path, {"V": random_weights(SPANNED)})
    broken("E0552", path, SPANNED, "no weights of the network `U`", "`V`")
    whole = random_weights(SPANNED)
    save_weights(path, {"U": {k: v for k, v in whole.items() if k != "b1"}})
    broken("E0553", path, SPANNED, "no array `U.b1`")
    broken("E0553", path, dataclasses.replace(SPANNED, hidden=()), "`U.W1` that the network does not have")
    save_weights(path, {"U": whole})
    broken(
        "E0553",
        path,
        dataclasses.replace(SPANNED, inputs=3),
        "`U.W0` in `weights.safetensors` is 3 x 2",
        "3 x 3",
        "number of inputs",
    )
    whole["W0"][1, 1] = np.nan
    save_weights(path, {"U": whole})
    broken("E0554", path, SPANNED, "not finite")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"U": random_weights(SPANNED)})
    before = path.read_bytes()
    with pytest.raises(Exception):  # noqa: B017 (whatever safetensors says about an array of objects)
        save_weights(path, {"U": {"W0": np.array([object()])}})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
