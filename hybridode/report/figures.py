"""The figures of a fit as SVG texts, one panel each, the same bytes for the same numbers.

Drawn in a fixed palette; the report maps its colours to CSS variables, so that one drawing serves light and dark pages.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.report.class_figure import class_columns_of, paint_classes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from hybridode.declarations import Declarations

Rows = dict[str, Any]  # a table: column name -> array

INK, MUTED, LINE, SHADE, PAPER = "#1b1f24", "#667080", "#dfe3e8", "#eef1f4", "#fefefe"
SERIES = ("#2763b5", "#c4570f", "#1c7f55", "#8250b4", "#a5752a", "#b03a62", "#3d7f8f", "#5b6470")
SIZE = (5.2, 3.1)  # inches: readable at a phone's width, two beside each other on a desk
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hybridode",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,  # a file of its own may be looked at on any ground
    "savefig.facecolor": PAPER,
}


@dataclass(frozen=True)
class Drawing:
    """A figure with what it shows. `name` is its file's name without `.svg`."""

    name: str
    section: str  # fit | residuals | convergence | states
    title: str
    svg: str


def draw(paint: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    """What `paint` draws on fresh axes, as SVG without a date."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure.add_subplot())
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "hybridode"})
    return out.getvalue()


def file_name(text: str) -> str:
    """A column's name as part of a file name: letters and digits stay, the rest becomes `_`."""
    return re.sub(r"[^\w]+", "_", text).strip("_") or "column"


def columns_of(table: pd.DataFrame) -> Rows:
    """A table as arrays by column name; what is missing becomes NaN."""
    return {str(name): table[name].to_numpy() for name in table.columns}


def _where(rows: Rows, keep: Any) -> Rows:
    return {name: values[keep] for name, values in rows.items()}


def _names(rows: Rows, column: str) -> list[Any]:
    """The distinct values of a column in order of first occurrence."""
    return list(dict.fromkeys(rows[column].tolist()))


def time_label_of(declarations: Declarations) -> str:
    """The label of the axis of time: its name and unit."""
    return _with_unit(declarations.time, declarations.time_unit)


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _colors(rows: Rows) -> dict[Any, str]:
    """A colour for each series of a whole table, so that it keeps it in every figure."""
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(_names(rows, "series"))}


def fit_figures(
    predictions: Rows, residuals: Rows, time_label: str, most: int = 12, units: Mapping[str, str] | None = None
) -> list[Drawing]:
    """Per observed column the data, the fitted location and its 95 % band; held-out data are hollow on a shaded ground, limits
    are triangles that point to where the value is. `units` are those of the columns."""
    drawings, colors = [], _colors(residuals)
    for column in _names(residuals, "column")[:most]:
        seen = _where(residuals, residuals["column"] == column)
        curve = _where(predictions, (predictions["column"] == column) & (predictions["kind"] == "curve"))
        label = _with_unit(column, (units or {}).get(column, ""))
        classes = class_columns_of(predictions, column)
        if classes:
            curves = _where(predictions, predictions["kind"] == "curve")
            drawn = draw(
                partial(_paint_probabilities, seen=seen, curves=curves, columns=classes, time_label=time_label, label=label)
            )
            drawings.append(Drawing(f"fit_{file_name(column)}", "fit", f"{column}: classes and their probabilities", drawn))
            continue
        paint = partial(_paint_fit, seen=seen, curve=curve, time_label=time_label, label=label, colors=colors)
        drawings.append(Drawing(f"fit_{file_name(column)}", "fit", f"{column}: data and fit", draw(paint)))
    return drawings


def _paint_fit(axes: Axes, seen: Rows, curve: Rows, time_label: str, label: str, colors: Mapping[Any, str]) -> None:
    names = _names(seen, "series")
    held = seen["used"] == "hold_out"
    if held.any():
        first, before = float(np.min(seen["time"][held])), seen["time"][~held]
        before = before[before < first]
        left = (first + float(np.max(before))) / 2 if before.size else first
        axes.axvspan(left, float(np.max(seen["time"])), color=SHADE, linewidth=0, zorder=0)
    for name in names:
        color = colors[name]
        line = _where(curve, curve["series"] == name)
        line = _where(line, np.argsort(line["time"], kind="stable"))
        if len(names) <= 3:  # more bands hide one another
            axes.fill_between(line["time"], line["lower95"], line["upper95"], color=color, alpha=0.16, linewidth=0)
        axes.plot(line["time"], line["location"], color=color, linewidth=1.6, label=str(name))
        censored, mine = seen["censored"].astype(int), seen["series"] == name
        for part, marker, face in (
            (mine & (censored == 0) & ~held, "o", color),
            (mine & (censored == 0) & held, "o", "none"),
            (mine & (censored < 0), "v", "none"),
            (mine & (censored > 0), "^", "none"),  # of an interval the lower end is shown
        ):
            axes.plot(seen["time"][part], seen["observed"][part], marker, ms=4.2, mfc=face, mec=color, mew=1.1, linestyle="none")
    _limit_to(axes, seen["observed"], curve["location"])
    _time_axis(axes, time_label)
    axes.set_ylabel(label)
    _legend_of_series(axes, names)


def _paint_probabilities(axes: Axes, seen: Rows, curves: Rows, columns: Sequence[str], time_label: str, label: str) -> None:
    paint_classes(axes, seen, curves, columns, label, SERIES)
    _time_axis(axes, time_label)


def _legend_of_series(axes: Axes, names: Sequence[Any]) -> None:
    """Which colour is which series, as long as each has its own."""
    if 1 < len(names) <= len(SERIES):
        axes.legend()


