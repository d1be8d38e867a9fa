"""Do the 95 % bands of fits with networks hold the truth, where there are data and where there are none? Three models.

python -m tests.fit.ensemble_coverage [SEEDS] [MEMBERS]      # 5 6: a table for docs/uncertainty.md

Inside: the times and arguments that have records near them. Outside: gaps, half as long again after the last record, and half as
far again beyond the arguments that were visited. Curves that cannot be solved so far beyond the records are left out. Each band
is judged with Laplace's approximation of one start alone and with an ensemble; profiles, which make bands of curves wider still,
are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

import hybridode as ho
from hybridode.discover.samples import _places, _root_of_covariance, learnt_at
from hybridode.fit.inference.bands import LINEAR, band
from hybridode.fit.inference.curves import sensitivities_of
from hybridode.fit.inference.ensemble import ensemble
from hybridode.fit.inference.laplace import covariance
from hybridode.fit.outcome.uncertainty import Z95
from hybridode.fit.run import FitRun

Rates = Callable[[np.ndarray], list[float]]
BEYOND = 1.5


@dataclass(frozen=True)
class Case:
    """`columns` of records with noise `sd` at `times`, from `start` by `rates`; `learnt` is the truth of the network `U`, which
    the state number `argument` goes into; `gap`: times between which there are no records."""

    name: str
    text: str
    start: tuple[float, ...]
    rates: Rates
    learnt: Callable[[np.ndarray], np.ndarray]
    times: np.ndarray
    sd: float
    columns: tuple[str, ...]
    argument: int = 0
    gap: tuple[float, float] = (np.inf, np.inf)

    def states(self, times: np.ndarray) -> np.ndarray:
        """The truth (T, n)."""
        ends = (0.0, float(times[-1]))
        found = solve_ivp(lambda t, y: self.rates(y), ends, self.start, t_eval=times, rtol=1e-10, atol=1e-12)
        assert found.success
        return found.y.T

    def records(self, seed: int) -> pd.DataFrame:
        noise = np.random.default_rng([seed, 77]).standard_normal((len(self.times), len(self.columns)))
        values = self.states(self.times)[:, : len(self.columns)] + self.sd * noise
        return pd.DataFrame({"t": self.times, **dict(zip(self.columns, values.T, strict=True))})


def holling(x: np.ndarray) -> np.ndarray:
    return x / (2 + x)


CASES = (
    Case("growth, a gap in the records", """model growth
time t from 0
param x0 = 0.6 in (0.1, 2) log
nn U: 1 -> 1, hidden=[6], reg=l2(1e-3)
state x
x(0) = x0
x' = U(x)
observe x ~ normal(x, 0.15)
""", (0.5,), lambda y: [y[0] * (1 - y[0] / 10)], lambda x: x * (1 - x / 10),
         np.concatenate([np.linspace(0, 2, 12), np.linspace(5, 9, 10)]), 0.15, ("x",), 0, (2.0, 5.0)),
    Case("predator, learnt response", """model predator
time t from 0
param m = 0.3 in (0.05, 1) log
nn U: 1 -> 1, hidden=[6], reg=l2(1e-3)
state x = 4
state y = 1
x' = x*(1 - x/6) - y*U(x)
y' = 0.6*y*U(x) - m*y
observe x ~ normal(x, 0.1)
observe y ~ normal(y, 0.1)
""", (4.0, 1.0), lambda y: [y[0] * (1 - y[0] / 6) - y[1] * float(holling(y[0])), 0.6 * y[1] * float(holling(y[0])) - 0.25 * y[1]],
         holling, np.linspace(0.5, 15, 30), 0.1, ("x", "y")),
    Case("gene, learnt repression", """model gene
