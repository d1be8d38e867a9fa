"""Are the residuals of a fit what its noise model says: independent, normal as quantile residuals, of one size everywhere?

Each statistic is compared with draws from a right model that lose what a fit takes (`taken`): an exact test up to the first order
of the parameters, also for few records (Monte Carlo test: J.-M. Dufour, J. Econometrics 133 (2006) 443). Many tests are made, so
p-values are adjusted by the least p-value of each draw (P. H. Westfall, S. S. Young, Resampling-Based Multiple Testing, 1993):
in one of twenty right models something is said to be wrong, however many columns and series there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from hybridode.fit.criticism import statistics
from hybridode.fit.criticism.records import Rows, quantile_residuals, rows_of, tested
from hybridode.fit.criticism.taken import Taken, taken_by_fit
from hybridode.fit.criticism.verdicts import trouble
from hybridode.fit.prepare import Prepared

LEVEL = 0.05
FEWEST = 8  # records (times, for what is about their order)
DRAWS, MOST_DRAWS, WORK = 2000, 8000, 20_000_000  # draws; numbers that all draws may have together
MOST_SERIES = 12  # of which each is tested by itself; of more only all together
EVERY = "all series"


@dataclass(frozen=True)
class Test:
    """One test: of what (`column`, `series` or "all series"), which, over `count` values; its statistic, p-value and the one that
    the number of tests is accounted for."""

    column: str
    series: str
    name: str
    count: int
    statistic: float
    p: float
    adjusted: float = 1.0


@dataclass(frozen=True, eq=False)
class ResidualTests:
    """All tests, the sentences about what is wrong, and how they were made. `residuals`: z of each tested list of rows."""

    tests: tuple[Test, ...]
    wrong: tuple[str, ...]
    rows: tuple[Rows, ...]
    residuals: tuple[np.ndarray, ...]
    draws: int
    free: float
    why: str

    @property
    def sentences(self) -> list[str]:
        """What to believe."""
        note = [f"the tests take the residuals as they are: {self.why}"] if self.why else []
        if not self.tests:
            return [
                f"no residuals were tested: every column of every series has fewer than {FEWEST} fitted records, or holds classes"
            ]
        fine = f"nothing in the residuals speaks against the model and its noise ({len(self.tests)} tests)"
        return [*(self.wrong or [fine]), *note]

    def content(self) -> dict[str, Any]:
        """As a finding."""
        columns = ["column", "series", "test", "n", "statistic", "p", "p_adjusted"]
        rows = [[t.column, t.series, t.name, t.count, t.statistic, t.p, t.adjusted] for t in self.tests]
        return {"sentences": self.sentences, "wrong": bool(self.wrong), "tests": {"columns": columns, "rows": rows},
                "level": LEVEL, "draws": self.draws, "free": self.free}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plan:
    """One test before it is made: which numbers of a draw it takes and in what order, its statistic; sides 1: large is wrong."""

    column: str
    series: str
    name: str
    take: Callable[[np.ndarray], np.ndarray]
    statistic: Callable[[np.ndarray], np.ndarray]
    sides: int
    count: int
    rows: tuple[int, ...]


def residual_tests(prepared: Prepared, theta: np.ndarray, seconds: float = 5.0, seed: int = 0) -> ResidualTests:
    """Of a fit at theta (d,). seconds: for the sensitivities; without them the residuals are taken as independent."""
    with jax.enable_x64(True):
        rows = tested(rows_of(prepared, prepared.solve_curves(theta)))
        random = np.random.default_rng(seed)
        z = [quantile_residuals(r, random) for r in rows]
        taken = taken_by_fit(prepared, theta, rows, seconds)
    names = [s.name for s in prepared.dataset.series]
    return of_residuals(rows, z, taken, prepared.dataset.columns, names, random)


def of_residuals(
    rows: Sequence[Rows], z: Sequence[np.ndarray], taken: Taken, columns: Sequence[str], series: Sequence[str],
    random: np.random.Generator,
) -> ResidualTests:  # fmt: skip
    """The tests of quantile residuals z, one array for each of `rows`."""
    whole = np.clip(np.concatenate([*z, np.zeros(0)]), -38.0, 38.0)
    plans = _plans(rows, taken, columns, series)
    if not plans or not np.all(np.isfinite(whole)):
        why = "" if np.all(np.isfinite(whole)) else "some records have no prediction"
        return ResidualTests((), (), tuple(rows), tuple(z), 0, taken.free, why)
    draws = int(np.clip(WORK // max(len(whole), 1), 200, np.clip(40 * len(plans), DRAWS, MOST_DRAWS)))
    observed = np.array([p.statistic(p.take(whole[None]))[0] for p in plans])
    chance = np.empty((draws, len(plans)))
    for first in range(0, draws, 500):
        count = min(500, draws - first)
        e = taken.of(random.standard_normal((count, len(whole))))
        for j, plan in enumerate(plans):
            chance[first : first + count, j] = plan.statistic(plan.take(e))
    raw, adjusted = _p_values(observed, chance, np.array([p.sides for p in plans]))
    tests = tuple(
        Test(p.column, p.series, p.name, p.count, float(o), float(a), float(b))
        for p, o, a, b in zip(plans, observed, raw, adjusted, strict=True)
    )
    wrong = _words(tests, plans, rows, z, whole)
    return ResidualTests(tests, tuple(wrong), tuple(rows), tuple(z), draws, taken.free, taken.why)


def _p_values(observed: np.ndarray, chance: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p (m,) of each statistic among its draws (N, m), and adjusted for their number. Ties among draws share their ranks."""
    whole = np.concatenate([observed[None], chance])
    n = len(whole)
    p = np.empty_like(whole)
    for j in range(whole.shape[1]):
        column = np.sort(whole[:, j])
        above = (n - np.searchsorted(column, whole[:, j] - 1e-12, side="left")) / n
        below = np.searchsorted(column, whole[:, j] + 1e-12, side="right") / n
        p[:, j] = above if sides[j] == 1 else np.minimum(2 * np.minimum(above, below), 1.0)
    least = np.sort(p.min(axis=1))
    adjusted = np.searchsorted(least, p[0] + 1e-12, side="right") / n
    return p[0], adjusted


