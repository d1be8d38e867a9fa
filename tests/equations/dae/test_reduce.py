"""Reduced systems against residuals written by hand, linear algebra, and models whose reduction is known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import null_space

from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.language.check import declare
from tests.equations.dae.reduced import Point, consistent, reduced, slope
from tests.equations.evaluator import Net
from tests.problems.dae.residuals import WRITTEN, Written

FOLDER = Path(__file__).parents[2] / "problems" / "dae"


@pytest.mark.parametrize("name", WRITTEN)
def test_published_problems(name: str) -> None:
    """At random consistent points the reduced rates, unknowns and derivatives satisfy the residuals that were written by hand."""
    written = WRITTEN[name]
    system = reduced((FOLDER / f"{name}.ode").read_text(encoding="utf-8"))
    rng = np.random.default_rng(0)
    near = dict(zip(written.names, written.start, strict=True))
    for t in (0.0, 0.013, 1.7):
        start = np.array([near.get(str(s), 0.0) for s in system.states]) * rng.uniform(0.97, 1.03, len(system.states))
        values = consistent(system, t, start).named()
        y = np.array([values[n] for n in written.names])
        yp = np.array([values[f"{n}'"] if i not in written.algebraic else 0.0 for i, n in enumerate(written.names)])
        left = np.array(written.residual(t, y, yp, np))
        # A residual is measured by the terms that it is made of.
        size = np.abs(slope(partial(_residual, written, t), np.concatenate([y, yp])))
        assert np.all(np.abs(left) <= 1e-8 * (size @ np.abs(np.concatenate([y, yp])) + 1e-12)), (t, left)


def _residual(written: Written, t: float, z: np.ndarray) -> np.ndarray:
    y, yp = np.split(z, 2)
    return np.array(written.residual(t, y, yp, np))


# ---- linear systems -------------------------------------------------------------------------------------------------
def linear_text(mass: np.ndarray, stiffness: np.ndarray, source: np.ndarray) -> str:
    n = len(mass)
    lines = ["model linear", *(f"state x{j} = {j + 1}/4" for j in range(n))]
    for i in range(n):
        left = " + ".join(f"{m:g}*x{j}'" for j, m in enumerate(mass[i]) if m)
        right = " + ".join(f"{k:g}*x{j}" for j, k in enumerate(stiffness[i]) if k)
        lines.append(f"{left or '0'} = {right or '0'} + {source[i]:g}*sin(t)")
    return "\n".join(lines).replace("+ -", "- ") + "\n"


def with_linear_unknowns(system: EquationSystem, t: float, x: np.ndarray) -> Point:
    """The differential states `x` with the torn unknowns that solve their residuals, which are linear."""
    k, n = len(system.unknowns), len(x)
    point = Point(system, t, np.concatenate([x, np.zeros(k)]))
    if k == 0:
        return point
    at = [Point(system, t, np.concatenate([x, e])).rates[n:] for e in np.eye(k)]
    torn = np.linalg.solve(np.stack(at, axis=1) - point.rates[n:, None], -point.rates[n:])
    return Point(system, t, np.concatenate([x, torn]))


@pytest.mark.parametrize("seed", range(15))
def test_singular_mass_matrices(seed: int) -> None:
    """M x' = K x + s sin t with a singular M of full structural rank: left null vectors N of M say 0 = N (K x + s sin t), whose
    derivative completes M."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    rank = int(rng.integers(1, n))
    while True:
        mass = (rng.integers(-2, 3, (n, rank)) @ rng.integers(-2, 3, (rank, n))).astype(float)
        stiffness, source = rng.integers(-3, 4, (n, n)).astype(float), rng.integers(-3, 4, n).astype(float)
        null = null_space(mass.T).T
        whole = np.vstack([mass, null @ stiffness])
        left_out = np.any(mass == 0, axis=None) and not (mass.any(axis=0)).all()
        if not left_out and len(null) == n - rank and np.linalg.cond(whole) < 1e6 and np.linalg.matrix_rank(whole) == n:
            break
    system = reduced(linear_text(mass, stiffness, source))
    x, t = rng.normal(size=n), 0.4
    rows = [null @ (stiffness @ x + source * np.sin(t))]
    x = x - np.linalg.pinv(null @ stiffness) @ rows[0]  # a consistent point
    right = np.concatenate([stiffness @ x + source * np.sin(t), -null @ source * np.cos(t)])
    expected = np.linalg.lstsq(whole, right, rcond=None)[0]
    assert len(system.invariants) == n - rank
    found = with_linear_unknowns(system, t, x)
    np.testing.assert_allclose(found.rates[:n], expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.invariants, 0.0, atol=1e-9)


