"""Networks of integrate-and-fire neurons: their text, and an event-driven simulation of them with exact propagators.

Between spikes everything is a sum of two exponentials, so that only the times of spikes have to be searched for, by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """n neurons with synapses from all to all whose currents decay; driven by I + spread i / n."""

    n: int = 100
    tau: float = 20.0
    taus: float = 5.0
    w: float = 0.05
    drive: float = 18.0
    level: float = -50.0
    rest: float = -65.0
    spread: float = 2.0

    @property
    def text(self) -> str:
        return f"""model network
time t: ms
const n = {self.n}
param tau = {self.tau} in (5, 50) log
param taus = {self.taus} in (1, 20) log
param w = {self.w}
param drive = {self.drive}
param level = {self.level}
const rest = {self.rest}
state V[n]
state g[n] = 0
discrete spikes[n] = 0
V[i](0) = rest + 14*i/n for i in 1..n
V[i]' = (rest - V[i] + g[i] + drive + {self.spread}*i/n)/tau for i in 1..n
g[i]' = -g[i]/taus for i in 1..n
event spike[i] when V[i] > level {{
    V[i] := rest
    g[j] := g[j] + w for j in 1..n
    spikes[i] := spikes[i] + 1
}} for i in 1..n
"""

    def start(self) -> Floats:
        return self.rest + 14 * np.arange(1, self.n + 1) / self.n

    def simulate(self, ts: Floats) -> tuple[Floats, Floats, Floats]:
        """V, g, spikes at ts, each (times, n)."""
        i = np.arange(1, self.n + 1)
        target = self.rest + self.drive + self.spread * i / self.n
        V, g, spikes, t = self.start(), np.zeros(self.n), np.zeros(self.n), 0.0
        share = self.taus / (self.taus - self.tau)
        out = []

        def after(s: Floats | float) -> Floats:
            """The voltages, a time s (one, or one for each) after the last spike."""
            return target + share * g * np.exp(-s / self.taus) + (V - target - share * g) * np.exp(-s / self.tau)

        for end in ts:
            while True:
                at = self._next(after, V - target - share * g, share * g, end - t)
                k = int(np.argmin(at))
                s = min(at[k], end - t)
                V, g, t = after(s), g * np.exp(-s / self.taus), t + s
                if at[k] > s or not np.isfinite(at[k]):
                    break
                V[k], g, spikes[k] = self.rest, g + self.w, spikes[k] + 1
            out.append((V.copy(), g.copy(), spikes.copy()))
        V, g, spikes = (np.array(x) for x in zip(*out, strict=True))
        return V, g, spikes

    def _next(self, after, slow: Floats, fast: Floats, most: float) -> Floats:
        """When each neuron reaches the level next, infinity where that is not before `most`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = np.log(-fast * self.tau / (self.taus * slow)) / (1 / self.taus - 1 / self.tau)  # where the slope is 0
        high = np.where((turn > 0) & (turn < most), turn, most)
        # Up to the turn (or the end) the voltage moves one way, from below the level.
        reaches = after(high) > self.level
        again = after(np.full_like(high, most)) > self.level  # beyond the turn, if that was a minimum
        low = np.where(~reaches & again, high, 0.0)
        high = np.where(~reaches & again, most, high)
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = after(middle) > self.level
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.where(reaches | again, high, np.inf)

    def with_(self, **changes: float) -> Network:
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Avalanches:
    """Neurons that push each other at once: a spike may set off others, and `same` of them always fire together."""

    n: int = 100
    same: int = 10
    w: float = 0.01

    @property
    def text(self) -> str:
        return f"""model avalanches
const n = {self.n}
param w = {self.w}
state V[n]
discrete spikes[n] = 0
V[i](0) = 0.02*floor((i - 1)/{self.same}) for i in 1..n
V[i]' = 1.1 + 0.03*floor((i - 1)/{self.same}) - V[i] for i in 1..n
event spike[i] when V[i] > 1 {{
    V[i] := 0
    V[j] := V[j] + w for j in 1..n if j != i
    spikes[i] := spikes[i] + 1
}} for i in 1..n
"""

    def simulate(self, ts: Floats) -> tuple[Floats, Floats, int]:
        """V and spikes at ts, and the most rounds of events that set off events."""
        group = np.arange(self.n) // self.same
        V, drive, spikes, t, most = 0.02 * group, 1.1 + 0.03 * group, np.zeros(self.n), 0.0, 0
        out = []
        for end in ts:
            while True:
                at = np.log((drive - V) / (drive - 1))
                s = min(at.min(), end - t)
                V, t = drive + (V - drive) * np.exp(-s), t + s
                if at.min() > s:
                    break
                fired, done, rounds = np.flatnonzero(at < s + 1e-12), np.zeros(self.n, bool), 0
                while len(fired):
                    done[fired] = True
                    for k in fired:  # one after the other, each reads what the last left
                        V = V + self.w
                        V[k], spikes[k] = 0, spikes[k] + 1
                    fired, rounds = np.flatnonzero((V > 1) & ~done), rounds + 1
                most = max(most, rounds)
            out.append((V.copy(), spikes.copy()))
        V, spikes = (np.array(x) for x in zip(*out, strict=True))
        return V, spikes, most
