"""`result.json`, schema 1: a finished fit as plain data. Every null is explained by a sibling `…_reason`."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from hybridode.data.experiments import Dataset, Series
from hybridode.data.groups import group_entries
from hybridode.declarations import Declarations, Network, Parameter, Shape
from hybridode.fit.outcome.shares import share_entry
from hybridode.fit.search.starts import StartResult
from hybridode.version import __version__

SCHEMA = 1
_PACKAGES = ("jax", "diffrax", "equinox", "optax", "numpy", "scipy", "pandas")


def result_schema() -> dict[str, Any]:
    """The JSON schema of `result.json`."""
    return json.loads(files("hybridode.fit.outcome").joinpath("result_schema.json").read_text(encoding="utf-8"))


def versions() -> dict[str, str]:
    """Versions of everything that shapes the numbers."""
    return {"hybridode": __version__, "python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


@cache
def _version(package: str) -> str:
    """Read line by line: `importlib.metadata` parses all that a package says of itself as a mail, 2 ms each."""
    lines = (metadata.distribution(package).read_text("METADATA") or "").splitlines()
    found = next((line for line in lines if line.startswith("Version: ")), "")
    return found.removeprefix("Version: ").strip() or metadata.version(package)


def objective_entry(
    nll: float, value: float, parts: Any, n_data: int, n_free: int, reason: str, no_criteria: str = ""
) -> dict[str, Any]:
    """nll: negative log-likelihood of the records that were fitted, as the model says; value: what was minimised, the sum of
    `parts` (loss of the records with constraints, priors, regularisers). no_criteria: why there are no AIC and BIC."""
    if not np.isfinite(nll):
        nothing = dict.fromkeys(("nll", "aic", "bic", "value", "prior", "regulariser"))
        return {**nothing, **{f"{k}_reason": reason for k in nothing}, "n_data": n_data, "n_free": n_free}
    found: dict[str, Any] = {
        "nll": nll, "n_data": n_data, "n_free": n_free, "aic": 2 * n_free + 2 * nll,
        "bic": n_free * float(np.log(max(n_data, 1))) + 2 * nll,
        "value": value, "loss": float(parts[0]), "prior": float(parts[1]), "regulariser": float(parts[2]),
    }  # fmt: skip
    if no_criteria:
        found |= {"aic": None, "bic": None, "aic_reason": no_criteria, "bic_reason": no_criteria}
    return found


def parameter_entries(declarations: Declarations, table: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """One entry per param or learnt start; arrays are nested lists with their shape, and so are values by group: their first axis
    goes over `labels` of the column `by`."""
    rows = {row["name"]: row for row in table.to_dict("records")}
    out = {}
    for p in declarations.parameters:
        labels = groups.get(p.by, ()) if p.by else ()
        shape = (len(labels), *p.shape) if labels else p.shape
        out[p.name] = _parameter(p, shape, [rows[name] for _, name, _ in group_entries(p, groups)])
        if labels:
            out[p.name] |= {"by": p.by, "labels": list(labels)}
    return out


def _parameter(p: Parameter, shape: Shape, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    low = None if p.lower is None or not np.isfinite(p.lower) else p.lower
    high = None if p.upper is None or not np.isfinite(p.upper) else p.upper
    entry: dict[str, Any] = {
        "value": _nested([_number(r["value"]) for r in rows], shape),
        "se": _nested([_number(r["se"]) for r in rows], shape),
        "interval95": _interval(rows, shape),
        "bounds": [low, high], "unit": p.unit,
        "at_bound": any(r["at_bound"] for r in rows), "fixed": all(r["fixed"] for r in rows),
    }  # fmt: skip
    if shape:
        entry["shape"] = list(shape)
    if low is None or high is None:
        entry["bounds_reason"] = "null: no bound on that side"
    reasons = [f"{r['name']}: {r['reason']}" if shape else str(r["reason"]) for r in rows if r["reason"]]
    text = "; ".join(reasons) or "not available"
    if any(_number(r["value"]) is None for r in rows):
        entry["value_reason"] = text
    if any(_number(r["se"]) is None for r in rows):
        entry["se_reason"] = entry["interval95_reason"] = text
    return entry


def _interval(rows: Sequence[Mapping[str, Any]], shape: tuple[int, ...]) -> Any:
    """[lo, hi], for arrays nested lists of the two; null for a scalar without one."""
    if not shape:
        pair = [_number(rows[0]["lower95"]), _number(rows[0]["upper95"])]
        return None if None in pair else pair
    return [_nested([_number(r[key]) for r in rows], shape) for key in ("lower95", "upper95")]


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    """A flat list as lists within lists (row-major); a scalar for shape ()."""
    if not shape:
        return values[0]
    for size in reversed(shape[1:]):
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values


def data_entry(dataset: Dataset, states: Sequence[str], first: np.ndarray) -> dict[str, Any]:
    """What was fitted. `first` (S, n): the states at the starts."""
    classes = {name: list(labels) for name, labels in dataset.classes.items()}
    return {
        "name": dataset.name,
        "series": len(dataset.series),
        "columns": list(dataset.columns),
        "unmatched": list(dataset.unmatched),
        "units": dataset.units,
        "notes": list(dataset.notes),
        "experiments": series_entries(dataset.series, states, first),
        **({"classes": classes} if classes else {}),
    }


def series_entries(series: Sequence[Series], states: Sequence[str], first: np.ndarray) -> list[dict[str, Any]]:
    """What `predict --series` needs: where a series starts, its group in each column after `by`, what the data set for it; of one
    that begins in a steady state under what, and where: `first` (S, n)."""
    out = []
    for s, y in zip(series, first, strict=True):
        entry = {"name": s.name, "start": s.start, "groups": dict(s.labels), "numbers": dict(s.numbers)}
        if s.before is not None:
            begins = {name: float(value) if np.isfinite(value) else None for name, value in zip(states, y, strict=True)}
            entry["equilibrated"] = {"numbers": dict(s.before.numbers), "begins": begins}
        out.append(entry)
    return out


def network_entries(
    networks: Sequence[Network], weights: Mapping[str, Mapping[str, Any]], shares: Mapping[str, Mapping[str, float]], failed: bool
) -> dict[str, Any]:
    """Layers (inputs, hidden, outputs), how many numbers were learnt, what part of its equations a network explains."""
    out = {}
    for n in networks:
        layers = [int(weights[n.name][f"W{i}"].shape[1]) for i in range(len(n.hidden) + 1)]
        layers.append(int(weights[n.name][f"W{len(n.hidden)}"].shape[0]))
        count = sum(int(np.size(a)) for name, a in weights[n.name].items() if name[0] in "Wb")
        out[n.name] = {"layers": layers, "n_weights": count, "frozen": n.freeze, **share_entry(shares.get(n.name), failed)}
    return out


def start_entries(results: Sequence[StartResult]) -> list[dict[str, Any]]:
    """How each start ended."""
    out = []
    for r in results:
        value = _number(r.objective)
        row: dict[str, Any] = {"start": r.start, "status": r.status, "objective": value, "iterations": r.iterations,
                               "rejected_steps": r.rejected, "resampled": r.resampled, "stopped_early": r.stopped_early,
                               "reason": r.reason}  # fmt: skip
        if value is None:
            row["objective_reason"] = r.reason or "nothing could be computed"
        out.append(row)
    return out
