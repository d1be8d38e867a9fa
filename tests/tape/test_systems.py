"""Linear systems of a fixed sparsity: structure, meaning and derivatives, against dense NumPy and differences."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import pytest

from hybridode.kernels.jax import emit
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.print import print_tape
from hybridode.tape.systems import LinearSystem, linear_system
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify

Pattern = tuple[int, list[int], list[int]]


def diagonals(n: int, *offsets: int, wrapped: bool = False) -> Pattern:
    places = [(i, (i + d) % n) for i in range(n) for d in offsets if wrapped or 0 <= i + d < n]
    return n, [i for i, _ in places], [j for _, j in places]


def grid(m: int) -> Pattern:
    """A grid of m by m cells of two states, every cell read by its neighbours, opposite edges neighbours too."""
    places = set()
    for i in range(m):
        for j in range(m):
            own = 2 * (i * m + j)
            places |= {(own, own + 1), (own + 1, own)}
            for a, b in (((i + 1) % m, j), ((i - 1) % m, j), (i, (j + 1) % m), (i, (j - 1) % m)):
                places |= {(own + s, 2 * (a * m + b) + s) for s in range(2)}
    return 2 * m * m, [i for i, _ in sorted(places)], [j for _, j in sorted(places)]


def star(n: int) -> Pattern:
    """One state reads all others, all read it."""
    return n, [0] * (n - 1) + list(range(1, n)), [*range(1, n)] + [0] * (n - 1)


PATTERNS: dict[str, Pattern] = {
    "diagonal": diagonals(5),
    "one-sided": diagonals(20, -1),
    "chain": diagonals(30, -1, 1),
    "ring": diagonals(40, -2, -1, 1, wrapped=True),
    "band of 11": diagonals(60, -10, 9),
    "grid": grid(5),
    "star": star(25),
}


def random_entries(s: LinearSystem, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Entries of a matrix that needs no pivots, and the matrix."""
    rng = np.random.default_rng(seed)
    entries = rng.normal(size=s.entries)
    entries[s.rows == s.columns] += 4.0 * np.bincount(s.rows)
    matrix = np.zeros((s.n, s.n))
    matrix[s.rows, s.columns] = entries
    return entries, matrix


def solving(s: LinearSystem) -> Tape:
    """A x = b, A' z = x, the factors and the pivots."""
    b = TapeBuilder()
    entries, right = b.input("a", (s.entries,)), b.input("b", (s.n,))
    factors = b.make("factor", entries, attrs=s)
    x = b.make("solve", entries, factors, right, attrs=(s, False))
    z = b.make("solve", entries, factors, x, attrs=(s, True))
    return verify(b.finish({"factors": factors, "x": x, "z": z, "pivots": b.make("pivots", factors, attrs=s)}))


@pytest.fixture(params=PATTERNS)
def system(request: pytest.FixtureRequest) -> LinearSystem:
    found = linear_system(*PATTERNS[request.param])
    assert found is not None
    return found


def test_the_factors_are_those_of_the_matrix(system: LinearSystem) -> None:
    entries, matrix = random_entries(system)
    out = interpret(solving(system), {"a": entries, "b": np.arange(system.n, dtype=float)})
    lower, upper, k = np.eye(system.n), np.eye(system.n), np.arange(system.n)
    left = len(system.lower)
    lower[np.repeat(k, np.diff(system.lower_start)), system.lower] = out["factors"][:left]
    upper[np.repeat(k, np.diff(system.upper_start)), system.upper] = out["factors"][left + system.n :]
    middle = np.diag(1 / out["factors"][left : left + system.n])
    np.testing.assert_allclose(lower @ middle @ upper, matrix[np.ix_(system.order, system.order)], atol=1e-11)
    np.testing.assert_allclose(1 / out["pivots"][system.order], np.diag(middle), rtol=1e-13)
    np.testing.assert_allclose(matrix @ out["x"], np.arange(system.n), atol=1e-12)
    np.testing.assert_allclose(matrix.T @ out["z"], out["x"], atol=1e-12)


def test_jax_means_the_same(system: LinearSystem) -> None:
    entries, _ = random_entries(system)
    given = {"a": entries, "b": np.cos(np.arange(system.n))}
    expected = interpret(solving(system), given)
    with jax.enable_x64(True):
        found = emit(solving(system))(given)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-13, err_msg=name)


def test_derivatives(system: LinearSystem) -> None:
    """Both modes against central differences along a direction."""
    tape, rng = solving(system), np.random.default_rng(1)
    entries, _ = random_entries(system)
    given = {"a": entries, "b": rng.normal(size=system.n)}
    dots = {f"{name}.dot": rng.normal(size=value.shape) for name, value in given.items()}
    bar = rng.normal(size=system.n)
    h = 1e-6
    ahead, behind = (interpret(tape, {k: v + s * h * dots[f"{k}.dot"] for k, v in given.items()})["z"] for s in (1, -1))
    moved = interpret(forward(tape, ("a", "b"), ("z",)), given | dots)["z.dot"]
    np.testing.assert_allclose(moved, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8)
    bars = interpret(reverse(tape, ("a", "b"), ("z",)), given | {"z.bar": bar})
    total = sum(float(np.sum(bars[f"{k}.bar"] * dots[f"{k}.dot"])) for k in given)
    assert total == pytest.approx(float(bar @ moved), rel=1e-12)


@pytest.mark.parametrize(
    "pattern, fits",
    [
        ("chain", lambda s: s.banded and s.band == (1, 1)),
        ("ring", lambda s: s.banded and max(s.band) <= 6),
        ("grid", lambda s: not s.banded or s.products <= 60_000),
        ("star", lambda s: s.size <= 4 * s.n),
    ],
)
def test_little_fill(pattern: str, fits: Callable[[LinearSystem], bool]) -> None:
    found = linear_system(*PATTERNS[pattern])
    assert found is not None and fits(found), found


def test_a_shuffled_chain_is_a_chain() -> None:
    n, rows, columns = diagonals(200, -1, 1)
    names = np.random.default_rng(3).permutation(n)
    found = linear_system(n, names[rows].tolist(), names[columns].tolist())
    assert found is not None and found.band == (1, 1) and not found.natural


def test_what_fills_up_is_refused_at_once() -> None:
    """A random graph of 30,000 states: an elimination would be a dense one."""
    rng = np.random.default_rng(0)
    n = 30_000
    assert linear_system(n, rng.integers(0, n, 4 * n).tolist(), rng.integers(0, n, 4 * n).tolist()) is None


def test_it_prints() -> None:
    found = linear_system(*PATTERNS["chain"])
    assert found is not None
    text = print_tape(solving(found))
    assert "factor(a; <30 equations, 88 entries" in text and "transposed" in text
