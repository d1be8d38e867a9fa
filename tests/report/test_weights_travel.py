"""A fitted model with networks, written and read back, computes what its numbers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

import hybridode.api as ho
from hybridode.report.fitted_model import fitted_text
from hybridode.report.run_directory import weights_bytes

TEXT = """model m
param k = 0.1
nn U: 2 -> 1, hidden=[3]
state x = 1 in (0.5, 2)
state y = 2
x' = U(x, y) - k*x
y' = 0.3*NN(x, hidden=[2])
"""


def network(rng: np.random.Generator, inputs: int, hidden: int) -> dict[str, np.ndarray]:
    layers = {"W0": (hidden, inputs), "b0": (hidden,), "W1": (1, hidden), "b1": (1,), "shift": (inputs,)}
    arrays = {name: rng.normal(size=shape) for name, shape in layers.items()}
    return {**arrays, "scale": rng.uniform(1, 2, size=inputs), "out_scale": np.array(0.7)}


def value(net: dict[str, np.ndarray], *inputs: float) -> float:
    """The network as docs/run-directory.md says."""
    z = (np.array(inputs) - net["shift"]) / net["scale"]
    return float(net["out_scale"] * (net["W1"] @ np.tanh(net["W0"] @ z + net["b0"]) + net["b1"])[0])


def test_fitted_networks_are_read_from_their_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    weights = {"U": network(rng, 2, 3), "NN_y": network(rng, 1, 2)}
    declarations = ho.parse(TEXT).declarations
    constants = {name: {"out_scale": net["out_scale"]} for name, net in weights.items()}
    (tmp_path / "fitted.ode").write_text(
        fitted_text(declarations, {"k": 0.2, "x(0)": 1.5}, constants, start=3.0), encoding="utf-8"
    )
    (tmp_path / "weights.safetensors").write_bytes(weights_bytes(weights))

    sol = ho.load(tmp_path / "fitted.ode").simulate(to=5, points=11, rtol=1e-9, atol=1e-9)

    def rates(_: float, u: np.ndarray) -> list[float]:
        x, y = u
        return [value(weights["U"], x, y) - 0.2 * x, 0.3 * value(weights["NN_y"], x)]

    exact = solve_ivp(rates, (3, 5), [1.5, 2], t_eval=sol.t, method="DOP853", rtol=1e-12, atol=1e-12).y
    assert sol.t[0] == 3
    np.testing.assert_allclose(sol["x"], exact[0], rtol=1e-7)
    np.testing.assert_allclose(sol["y"], exact[1], rtol=1e-7)
