"""Thousands of equations: reduced in seconds, loops without losing their sparsity or their accuracy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.linalg import solve_banded

from hybridode.rolled import Rolled
from tests.equations.dae.reduced import Point, consistent, reduced

LOOP = """model loop
const n = {n}
state x[n] = 1
alg z[n] = 0
x' = -x + z
0 = 1 - 3*z[1] + z[2] + x[1]
0 = z[i-1] - 3*z[i] + z[i+1] + x[i] for i in 2..n-1
0 = z[n-1] - 3*z[n] + 1
"""
LADDER = """model ladder
const n = {n}
param R = 2
param G = 0.1
state v0 = 1
alg v[n] = 0
alg i[n] = 0
alg g[n] = 0
v0' = -i[1]
v0 - v[1] = R*i[1]
v[k-1] - v[k] = R*i[k] for k in 2..n
g[k] = G*v[k] for k in 1..n
i[k] = g[k] + i[k+1] for k in 1..n-1
i[n] = g[n]
"""
CHAIN = """model chain
const n = {n}
state x[n] = 1
alg z[n] = 0
x' = -x + z
z[1] = x[1]
z[k] = sin(x[k]) + 0.1*z[k-1] for k in 2..n
"""
PENDULA = """model pendula
const n = {n}
state x[n] = 1
state y[n] = 0
alg l[n] = 0
x[k]'' = -l[k]*x[k] for k in 1..n
y[k]'' = -l[k]*y[k] - 9.81 for k in 1..n
0 = x[k]^2 + y[k]^2 - 1 for k in 1..n
"""


@pytest.mark.parametrize(
    ("text", "n"), [(LOOP, 2000), (LADDER, 400), (CHAIN, 2000), (PENDULA, 150)], ids=["loop", "ladder", "chain", "pendula"]
)
def test_seconds(text: str, n: int) -> None:
    """About 2,000 equations; processor time, with what parsing and the Jacobian take."""
    begin = time.process_time()
    system = reduced(text.format(n=n))
    assert time.process_time() - begin < 20.0
    assert len(system.states) >= 1


def test_a_large_loop_stays_a_family() -> None:
    system = reduced(LOOP.format(n=400))
    assert len(system.unknowns) == 400 and isinstance(system.rates, Rolled)


@pytest.mark.parametrize("n", [5, 24, 40])
def test_loops_are_solved_accurately(n: int) -> None:
    """Torn at any size, the unknowns are those of a banded solve."""
    system = reduced(LOOP.format(n=n))
    x = np.random.default_rng(n).uniform(0.5, 1.5, n)
    start = np.concatenate([x, np.zeros(len(system.unknowns))])
    values = consistent(system, 0.0, start).named() if system.unknowns else Point(system, 0.0, start).named()
    x = np.array([values[f"x[{i + 1}]"] for i in range(n)])
    right = x.copy()
    right[0] += 1
    right[-1] = 1
    bands = np.array([[-1.0] * n, [3.0] * n, [-1.0] * n])
    z = np.array([values[f"z[{i + 1}]"] for i in range(n)])
    np.testing.assert_allclose(z, solve_banded((1, 1), bands, right), rtol=1e-9)
