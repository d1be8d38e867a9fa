"""The model that several runs have in common, written, and fitted to all their data together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.data.experiments import experiments
from hybridode.data.table import Table
from hybridode.declarations import Declarations
from hybridode.discover.common import own_numbers, shared_numbers
from hybridode.discover.information import fisher_of
from hybridode.discover.joined import NAME, group_column, joined_table, not_joined
from hybridode.discover.refitted import records_of
from hybridode.errors import HybridodeError, Source
from hybridode.expr import number_text
from hybridode.language import syntax as s
from hybridode.language.check import declare
from hybridode.language.edits import Edit, edited
from hybridode.language.reader import parse

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

MODEL = "together.ode"


@dataclass(frozen=True, eq=False)
class Shared:
    """One model of all runs. `common` and `by_run`: names of its learnt numbers; `fit`: of the model to the `table` of all runs;
    `dl` of it and of the runs with all numbers of their own (`apart`), without what is the same in both."""

    common: tuple[str, ...]
    by_run: tuple[str, ...]
    labels: tuple[str, ...]
    fit: FitRun
    table: Table
    dl: float
    apart: float
    sentences: tuple[str, ...]


def shared_model(
    runs: Sequence[FitRun], fits: Sequence[FitRun], labels: Sequence[str], progress: Any = None
) -> tuple[Shared | None, tuple[str, ...]]:
    """The model that runs share, whose `fits` are those of one formula to the data of each; None where there is none; and what to
    say of it."""
    if reason := not_joined(runs):
        return None, (f"No model of all runs together was fitted: {reason}.",)
    d = fits[0].dataset.declarations
    groups = _groups(fits)
    owns = []
    for fit in fits:
        assert fit.finished is not None
        prepared, theta = fit.finished.prepared, fit.finished.theta
        with jax.enable_x64(True):
            fisher = fisher_of(prepared, theta)
        if fisher is None:
            return None, ("No model of all runs together was fitted: how well they know their numbers cannot be computed.",)
        owns.append(own_numbers(prepared.objective.space, theta, fisher, records_of(prepared)))
    common, _ = shared_numbers(owns, groups)
    if not common:
        return None, ("The runs have no number in common: each keeps its own.",)
    column = group_column(runs, {x.name.lower() for x in (*d.parameters, *d.constants, *d.states, *d.definitions)})
    own = {name: [float(np.ravel(fit.shared[name])[0]) for fit in fits] for name in groups if name not in common}
    mean = {name: _mean(fits, name) for name in groups}
    text = by_run_text(d.source.text, d.source.name, mean, own, labels, column)
    table = joined_table(runs, labels, column)
    try:
        fit = _fitted(declare(Source(MODEL, text)), table, runs[0], progress)
    except HybridodeError as error:
        return None, (f"No model of all runs together was fitted: {str(error).splitlines()[0]}",)
    if fit.status == "failed":
        return None, ("No model of all runs together was fitted: its fit failed.",)
    counts = [o.records for o in owns]
    apart = sum(_value(f) + 0.5 * math.log(n) * len(o.names) for f, o, n in zip(fits, owns, counts, strict=True))
    entries = sum(len(groups[name]) for name in common)
    others = sum(0.5 * math.log(n) * (len(o.names) - entries) for o, n in zip(owns, counts, strict=True))
    dl = _value(fit) + 0.5 * entries * math.log(sum(counts)) + others
    if dl >= apart:
        return None, (f"Numbers of their own describe the runs in {dl - apart:.1f} nats less than common ones.",)
    found = Shared(common, tuple(own), tuple(labels), fit, table, dl, apart, ())
    return replace(found, sentences=_said(found)), _said(found)


def _value(fit: FitRun) -> float:
    return float(fit.result["objective"]["value"])


def _groups(fits: Sequence[FitRun]) -> dict[str, tuple[str, ...]]:
    """Parameter -> its learnt entries, of those that all runs learn and that have no values by group already."""
    found: dict[str, tuple[str, ...]] = {}
    spaces = [fit.finished.prepared.objective.space for fit in fits if fit.finished is not None]
    for e in spaces[0].entries:
        if not e.group and all(e.name in space.names for space in spaces):
            found[e.parameter] = (*found.get(e.parameter, ()), e.name)
    return found


def learnt_rows(fit: FitRun) -> dict[str, list[Any]]:
    """Of everything learnt: value, standard error, ends of the 95 % interval, unit; None where there is none."""
    known = lambda x: float(x) if np.isfinite(x) else None  # noqa: E731
    rows = fit.parameters_table.to_dict("records")
    return {r["name"]: [*(known(r[k]) for k in ("value", "se", "lower95", "upper95")), r["unit"]] for r in rows if not r["fixed"]}


def _mean(fits: Sequence[FitRun], name: str) -> float:
    """Weighted by precision where all runs know it."""
    rows = [learnt_rows(fit).get(name, [np.nan, None]) for fit in fits]
    values = np.array([float(np.ravel(fit.shared[name])[0]) for fit in fits])
    errors = np.array([row[1] or np.nan for row in rows], float)
    if np.all(np.isfinite(errors)):
        return float(np.sum(values / errors**2) / np.sum(1 / errors**2))
    return float(np.mean(values))


def by_run_text(
    text: str, name: str, mean: Mapping[str, float], own: Mapping[str, Sequence[float]], labels: Sequence[str], column: str
) -> str:
    """The text of a model with these values of its parameters and learnt starts (`x(0)`), some of them by the labels of a column.
    Vectors keep the values that they have."""
    file, _ = parse(Source(name, text))
    edits: list[Edit] = []
    for st in file.statements:
        if not isinstance(st, s.ValueStatement) or st.kind not in ("param", "state"):
            continue
        key = st.name.text + ("(0)" if st.kind == "state" else "")
        if key not in mean or st.value is None:
            continue
        if not st.shape and isinstance(st.value, s.Number | s.Sign):
            unit = st.value.unit if isinstance(st.value, s.Number) else None
            edits.append(Edit(st.value.start, st.value.end, number_text(mean[key]) + (f" [{unit.text}]" if unit else "")))
        if key in own:
            last = st.value.end if st.modifiers is None else max(st.modifiers.end, st.value.end)
            values = ", ".join(f'"{label}" = {number_text(v)}' for label, v in zip(labels, own[key], strict=True))
            edits.append(Edit(last, last, f" by {column}" + ("" if st.shape else f" ({values})")))
    return edited(text, edits)


def _fitted(d: Declarations, table: Table, first: FitRun, progress: Any) -> FitRun:
    """An ordinary fit to all data, from the values in the text, by the options of the first run."""
    from hybridode.fit.run import fit
    from hybridode.solve.settings import Settings

    used = first.result["settings"]["used"]
    with jax.enable_x64(True):
        data = experiments(d, table, used.get("columns"), weights=used.get("weights"))
    settings = Settings(**used.get("settings", {}))
    return fit(d, data, starts=1, progress=progress, settings=settings, hold_out=used.get("hold_out"), fix=used.get("fix"),
               loss=used.get("loss"), constraints=used.get("constraints"))  # fmt: skip


def _said(found: Shared) -> tuple[str, ...]:
    rows = learnt_rows(found.fit)

    def number(name: str) -> str:
        value, _, low, high, _ = rows[name]
        return f"{name} = {value:.4g}" + ("" if low is None or high is None else f" ({low:.4g} … {high:.4g})")

    listed = lambda chosen: ", ".join(number(n) for n in rows if n in chosen or n.split("[")[0] in chosen)  # noqa: E731
    less = f"One model describes all runs in {found.apart - found.dl:.1f} nats less than numbers of their own: common are"
    own = f"; by run are {listed(found.by_run)}" if found.by_run else ""
    return (f"{less} {listed(found.common)}{own} (`{MODEL}`, data `{NAME}`).",)
