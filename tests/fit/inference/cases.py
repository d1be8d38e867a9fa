"""A model with simulated data and the verdicts that must come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

Rates = Callable[[np.ndarray, dict[str, float]], list[float]]
Expected = dict[str, tuple[str, ...]]  # parameter -> kind, then texts that the sentence must have


@dataclass(frozen=True)
class Case:
    """`head`: param and state lines; `rates` as text and as a function; `observed`: column -> index of its state and factor."""

    name: str
    text: str
    truth: dict[str, float]
    start: Callable[[dict[str, float]], list[float]]
    rates: Rates
    seen: dict[str, Callable[[np.ndarray, dict[str, float]], np.ndarray]]
    times: np.ndarray
    sd: float
    expected: Expected
    repeats: int = 1

    def data(self, seed: int = 1) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        p = self.truth
        end = float(self.times[-1])
        found = solve_ivp(lambda t, y: self.rates(y, p), (0, end), self.start(p), t_eval=self.times, rtol=1e-10, atol=1e-12)
        assert found.success
        frames = [
            pd.DataFrame(
                {
                    "t": self.times,
                    **{c: f(found.y, p) + self.sd * rng.standard_normal(len(self.times)) for c, f in self.seen.items()},
                }
            )
            for _ in range(self.repeats)
        ]
        return pd.concat(frames, ignore_index=True).sort_values("t", ignore_index=True)


def model_text(text: str) -> str:
    """With its first lines."""
    return "model m\ntime t from 0\n" + text


T = np.linspace(0.25, 6, 24)
LINE = """model line
time t from 0
param a = 1
param b = 1
state x
x(0) = a
x' = b
observe x ~ normal(x, 0.5)
"""  # linear: everything about its fit is known in closed form
DECAY = """param k = 1 in (0, inf) log
param x0 = %s in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x
x(0) = x0
x' = -k*x
observe x ~ normal(x, s)
"""


def decay(name: str, times: np.ndarray, expected: Expected, guess: float = 1, repeats: int = 1) -> Case:
    """x0*exp(-k*t) seen at `times`."""
    text = model_text(DECAY % f"{guess:g}")
    return Case(name, text, {"k": 0.5, "x0": 3.0}, lambda p: [p["x0"]], lambda y, p: [-p["k"] * y[0]], {"x": lambda y, p: y[0]},
                times, 0.05, expected, repeats)  # fmt: skip
