"""Random systems with events against SciPy with restarts by hand: values, counts and gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from tests.solve.event_oracle import Undecided, integrate
from tests.solve.random_events import System, system

TS = np.linspace(0.5, 8, 16)


def far_from_coincidence(made: System, p: np.ndarray) -> np.ndarray | None:
    """The oracle's states at TS if no two events are close to each other and no sample is close to an event."""
    stretches = made.stretches(p)
    try:
        out, fired = integrate(stretches, np.zeros(made.n + 1), TS)
    except Undecided:
        return None
    stops = [stretch.end for stretch in stretches[:-1]]
    times = np.sort([*stops, *({t for t, _ in fired} - set(stops))])
    if len(times) > 80 or np.any(np.diff(times) < 1e-3) or any(np.any(np.abs(times - t) < 1e-3) for t in TS):
        return None
    return out


def difference(made: System, along: np.ndarray, step: float, pull: np.ndarray, exact: np.ndarray) -> float | None:
    """The oracle's difference quotient along p + s*along, None where a firing more or less, or a coincidence, makes it none."""
    sides = [far_from_coincidence(made, made.p + sign * step * along) for sign in (1, -1)]
    if any(side is None or not np.array_equal(side[:, -1], exact[:, -1]) for side in sides):
        return None
    return float(np.sum(pull * (sides[0] - sides[1])[:, :-1]) / (2 * step))  # type: ignore[operator]


def solutions(made: System, method: str, pull: np.ndarray):
    """The loss sum(pull*x) as a function of p, with the states, the count and the result beside it."""
    solver = ho.parse(made.text).solver(at=TS, method=method, rtol=1e-10, atol=1e-12)

    def loss(p):
        sol = solver(dict(zip(made.names, p, strict=True)), inputs=made.records or None)
        x = jnp.stack([sol[f"x{i}"] for i in range(made.n)], 1)
        return jnp.sum(pull * x), (x, sol["hits"], sol.result)

    return loss


def check(seed: int, method: str, kind: str = "plain", brief: bool = False) -> tuple[bool, int]:
    """(whether the system could be compared, how many derivatives were). brief: one compilation, one derivative."""
    made = system(seed, kind)
    exact = far_from_coincidence(made, made.p)
    if exact is None or not np.all(np.isfinite(exact)):
        return False, 0
    rng = np.random.default_rng(seed)
    pull = rng.normal(size=exact[:, :-1].shape)
    loss = solutions(made, method, pull)
    p = jnp.array(made.p)
    (_, found), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(p)
    for value, hits, result in [found] if brief else [found, jax.jit(loss)(p)[1]]:
        assert result == 0, made.text
        np.testing.assert_array_equal(hits, exact[:, -1], err_msg=made.text)
        np.testing.assert_allclose(value, exact[:, :-1], rtol=2e-6, atol=2e-6, err_msg=made.text)
    compared = 0
    for along in rng.normal(size=(1, len(p))) * made.movable if brief else np.diag(made.movable):
        small, large = (difference(made, along, step, pull, exact) for step in (1e-6, 2e-6))
        if small is None or large is None or abs(small - large) > 1e-4 * (1 + abs(small)):
            continue  # an event that all but grazes its threshold: differences do not settle
        np.testing.assert_allclose(gradient @ along, small, rtol=2e-4, atol=2e-3, err_msg=f"{along}\n{made.text}")
        compared += 1
    return True, compared


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_random_systems(method: str) -> None:
    done = [check(seed, method)[0] for seed in range(100, 106)]
    assert sum(done) >= 3


@pytest.mark.parametrize(
    ("kind", "seeds"), [("at", (0, 1, 7)), ("inputs", (2, 3, 11)), ("both", (2, 3, 7)), ("meeting", (0, 3, 4))]
)
def test_known_times_and_inputs(kind: str, seeds: tuple[int, ...]) -> None:
    """`at` before `when` at one instant, chains of events, jumps of an input in a condition, `at` on such a jump."""
    done = [check(seed, ("tsit5", "rodas5p")[k % 2], kind, brief=True) for k, seed in enumerate(seeds)]
    assert all(could for could, _ in done) and sum(compared for _, compared in done) >= 2


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("plain", 200), ("at", 70), ("inputs", 70), ("both", 70), ("meeting", 40)])
def test_hundreds_of_random_systems(kind: str, count: int) -> None:
    done = compared = 0
    for seed in range(1000):
        could, derivatives = check(seed, ("tsit5", "rodas5p", "dop853", "rodas4")[seed % 4], kind)
        done, compared = done + could, compared + derivatives
        if done == count:
            assert compared > 3 * count
            return
    raise AssertionError(f"only {done} systems are far from coincidences")
