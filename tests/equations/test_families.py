"""Large families through the passes and the tapes: against NumPy right sides and differences, and against the same model
written out line by line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hybridode.compile import tapes_of
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.jacobian import jacobian
from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import show
from hybridode.language.check import declare
from hybridode.rolled import Rolled
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import Tape

N = 40  # more than rolled.ROLLED_FROM


@dataclass(frozen=True)
class Case:
    """A model of n states (N unless said) and parameters k, c, with its right side and start."""

    lines: str
    rates: Callable[[np.ndarray, float, float], np.ndarray]
    start: Callable[[], np.ndarray] = lambda: np.full(N, 0.5)
    size: int = N
    instructions: int = 60  # at most, of rates and Jacobian each


def _lorenz(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + k


def _rod(x: np.ndarray, k: float, c: float) -> np.ndarray:
    wide = np.concatenate([x[:1], x, x[-1:]])
    return k * (wide[:-2] - 2 * x + wide[2:]) - c * x**3


def _pairs(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return np.array([sum(np.sin(c * (x[j] - x[i])) for j in range(N) if j != i) + i + 1 for i in range(N)])


def _triangle(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return np.array([sum((j + 1) * x[j] ** 2 for j in range(i)) - k * x[i] for i in range(N)])


def _oscillators(z: np.ndarray, k: float, c: float) -> np.ndarray:
    q, v = z[:N], z[N:]
    wide = np.concatenate([[0], q, [0]])
    return np.concatenate([v, k * (wide[:-2] - 2 * q + wide[2:]) - c * v])


def _through_definitions(x: np.ndarray, k: float, c: float) -> np.ndarray:
    y = np.exp(-c * x**2)
    return k * (np.roll(y, -1) - y) * x


def _running(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return -k * np.cumsum(x) * x


def _matrix(w: np.ndarray, k: float, c: float) -> np.ndarray:
    a = w.reshape(8, 5)
    i, j = np.arange(1, 9)[:, None], np.arange(1, 6)
    return (i * k - j * a * a[:, ::-1] + c * a.sum(1, keepdims=True)).ravel()


def _choice(x: np.ndarray, k: float, c: float) -> np.ndarray:
    i = np.arange(1, N + 1)
    before = np.concatenate([[0.0], x[:-1]])
    return np.where(i == 1, k, np.where(before > c * x, before - x, -x / i))


def _nested(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return np.array([sum(sum(x[m] * x[j] for m in range(j)) * (i + 1) for j in range(i)) - k * x[i] for i in range(N)])


def _everybody(x: np.ndarray, k: float, c: float) -> np.ndarray:
    return k * (x.mean() - x) + c * x[2] * np.tanh(x)


_RING = """
x[i]' = (x[mod(i, n) + 1] - x[mod(i - 3, n) + 1])*x[mod(i - 2, n) + 1] - x[i] + k for i in 1..n
z = c"""
_ROD_LINES = """
x[1]' = k*(x[2] - x[1]) - c*x[1]^3
x[i]' = k*(x[i-1] - 2*x[i] + x[i+1]) - c*x[i]^3 for i in 2..n-1
x[n]' = k*(x[n-1] - x[n]) - c*x[n]^3
x[i](0) = i/n for i in 1..n"""
_SECOND_ORDER = """
state q[n] = 0
q[1]'' = k*(q[2] - 2*q[1]) - c*q[1]'
q[i]'' = k*(q[i-1] - 2*q[i] + q[i+1]) - c*q[i]' for i in 2..n-1
q[n]'' = k*(q[n-1] - 2*q[n]) - c*q[n]'
q[i]'(0) = if i > n/2 then sin(0.1*i) else -1 for i in 1..n"""
_MATRIX = """
state w[8, 5] = 0.5
w[i, j]' = i*k - j*w[i, j]*w[i, 6 - j] + c*sum(m in 1..5, w[i, m]) for i in 1..8, j in 1..5"""

