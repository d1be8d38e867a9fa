"""First weights of the pure network: it learns the rates along the hybrid's own curves, so that its fit begins near an optimum.

No solve and no compiling is needed for that: the network has one hidden layer, and its Jacobian by the weights is written down.
Steps are those of K. Levenberg, Quart. Appl. Math. 2 (1944) 164.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from hybridode.declarations import Declarations, Network, size
from hybridode.fit.criticism.simpler import RATES, learnt_states
from hybridode.fit.run import FitRun
from hybridode.networks.initialise import initialise
from hybridode.networks.lower import ACTIVATIONS
from hybridode.tape.derive import forward
from hybridode.tape.points import Pointwise
from hybridode.tape.tape import TapeBuilder

Weights = dict[str, np.ndarray]
_POINTS = 240  # at which rates are learnt, of all series together
_STEPS = 40
_CLOSE, _SMALL = 0.05, 0.05  # how closely, of each rate and of their root mean square: the penalty counts beside that
_LEAST, _MOST = 1e-12, 1e8  # damping


def first_weights(run: FitRun, d: Declarations, seed: int) -> Weights | None:
    """The arrays of the network RATES in `d` (of `pure_network`) for the data of a fitted hybrid; None for models with inputs,
    and where a series has no solution."""
    assert run.finished is not None, "a finished fit"
    if d.inputs:
        return None
    network = next(n for n in d.networks if n.name == RATES)
    states, rates = _along(run, d)
    if not len(states) or not np.all(np.isfinite(states)) or not np.all(np.isfinite(rates)):
        return None
    spread, out = np.std(states, axis=0), float(np.sqrt(np.mean(rates**2)))
    scaling = {"shift": np.mean(states, axis=0), "scale": np.where(spread > 0, spread, 1.0), "out_scale": np.array(out or 1.0)}
    z = (states - scaling["shift"]) / scaling["scale"]
    return _trained(network, z, rates / scaling["out_scale"], seed) | scaling


def _along(run: FitRun, d: Declarations) -> tuple[np.ndarray, np.ndarray]:
    """All states (N, n) at points of the hybrid's curves, in the order in which the network reads them, and the rates (N, m) of
    those that it learns."""
    assert run.finished is not None, "a finished fit"
    prepared = run.finished.prepared
    with jax.enable_x64(True):
        curves = prepared.solve_curves(run.finished.theta)
    place = {(s.name, s.index): i for i, s in enumerate(prepared.objective.compiled.system.states)}
    read = [place[s.name, i if s.shape else -1] for s in d.states for i in range(size(s.shape))]
    learnt = [place[s.name, i if s.shape else -1] for s in learnt_states(d) for i in range(size(s.shape))]
    each = max(_POINTS // len(curves.ts), 8)
    states, rates = [], []
    for ts, ys in zip(curves.ts, curves.states, strict=True):
        t, first = np.unique(ts[np.isfinite(ts)], return_index=True)
        apart = np.diff(t, prepend=-np.inf) > np.ptp(t) / 1000  # records beside points of the grid: differences would be noise
        t, y = t[apart], ys[first[apart]]
        if len(t) < 3:
            continue
        kept = np.unique(np.linspace(0, len(t) - 1, each).astype(int))
        states.append(y[kept][:, read])
        rates.append(np.gradient(y, t, axis=0, edge_order=2)[kept][:, learnt])
    return (np.concatenate(states), np.concatenate(rates)) if states else (np.zeros((0, len(read))), np.zeros((0, len(learnt))))


def _trained(network: Network, z: np.ndarray, target: np.ndarray, seed: int) -> Weights:
    """Weights whose network follows the targets (N, m) at z (N, n) as closely as the penalty lets it."""
    begin = initialise(network, seed)
    names, shapes = list(begin), [a.shape for a in begin.values()]
    ends = np.cumsum([a.size for a in begin.values()])[:-1]
    activation = _activation(network.act)
    close = _CLOSE * (np.abs(target) + _SMALL * np.sqrt(np.mean(target**2, axis=0)) + 1e-9)  # states that decay must not pass 0
    pull = np.concatenate([np.full(begin[n].size, 2 * network.reg_l2 if n[0] == "W" else 1e-6) for n in names])

    def arrays(x: np.ndarray) -> Weights:
        return {n: part.reshape(s) for n, part, s in zip(names, np.split(x, ends), shapes, strict=True)}

    def value(x: np.ndarray) -> float:
        off = (_network(arrays(x), z, activation)[0] - target) / close
        return 0.5 * float(np.sum(off**2)) + 0.5 * float(np.sum(pull * x**2))

    x, damping = np.concatenate([a.ravel() for a in begin.values()]), 1e-2
    here = value(x)
    for _ in range(_STEPS):
        found, jacobian = _network(arrays(x), z, activation)
        jacobian = (jacobian / close[..., None]).reshape(-1, len(x))
        gradient = jacobian.T @ ((found - target) / close).ravel() + pull * x
        curvature = jacobian.T @ jacobian + np.diag(pull)
        while damping < _MOST:
            step = x - np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            there = value(step)
            if there < here:
                break
            damping *= 4
        else:
            break
        done = here - there < 1e-3
        x, here, damping = step, there, max(damping / 5, _LEAST)
        if done:
            break
    return arrays(x)


def _network(
    w: Weights, z: np.ndarray, activation: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (N, m) of the network with one hidden layer, and their Jacobian (N, m, d) by its arrays in order."""
    hidden, slope = activation(z @ w["W0"].T + w["b0"])
    out = hidden @ w["W1"].T + w["b1"]
    count, m = out.shape
    back = w["W1"][None] * slope[:, None, :]  # (N, m, h)
    eye = np.broadcast_to(np.eye(m), (count, m, m))
    parts = {"W0": back[..., None] * z[:, None, None, :], "b0": back, "W1": eye[..., None] * hidden[:, None, None, :], "b1": eye}
    return out, np.concatenate([parts[name].reshape(count, m, -1) for name in w], axis=2)


def _activation(name: str) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """An activation and its derivative, element by element."""
    b = TapeBuilder()
    function = Pointwise(forward(b.finish({"y": ACTIVATIONS[name](b, b.input("x"))}), ("x",)))

    def of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = function({"x": [x], "x.dot": [np.ones_like(x)]})
        y, dot = found["y"][0], found["y.dot"][0]
        return np.broadcast_to(y, x.shape), np.broadcast_to(0.0 if dot is None else dot, x.shape)

    return of
