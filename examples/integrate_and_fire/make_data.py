"""Writes data.csv: the voltage of one cell that hears a hundred neurons, with noise of 0.05 mV. The neurons are simulated from
spike to spike with the exact solution between spikes, a sum of two exponentials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N, REST, TAU = 100, -65.0, 20.0
LEVEL, W, TAU_S = -50.0, 0.1, 5.0
TIMES = np.arange(0, 50.01, 0.5)


def truth(level: float = LEVEL, w: float = W, tau_s: float = TAU_S) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cell's voltage at TIMES; times and numbers (from 0) of all spikes."""
    i = np.arange(1, N + 1)
    target = np.append(REST + 18 + 2 * i / N, REST)  # of the neurons, then of the cell
    V, g, t = np.append(REST + 14 * (37 * i % N) / N, REST), 0.0, 0.0
    share = tau_s / (tau_s - TAU)
    voltages, times, who = [], [], []

    def after(s: float) -> np.ndarray:
        return target + share * g * np.exp(-s / tau_s) + (V - target - share * g) * np.exp(-s / TAU)

    def fires(s: float) -> bool:
        return bool(np.any(after(s)[:N] > level))

    for end in TIMES:
        while True:
            low, high = 0.0, end - t
            steps = np.linspace(low, high, 9)[1:]
            hit = next((k for k, s in enumerate(steps) if fires(s)), None)
            if hit is None:
                V, g, t = after(high), g * np.exp(-high / tau_s), end
                break
            low, high = (steps[hit - 1] if hit else 0.0), steps[hit]
            for _ in range(60):
                middle = 0.5 * (low + high)
                low, high = (low, middle) if fires(middle) else (middle, high)
            V, g, t = after(high), g * np.exp(-high / tau_s), t + high
            k = int(np.argmax(V[:N]))
            V[k], g = REST, g + w
            times.append(t)
            who.append(k)
        voltages.append(V[N])
    return np.array(voltages), np.array(times), np.array(who)


def text() -> str:
    """The file."""
    noisy = truth()[0] + 0.05 * np.random.default_rng(1).normal(size=len(TIMES))
    rows = [f"{t:.1f},{u:.3f}" for t, u in zip(TIMES, noisy, strict=True)]
    return "\n".join(["t,electrode", *rows]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