CASES = {
    "ring": Case(_RING, _lorenz),
    "rod": Case(_ROD_LINES, _rod, lambda: np.arange(1, N + 1) / N),
    "pairs": Case("x[i]' = sum(j in 1..n if j != i, sin(c*(x[j] - x[i]))) + i for i in 1..n\nz = k", _pairs),
    "triangle": Case("x[i]' = sum(j in 1..i-1, j*x[j]^2) - k*x[i] for i in 1..n\nz = c", _triangle),
    "oscillators": Case(
        _SECOND_ORDER,
        _oscillators,
        lambda: np.concatenate([np.zeros(N), -np.ones(N // 2), np.sin(0.1 * np.arange(N // 2 + 1, N + 1))]),
        2 * N,
    ),
    "definitions": Case(
        "y[i] = exp(-c*x[i]^2) for i in 1..n\nx[i]' = k*(y[mod(i, n) + 1] - y[i])*x[i] for i in 1..n", _through_definitions
    ),
    "running sums": Case(
        "y[1] = x[1]\ny[i] = y[i-1] + x[i] for i in 2..n\nx[i]' = -k*y[i]*x[i] for i in 1..n\nz = c",
        _running,
        instructions=2000,
    ),
    "matrix": Case(_MATRIX, _matrix),
    "choice": Case("x[i]' = if i == 1 then k else if x[i-1] > c*x[i] then x[i-1] - x[i] else -x[i]/i for i in 1..n", _choice),
    "nested": Case("x[i]' = sum(j in 1..i-1, sum(m in 1..j-1, x[m]*x[j])*i) - k*x[i] for i in 1..n\nz = c", _nested),
    "everybody": Case("x[i]' = k*(sum(x)/n - x[i]) + c*x[3]*tanh(x[i]) for i in 1..n", _everybody),
}


def system_of(case: Case) -> EquationSystem:
    named = "state x[n]" + ("" if "x[i](0)" in case.lines else " = 0.5") if "state" not in case.lines else ""
    text = f"model m\nconst n = {N}\nparam k = 0.7\nparam c = 0.3\n{named}\n{case.lines}\n"
    return equations_of(declare(Source("m.ode", text)))


def run(tape: Tape, name: str, y: np.ndarray, k: float, c: float) -> np.ndarray:
    given = {"t": 0.0, "y": y, "p": np.array([k, c])}
    return np.asarray(interpret(tape, {i.name: given[i.name] for i in tape.inputs})[name])


def dense(system: EquationSystem, tape: Tape, y: np.ndarray, k: float, c: float) -> np.ndarray:
    out = np.zeros((len(y), len(y)))
    entries = system.jacobian or ()
    out[[e.row for e in entries], [e.column for e in entries]] = run(tape, "jacobian", y, k, c)
    return out


def differences(case: Case, y: np.ndarray, k: float, c: float) -> np.ndarray:
    h = 1e-6
    columns = [(case.rates(y + h * e, k, c) - case.rates(y - h * e, k, c)) / (2 * h) for e in np.eye(len(y))]
    return np.array(columns).T


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name: str) -> None:
    case = CASES[name]
    system = system_of(case)
    assert isinstance(system.rates, Rolled)
    tapes = tapes_of(system)
    assert max(tapes[t].count() for t in ("rates", "jacobian")) <= case.instructions
    rng = np.random.default_rng(1)
    for _ in range(3):
        y, k, c = rng.uniform(0.2, 1.5, case.size), *rng.uniform(0.3, 1.2, 2)
        np.testing.assert_allclose(run(tapes["rates"], "rates", y, k, c), case.rates(y, k, c), rtol=1e-12, atol=1e-12)
        wanted, scale = differences(case, y, k, c), np.abs(case.rates(y, k, c)).max()
        np.testing.assert_allclose(dense(system, tapes["jacobian"], y, k, c), wanted, rtol=1e-6, atol=2e-7 + 1e-9 * scale)
    np.testing.assert_allclose(run(tapes["start"], "start", np.zeros(0), 0.7, 0.3), case.start(), rtol=1e-15)


WRITTEN_OUT = {  # models with what NumPy has no word for: against the same equations taken one by one
    "one network": "state x[n] = 0.5\nx[i]' = NN(x[i], x[mod(i, n) + 1], k)*c for i in 1..n",
    "pairs through a network": "state x[n] = 0.5\nnn U: 1 -> 2, hidden=[3], symmetry=odd, seed=3\n"
    "x[i]' = sum(j in 1..n if j != i, dot(U(x[j] - x[i]), [k, c]))/n - x[i] for i in 1..n",
    "a table": "state x[n] = 0.5\ntable f(u) = [[0, 1], [1, 3], [2, 2]], interp=cubic\nx[i]' = f(x[i])*k - c*x[i] for i in 1..n",
    "a network of a network": "state x[n] = 0.5\nnn U: 1 -> 1, hidden=[3]\nx[i]' = U(U(x[i])*k)*c for i in 1..n",
    "a network of what all share": "state x[n] = 0.5\nnn U: 1 -> 1, hidden=[3]\nx[i]' = U(sum(x)/n)*k - c*x[i] for i in 1..n",
    "definitions in sums": "state x[n] = 0.5\ny[i] = sin(k*x[i]) for i in 1..n\n"
    "x[i]' = sum(j in 1..n if j > i, y[j]*c) - x[i] for i in 1..n",
    "derivatives": "state x[n] = 0.5\nstate z[n] = 1\nx[i]' = -k*x[i]^2 for i in 1..n\nz[i]' = c*x[i]' - z[i] for i in 1..n",
    "the time": "state x[n] = 0.5\nx[i]' = -k*x[i] + c*sin(t*i) for i in 1..n",
    "singular forms": "state x[n] = 0.5\nx[i]' = k*x[i]/(exp(x[i]) - 1) - log(1 + exp(c*x[i]))*i for i in 1..n",
    "an exponent": "state x[n] = 0.5\nx[i]' = -k*x[i]^mod(i, 4) + c for i in 1..n",
    "parameters by index": "state x[n] = 0.5\nparam w[n, n] = 0.1\n"
    "x[i]' = k*tanh(sum(j in 1..n, w[i, j]*x[j])) - c*x[i] for i in 1..n",
}


def scalar(system: EquationSystem) -> EquationSystem:
    """The same system, its equations taken one by one."""
    cache = ShapeCache()
    plain = replace(system, rates=tuple(system.rates), starts=tuple(system.starts), jacobian=None)
    return jacobian(plain, cache.gradient)


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_the_same_as_one_by_one(name: str) -> None:
    text = f"model m\nconst n = {N}\nparam k = 0.7\nparam c = 0.3\n{WRITTEN_OUT[name]}\n"
    system = equations_of(declare(Source("m.ode", text)))
    assert isinstance(system.rates, Rolled)
    rolled, single = tapes_of(system), tapes_of(scalar(system))
    rng = np.random.default_rng(2)
    shapes = {i.name: i.shape for tapes in (rolled, single) for tape in tapes.values() for i in tape.inputs}
    given = {key: rng.uniform(0.2, 1.2, shape) for key, shape in shapes.items()}
    places = [(e.row, e.column) for e in system.jacobian or ()]
    others = [(e.row, e.column) for e in scalar(system).jacobian or ()]
    for key in ("rates", "start"):
        a, b = (np.asarray(interpret(tapes[key], given)[key]) for tapes in (rolled, single))
        np.testing.assert_allclose(a, b, rtol=1e-13)
    found, wanted = np.zeros((len(system.states),) * 2), np.zeros((len(system.states),) * 2)
    found[tuple(np.array(places).T)] = interpret(rolled["jacobian"], given)["jacobian"]
    wanted[tuple(np.array(others).T)] = interpret(single["jacobian"], given)["jacobian"]
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)
    if name not in ("an exponent", "definitions in sums"):
        assert rolled["jacobian"].count() <= 150
    # What is printed of the system is what the lines say one by one.
    assert [show(e) for e in system.rates][:3] == [show(e) for e in scalar(system).rates][:3]


def test_lines_and_families_are_one() -> None:
    """10,000 plain lines give the tapes that the family gives."""
    n = 200
    lines = ["model m", "param k = 0.7", "param c = 0.3"]
    lines += [f"state x{i} = {0.5 + 0.001 * i}" for i in range(1, n + 1)]
    lines += [f"x{i}' = k*(x{i % n + 1} - 2*x{i} + x{(i - 2) % n + 1}) - {i}*x{i}^3" for i in range(1, n + 1)]
    family = f"""model m
param k = 0.7
param c = 0.3
const n = {n}
state x[n]
x[i](0) = 0.5 + 0.001*i for i in 1..n
x[i]' = k*(x[mod(i, n) + 1] - 2*x[i] + x[mod(i - 2, n) + 1]) - i*x[i]^3 for i in 1..n
"""
    written, rolled = (tapes_of(equations_of(declare(Source("m.ode", t)))) for t in ("\n".join(lines) + "\n", family))
    y = np.random.default_rng(3).uniform(0.1, 1, n)
    for key in ("rates", "jacobian"):
        assert written[key].count() <= 40
        np.testing.assert_allclose(run(written[key], key, y, 0.7, 0.3), run(rolled[key], key, y, 0.7, 0.3), rtol=1e-14)
    np.testing.assert_allclose(
        run(written["start"], "start", y, 0.7, 0.3), run(rolled["start"], "start", y, 0.7, 0.3), rtol=1e-14
    )
