"""Pantelides' algorithm against published results, and against structural ranks found by SciPy."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import structural_rank

from hybridode.equations.dae.pantelides import NONE, Structure, pantelides


def orders(structure: Structure, count: int) -> list[int]:
    """How often each of the first equations is differentiated."""
    found = []
    for e in range(count):
        k = 0
        while structure.differentiated[e] != NONE:
            e, k = structure.differentiated[e], k + 1
        found.append(k)
    return found


def test_pendulum() -> None:
    """Pantelides 1988, example: x' = w, y' = z, w' = T x, z' = T y - g, x^2 + y^2 = L^2: the constraint is differentiated twice
    and the kinematic equations once."""
    x, y, w, z, tension, dx, dy, dw, dz = range(9)
    derivative = [dx, dy, dw, dz, NONE, NONE, NONE, NONE, NONE]
    rows = [[dx, w], [dy, z], [dw, tension, x], [dz, tension, y], [x, y]]
    found = pantelides(rows, derivative)
    assert orders(found, 5) == [1, 1, 0, 0, 2]
    matched = [found.matched[e] for e in found.top]
    assert sorted(matched) == [v for v, d in enumerate(found.derivative) if d == NONE]


def test_index_one_needs_nothing() -> None:
    """x' = z, 0 = z - x."""
    found = pantelides([[1, 2], [2, 0]], [1, NONE, NONE])
    assert orders(found, 2) == [0, 0] and found.matched == [1, 2]


def test_chain_of_integrators() -> None:
    """0 = x1 - sin t, x1' = x2, …, x(n)' = u: the first is differentiated n times, the k-th n - k times (index n + 1)."""
    n = 120
    derivative = [n + i for i in range(n)] + [NONE] * (n + 1)
    rows = [[0]] + [[n + i, i + 1 if i + 1 < n else 2 * n] for i in range(n)]
    assert orders(pantelides(rows, derivative), n + 1) == [n, *range(n - 1, -1, -1)]


def signature_offsets(sigma: np.ndarray) -> list[int]:
    """The canonical equation offsets of Pryce's signature method (BIT 41, 2001, 364), which agree with Pantelides' counts:
    a heaviest assignment, then the smallest offsets by iteration."""
    from scipy.optimize import linear_sum_assignment

    n = len(sigma)
    finite = np.where(np.isfinite(sigma), sigma, -1e6)
    rows, columns = linear_sum_assignment(-finite)
    assigned = dict(zip(rows, columns, strict=True))
    c = np.zeros(n, int)
    while True:
        d = np.max(finite + c[:, None], axis=0).astype(int)
        new = np.array([d[assigned[i]] - int(sigma[i, assigned[i]]) for i in range(n)])
        if (new == c).all():
            return c.tolist()
        c = new


@pytest.mark.parametrize("seed", range(100))
def test_random_systems(seed: int) -> None:
    """Random structures with derivatives of random order: counts as by the signature method, and a top of full structural
    rank."""
    rng = random.Random(seed)
    n = rng.randint(2, 7)
    order = [rng.randint(0, 2) for _ in range(n)]
    first = [sum(k + 1 for k in order[:v]) for v in range(n)]
    derivative = [NONE if k == order[v] else first[v] + k + 1 for v in range(n) for k in range(order[v] + 1)]
    permutation = rng.sample(range(n), n)
    sigma = np.full((n, n), -np.inf)
    rows: list[list[int]] = []
    for e in range(n):
        read = {permutation[e], *(v for v in range(n) if rng.random() < 0.3)}
        for v in read:
            sigma[e, v] = rng.randint(0, order[v])
        rows.append([first[v] + int(sigma[e, v]) for v in sorted(read)])
    for v in range(n):  # the highest derivative of every unknown stands somewhere
        if max(sigma[:, v]) < order[v]:
            e = permutation.index(v)
            rows[e] = [first[v] + order[v] if r == first[v] + int(sigma[e, v]) else r for r in rows[e]]
            sigma[e, v] = order[v]
    found = pantelides(rows, derivative)
    assert orders(found, n) == signature_offsets(sigma)
    highest = {v: i for i, v in enumerate(v for v, d in enumerate(found.derivative) if d == NONE)}
    pattern = np.zeros((n, n), bool)
    for i, e in enumerate(found.top):
        pattern[i, [highest[v] for v in found.rows[e] if v in highest]] = True
    assert len(found.top) == len(highest) == n == structural_rank(csr_array(pattern))
