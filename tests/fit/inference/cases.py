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