@pytest.mark.parametrize("seed", range(15))
def test_linear_algebraic_systems(seed: int) -> None:
    """Sparse linear equations of many unknowns, loops among them: every unknown as NumPy solves for it."""
    rng = np.random.default_rng(100 + seed)
    n = int(rng.integers(2, 12))
    while True:
        matrix = np.where(rng.random((n, n)) < 2.0 / n, rng.integers(-3, 4, (n, n)), 0).astype(float)
        if abs(np.linalg.det(matrix)) > 0.5:
            break
    lines = ["model loops", "state x = 1", *(f"alg z{j} = 0" for j in range(n)), "x' = -x + z0"]
    for i in range(n):
        row = " + ".join(f"{a:g}*z{j}" for j, a in enumerate(matrix[i]) if a)
        lines.append(f"{row} = {i + 1}*x + cos({i}*t)")
    system = reduced("\n".join(lines).replace("+ -", "- ") + "\n")
    t, x = 0.7, 1.3
    values = with_linear_unknowns(system, t, np.array([x])).named()
    right = np.array([(i + 1) * x + np.cos(i * t) for i in range(n)])
    np.testing.assert_allclose([values[f"z{j}"] for j in range(n)], np.linalg.solve(matrix, right), rtol=1e-7, atol=1e-8)


# ---- models whose reduction is known --------------------------------------------------------------------------------
PENDULUM = """model pendulum
param L = 1
state x = 1
state y = 0
alg lambda = 0
x'' = -lambda*x
y'' = -lambda*y - 9.81
x^2 + y^2 = L^2
"""


def test_pendulum() -> None:
    """The angle form: lambda = (x'^2 + y'^2 - g y)/L^2."""
    system = reduced(PENDULUM)
    assert [str(s) for s in system.states] == ["x", "x'", "y", "y'"] and system.algebraic == ()
    angle, spin = 0.4, 1.3
    y = np.array([np.sin(angle), spin * np.cos(angle), -np.cos(angle), spin * np.sin(angle)])
    p = Point(system, 0.0, y)
    force = spin**2 + 9.81 * np.cos(angle)
    assert p.named()["lambda"] == pytest.approx(force)
    np.testing.assert_allclose(p.rates, [y[1], -force * y[0], y[3], -force * y[2] - 9.81])
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)
    initial = system.initial
    assert initial is not None and len(initial.equations) == 2
    assert [str(system.states[k]) for k in initial.unknowns] == ["x'", "y'"]
    assert [str(system.states[k]) for k in initial.soft] == ["x", "y"]


def test_what_is_told() -> None:
    told = [x.text for x in reduced(PENDULUM).reduction]
    assert "the equation of line 8 was differentiated twice" in told
    assert any(x.startswith("lines 6, 7, 8 are solved together") and "torn at `lambda`" in x for x in told)
    rober = reduced((FOLDER / "rober_dae.ode").read_text(encoding="utf-8"))
    assert any(x.text.startswith("`C` is computed from line") for x in rober.reduction)


def test_velocities_written_as_states() -> None:
    """x' = v with states x and v is the same chain as x''."""
    first_order = "state vx\nstate vy\nx' = vx\ny' = vy\nalg lambda"
    text = PENDULUM.replace("x''", "vx'").replace("y''", "vy'").replace("alg lambda", first_order)
    system = reduced(text)
    assert len(system.states) == 4 and len(system.invariants) == 2 and system.algebraic == ()


def test_an_unknown_that_a_hidden_constraint_gives_dynamics() -> None:
    """z = x^2 and z = sin t + 2: z is a definition, differentiated with the constraint between x and t."""
    system = reduced("model m\nstate x = 1\nalg z = 1\nalg f = 0\nx' = f\nz = x^2\nz = sin(t) + 2\n")
    assert system.algebraic == () and len(system.invariants) == 1 and [str(s) for s in system.states] == ["x"]
    x, t = np.sqrt(np.sin(0.3) + 2), 0.3
    p = Point(system, t, np.array([x]))
    assert p.named()["z"] == pytest.approx(x * x)
    np.testing.assert_allclose([p.rates[0], p.named()["f"]], np.cos(t) / (2 * x))


