"""Models written as equations that hold together, from text to solution, against independent references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import hybridode as ho
from hybridode.errors import NumericsError

SLIDER = """model slider_crank
const g = 9.81
param a = 0.5
param b = 1.5
state x = 0.5
state y = 0
state s = 2
alg l1
alg l2
x'' = 2*x*l1 + 2*(x - s)*l2
y'' = 2*y*l1 + 2*y*l2 - g
2*s'' = -2*(x - s)*l2
x^2 + y^2 = a^2
(x - s)^2 + y^2 = b^2
"""


def test_a_slider_crank_that_starts_at_its_dead_centre() -> None:
    """There the equations of velocities leave one velocity open. Reference: one equation for the crank's angle."""
    a, b = 0.5, 1.5

    def place(q: np.ndarray) -> np.ndarray:
        return a * np.cos(q) + np.sqrt(b**2 - (a * np.sin(q)) ** 2)

    def slope(q: float) -> float:
        return -a * np.sin(q) - a**2 * np.sin(q) * np.cos(q) / np.sqrt(b**2 - (a * np.sin(q)) ** 2)

    def rate(t: float, u: np.ndarray) -> list[float]:
        q, w = u
        mass = a**2 + 2 * slope(q) ** 2
        change = (slope(q + 1e-6) ** 2 - slope(q - 1e-6) ** 2) / 1e-6
        return [w, -(0.5 * change * w * w + 9.81 * a * np.cos(q)) / mass]

    t = np.linspace(0, 2, 9)
    q = solve_ivp(rate, (0, 2), [0, 0], t_eval=t, rtol=1e-11, atol=1e-12).y[0]
    solution = ho.parse(SLIDER).simulate(to=2.0, points=9, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(solution["s"], place(q), atol=1e-7)
    np.testing.assert_allclose(solution["y"], a * np.sin(q), atol=1e-7)
    np.testing.assert_allclose(np.asarray(solution["(x - s)^2 + y^2"]), b**2, atol=1e-9)


def test_unknowns_that_only_the_time_moves() -> None:
    solution = ho.parse("model m\nstate clock = 0\nclock' = 1\nalg z = 1\nz^3 + z = sin(t) + 2\n").simulate(to=3.0, points=7)
    expected = [brentq(lambda z, t=t: z**3 + z - np.sin(t) - 2, 0, 3) for t in np.asarray(solution.t)]
    np.testing.assert_allclose(solution["z"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "state v = 0\nstate w = 3\nalg i\nv' = i\n2*w' = 1 - v - i\n0 = v - w\n",
            ("`v = 0` and `w = 3` contradict the equation of line 7", "`state w`"),
        ),
        (
            "state x = 3\nalg f\nx' = f\nx^2 + x = 2\n",
            ("the given start `x = 3` contradicts the equation of line 5", "would satisfy"),
        ),
    ],
)
def test_given_starts_that_contradict_an_equation(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(NumericsError, match="E0710") as caught:
        ho.parse("model m\n" + text).simulate(to=1.0)
    assert all(word in str(caught.value) for word in words)
    (diagnostic,) = caught.value.diagnostics
    assert len(diagnostic.related) == words[0].count(" = ") and diagnostic.related[-1][1] == "the equation"


PENDULUM = """model kicked
state x = 1
state y = 0
alg T
x'' = -T*x
y'' = -T*y - 9.81
x^2 + y^2 = 1
"""
KICK = "{ x' := x' + 1; y' := y' + 2 }"


def _swing(a: float, b: float, angle: float, speed: float, until_low: bool = False) -> tuple[float, np.ndarray]:
    def low(t: float, u: np.ndarray) -> float:
        return np.sin(u[0]) + 0.95

    low.terminal, low.direction = True, -1
    found = solve_ivp(
        lambda t, u: [u[1], -9.81 * np.cos(u[0])],
        (a, b),
        [angle, speed],
        events=low if until_low else None,
        rtol=1e-11,
        atol=1e-12,
    )
    return found.t[-1], found.y[:, -1]


def _kicked(u: np.ndarray) -> tuple[float, float]:
    """The rod takes what of the kick is along it: the angle stays, the speed across it changes."""
    angle, speed = u
    return angle, speed + np.array([1, 2]) @ np.array([-np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize("line", [f"at 1 {KICK}", f"event low when y < -0.95 {KICK}"], ids=["at", "event"])
def test_a_kick_along_the_rod_shifts_no_position(line: str) -> None:
    kick = line.startswith("at")
    t, u = _swing(0, 1 if kick else 5, 0.0, 0.0, until_low=not kick)
    end = 1.9 if kick else t + 0.35
    _, u = _swing(t, end, *_kicked(u))
    solution = ho.parse(PENDULUM + line).simulate(at=[0.0, t, end], rtol=1e-8, atol=1e-10)
    found = [float(np.asarray(solution[name])[-1]) for name in ("x", "y", "x'", "y'")]
    np.testing.assert_allclose(found, [np.cos(u[0]), np.sin(u[0]), -np.sin(u[0]) * u[1], np.cos(u[0]) * u[1]], atol=1e-6)
