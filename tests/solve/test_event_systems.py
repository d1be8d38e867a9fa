"""Random systems with events against SciPy with restarts by hand: values, counts and gradients."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from tests.solve.event_oracle import ChainReaction, Event, integrate

TS = np.linspace(0.5, 8, 16)


@dataclass(frozen=True)
class System:
    """A damped rotation that is driven, with thresholds: the text and the same in Python, from one seed.

    Each event puts its state back behind the threshold by a jump that is not small, so that no event follows by rounding alone.
    Parameters p: thresholds, jumps, damping.
    """

    text: str
    p: np.ndarray
    names: tuple[str, ...]
    n: int
    matrix: np.ndarray
    drive: np.ndarray
    watched: tuple[int, ...]
    signs: tuple[int, ...]

    def rates(self, p):
        k = p[-1]

        def f(t, y):
            x = np.asarray(y)[: self.n]
            return np.append(self.matrix @ x - k * x + self.drive * np.sin(t), 0.0)

        return f

    def events(self, p):
        out = []
        for e, (i, sign) in enumerate(zip(self.watched, self.signs, strict=True)):
            level, jump = p[2 * e], p[2 * e + 1]

            def action(t, y, i=i, sign=sign, jump=jump):
                y = np.array(y)
                other = (i + 1) % self.n
                y[i], y[other], y[-1] = y[i] - sign * jump, y[other] + 0.1 * y[i], y[-1] + 1
                return y

            out.append(Event(lambda t, y, i=i, level=level, sign=sign: sign * (y[i] - level), action))
        return out


def system(seed: int) -> System:
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    skew = rng.normal(size=(n, n))
    matrix = np.round(skew - skew.T, 3)
    drive = np.round(rng.uniform(0.5, 2, n), 3)
    watched = tuple(int(k) for k in rng.integers(0, n, count))
    signs = tuple(int(k) for k in rng.choice([-1, 1], count))
    p = np.round(
        np.concatenate([*([s * rng.uniform(0.1, 0.6), rng.uniform(0.4, 1.0)] for s in signs), [rng.uniform(0.1, 0.5)]]), 3
    )
    names = (*(name for e in range(count) for name in (f"level{e}", f"jump{e}")), "k")
    lines = ["model random", *(f"param {name} = {value}" for name, value in zip(names, p, strict=True))]
    lines += [f"state x{i} = 0" for i in range(n)] + ["discrete hits = 0"]
    for i in range(n):
        terms = " + ".join(f"({matrix[i, j]})*x{j}" for j in range(n))
        lines.append(f"x{i}' = {terms} - k*x{i} + {drive[i]}*sin(t)")
    for e, (i, sign) in enumerate(zip(watched, signs, strict=True)):
        written = int(rng.integers(0, 3))
        compare = ">" if sign > 0 else "<"
        condition = (f"x{i} {compare} level{e}", f"x{i} - level{e} {'rising' if sign > 0 else 'falling'}",
                     f"not (x{i} {'<=' if sign > 0 else '>='} level{e})")[written]  # fmt: skip
        change = f"x{i} := x{i} {'-' if sign > 0 else '+'} jump{e}; x{(i + 1) % n} := x{(i + 1) % n} + 0.1*x{i}; hits := hits + 1"
        lines.append(f"event e{e} when {condition} {{ {change} }}")
    return System("\n".join(lines) + "\n", p, names, n, matrix, drive, watched, signs)


def far_from_coincidence(made: System, p: np.ndarray) -> np.ndarray | None:
    """The oracle's states at TS if no two events are close to each other and no sample is close to an event."""
    try:
        out, fired = integrate(made.rates(p), np.zeros(made.n + 1), TS, made.events(p))
    except ChainReaction:
        return None
    times = np.array([t for t, _ in fired])
    if len(times) > 60 or np.any(np.diff(times) < 1e-3) or any(np.any(np.abs(times - t) < 1e-3) for t in TS):
        return None
    return out


def difference(made: System, i: int, step: float, pull: np.ndarray, exact: np.ndarray) -> float | None:
    """The difference quotient by parameter i of the oracle, None where a firing more or less, or a coincidence, makes it none."""
    change = step * np.eye(len(made.p))[i]
    sides = [far_from_coincidence(made, made.p + sign * change) for sign in (1, -1)]
    if any(side is None or not np.array_equal(side[:, -1], exact[:, -1]) for side in sides):
        return None
    return float(np.sum(pull * (sides[0] - sides[1])[:, :-1]) / (2 * step))  # type: ignore[operator]


def check(seed: int, method: str) -> bool:
    made = system(seed)
    exact = far_from_coincidence(made, made.p)
    if exact is None or not np.all(np.isfinite(exact)):
        return False
    solver = ho.parse(made.text).solver(at=TS, method=method, rtol=1e-10, atol=1e-12)

    def states(p):
        sol = solver(dict(zip(made.names, p, strict=True)))
        return jnp.stack([sol[f"x{i}"] for i in range(made.n)], 1), (sol["hits"], sol.result)

    value, (hits, result) = jax.jit(states)(jnp.array(made.p))
    assert result == 0
    np.testing.assert_array_equal(hits, exact[:, -1], err_msg=made.text)
    np.testing.assert_allclose(value, exact[:, :-1], rtol=2e-6, atol=2e-6, err_msg=made.text)
    pull = np.random.default_rng(seed).normal(size=value.shape)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(pull * states(p)[0])))(jnp.array(made.p))
    for i in range(len(made.p)):
        small, large = (difference(made, i, step, pull, exact) for step in (1e-6, 2e-6))
        if small is None or large is None or abs(small - large) > 1e-4 * (1 + abs(small)):
            continue  # an event that all but grazes its threshold: differences do not settle
        np.testing.assert_allclose(gradient[i], small, rtol=2e-4, atol=2e-3, err_msg=f"{made.names[i]}\n{made.text}")
    return True


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_random_systems(method: str) -> None:
    done = [check(seed, method) for seed in range(100, 106)]
    assert sum(done) >= 3


@pytest.mark.slow
def test_200_random_systems() -> None:
    done = 0
    for seed in range(1000):
        done += check(seed, ("tsit5", "rodas5p", "dop853", "rodas4")[seed % 4])
        if done == 200:
            return
    raise AssertionError(f"only {done} systems are far from coincidences")