def test_an_unknown_that_cannot_be_made_explicit_becomes_a_state() -> None:
    """z + z^3 = x, and z = t: differentiated, z' is known; z itself stays a state with its equation as an invariant."""
    system = reduced("model m\nstate x = 0\nalg z = 0\nalg f = 0\nx' = f\nz + z^3 = x\n0 = z^5 + z - 2*t\n")
    names = [str(s) for s in system.states]
    assert names[0] == "x" and "z" in names and len(system.invariants) == 2 and system.algebraic == ()
    z = 0.6
    t = (z**5 + z) / 2
    p = Point(system, t, np.array([z + z**3, z]))
    dz = 2 / (5 * z**4 + 1)
    np.testing.assert_allclose(p.rates, [(1 + 3 * z**2) * dz, dz], rtol=1e-12)
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)


def test_a_fully_implicit_derivative() -> None:
    """x' + x'^3 = -x: the derivative itself is the unknown."""
    system = reduced("model m\nstate x = 1\nx' + x'^3 = -x\n")
    assert system.algebraic == (False, True) and [s.kind for s in system.states] == ["state", "derivative"]
    p = consistent(system, 0.0, np.array([1.0, 0.0]))
    v = p.symbols[system.states[1]]
    assert p.rates[0] == v and v + v**3 == pytest.approx(-p.symbols[system.states[0]])


def test_networks_in_constraints() -> None:
    """A bead on a learnt curve y = h(x), index 3: the network is differentiated twice."""
    dynamics = "x'' = -f*h1\ny'' = f - 9.81\nh1 = 0.3\n0 = y - NN(x, hidden=[4])\n"
    system = reduced(f"model m\nstate x = 0.5\nstate y = 0\nalg f = 0\n{dynamics}")
    net = Net(1, 1, seed=4)
    x, v, h = 0.4, 0.7, 1e-4

    def curve(x: float) -> float:
        return float(net.value(x)[0])

    first, second = float(net.jacobian(x)[0]), (curve(x + h) - 2 * curve(x) + curve(x - h)) / h**2
    p = _with_second(system, net, np.array([x, v, curve(x), first * v]))
    force = (9.81 + second * v * v) / (1 + first * 0.3)
    np.testing.assert_allclose(p.named()["f"], force, rtol=1e-6)
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)


class _Second(Net):
    """The Jacobian of a network as a network: its Jacobian by differences."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def jacobian(self, *x: float) -> np.ndarray:
        h = 1e-5
        return (self.net.jacobian(x[0] + h) - self.net.jacobian(x[0] - h)) / (2 * h)


def _with_second(system: EquationSystem, net: Net, y: np.ndarray) -> Point:
    (name,) = [x.name for x in system.declarations.networks]
    return Point(system, 0.0, y, {name: net, f"{name}'": _Second(net)})


def test_conditions_and_fixed_intermediates() -> None:
    """Intermediates that hold conditions or read parameters only stand where they are read."""
    system = reduced(
        "model m\nparam k = 2\nstate x = 1\nalg z = 0\nhigh = x > 0.5\nscale = k^2\nx' = -z\nscale*z = if high then x else 3*x\n"
    )
    assert system.algebraic == ()
    for x, expected in ((1.0, 0.25), (0.2, 0.15)):
        assert Point(system, 0.0, np.array([x])).named()["z"] == pytest.approx(expected)


def test_starts_that_read_unknowns() -> None:
    """x(0) = 2*z(0) with z + z^3 = y: an equation of the start; x is computed, y stays."""
    system = reduced("model m\nstate x\nstate y = 2\nalg z = 0.5\nx' = -x\ny' = -y\nz + z^3 = y\nx(0) = 2*z\n")
    initial = system.initial
    assert initial is not None and len(initial.equations) == 2 and initial.soft == ()
    assert [str(system.states[k]) for k in initial.unknowns] == ["x", "z"]


def test_an_ode_is_left_alone() -> None:
    text = "model m\nstate x = 1\nx' = -x\n"
    seen: list[str] = []
    system = equations_of(declare(Source("m.ode", text)), dump=lambda name, _: seen.append(name))
    assert "reduce" not in seen and system.reduction == () and system.initial is None
