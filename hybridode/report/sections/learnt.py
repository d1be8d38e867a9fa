"""What the networks have learnt, over the places that the data reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.blocks import Figures, Section, Text
from hybridode.report.chart import Cells, Chart, Mark
from hybridode.report.design import RAMP
from hybridode.report.figures import MOST, file_name
from hybridode.report.saved import Rows, Saved
from hybridode.report.sections.generic import finding_blocks
from hybridode.report.words import brief

_PLACES = 26  # cells along each argument of a map
_SLICES = 3  # arguments of one output that have a chart
HOW = (
    "Drawn only where the fitted trajectories go: beyond, the network was never asked. Band: 95 % for the network's value. Ticks "
    "at the bottom: where the trajectories are."
)


def learnt(saved: Saved) -> Section | None:
    """One chart for each output of a network of one argument; for two a map and slices, for more each argument in turn."""
    found = saved.findings.get("learnt")
    if not found:
        return None
    terms = found.get("terms", ())
    charts = [chart for term in terms for chart in term_charts(term)][:MOST]
    reasons = list(dict.fromkeys(t["band_reason"] for t in terms if t.get("band_reason")))
    blocks: list[Any] = [*finding_blocks(found), Text(HOW, "muted"), Figures(charts)]
    blocks += [Text(f"There are no bands: {reason}", "muted") for reason in reasons]
    return Section("learnt", "Learnt functions", blocks)


def term_charts(term: Mapping[str, Any]) -> list[Chart]:
    """The charts of one output."""
    rows = term_rows(term)
    arguments = list(term["arguments"])
    if not rows["learnt"].size or not arguments:
        return []
    if len(arguments) == 1:
        return [curve_chart(term, rows, arguments[0])]
    map_ = [_map(term, rows, arguments[0], arguments[1])] if len(arguments) == 2 else []
    return [*map_, *(_slice(term, rows, name) for name in _telling(rows, arguments))]


def _telling(rows: Rows, arguments: list[str]) -> list[str]:
    """All arguments, or of many those that the output follows most closely (by the correlation of ranks)."""
    if len(arguments) <= _SLICES:
        return arguments
    rank = lambda values: np.argsort(np.argsort(values)).astype(float)  # noqa: E731
    follows = {a: abs(np.corrcoef(rank(rows[a]), rank(rows["learnt"]))[0, 1]) if len(rows[a]) > 2 else 0.0 for a in arguments}
    best = sorted(arguments, key=lambda a: -follows[a])[:_SLICES]
    return [a for a in arguments if a in best]


def term_rows(term: Mapping[str, Any]) -> Rows:
    """The samples of an output by column, NaN for what is missing."""
    columns = list(term["columns"])
    cells = [[np.nan if v is None else v for v in row] for row in term["rows"]]
    return dict(zip(columns, np.array(cells, float).reshape(-1, len(columns)).T, strict=True))


def curve_chart(term: Mapping[str, Any], rows: Rows, argument: str) -> Chart:
    """An output of one argument with its band, and a formula beside it where there is one."""
    order = np.argsort(rows[argument], kind="stable")
    x, y = rows[argument][order], rows["learnt"][order]
    low, high, formula = (rows[k][order] for k in ("lower95", "upper95", "formula"))
    marks = [Mark("band", x, low, 1, "95 %", upper=high)] if np.isfinite(low).any() else []
    marks.append(Mark("line", x, y, 1, "network"))
    marks += [Mark("line", x, formula, 2, "formula")] if np.isfinite(formula).any() else []
    ends = axis(str(term["of"]), y, low, high, formula, room=0.06)
    foot = ends.low + 0.035 * (ends.high - ends.low)
    marks.append(Mark("rug", x, np.full(len(x), ends.low), 0, upper=np.full(len(x), foot)))
    return Chart(_name(term), f"{term['of']}: learnt", _words(term, rows, argument), axis(argument, x, room=0.02), ends,
                 tuple(marks), data={name: [*values[order]] for name, values in rows.items()})  # fmt: skip


def _slice(term: Mapping[str, Any], rows: Rows, argument: str) -> Chart:
    """Value against one of several arguments, the others being wherever the trajectories take them."""
    x, y, low, high = (rows[k] for k in (argument, "learnt", "lower95", "upper95"))
    marks = [Mark("stem", x, low, 1, upper=high)] if np.isfinite(low).any() else []
    marks.append(Mark("small", x, y, 1, "network"))
    marks += [Mark("small", x, rows["formula"], 2, "formula")] if np.isfinite(rows["formula"]).any() else []
    data = {name: [*values] for name, values in rows.items()}
    name, title = f"{_name(term)}_{file_name(argument)}", f"{term['of']} against {argument}"
    axes = axis(argument, x, room=0.02), axis(str(term["of"]), y, low, high, room=0.05)
    return Chart(name, title, _words(term, rows, argument), *axes, tuple(marks), data=data)


def _map(term: Mapping[str, Any], rows: Rows, first: str, second: str) -> Chart:
    """Mean value in the cells that trajectories visit; the others stay empty."""
    x, y, z = rows[first], rows[second], rows["learnt"]
    ax, ay = axis(first, x, room=0.01), axis(second, y, room=0.01)
    i = np.clip((ay.place(y) * _PLACES).astype(int), 0, _PLACES - 1)
    j = np.clip((ax.place(x) * _PLACES).astype(int), 0, _PLACES - 1)
    total, count = np.zeros((_PLACES, _PLACES)), np.zeros((_PLACES, _PLACES))
    np.add.at(total, (i, j), z)
    np.add.at(count, (i, j), 1)
    with np.errstate(invalid="ignore"):
        grid = np.where(count > 0, total / count, np.nan)
    edges = [np.linspace(a.low, a.high, _PLACES + 1) for a in (ax, ay)]
    alt = f"Map of {term['of']} over {first} and {second}, only where trajectories go: from {brief(z.min())} to {brief(z.max())}."
    cells = Cells(edges[0], edges[1], grid, float(np.nanmin(grid)), float(np.nanmax(grid)), RAMP, "value")
    return Chart(f"{_name(term)}_map", f"{term['of']}: learnt, where trajectories go", alt, Axis(first, ax.low, ax.high),
                 Axis(second, ay.low, ay.high), (), data={first: [*x], second: [*y], "learnt": [*z]}, cells=cells)  # fmt: skip


def _name(term: Mapping[str, Any]) -> str:
    return f"learnt_{file_name(str(term['of']))}"


def _words(term: Mapping[str, Any], rows: Rows, argument: str) -> str:
    x, y = rows[argument], rows["learnt"]
    width = (rows["upper95"] - rows["lower95"]) / 2
    band = f"; known to ±{brief(np.nanmedian(width))} in the middle" if np.isfinite(width).any() else ""
    least, most = int(np.argmin(y)), int(np.argmax(y))
    return (
        f"{term['of']} as the network learnt it, over {argument} from {brief(x.min())} to {brief(x.max())}: "
        f"least {brief(y[least])} at {brief(x[least])}, greatest {brief(y[most])} at {brief(x[most])}{band}."
    )
