"""Large systems written out line by line: chains, rings, grids, a star."""

from __future__ import annotations

from typing import Any

import numpy as np


def heat(n: int) -> str:
    """Heat along a rod of n cells between two cold ends."""
    lines = ["model heat", "time t", "param k = 3.0", *(f"state x{i} = {1.0 + i % 7}" for i in range(1, n + 1))]
    lines.append(f"x1' = k*(x2 - 2*x1)\nx{n}' = k*(x{n - 1} - 2*x{n})")
    lines += [f"x{i}' = k*(x{i - 1} - 2*x{i} + x{i + 1})" for i in range(2, n)]
    return "\n".join(lines) + "\n"


def heat_solution(n: int, k: float, ts: np.ndarray, cells: slice = slice(None), start: Any = None) -> np.ndarray:
    """By the sine modes of the second difference (times, cells)."""
    i = np.arange(1, n + 1)
    start = 1.0 + i % 7 if start is None else start
    modes = np.sqrt(2 / (n + 1)) * np.sin(np.pi * np.outer(i, i) / (n + 1)) if n <= 2000 else None
    rates = -4 * k * np.sin(np.pi * i / (2 * (n + 1))) ** 2
    if modes is not None:
        return (modes @ (np.exp(np.outer(rates, ts)) * (modes @ start)[:, None])).T[:, cells]
    from scipy.fft import dst, idst

    return np.stack([idst(dst(start, 1) * np.exp(rates * t), 1) for t in ts])[:, cells]


def lorenz96(n: int) -> str:
    lines = ["model lorenz96", "time t", "param F = 8"]
    lines += [f"state x{i} = {8.01 if i == 3 else 8.0 + (i % 5) / 10}" for i in range(n)]
    lines += [f"x{i}' = (x{(i + 1) % n} - x{(i - 2) % n})*x{(i - 1) % n} - x{i} + F" for i in range(n)]
    return "\n".join(lines) + "\n"


def brusselator(m: int) -> str:
    """Two reacting species on a grid of m by m cells with periodic edges (Hairer, Norsett & Wanner I, II.10; W 1, 2)."""
    lines = ["model brusselator", "time t", "param A = 3.4", "param B = 1", "param alpha = 0.002"]
    for i in range(m):
        for j in range(m):
            lines.append(f"state u{i}_{j} = {22 * (j / m * (1 - j / m)) ** 1.5!r}")
            lines.append(f"state v{i}_{j} = {27 * (i / m * (1 - i / m)) ** 1.5!r}")
    for i in range(m):
        for j in range(m):
            u, v = f"u{i}_{j}", f"v{i}_{j}"
            near = [((i + 1) % m, j), ((i - 1) % m, j), (i, (j + 1) % m), (i, (j - 1) % m)]
            for s, reaction in (("u", f"B + {u}^2*{v} - (A + 1)*{u}"), ("v", f"A*{u} - {u}^2*{v}")):
                spread = " + ".join(f"{s}{a}_{b}" for a, b in near)
                lines.append(f"{s}{i}_{j}' = {reaction} + alpha*{m * m}*({spread} - 4*{s}{i}_{j})")
    return "\n".join(lines) + "\n"


def ring(n: int) -> str:
    """Stiff cells in a ring, driven in time."""
    lines = ["model ring", "time t", "param k = 200", "param d = 5", *(f"state x{i} = {i % 4 / 2}" for i in range(n))]
    for i in range(n):
        lines.append(f"x{i}' = -k*(x{i} - cos(t + {i % 3}))*(1 + x{i}^2) + d*(x{(i + 1) % n} - 2*x{i} + x{(i - 1) % n})")
    return "\n".join(lines) + "\n"


def star(n: int) -> str:
    """Consumers of one resource."""
    lines = ["model star", "time t", "param g = 2", "param s = 50", "state r = 3"]
    lines += [f"state x{i} = {1 + i % 3 / 5}" for i in range(1, n)]
    lines += [f"x{i}' = g*x{i}*(r - {1 + i % 5 / 10}) - x{i}^2" for i in range(1, n)]
    uptake = " + ".join(f"x{i}" for i in range(1, n))
    lines.append(f"r' = s*(3 - r) - g*r*({uptake})/{n}")
    return "\n".join(lines) + "\n"
