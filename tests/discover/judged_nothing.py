"""Discovery judged where there is nothing to find: curves that no library has, and networks beside physics that is complete.

The seed picks the case as well as the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import airy, fresnel, j0

from tests.discover.judging import Judged, discovered

CURVES: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("1.2 + J0(4x)", lambda x: 1.2 + float(j0(4 * x))),
    ("1 + 1.5 Ai(-2x)", lambda x: 1 + 1.5 * float(airy(-2 * x)[0])),
    ("a zigzag", lambda x: 1 + 0.6 * (2 * abs(x / 1.5 % 2 - 1) - 1)),
    ("0.3 + Fresnel's S(x)", lambda x: 0.3 + float(fresnel(x)[0])),
    ("two steps", lambda x: 1.5 - 0.6 * np.tanh((x - 1.5) / 0.15) + 0.5 * np.tanh((x - 3.5) / 0.2)),
)


def strange(seed: int) -> Judged:
    """x' = f(x) with a curve that no library has: nothing simpler than the network is supported. Noise of 0.005."""
    name, curve = CURVES[(seed - 1) % len(CURVES)]
    times = np.linspace(0, 6, 121)
    exact = solve_ivp(lambda _, u: [curve(u[0])], (0, 6), [0.1], "LSODA", times, rtol=1e-9, atol=1e-10, max_step=0.01).y[0]
    noisy = exact + 0.005 * np.random.default_rng(seed).normal(size=len(times))
    model = "model strange\ntime t from 0\nparam s = 0.05 in (1e-4, 1) log\nstate x = 0.1\nx' = NN(x)\nobserve x ~ normal(x, s)\n"
    found, seconds = discovered(model, _csv(times, x=noisy))
    text = "–" if found.winner is None else found.winner.text()
    below = f"{found.candidates[0].dl - found.network.dl:.0f} nats more than the network" if found.candidates else ""
    return Judged(seed, f"{name}: {found.verdict} ({text})", found.verdict == "network", np.nan, below, seconds)


@dataclass(frozen=True)
class Complete:
    """Physics that needs no network: the model with one in it, and the true rates."""

    model: str
    rates: Callable[[float, np.ndarray], list[float]]
    start: tuple[float, ...]
    end: float


PHYSICS = (
    Complete("param k = 0.5 in (0.01, 5) log\nstate x = 3\nx' = -k*x + NN(x)", lambda _, u: [-0.7 * u[0]], (3.0,), 5),
    Complete("param r = 0.5 in (0.01, 5) log\nparam K = 3 in (0.5, 50) log\nstate x = 0.2\nx' = r*x*(1 - x/K) + NN(x)",
             lambda _, u: [0.9 * u[0] * (1 - u[0] / 4)], (0.2,), 12),
    Complete("param a = 1 in (0.1, 10) log\nparam b = 1 in (0.1, 10) log\nstate x = 1\nstate y = 1\n"
             "x' = a*x - b*x*y\ny' = x*y - y + NN(x, y)",
             lambda _, u: [1.3 * u[0] - 0.9 * u[0] * u[1], u[0] * u[1] - u[1]], (1.0, 1.0), 10),
    Complete("param c = 0.2 in (0.01, 5) log\nparam w2 = 3 in (0.1, 50) log\nstate x = 1\nstate v = 0\nx' = v\n"
             "v' = -w2*x - c*v + NN(v)",
             lambda _, u: [u[1], -4 * u[0] - 0.3 * u[1]], (1.0, 0.0), 8),
    Complete("param b = 1 in (0.1, 10) log\nparam g = 0.5 in (0.05, 5) log\nstate x = 0.99\nstate y = 0.01\n"
             "x' = -b*x*y\ny' = b*x*y - g*y + NN(y)",
             lambda _, u: [-1.5 * u[0] * u[1], 1.5 * u[0] * u[1] - 0.4 * u[1]], (0.99, 0.01), 25),
)  # fmt: skip


def nothing(seed: int) -> Judged:
    """Data of the physics alone, noise of 2 % of the largest value: nothing is needed in the place of the network."""
    case = PHYSICS[(seed - 1) % len(PHYSICS)]
    times = np.linspace(0, case.end, 41)
    exact = solve_ivp(case.rates, (0, case.end), case.start, "DOP853", times, rtol=1e-10, atol=1e-12).y
    scatter = 0.02 * np.max(np.abs(exact), axis=1, keepdims=True)
    noisy = exact + scatter * np.random.default_rng(seed).normal(size=exact.shape)
    names = [line.split()[1] for line in case.model.splitlines() if line.startswith("state")]
    observed = "\n".join(f"param s_{n} = 0.05 in (1e-4, 1) log\nobserve {n} ~ normal({n}, s_{n})" for n in names)
    model = f"model complete\ntime t from 0\n{case.model}\n{observed}\n"
    found, seconds = discovered(model, _csv(times, **dict(zip(names, noisy, strict=True))))
    text = "–" if found.winner is None else found.winner.text()
    lengths = f"network {found.network.dl:.1f}, best formula {found.candidates[0].dl:.1f}" if found.candidates else ""
    alone = "" if found.physics is None else f"physics alone {found.physics.dl:.1f}, "
    return Judged(seed, f"{found.verdict} ({text})", found.verdict == "physics", np.nan, alone + lengths, seconds)


def _csv(times: np.ndarray, **columns: np.ndarray) -> str:
    rows = [",".join(f"{v:.6g}" for v in row) for row in zip(times, *columns.values(), strict=True)]
    return "\n".join([",".join(["t", *columns]), *rows]) + "\n"
