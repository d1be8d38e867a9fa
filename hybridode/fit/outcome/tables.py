"""The tables of a finished fit: predictions, residuals, parameters, trace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from hybridode.data.experiments import Dataset
from hybridode.data.groups import group_entries
from hybridode.declarations import entry_names
from hybridode.fit.objective.assignment import parameter_places
from hybridode.fit.objective.bands import bands
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.direct.evaluate import Direct, cannot
from hybridode.fit.objective.direct.scores import score_of
from hybridode.fit.objective.limits import Kinds, kinds_of, log_likelihood, possible
from hybridode.fit.objective.noise import Noise
from hybridode.fit.objective.objective import Objective
from hybridode.fit.outcome.uncertainty import Uncertainty
from hybridode.fit.progress import Recorder

_GRID = 200  # times of the dense curves


@dataclass(frozen=True, eq=False)
class Curves:
    """The fitted model along each series: ts (S, T), states (S, T, n), observed arguments (S, T, q), results (S,), `if`s that
    slide (S,) (see `solve/switches`)."""

    ts: np.ndarray
    states: np.ndarray
    observed: np.ndarray
    results: np.ndarray
    sliding: np.ndarray


def grid_of(dataset: Dataset) -> np.ndarray:
    """Times of the records and a dense grid, of each series (S, T), padded with the last one."""
    grids = [np.unique(np.concatenate([np.linspace(s.start, s.end, _GRID), s.times])) for s in dataset.series]
    longest = max(len(g) for g in grids)
    return np.stack([np.pad(g, (0, longest - len(g)), mode="edge") for g in grids])


def curve_solver(objective: Objective, dataset: Dataset, batch: Batch) -> Callable[[np.ndarray], Curves]:
    """Of theta: one solve per series at the records' times and on a dense grid to the last record, held-out ones included.
    Compiled at the first call, where JAX has to make it."""
    ts = grid_of(dataset)
    if cannot(objective, batch) is None:
        direct = Direct(objective)

        def along(theta: np.ndarray) -> Curves:
            states, observed, codes = direct.along(theta, batch, ts)
            return Curves(ts, states, observed, codes, np.zeros(len(ts), int))

        return along

    def of_series(theta: Any, series: Batch, ts: Any) -> Any:
        states, observed, raw, result = objective.along(theta, series, ts)
        return states, observed, result, raw.stats["sliding"]

    program = objective.jitted(jax.vmap(of_series, (None, 0, 0)))

    def solve(theta: np.ndarray) -> Curves:
        return Curves(ts, *map(np.asarray, program(jnp.asarray(theta), batch, ts)))

    return solve


def arguments_along(objective: Objective, curves: Curves, k: int, row: int, times: np.ndarray) -> list[np.ndarray]:
    """Arguments of observation k's noise in series `row` at some of its times."""
    at = np.minimum(np.searchsorted(curves.ts[row], times), curves.ts.shape[1] - 1)  # the last one stands for infinity
    return [curves.observed[row, at, place] for place in objective.argument_places[k]]


def predictions_table(objective: Objective, dataset: Dataset, curves: Curves, held: Sequence[np.ndarray]) -> pd.DataFrame:
    """series, time, column, location, lower95, upper95, kind ("data", "hold_out", "curve", "state"). Each class is a column."""
    frames = []
    for row, series in enumerate(dataset.series):
        grid = np.unique(curves.ts[row])
        grid = grid[grid <= series.end] if series.has_steady else grid
        for k, name in enumerate(dataset.columns):
            mine = series.records.column == k
            seen = np.unique(series.records.time[mine & ~held[row]])
            hidden = np.setdiff1d(series.records.time[mine & held[row]], seen)
            for kind, times in (("data", seen), ("hold_out", hidden), ("curve", grid)):
                arguments = arguments_along(objective, curves, k, row, times)
                for band in bands(objective.rows[k], name, arguments, dataset.classes.get(name, ())):
                    frames.append(_frame(series.name, times, band.column, band.location, band.lower, band.upper, kind))
        at = np.searchsorted(curves.ts[row], grid)
        for i, symbol in enumerate(objective.compiled.system.states):
            nothing = np.full(len(grid), np.nan)
            frames.append(_frame(series.name, grid, str(symbol), curves.states[row, at, i], nothing, nothing, "state"))
    kept = [f for f in frames if len(f)]
    return pd.concat(kept, ignore_index=True)


