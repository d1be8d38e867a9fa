"""Batches whose trajectories cost very different numbers of steps, in several orders: what that costs."""

from __future__ import annotations

from typing import Any

import numpy as np

import hybridode as ho
from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text

TEXT = """model van_der_pol
param mu = 10
state x = 2
state y = 0
x' = y
y' = mu*(1 - x^2)*y - x
"""
BATCH, END, DECADES = 256, 50.0, 3


def measure(effort: Effort) -> Data:
    """{"rows": {order: seconds a trajectory}, "steps": [least, most]}"""
    import jax

    jax.config.update("jax_enable_x64", True)
    solve = ho.parse(TEXT).solver(at=[END], rtol=1e-6, atol=1e-10, method="rodas4", engine="native", max_steps=20_000)
    run = jax.jit(jax.vmap(lambda mu: solve({"mu": mu}).states[-1]))
    count = jax.jit(jax.vmap(lambda mu: solve({"mu": mu}).stats["accepted"]))
    rising, rng = 10 ** np.linspace(0, DECADES, BATCH), np.random.default_rng(0)
    orders = {"rising stiffness": rising, "falling stiffness": rising[::-1].copy()}
    orders |= {f"shuffled, {k}": rng.permutation(rising) for k in (1, 2, 3)}

    def call(mu: np.ndarray) -> Any:
        given = jax.numpy.asarray(mu)
        return lambda: np.asarray(run(given))

    times = interleaved({name: call(mu) for name, mu in orders.items()}, effort)
    steps = np.asarray(count(jax.numpy.asarray(rising)))
    return {"rows": {name: times[name].least / BATCH for name in orders}, "steps": [int(steps.min()), int(steps.max())]}


def write(data: Data) -> list[str]:
    base, (least, most) = data["rows"]["rising stiffness"], data["steps"]
    rows = [[name, time_text(each), ratio_text(each / base)] for name, each in data["rows"].items()]
    return [
        f"Van der Pol's oscillator to t = {END:g}, mu from 1 to 1,000 ({least} to {most:,} steps), Rodas4, rtol = 1e-6, "
        f"batches of {BATCH}, one processor, the least of interleaved runs. Lanes that are done go on with other trajectories "
        "of the batch.",
        "",
        *grid(("order", "a trajectory", "to sorted"), rows),
    ]


TABLE = Table("ragged", "Ensembles whose trajectories differ in cost", measure, write, lambda data: [])
