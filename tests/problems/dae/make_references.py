"""The values of reference.toml that are not published: `python -m tests.problems.dae.make_references`.

Each system is reduced by hand to the fewest ordinary differential equations and those are solved: the pendulum by its angle, with
40 digits by Taylor series; the slider-crank by one angle and the circuit, its diode's equation solved by Lambert's function, by
SciPy's DOP853, checked by Radau. All references, published ones too, are checked by IDA in test_references.py.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import wrightomega


def solved(rates: Callable[[float, np.ndarray], np.ndarray], end: float, start: list[float], step: float) -> np.ndarray:
    """The states at `end` by DOP853 in short steps; Radau, another method, must agree."""
    found = solve_ivp(rates, (0, end), start, "DOP853", rtol=3e-14, atol=1e-17, max_step=step)
    check = solve_ivp(rates, (0, end), start, "Radau", rtol=1e-12, atol=1e-15)
    assert found.success and check.success
    print("# Radau differs by", np.max(np.abs(found.y[:, -1] / check.y[:, -1] - 1)))
    return found.y[:, -1]


def pendulum(end: float) -> dict[str, float]:
    """x = sin a, y = -cos a with a'' = -g sin a (L = 1)."""
    g = mp.mpf(9.81)
    a, v = mp.odefun(lambda _, u: [u[1], -g * mp.sin(u[0])], 0, [mp.pi / 2, mp.mpf(0)])(end)
    x, y = mp.sin(a), -mp.cos(a)
    return {"x": x, "y": y, "x'": v * mp.cos(a), "y'": v * mp.sin(a), "lambda": v**2 - g * y}


def slider_crank(end: float) -> dict[str, float]:
    """Lagrange's equation of the crank's angle: M(phi) phi'' + M'(phi) phi'^2/2 = Q."""
    g, r, half, m1, m2, m3, c = 9.81, 0.15, 0.15, 0.36, 0.15, 0.076, 0.002  # half: of the rod's length
    j1, j2 = m1 * r**2 / 3, m2 * half**2 / 3
    masses = np.array([j2, m2, m2, m3])

    def geometry(phi: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(theta, x, y, s) and their first and second derivatives by phi."""
        sine = -r / (2 * half) * np.sin(phi)
        cosine = np.sqrt(1 - sine**2)
        t1 = -r / (2 * half) * np.cos(phi) / cosine
        t2 = (r / (2 * half) * np.sin(phi) + sine * t1**2) / cosine
        x, x1, x2 = (r * np.cos(phi) + half * cosine, -r * np.sin(phi) - half * sine * t1,
                     -r * np.cos(phi) - half * (cosine * t1**2 + sine * t2))  # fmt: skip
        y, y1, y2 = r / 2 * np.sin(phi), r / 2 * np.cos(phi), -r / 2 * np.sin(phi)
        s, s1, s2 = x + half * cosine, x1 - half * sine * t1, x2 - half * (cosine * t1**2 + sine * t2)
        return np.array([np.arcsin(sine), x, y, s]), np.array([t1, x1, y1, s1]), np.array([t2, x2, y2, s2])

    def acceleration(phi: float, speed: float) -> float:
        _, first, second = geometry(phi)
        force = -c * speed - m1 * g * r / 2 * np.cos(phi) - m2 * g * first[2]
        return (force - masses @ (first * second) * speed**2) / (j1 + masses @ first**2)

    phi, speed = solved(lambda _, u: np.array([u[1], acceleration(*u)]), end, [0.7853981633974483, 15.0], 1e-3)
    place, first, second = geometry(phi)
    turn, ax, ay, slide = first * acceleration(phi, speed) + second * speed**2
    hx = -m3 * slide
    fx, both = m2 * ax - hx, m2 * (ay + g)
    difference = (j2 * turn - half * (fx - hx) * np.sin(place[0])) / (half * np.cos(place[0]))  # hy - fy
    return {
        "phi": phi, "theta": place[0], "x": place[1], "y": place[2], "s": place[3], "phi'": speed, "s'": first[3] * speed,
        "fx": fx, "fy": (both - difference) / 2, "hx": hx, "hy": (both + difference) / 2,
    }  # fmt: skip


def diode_current(u: np.ndarray, rs: float, saturation: float, vt: float) -> np.ndarray:
    """i of u = rs i + vt log(1 + i/saturation): Lambert's function in the form that does not overflow."""
    return vt / rs * wrightomega((u + rs * saturation) / vt + np.log(rs * saturation / vt)).real - saturation


def circuit_rates(t: float, y: np.ndarray, amplitude: float = 5.0) -> np.ndarray:
    """d(iL, uC1, uC2)/dt."""
    current, u1, u2 = y
    diode = diode_current(u1 - u2, 2.0, 1e-9, 0.05)
    source = amplitude * np.sin(2 * np.pi * 100 * t)
    return np.array([(source - 10 * current - u1) / 0.01, (current - diode) / 1e-5, (diode - u2 / 500) / 1e-4])


def diode_circuit(end: float) -> dict[str, float]:
    """The three states and what follows from them."""
    current, u1, u2 = solved(circuit_rates, end, [0.0, 0.0, 0.0], 1e-5)
    diode = diode_current(u1 - u2, 2.0, 1e-9, 0.05)
    source = 5 * np.sin(2 * np.pi * 100 * end)
    return {
        "iL": current, "uC1": u1, "uC2": u2, "v1": source - 10 * current, "uL": source - 10 * current - u1, "iD": diode,
        "uD": u1 - u2 - 2 * diode, "iC1": current - diode, "iC2": diode - u2 / 500,
    }  # fmt: skip


def main() -> None:
    mp.mp.dps = 40
    for made in (pendulum, slider_crank, diode_circuit):
        print(made.__name__)
        for name, value in made(ENDS[made.__name__]).items():
            print(f'"{name}" = {float(value)!r}')


ENDS = {"pendulum": 10.0, "slider_crank": 1.0, "diode_circuit": 0.0225}


if __name__ == "__main__":
    main()