time t from 0
nn U: 1 -> 1, hidden=[6], reg=l2(1e-3)
state m = 0
state p = 0
m' = U(p) - m
p' = m - p
observe m ~ normal(m, 0.04)
observe p ~ normal(p, 0.04)
""", (0.0, 0.0), lambda y: [2 / (1 + y[1] ** 3) - y[0], y[0] - y[1]], lambda p: 2 / (1 + p**3),
         np.linspace(0.25, 6, 24), 0.04, ("m", "p"), 1),
)  # fmt: skip


def judged(case: Case, run: FitRun, members: list[np.ndarray]) -> dict[str, np.ndarray]:
    """For curves and functions, inside and outside: share held by one start and by the ensemble, median widths of both."""
    assert run.finished is not None
    prepared, theta = run.finished.prepared, run.finished.theta
    found = {}
    end = float(case.times[-1])
    ts = np.linspace(0, BEYOND * end, 151)
    out = (ts > end) | ((ts > case.gap[0]) & (ts < case.gap[1]))
    with jax.enable_x64(True):
        solve = sensitivities_of(prepared.objective, prepared.batch)
        best, others = solve(theta, ts[None]), [solve(m, ts[None]) for m in members]
        fisher = np.asarray(prepared.lanes.point(theta).fisher)
        spread = covariance(prepared.objective.space, fisher)
    root = _root_of_covariance(fisher, prepared.objective.n_parameters)
    unit = root @ root.T
    truth = case.states(ts)
    followed = bool(np.all(best.solved))  # else there is no band so far beyond the records
    for name, use in (("one", []), ("ensemble", [o for o in others if np.all(o.solved)])):
        for i, _ in enumerate(case.columns if followed else ()):
            made = band(best.states[0, :, i], best.by_states[0, :, i], spread, LINEAR, [], [o.states[0, :, i] for o in use])
            _add(found, f"curve {name}", truth[:, i], made[1], made[2], out)
    visited = case.states(np.linspace(0, end, 400))[:, case.argument]
    near = case.states(case.times)[:, case.argument]
    low, high = visited.min(), visited.max()
    x = np.linspace(max(low - 0.5 * (high - low), 0.0), high + 0.5 * (high - low), 151)
    gap = case.states(np.array([0.0, *case.gap]))[1:, case.argument] if np.isfinite(case.gap[0]) else (np.inf, np.inf)
    outside = (x < near.min()) | (x > near.max()) | ((x > gap[0]) & (x < gap[1]))
    network = run.dataset.declarations.networks[0]
    start, stop = _places(prepared.objective, network.name)
    for name, use in (("one", []), ("ensemble", members)):
        values, slopes, away = learnt_at(prepared, theta, network, x[:, None], use)
        for floor, of in (("", spread), (", weights of sd 1", unit)):
            variance = np.einsum("nv,vw,nw->n", slopes[:, 0], of[start:stop, start:stop], slopes[:, 0])
            sd = np.hypot(np.sqrt(variance), away[:, 0])
            low, high = values[:, 0] - Z95 * sd, values[:, 0] + Z95 * sd
            _add(found, f"function {name}{floor}", case.learnt(x), low, high, outside)
    return {key: np.mean(rows, axis=0) for key, rows in found.items()}


def _add(found: dict, key: str, truth: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray) -> None:
    """Shares and median widths, inside then outside."""
    held = (low <= truth) & (truth <= high)
    numbers = [held[~out].mean(), held[out].mean(), np.median((high - low)[~out]), np.median((high - low)[out])]
    found.setdefault(key, []).append(numbers)


def main(seeds: int = 5, members: int = 6) -> None:
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for seed in range(seeds):
        for case in CASES:
            fitted = ho.fit(ho.parse(case.text), case.records(seed)).fitted
            if fitted.finished is None:
                print(f"{case.name}, seed {seed}: {fitted.result['status_reason']}", flush=True)
                continue
            trained = ensemble(fitted, members)
            for key, row in judged(case, fitted, [m.theta for m in trained.kept]).items():
                found.setdefault((case.name, key), []).append(np.append(row, len(trained.kept)))
            print(f"{case.name}, seed {seed}: {len(trained.kept)} of {members} members kept", file=sys.stderr, flush=True)
        print(f"\n{seed + 1} data sets\n\n| model | band of | inside | outside | width outside / inside |\n|---|---|---|---|---|")
        for (name, key), rows in sorted(found.items()):
            inside, outside, narrow, wide, _ = np.mean(rows, axis=0)
            print(f"| {name} | {key} | {100 * inside:.0f} % | {100 * outside:.0f} % | {wide / narrow:.1f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