def _time_axis(axes: Axes, label: str) -> None:
    """Few ticks; whole numbers where the span is long (nobody says 1902.5)."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=high - low >= 6))
    axes.set_xlabel(label)


def _limit_to(axes: Axes, *values: Any) -> None:
    """The band of a wide distribution must not squeeze the data: at most half their range is shown beyond them."""
    finite = np.concatenate([np.asarray(v, float)[np.isfinite(np.asarray(v, float))] for v in values])
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    room = 0.5 * (high - low) or 1.0
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low - room), min(top, high + room))


def residual_figures(residuals: Rows, time_label: str, most: int = 12) -> list[Drawing]:
    """Standardised residuals over time with the band that holds 95 % of them when the noise model is right."""
    drawings, colors = [], _colors(residuals)
    for column in _names(residuals, "column")[:most]:
        keep = (residuals["column"] == column) & np.isfinite(residuals["residual"].astype(float))
        if keep.any():
            paint = partial(_paint_residuals, seen=_where(residuals, keep), time_label=time_label, colors=colors)
            drawings.append(Drawing(f"residuals_{file_name(column)}", "residuals", f"{column}: residuals", draw(paint)))
    return drawings


def _paint_residuals(axes: Axes, seen: Rows, time_label: str, colors: Mapping[Any, str]) -> None:
    axes.axhspan(-1.96, 1.96, color=SHADE, linewidth=0, zorder=0)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    for name in _names(seen, "series"):
        color = colors[name]
        for used, face in (("fit", color), ("hold_out", "none")):
            part = _where(seen, (seen["series"] == name) & (seen["used"] == used))
            axes.vlines(part["time"], 0, part["residual"], color=color, linewidth=1.0, alpha=0.55)
            axes.plot(part["time"], part["residual"], "o", ms=4.2, mfc=face, mec=color, mew=1.1, linestyle="none")
    reach = max(2.5, 1.1 * float(np.max(np.abs(seen["residual"]))))
    axes.set_ylim(-reach, reach)
    _time_axis(axes, time_label)
    axes.set_ylabel("standardised residual")


def convergence_figure(trace: Rows) -> list[Drawing]:
    """How far the objective is above the best value of its stage, for every start; a stage begins at a tick.

    Stages may have objectives of their own (a network first sees a part of the data), so that each has its own best.
    """
    finite = _where(trace, np.isfinite(trace["objective"].astype(float)))
    if not finite["objective"].size:
        return []
    best = {stage: float(np.min(finite["objective"][finite["stage"] == stage])) for stage in _names(finite, "stage")}
    return [Drawing("convergence", "convergence", "Convergence", draw(partial(_paint_convergence, trace=finite, best=best)))]


def _paint_convergence(axes: Axes, trace: Rows, best: Mapping[str, float]) -> None:
    floor = 1e-8 * max(1.0, *(abs(value) for value in best.values()))
    starts = _names(trace, "start")
    for i, start in enumerate(starts):
        color = SERIES[i % len(SERIES)]
        rows = _where(trace, trace["start"] == start)
        stages = rows["stage"]
        gap = rows["objective"].astype(float) - np.array([best[stage] for stage in stages]) + floor
        begins = [0, *(np.flatnonzero(stages[1:] != stages[:-1]) + 1), len(stages)]
        for k, (first, last) in enumerate(itertools.pairwise(begins)):
            steps = np.arange(first + 1, last + 1)
            axes.plot(steps, gap[first:last], color=color, linewidth=1.4, label=f"start {start}" if k == 0 else None)
            axes.plot(steps[:1], gap[first : first + 1], "|", color=color, ms=9)
            if i == 0:  # upright, since short stages follow closely
                where = axes.get_xaxis_transform()
                axes.text(
                    float(steps[0]), 0.98, f" {stages[first]}", transform=where, rotation=90, va="top", fontsize=7, color=MUTED
                )
    axes.set_yscale("log")
    axes.set_xlabel("iteration")
    axes.set_ylabel("objective above the best")
    if 1 < len(starts) <= len(SERIES):
        axes.legend()


def state_figures(
    predictions: Rows, observed: Sequence[str], time_label: str, most: int = 12, units: Mapping[str, str] | None = None
) -> list[Drawing]:
    """The states that no column shows, along the fitted trajectory."""
    states = _where(predictions, predictions["kind"] == "state")
    drawings = []
    for state in [name for name in _names(states, "column") if name not in observed][:most]:
        rows = _where(states, states["column"] == state)
        label = _with_unit(state, (units or {}).get(state, ""))
        paint = partial(_paint_state, rows=rows, time_label=time_label, label=label)
        drawings.append(Drawing(f"state_{file_name(state)}", "states", f"{state} (not observed)", draw(paint)))
    return drawings


def _paint_state(axes: Axes, rows: Rows, time_label: str, label: str) -> None:
    names = _names(rows, "series")
    for i, name in enumerate(names):
        part = _where(rows, rows["series"] == name)
        order = np.argsort(part["time"], kind="stable")
        axes.plot(part["time"][order], part["location"][order], color=SERIES[i % len(SERIES)], linewidth=1.6, label=str(name))
    _time_axis(axes, time_label)
    axes.set_ylabel(label)
    _legend_of_series(axes, names)


def page_svg(drawing: Drawing) -> str:
    """The drawing for use inside a page: colours as CSS variables, ids of its own, its size left to the page."""
    svg = drawing.svg[drawing.svg.index("<svg") :]
    for variable, color in (("ink", INK), ("muted", MUTED), ("line", LINE), ("shade", SHADE), *_numbered(SERIES)):
        svg = svg.replace(color, f"var(--{variable})")
    svg = svg.replace(PAPER, "none")
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{drawing.name}-", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', rf'<svg \1role="img" aria-label="{_attribute(drawing.title)}"', svg, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def _numbered(colors: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"c{i}", color) for i, color in enumerate(colors, 1)]


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
