"""Writes data.csv: an arm of two links in the horizontal plane, driven by known torques, solved by SciPy.

M(q) q'' + C(q, q') q' + friction(q') = torque (M. W. Spong et al., Robot Modeling and Control, 2006, chapter 7), links of 2 kg
and 1 kg, each a uniform rod of 0.5 m. The friction has a viscous part, a Coulomb part, and Stribeck's rise at low speeds
(B. Armstrong-Helouvry et al., Automatica 30 (1994) 1083). Three records of 4 s from rest,
angles every 0.05 s with noise of 2 mrad.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

A1, A2, A3 = 2 * 0.5**2 / 3 + 1 * 0.5**2 + 1 * 0.5**2 / 3, 1 * 0.5 * 0.25, 1 * 0.5**2 / 3
COULOMB, STRIBECK, VISCOUS = np.array([0.8, 0.35]), np.array([0.4, 0.2]), np.array([0.25, 0.1])  # N m, N m, N m s
NOISE, STEP, LENGTH, RECORDS = 0.002, 0.05, 4.0, 3


def friction(speed: np.ndarray) -> np.ndarray:
    """N m of both joints (2, …) at their speeds (2, …), rad/s."""
    c, s, v = (a.reshape(2, *[1] * (np.ndim(speed) - 1)) for a in (COULOMB, STRIBECK, VISCOUS))
    return (c + s * np.exp(-((speed / 0.5) ** 2))) * np.tanh(speed / 0.1) + v * speed


def arm(at: np.ndarray, start: np.ndarray, knots: np.ndarray, torque: np.ndarray) -> np.ndarray:
    """Angles (2, times) from rest at `start` (2,) under torques (knots, 2), straight between knots."""

    def rates(t: float, u: np.ndarray) -> np.ndarray:
        q2, w1, w2 = u[1:]
        drive = np.array([np.interp(t, knots, torque[:, j]) for j in (0, 1)]) - friction(u[2:])
        twist = A2 * np.sin(q2)
        drive = drive + np.array([twist * (2 * w1 * w2 + w2**2), -twist * w1**2])
        mass = np.array([[A1 + 2 * A2 * np.cos(q2), A3 + A2 * np.cos(q2)], [A3 + A2 * np.cos(q2), A3]])
        return np.concatenate([u[2:], np.linalg.solve(mass, drive)])

    whole = solve_ivp(rates, (at[0], at[-1]), [*start, 0.0, 0.0], "LSODA", at, rtol=1e-8, atol=1e-9, max_step=STEP)
    return whole.y[:2]


def text(seed: int = 0) -> str:
    """The file: a series per record, with the torques beside the angles."""
    random = np.random.default_rng(seed)
    at = STEP * np.arange(round(LENGTH / STEP) + 1)
    lines = ["experiment,t,q1,q2,tau1,tau2"]
    for record in range(RECORDS):
        torque = np.zeros((len(at), 2))
        for size, speed in zip((2.0, 1.0, 0.6), (2.0, 5.0, 11.0), strict=True):
            phase, pace = random.uniform(0, 2 * np.pi, 2), random.uniform(0.8, 1.2, 2) * speed
            torque += size * np.array([1.2, 0.5]) * np.sin(np.multiply.outer(at, pace) + phase)
        torque = np.round(torque, 3)
        angles = arm(at, np.zeros(2), at, torque)
        seen = angles + NOISE * random.normal(size=angles.shape)
        for t, (q1, q2), (tau1, tau2) in zip(at, seen.T, torque, strict=True):
            lines.append(f"{record + 1},{t:g},{q1:.4f},{q2:.4f},{tau1:g},{tau2:g}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(), encoding="utf-8")
