"""Free runs of several models of the same data, and predictions of held-out records, as tables for the report to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from hybridode.fit.criticism.records import Rows
from hybridode.fit.objective.bands import bands
from hybridode.fit.objective.noise import Noise
from hybridode.fit.outcome.tables import arguments_along
from hybridode.fit.prepare import Prepared
from hybridode.fit.run import Finished

CURVES = ("model", "series", "time", "column", "kind", "location", "lower95", "upper95")
HELD = ("fold", "series", "row", "time", "column", "observed", "location", "lower95", "upper95", "censored")
_MOST_ROWS = 50_000  # of one model: of more series the first ones are kept

Arguments = Callable[[int, int, np.ndarray], Sequence[np.ndarray]]  # column, series, times -> arguments of the noise


def free_run(name: str, finished: Finished) -> pd.DataFrame:
    """The columns of CURVES: a fitted model from the start of each series, at the times of its records and on a dense grid."""
    prepared = finished.prepared
    curves = prepared.solve_curves(finished.theta)
    return _table(name, prepared, curves.ts, lambda k, row, t: arguments_along(prepared.objective, curves, k, row, t))


def constant_run(finished: Finished, constants: Mapping[int, Sequence[float]]) -> pd.DataFrame:
    """The same of the `constant` model: `constants` are the arguments of the noise by column."""
    prepared = finished.prepared
    nothing = {k: (np.nan,) * len(noise.arguments) for k, noise in enumerate(prepared.objective.rows)}
    of = nothing | dict(constants)
    ts = prepared.solve_curves(finished.theta).ts
    return _table("constant", prepared, ts, lambda k, row, t: [np.full(len(t), a) for a in of[k]])


def _table(name: str, prepared: Prepared, ts: np.ndarray, arguments: Arguments) -> pd.DataFrame:
    dataset, frames, count = prepared.dataset, [], 0
    for row, series in enumerate(dataset.series):
        if count > _MOST_ROWS:
            break
        grid = np.unique(ts[row])
        grid = grid[grid <= series.end] if series.has_steady else grid
        for k, column in enumerate(dataset.columns):
            mine = series.records.column == k
            seen = np.unique(series.records.time[mine & ~prepared.held[row]])
            unseen = np.setdiff1d(series.records.time[mine & prepared.held[row]], seen)
            for kind, times in (("data", seen), ("hold_out", unseen), ("curve", grid)):
                for b in bands(prepared.objective.rows[k], column, arguments(k, row, times), dataset.classes.get(column, ())):
                    frames.append(pd.DataFrame({"model": name, "series": series.name, "time": times, "column": b.column,
                                                "kind": kind, "location": np.asarray(b.location, float),
                                                "lower95": np.asarray(b.lower, float),
                                                "upper95": np.asarray(b.upper, float)}))  # fmt: skip
                    count += len(times)
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


def held_table(fold: str, prepared: Prepared, rows: Sequence[Rows]) -> pd.DataFrame:
    """The columns of HELD: records that a refit has not seen, and what it says of them. Of classes `location` is the number of
    the most probable one, without an interval."""
    frames = []
    for r in rows:
        lower, upper = _interval(r.noise, r.arguments, len(r.time))
        frames.append(pd.DataFrame({"fold": fold, "series": prepared.dataset.series[r.series].name, "row": r.line,
                                    "time": r.time, "column": prepared.dataset.columns[r.column], "observed": r.value,
                                    "location": r.location, "lower95": lower, "upper95": upper,
                                    "censored": r.censored}))  # fmt: skip
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(HELD))


def _interval(noise: Noise, arguments: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    if noise.classes:
        return np.full(count, np.nan), np.full(count, np.nan)
    lower, upper = noise.interval(*arguments)
    return np.asarray(lower, float), np.asarray(upper, float)


def as_csv(parts: Sequence[pd.DataFrame]) -> bytes:
    """Several such tables as one file."""
    kept = [p for p in parts if len(p)] or list(parts)[:1]
    return pd.concat(kept, ignore_index=True).to_csv(index=False, lineterminator="\n", float_format="%.8g").encode("utf-8")
