"""Which records a refit does not see and is judged by: series, the last times, or what comes next from several origins.

series            each series in turn (of more than MOST_FOLDS, that many parts of them)
series:4          4 parts of the series
series:NAME       that series
last:5            the last 5 times of each series; fraction:0.2
time, time:3      leave-future-out: from 3 origins in the last 40 % of the times, the next part is forecast from all before
                  it (P.-C. Buerkner, J. Gabry, A. Vehtari, J. Stat. Comput. Simul. 90 (2020) 2499)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.data.hints import listed, near_names
from hybridode.data.holdout import held_out
from hybridode.errors import Diagnostic, UsageError

MOST_FOLDS, ORIGINS, LAST = 10, 3, 0.4
_COUNT = re.compile(r"(series|time)(?::(\d+))?\Z")


@dataclass(frozen=True, eq=False)
class Fold:
    """Per series masks over its records: those that the refit does not see (`unseen`), of which `judged` are scored."""

    name: str
    unseen: list[np.ndarray]
    judged: list[np.ndarray]


def folds_of(dataset: Dataset, spec: str) -> list[Fold]:
    """The folds of a text as above. Raises UsageError E0790 where it is not understood or leaves nothing; E0852 and E0636 as
    `--hold-out` does."""
    text, names = spec.strip(), [s.name for s in dataset.series]
    counted = _COUNT.match(text)
    if counted is not None and not (counted[1] == "series" and counted[2] in names):
        count = None if counted[2] is None else int(counted[2])
        return by_series(dataset, count) if counted[1] == "series" else by_origins(dataset, count or ORIGINS)
    if text.startswith("series:"):
        name = text.removeprefix("series:").strip()
        if name not in names:
            raise _refused(f"there is no series `{name}`", near_names(name, names) or f"there are {listed(names)}")
        return [_of_series(dataset, [names.index(name)])]
    masks = held_out(dataset, text)
    return [Fold(text, masks, masks)]


def default_spec(dataset: Dataset) -> str:
    """By series where there are four of them, else forecasts."""
    return "series" if len(dataset.series) >= 4 else "time"


def by_series(dataset: Dataset, count: int | None) -> list[Fold]:
    """That many parts of the series, each held out once; None: each series by itself, up to MOST_FOLDS parts."""
    most = len(dataset.series)
    if most < 2:
        raise _refused("there is only one series, which cannot be held out", "hold out times: `time` or `last:5`")
    count = min(most, MOST_FOLDS) if count is None else count
    if not 2 <= count <= most:
        raise _refused(f"{most} series cannot be cut into {count} parts", f"choose 2 to {most}")
    return [_of_series(dataset, list(range(first, most, count))) for first in range(count)]


def _of_series(dataset: Dataset, rows: Sequence[int]) -> Fold:
    masks = [np.full(len(s.records.time), i in rows) for i, s in enumerate(dataset.series)]
    names = [dataset.series[i].name or str(i + 1) for i in rows]
    return Fold(f"without series {listed(names)}", masks, masks)


def by_origins(dataset: Dataset, count: int) -> list[Fold]:
    """Parts of the last times of each series (by number, so that series of different lengths all have them)."""
    times = [np.unique(s.records.time[np.isfinite(s.records.time)]) for s in dataset.series]
    least = min(map(len, times))
    if count < 1 or least < 2 * count + 2:
        raise _refused(f"{least} times are too few for {count} forecasts", "choose fewer: `time:1`")
    edges = [[round(len(t) * (1 - LAST + LAST * i / count)) for i in range(count + 1)] for t in times]
    out = []
    for i in range(count):
        unseen, judged = [], []
        for s, t, e in zip(dataset.series, times, edges, strict=True):
            finite = np.isfinite(s.records.time)
            unseen.append(~finite | (s.records.time > t[e[i] - 1]))
            judged.append(finite & (s.records.time > t[e[i] - 1]) & (s.records.time <= t[e[i + 1] - 1]))
        out.append(Fold(f"from t={times[0][edges[0][i] - 1]:.4g}", unseen, judged))
    return out


def _refused(message: str, hint: str) -> UsageError:
    return UsageError(Diagnostic("E0790", message, hint=hint))
