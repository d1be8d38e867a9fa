"""Posterior predictive checks: do data simulated from the posterior look like the records?

Of each observed column: mean, standard deviation, smallest and largest value, and of the residuals at each draw their sum of
squares and their correlation from one record to the next (discrepancies: A. Gelman, X.-L. Meng, H. Stern, Statistica Sinica 6
(1996) 733). p is the share of simulated data sets with more; near 0 or 1 the model cannot make such data. These p-values use the
data twice and keep to the middle: a small one is strong evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybridode.fit.inference.drawn import Drawn, Observed, simulated

MOST = 1000  # simulated data sets
BINS = 24  # of the histograms of what they have
LEVEL = 0.05
COLUMNS = ["column", "statistic", "observed", "simulated", "lower95", "upper95", "p"]

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]  # values (N, R), series (R,) -> (N,)


def _next(values: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Correlation of a record with the next one of its series."""
    pairs = series[1:] == series[:-1]
    centred = values - values.mean(axis=1, keepdims=True)
    squares = np.sum(centred**2, axis=1)
    return np.sum((centred[:, 1:] * centred[:, :-1])[:, pairs], axis=1) / np.where(squares > 0, squares, 1.0)


OF_VALUES: dict[str, Statistic] = {
    "mean": lambda v, series: v.mean(axis=1),
    "standard deviation": lambda v, series: v.std(axis=1),
    "smallest": lambda v, series: v.min(axis=1),
    "largest": lambda v, series: v.max(axis=1),
}
OF_RESIDUALS: dict[str, Statistic] = {
    "scatter": lambda r, series: np.sqrt(np.mean(r**2, axis=1)),
    "autocorrelation": _next,
}
WORDS = {  # where the records have more, and less
    "mean": ("are higher on average", "are lower on average"),
    "standard deviation": ("are spread more", "are spread less"),
    "smallest": ("have no values as small", "have a smaller smallest value"),
    "largest": ("have a larger largest value", "have no values as large"),
    "scatter": ("lie farther from the curve", "lie nearer to the curve"),
    "autocorrelation": ("stay on one side of the curve in longer runs", "change the side of the curve more often"),
}


_CLASS = "share of class "  # and its number


def _of_classes(count: int) -> dict[str, Statistic]:
    """How often each class occurs."""
    return {f"{_CLASS}{c}": lambda v, series, c=c: np.mean(v == c, axis=1) for c in range(1, count + 1)}


def _words(statistic: str, more: bool) -> str:
    if statistic.startswith(_CLASS):
        return f"are {'more' if more else 'less'} often of class {statistic.removeprefix(_CLASS)}"
    return WORDS[statistic][0 if more else 1]


@dataclass(frozen=True, eq=False)
class Checks:
    """`table`: column, statistic, its value of the records (of residuals the mean over the draws), of simulated data (mean and
    95 % interval), p: the share of simulated data sets with more. `histograms`: column, statistic, edges (BINS + 1,) and counts
    (BINS,) of what the simulated data sets have."""

    table: pd.DataFrame
    count: int
    histograms: tuple[Mapping[str, Any], ...] = ()

    def sentences(self) -> list[str]:
        """What simulated data lack, or that they lack nothing."""
        two_sided = 2 * np.minimum(self.table["p"], 1 - self.table["p"])
        odd = self.table[two_sided < LEVEL]
        lines = []
        for column, rows in odd.groupby("column", sort=False):
            parts = [f"{_words(s, p < 0.5)} ({_p_words(p, self.count)})"
                     for s, p in zip(rows["statistic"], rows["p"], strict=True)]  # fmt: skip
            lines.append(f"compared with data simulated from the posterior, the records of `{column}` {', and '.join(parts)}")
        if not lines and len(self.table):
            lines = [
                f"data simulated from the posterior look like the records in {', '.join(dict.fromkeys(self.table['statistic']))}"
            ]
        return lines


def _p_words(p: float, count: int) -> str:
    two = 2 * min(p, 1 - p)
    return f"p = {two:.2g}" if two > 0 else f"p < {2 / count:.1g}"


def predictive_checks(found: Drawn, seed: int = 0) -> Checks:
    """Of the fitted records that are no limits."""
    random = np.random.default_rng(seed)
    solved = np.flatnonzero(found.solved)
    chosen = solved[np.unique(np.linspace(0, len(solved) - 1, min(len(solved), MOST)).round().astype(int))]
    pairs = [pair for column in found.observed for pair in _of_column(column, chosen, random)]
    table = pd.DataFrame([row for row, _ in pairs], columns=COLUMNS)
    return Checks(table, len(chosen), tuple(_histogram(row, drawn) for row, drawn in pairs))


def _histogram(row: tuple[Any, ...], drawn: np.ndarray) -> dict[str, Any]:
    """Of what the simulated data sets have (N,); the rarest ten thousandths on either side are left out."""
    drawn = drawn[np.isfinite(drawn)]
    ends = np.quantile(drawn, (1e-4, 1 - 1e-4)) if len(drawn) else (0.0, 1.0)
    counts, edges = np.histogram(drawn, BINS, (float(ends[0]), float(ends[1])))
    return {"column": row[0], "statistic": row[1], "edges": edges, "counts": counts}


def _of_column(column: Observed, chosen: np.ndarray, random: np.random.Generator) -> list[tuple[tuple[Any, ...], np.ndarray]]:
    """A row of the table for each statistic, with its value of each simulated data set."""
    exact = column.fitted & (column.censored == 0)
    if np.sum(exact) < 3:
        return []
    of_values, of_residuals = (_of_classes(column.noise.classes), {}) if column.noise.classes else (OF_VALUES, OF_RESIDUALS)
    order = np.flatnonzero(exact)[np.lexsort((column.time[exact], column.series[exact]))]
    series, value = column.series[order], column.value[order]
    eta = tuple(np.moveaxis(column.arguments[chosen][:, order], -1, 0))
    new = simulated(column.noise, eta, random)
    with np.errstate(all="ignore"):
        residuals = (column.noise.residual(value, *eta), column.noise.residual(new, *eta))
    pairs: Sequence[tuple[dict[str, Statistic], np.ndarray, np.ndarray]] = (
        (of_values, np.broadcast_to(value, new.shape), new), (of_residuals, *residuals))  # fmt: skip
    found = []
    for statistics, ours, theirs in pairs:
        for name, statistic in statistics.items():
            a, b = statistic(ours, series), statistic(theirs, series)
            close = np.abs(a - b) <= 1e-9 * (np.abs(a) + np.abs(b))
            p = float(np.mean(np.where(close, 0.5, b > a)))
            ends = map(float, np.quantile(b, (0.025, 0.975)))
            found.append(((column.column, name, float(np.mean(a)), float(np.mean(b)), *ends, p), b))
    return found
