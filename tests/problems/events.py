"""Problems with events that are located: texts, the same in terms of any array package, and exact solutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.optimize import brentq

from tests.problems import Problem
from tests.solve.spiking import Network

Vector = Any


@dataclass(frozen=True)
class Arrays:
    """What the functions below need of an array package: `pack` makes a vector of numbers, `join` one of vectors."""

    pack: Callable[[Sequence[Any]], Vector]
    join: Callable[[Sequence[Vector]], Vector]
    cos: Callable[[Any], Any]
    where: Callable[..., Any]
    arange: Callable[[int], Vector]


@dataclass(frozen=True, eq=False)
class EventProblem(Problem):
    """`rates(x, t, y, p)`; `guards(x, t, y, p)`: numbers, an event happens where one rises through 0; `act(x, k, y, p)`: the
    state after event k; `firings`: how many happen; `exact(p)`: the state at the end. With `sizes` an answer is multiplied by
    these, and its error relative to the largest entry."""

    p: tuple[float, ...] = ()
    y0: tuple[float, ...] = ()
    rates: Callable[..., Vector] = field(default=lambda *_: None)
    guards: Callable[..., list[Any]] = field(default=lambda *_: [])
    act: Callable[..., Vector] = field(default=lambda *_: None)
    firings: int = 0
    exact: Callable[[np.ndarray], np.ndarray] = field(default=lambda p: p)
    sizes: tuple[float, ...] = ()

    def error(self, y: np.ndarray) -> float:
        if not self.sizes:
            return super().error(y)
        return float(np.max(np.abs(np.asarray(y) * self.sizes - self.reference)) / np.max(np.abs(self.reference)))


# ---- bouncing ball -----------------------------------------------------------------------------------------------------
BALL = """model ball
param e = 0.9
param g = 9.8
state h = 50
state v = 0
h' = v
v' = -g
event bounce when h < 0 { v := -e*v; h := 0 }
"""


def _fall(p: np.ndarray, end: float = 20.0) -> np.ndarray:
    e, g = p
    t = math.sqrt(2 * 50 / g)
    speed = e * g * t
    while t + 2 * speed / g < end:
        t, speed = t + 2 * speed / g, e * speed
    s = end - t
    return np.array([speed * s - g * s * s / 2, speed - g * s])


# ---- thermostat --------------------------------------------------------------------------------------------------------
THERMOSTAT = """model thermostat
param k = 0.5
param q = 12
param low = 18
param high = 21
state T = 15
discrete heat = 1
T' = q*heat - k*(T - 5)
event cold when T < low  { heat := 1 }
event warm when T > high { heat := 0 }
"""


def _room(p: np.ndarray, end: float = 8.0) -> np.ndarray:
    k, q, low, high = p
    t, T, heat = 0.0, 15.0, 1.0
    while True:
        target = 5 + q * heat / k
        s = math.log((target - T) / (target - (high if heat else low))) / k
        if t + s > end:
            return np.array([target + (T - target) * math.exp(-k * (end - t)), heat])
        t, T, heat = t + s, (high if heat else low), 1 - heat


# ---- impact oscillator -------------------------------------------------------------------------------------------------
IMPACT = """model impact
param zeta = 0.05
param F = 1.0
param omega = 2.8
param wall = 0.1
param r = 0.8
state x = 0
state v = 0
x' = v
v' = F*cos(omega*t) - 2*zeta*v - x
event hit when x > wall { v := -r*v; x := wall }
"""


def _free(rates: Sequence[float], amplitudes: Sequence[float], t: float) -> tuple[Callable, Callable]:
    """Place and speed a time s after t, of what swings by itself (A, B) and what the force does (C, D)."""
    (zeta, omega, w), (A, B, C, D) = rates, amplitudes

    def place(s: float) -> float:
        forced = C * math.cos(omega * (t + s)) + D * math.sin(omega * (t + s))
        return math.exp(-zeta * s) * (A * math.cos(w * s) + B * math.sin(w * s)) + forced

    def speed(s: float) -> float:
        forced = D * omega * math.cos(omega * (t + s)) - C * omega * math.sin(omega * (t + s))
        own = (B * w - zeta * A) * math.cos(w * s) - (A * w + zeta * B) * math.sin(w * s)
        return math.exp(-zeta * s) * own + forced

    return place, speed


def _oscillate(p: np.ndarray, end: float = 20.0) -> np.ndarray:
    zeta, F, omega, wall, r = p
    d = 1 / ((1 - omega**2) ** 2 + (2 * zeta * omega) ** 2)
    C, D = F * (1 - omega**2) * d, F * 2 * zeta * omega * d
    w = math.sqrt(1 - zeta**2)
    t, x, v = 0.0, 0.0, 0.0
    while True:
        A = x - C * math.cos(omega * t) - D * math.sin(omega * t)
        B = (v + zeta * A + C * omega * math.sin(omega * t) - D * omega * math.cos(omega * t)) / w

        place, speed = _free((zeta, omega, w), (A, B, C, D), t)
        grid = np.arange(1e-4, end - t + 2e-3, 2e-3)
        beyond = np.flatnonzero([place(s) > wall for s in grid])
        first = grid[beyond[0]] if len(beyond) else math.inf
        s = math.inf
        if len(beyond):
            s = float(brentq(lambda s, place=place: place(s) - wall, max(first - 2e-3, 1e-9), first, xtol=1e-15))  # type: ignore[arg-type]
        if t + s > end:
            return np.array([place(end - t), speed(end - t)])
        t, x, v = t + s, wall, -r * speed(s)


# ---- neurons -----------------------------------------------------------------------------------------------------------
NEURONS = Network(rest=0.0, level=15.0)
NEURONS_TEXT = f"""model neurons
const n = {NEURONS.n}
param tau = 20
param taus = 5
param w = {NEURONS.w}
param drive = 18
param level = 15
state V[n]
state g = 0
V[i](0) = 14*i/n for i in 1..n
V[i]' = (g + drive + 2*i/n - V[i])/tau for i in 1..n
g' = -g/taus
event spike[i] when V[i] > level {{ V[i] := 0; g := g + w }} for i in 1..n
"""


def _neurons(p: np.ndarray, end: float = 20.0) -> np.ndarray:
    tau, taus, w, drive, level = p
    V, g, _ = NEURONS.with_(tau=tau, taus=taus, w=w, drive=drive, level=level).simulate(np.array([end]))
    return np.append(V[0], g[0, 0])


def _neuron_rates(x: Arrays, t: Any, y: Vector, p: Vector) -> Vector:
    n = NEURONS.n
    V, g = y[:n], y[n:]
    return x.join([(g + p[3] + 2 * (x.arange(n) + 1) / n - V) / p[0], -g / p[1]])


def _spike(x: Arrays, k: Any, y: Vector, p: Vector) -> Vector:
    n, at = NEURONS.n, x.arange(NEURONS.n)
    return x.join([x.where(at == k, 0.0 * y[:n], y[:n]), y[n:] + p[2]])


@cache
def event_problems() -> Mapping[str, EventProblem]:
    """All problems by name."""

    def made(name: str, text: str, end: float, p: Sequence[float], y0: Sequence[float], firings: int,
             exact: Callable[[np.ndarray], np.ndarray], **functions: Any) -> EventProblem:  # fmt: skip
        reference = exact(np.array(p))
        return EventProblem(name, text, end, False, 1.0, 1.0, 12.0, "exact", reference, tuple(p), tuple(y0),
                            firings=firings, exact=exact, **functions)  # fmt: skip

    found = [
        made("bouncing ball", BALL, 20.0, (0.9, 9.8), (50.0, 0.0), 4, _fall,
             rates=lambda x, t, y, p: x.pack([y[1], -p[1] + 0 * y[1]]),
             guards=lambda x, t, y, p: [-y[0]],
             act=lambda x, k, y, p: x.pack([0 * y[0], -p[0] * y[1]])),
        made("thermostat", THERMOSTAT, 8.0, (0.5, 12.0, 18.0, 21.0), (15.0, 1.0), 14, _room,
             rates=lambda x, t, y, p: x.pack([p[1] * y[1] - p[0] * (y[0] - 5), 0 * y[1]]),
             guards=lambda x, t, y, p: [p[2] - y[0], y[0] - p[3]],
             act=lambda x, k, y, p: x.pack([y[0], 0 * y[1] + 1 - k])),
        made("impact oscillator", IMPACT, 20.0, (0.05, 1.0, 2.8, 0.1, 0.8), (0.0, 0.0), 10, _oscillate,
             rates=lambda x, t, y, p: x.pack([y[1], p[1] * x.cos(p[2] * t) - 2 * p[0] * y[1] - y[0]]),
             guards=lambda x, t, y, p: [y[0] - p[3]],
             act=lambda x, k, y, p: x.pack([p[3] + 0 * y[0], -p[4] * y[1]])),
        made("100 neurons", NEURONS_TEXT, 20.0, (20.0, 5.0, NEURONS.w, 18.0, 15.0), (*NEURONS.start(), 0.0), 49, _neurons,
             rates=_neuron_rates, guards=lambda x, t, y, p: y[: NEURONS.n] - p[4], act=_spike),
    ]  # fmt: skip
    return MappingProxyType({problem.name: problem for problem in found})