# ---- which tests ----------------------------------------------------------------------------------------------------------
def _plans(rows: Sequence[Rows], taken: Taken, columns: Sequence[str], series: Sequence[str]) -> list[_Plan]:
    ends = np.cumsum([0, *(len(r.time) for r in rows)])
    out: list[_Plan] = []
    for k, column in enumerate(columns):
        mine = [i for i, r in enumerate(rows) if r.column == k]
        groups: list[tuple[str, tuple[int, ...]]] = (
            [(series[rows[i].series] or EVERY, (i,)) for i in mine] if len(mine) <= MOST_SERIES else []
        )
        if len(mine) > 1:
            groups.append((EVERY, tuple(mine)))
        for name, members in groups:
            out += _of_group(column, name, members, rows, ends, taken)
    return out


def _of_group(
    column: str, series: str, members: tuple[int, ...], rows: Sequence[Rows], ends: np.ndarray, taken: Taken
) -> list[_Plan]:
    places = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in members])
    out = []
    ordered = [_order(rows[i], int(ends[i])) for i in members]
    long = [o for o in ordered if o[1] >= FEWEST]
    if long:
        count = sum(n for _, n in long)

        def of_each(statistic: Callable[[np.ndarray], np.ndarray], weight: Callable[[int], float]) -> Any:
            return lambda z: sum(weight(n) * statistic(take(z)) for take, n in long)

        whole = lambda z: z  # noqa: E731
        out.append(
            _Plan(column, series, "runs", whole, of_each(statistics.runs, lambda n: float(np.sqrt(n / count))), 2, count, members)
        )
        out.append(
            _Plan(column, series, "autocorrelation", whole, of_each(statistics.ljung_box, lambda n: 1.0), 1, count, members)
        )
    if len(places) < FEWEST:
        return out
    take = lambda z: z[:, places]  # noqa: E731
    location = np.concatenate([rows[i].location for i in members])
    times = np.concatenate([rows[i].time for i in members])
    n = len(places)
    out.append(_Plan(column, series, "normality", take, statistics.anderson, 1, n, members))
    for name, x in (("size against prediction", location), ("size against time", times)):
        if len(np.unique(x[np.isfinite(x)])) >= 4:
            out.append(_Plan(column, series, name, take, statistics.grows_with(x), 2, n, members))
    if not any(taken.scaled[i] for i in members) and not taken.why:
        out.append(_Plan(column, series, "spread", take, statistics.spread, 2, n, members))
    return out


def _order(rows: Rows, first: int) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """The residuals of one series by time, those of one instant as one (their mean, standardised)."""
    times, group, count = np.unique(rows.time, return_inverse=True, return_counts=True)
    if len(times) == len(rows.time):
        places = first + np.argsort(rows.time, kind="stable")
        return lambda z: z[:, places], len(times)
    mean = np.zeros((len(rows.time), len(times)))
    mean[np.arange(len(group)), group] = 1 / np.sqrt(count[group])
    return lambda z: z[:, first : first + len(group)] @ mean, len(times)


def _words(
    tests: Sequence[Test], plans: Sequence[_Plan], rows: Sequence[Rows], z: Sequence[np.ndarray], whole: np.ndarray
) -> list[str]:
    """One sentence for each column and test that fails: of all series where they fail together, else of those that do."""
    failed = [(t, p) for t, p in zip(tests, plans, strict=True) if t.adjusted <= LEVEL]
    together = {(t.column, t.name) for t, _ in failed if t.series == EVERY}
    out: dict[str, None] = {}
    for test, plan in failed:
        if test.series != EVERY and (test.column, test.name) in together:
            continue
        members = [(rows[i], z[i]) for i in plan.rows]
        out[trouble(test.name, test.column, test.series, test.statistic, members)] = None
    return list(out)
