"""The problems of this folder as residuals F(t, y, y') = 0 of index 1, written by hand for IDA; mechanical ones hold their
constraints twice differentiated, with the velocities and the accelerations' equations written out.

`y` and `yp` are rows of numbers, complex ones too; the result is a list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

Rows = Any  # of numbers


@dataclass(frozen=True)
class Written:
    """`names` of the unknowns in order; `algebraic`: places whose derivatives do not occur; `start`: values and guesses;
    `given`: the places whose start is no guess."""

    names: tuple[str, ...]
    algebraic: tuple[int, ...]
    start: tuple[float, ...]
    given: tuple[int, ...]
    residual: Callable[[Any, Rows, Rows, Any], list[Any]]


def rober(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    a, b, c = y
    return [yp[0] + 0.04 * a - 1e4 * b * c, yp[1] - 0.04 * a + 1e4 * b * c + 3e7 * b**2, a + b + c - 1]


def transamp(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    source, first, second = 0.1 * m.sin(200 * pi * t), *(1e-6 * (m.exp((y[i] - y[i + 1]) / 0.026) - 1) for i in (1, 4))
    r, ub, alpha = 9000, 6, 0.99
    return [
        1e-6 * (yp[1] - yp[0]) + source / 1000 - y[0] / 1000,
        1e-6 * (yp[0] - yp[1]) + ub / r - y[1] * 2 / r + (alpha - 1) * first,
        -2e-6 * yp[2] + first - y[2] / r,
        3e-6 * (yp[4] - yp[3]) + ub / r - y[3] / r - alpha * first,
        3e-6 * (yp[3] - yp[4]) + ub / r - y[4] * 2 / r + (alpha - 1) * second,
        -4e-6 * yp[5] + second - y[5] / r,
        5e-6 * (yp[7] - yp[6]) + ub / r - y[6] / r - alpha * second,
        5e-6 * (yp[6] - yp[7]) - y[7] / r,
    ]


def chemakzo(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    y1, y2, y3, y4, y5, y6 = y
    root = m.sqrt(y2)
    r1, r2, r3, r4, r5 = 18.7 * y1**4 * root, 0.58 * y3 * y4, 0.58 / 34.4 * y1 * y5, 0.09 * y1 * y4**2, 0.42 * y6**2 * root
    flow = 3.3 * (0.9 / 737 - y2)
    return [
        yp[0] + 2 * r1 - r2 + r3 + r4, yp[1] + 0.5 * r1 + r4 + 0.5 * r5 - flow, yp[2] - r1 + r2 - r3,
        yp[3] + r2 - r3 + 2 * r4, yp[4] - r2 + r3 - r5, 115.83 * y1 * y4 - y6,
    ]  # fmt: skip


def caraxis(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    xl, yl, xr, yr, ul, vl, ur, vr, lam1, lam2 = y
    k, w = 0.01**2 * 10 / 2, 10
    yb, yb1, yb2 = 0.1 * m.sin(w * t), 0.1 * w * m.cos(w * t), -0.1 * w**2 * m.sin(w * t)
    xb = m.sqrt(1 - yb**2)
    xb1 = -yb * yb1 / xb
    xb2 = -(yb1**2 + yb * yb2 + xb1**2) / xb
    left, right = m.sqrt(xl**2 + yl**2), m.sqrt((xr - xb) ** 2 + (yr - yb) ** 2)
    dx, dy, du, dv = xl - xr, yl - yr, ul - ur, vl - vr
    return [
        *(yp[i] - y[i + 4] for i in range(4)),
        k * yp[4] - ((0.5 - left) * xl / left + lam1 * xb + 2 * lam2 * dx),
        k * yp[5] - ((0.5 - left) * yl / left + lam1 * yb + 2 * lam2 * dy - k),
        k * yp[6] - ((0.5 - right) * (xr - xb) / right - 2 * lam2 * dx),
        k * yp[7] - ((0.5 - right) * (yr - yb) / right - 2 * lam2 * dy - k),
        yp[4] * xb + yp[5] * yb + 2 * (ul * xb1 + vl * yb1) + xl * xb2 + yl * yb2,
        dx * (yp[4] - yp[6]) + dy * (yp[5] - yp[7]) + du**2 + dv**2,
    ]


def pendulum(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    x, z, u, v, force = y
    return [yp[0] - u, yp[1] - v, yp[2] + force * x, yp[3] + force * z + 9.81, x * yp[2] + z * yp[3] + u**2 + v**2]


def slider_crank(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    r, half, g = 0.15, 0.15, 9.81  # half: of the rod's length
    m1, m2, m3, c = 0.36, 0.15, 0.076, 0.002
    phi, theta, _, _, _, turn, spin, _, _, _, fx, fy, hx, hy = y
    a, b, d, e = m.cos(phi), m.sin(phi), m.cos(theta), m.sin(theta)
    crank = (-r * b * yp[5] - r * a * turn**2, r * a * yp[5] - r * b * turn**2)  # second derivatives of the pin
    rod = (-half * e * yp[6] - half * d * spin**2, half * d * yp[6] - half * e * spin**2)
    return [
        *(yp[i] - y[i + 5] for i in range(5)),
        m1 * r**2 / 3 * yp[5] + c * turn + m1 * g * r / 2 * a - fx * r * b + fy * r * a,
        m2 * half**2 / 3 * yp[6] - half * (fx * e - fy * d - hx * e + hy * d),
        m2 * yp[7] - fx - hx,
        m2 * yp[8] - fy - hy + m2 * g,
        m3 * yp[9] + hx,
        crank[0] - yp[7] + rod[0],
        crank[1] - yp[8] + rod[1],
        yp[9] - yp[7] - rod[0],
        yp[8] + rod[1],
    ]


def diode_circuit(t: Any, y: Rows, yp: Rows, m: Any = np) -> list[Any]:
    current, u1, u2, v1, ul, diode, ud, i1, i2 = y
    return [
        v1 - 5 * m.sin(2 * pi * 100 * t) + 10 * current, ul - v1 + u1, ul - 0.01 * yp[0], diode - 1e-9 * (m.exp(ud / 0.05) - 1),
        ud + 2 * diode - u1 + u2, i1 - current + diode, i2 - diode + u2 / 500, i1 - 1e-5 * yp[1], i2 - 1e-4 * yp[2],
    ]  # fmt: skip


def _crank_start() -> tuple[float, ...]:
    phi, r, half, turn = 0.7853981633974483, 0.15, 0.15, 15.0
    theta = -np.arcsin(r / (2 * half) * np.sin(phi))
    spin = -r / (2 * half) * np.cos(phi) / np.cos(theta) * turn
    place = (r * np.cos(phi) + half * np.cos(theta), r * np.sin(phi) + half * np.sin(theta))
    speed = (-r * np.sin(phi) * turn - half * np.sin(theta) * spin, r * np.cos(phi) * turn + half * np.cos(theta) * spin)
    end, fast = place[0] + half * np.cos(theta), speed[0] - half * np.sin(theta) * spin
    return (phi, float(theta), *map(float, place), float(end), turn, float(spin), *map(float, speed), float(fast), 0, 0, 0, 0)


WRITTEN = {
    "rober_dae": Written(("A", "B", "C"), (2,), (1, 0, 0), (0, 1), rober),
    "transamp": Written(tuple(f"y{i}" for i in range(1, 9)), (), (0, 3, 3, 6, 3, 3, 6, 0), tuple(range(8)), transamp),
    "chemakzo": Written(tuple(f"y{i}" for i in range(1, 7)), (5,), (0.444, 0.00123, 0, 0.007, 0, 0.36), tuple(range(5)),
                        chemakzo),
    "caraxis": Written(("xl", "yl", "xr", "yr", "xl'", "yl'", "xr'", "yr'", "lam1", "lam2"), (8, 9),
                       (0, 0.5, 1, 0.5, -0.5, 0, -0.5, 0, 0, 0), tuple(range(8)), caraxis),
    "pendulum": Written(("x", "y", "x'", "y'", "lambda"), (4,), (1, 0, 0, 0, 0), tuple(range(4)), pendulum),
    "slider_crank": Written(("phi", "theta", "x", "y", "s", "phi'", "theta'", "x'", "y'", "s'", "fx", "fy", "hx", "hy"),
                            tuple(range(10, 14)), _crank_start(), tuple(range(10)), slider_crank),
    "diode_circuit": Written(("iL", "uC1", "uC2", "v1", "uL", "iD", "uD", "iC1", "iC2"), tuple(range(3, 9)), (0,) * 9,
                             (0, 1, 2), diode_circuit),
}  # fmt: skip