def _frame(series: str, times: np.ndarray, column: str, location: Any, low: Any, high: Any, kind: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"series": series, "time": times, "column": column, "location": np.asarray(location, float),
         "lower95": np.asarray(low, float), "upper95": np.asarray(high, float), "kind": kind}
    )  # fmt: skip


# One program: outside jit every operation would be compiled by itself.
_log_likelihood = partial(jax.jit, static_argnums=(0, 5))(log_likelihood)


def _log_density(noise: Noise, value: Any, upper: Any, censored: Any, arguments: Sequence[Any], kinds: Kinds) -> Any:
    score = score_of(noise)
    if kinds or score is None:
        return _log_likelihood(noise, value, upper, censored, arguments, kinds)
    with np.errstate(all="ignore"):
        return score.of(value, *arguments)[0]


def residuals_table(objective: Objective, dataset: Dataset, curves: Curves, held: Sequence[np.ndarray]) -> pd.DataFrame:
    """series, row, time, column, observed, predicted, residual (standardised; NaN for a limit), log_density, used, censored."""
    frames = []
    for row, series in enumerate(dataset.series):
        records = series.records
        for k, name in enumerate(dataset.columns):
            mine = np.flatnonzero(records.column == k)
            if not len(mine):
                continue
            noise = objective.rows[k]
            arguments = arguments_along(objective, curves, k, row, records.time[mine])
            value, censored = records.value[mine], records.censored[mine]
            with np.errstate(all="ignore"):
                residual = np.where(censored == 0, noise.residual(value, *arguments), np.nan)
            kinds = kinds_of(censored, np.ones(len(mine)))
            density = _log_density(noise, value, records.upper[mine], censored, arguments, kinds)
            frames.append(
                pd.DataFrame(
                    {
                        "series": series.name,
                        "row": records.line[mine],
                        "time": records.time[mine],
                        "column": name,
                        "observed": value,
                        "predicted": np.asarray(noise.location(*arguments), float),
                        "residual": np.asarray(residual, float),
                        "log_density": np.asarray(density, float),
                        "used": np.select([held[row][mine], records.weight[mine] == 0], ["hold_out", "left_out"], "fit"),
                        "censored": censored,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def impossible_row(objective: Objective, dataset: Dataset, batch: Batch, theta: np.ndarray) -> str:
    """The first record whose prediction its noise model cannot have, in words; "" when there is none (rules F6)."""
    found, _ = jax.jit(lambda x: objective.arguments_of_noise(x, batch, "forward"))(jnp.asarray(theta))
    joined = {k: eta for kind, of in zip(objective.kinds, found, strict=True) for k, eta in kind.split(of, batch)}
    for k, (row, c) in enumerate(zip(objective.rows[: objective.n_observed], batch.columns, strict=False)):
        eta = joined[k]
        arguments = tuple(jnp.moveaxis(eta, -1, 0))
        likely = _log_likelihood(row, c.value, c.upper, c.censored, arguments, objective.limits[k]) > -np.inf
        valid = np.asarray(possible(row, c.censored, arguments) & likely)
        for i, j in np.argwhere(~valid & (np.asarray(c.used) > 0)):
            records = dataset.series[i].records
            record = np.flatnonzero(records.column == k)[j]
            values = ", ".join(f"{a} = {float(v):.4g}" for a, v in zip(row.arguments, eta[i, j], strict=True))
            place = f"{dataset.name}, line {records.line[record]}, time {records.time[record]:g}"
            return f"; first at {place}, column `{dataset.columns[k]}`: {values}"
    return ""


def parameters_table(
    dataset: Dataset, objective: Objective, theta: np.ndarray, found: Uncertainty, groups: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """One row per entry of the params and learnt starts, trained or not, in file order; with `by` one per entry and label.
    `groups`: parameter -> label -> value."""
    x = objective.space.vector(theta[: objective.n_parameters])
    trained = {e.name: i for i, e in enumerate(objective.space.entries)}
    places = parameter_places(objective.compiled)
    rows = []
    for p in dataset.declarations.parameters:
        for label, name, place in group_entries(p, dataset.groups):
            i, entry = trained.get(name), entry_names(p.name, p.shape)[place]
            own = np.ravel(groups[p.name][label])[place] if label else objective.base[places[entry]]
            value = float(own) if i is None else float(x[i])
            given = not {name, entry}.isdisjoint(dataset.given)
            reason = ("set by a column of the data" if given else "fixed") if i is None else found.reasons[i]
            rows.append(
                {"name": name, "value": np.nan if given else value,
                 "se": np.nan if i is None else float(found.se[i]),
                 "lower95": np.nan if i is None or not np.isfinite(found.se[i]) else float(found.lower[i]),
                 "upper95": np.nan if i is None or not np.isfinite(found.se[i]) else float(found.upper[i]),
                 "lower_bound": np.nan if p.lower is None else p.lower, "upper_bound": np.nan if p.upper is None else p.upper,
                 "unit": p.unit, "at_bound": i is not None and bool(found.at_bound[i]), "fixed": i is None, "reason": reason}
            )  # fmt: skip
    columns = ["name", "value", "se", "lower95", "upper95", "lower_bound", "upper_bound", "unit", "at_bound", "fixed", "reason"]
    return pd.DataFrame(rows, columns=columns)


def trace_table(recorder: Recorder) -> pd.DataFrame:
    """start, stage, iteration, objective, gradient_norm, seconds."""
    rows = [(p.start, p.stage, p.iteration, p.objective, p.gradient_norm, p.elapsed) for p in recorder.rows]
    return pd.DataFrame(rows, columns=["start", "stage", "iteration", "objective", "gradient_norm", "seconds"])


def likelihood_of(residuals: pd.DataFrame) -> float:
    """Negative log-likelihood of the fitted records as the model says: without weights and losses."""
    return -float(np.sum(residuals["log_density"].to_numpy()[residuals["used"].to_numpy() == "fit"]))


def hold_out_scores(residuals: pd.DataFrame, spec: str | None, classes: Collection[str] = ()) -> dict[str, Any] | None:
    """Root mean square error (of the columns that hold `classes` the share that was predicted right) and mean log-density of what
    was held out, over all and by column."""
    if spec is None:
        return None
    seen = residuals[residuals["used"] == "hold_out"]

    def scores(rows: Any) -> dict[str, Any]:
        of_class = rows["column"].isin(list(classes))
        exact = rows[(rows["censored"] == 0) & ~of_class]
        error = exact["observed"] - exact["predicted"]
        numbers = {
            "rmse": float(np.sqrt(np.mean(error**2))) if len(exact) else np.nan,
            "log_score": float(np.mean(rows["log_density"])),
        }
        out: dict[str, Any] = {"n": len(rows)}
        if of_class.any():
            out["accuracy"] = float(np.mean(rows["observed"][of_class] == rows["predicted"][of_class]))
        for key, number in numbers.items():
            out[key] = number if np.isfinite(number) else None
            if out[key] is None:
                reason = "the model has no prediction there, or it gives an observation the density 0"
                out[f"{key}_reason"] = "classes have no distance" if of_class.all() and key == "rmse" else reason
        return out

    return {"spec": spec, **scores(seen), "by_column": {str(c): scores(rows) for c, rows in seen.groupby("column", sort=False)}}
