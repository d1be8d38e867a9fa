"""The summary of a data file for a reader: a few lines and a table."""

from __future__ import annotations

from hybridode.data.summary import ObservedSummary, SeriesSummary, Summary
from hybridode.report.plain import short, table

SHOWN = 8  # series that are listed by name


def summary_text(summary: Summary) -> str:
    """What was understood of a data file. Warnings (among them what is inferred and what is not used) are told as diagnostics."""
    parts = ["\n".join([*_heading(summary), *_series(summary)]), _observed(summary), "\n".join(_rest(summary))]
    return "\n\n".join(part for part in parts if part)


def _heading(summary: Summary) -> list[str]:
    time = summary.time
    form = "one observable per row" if summary.form == "long" else "one column per observable"
    unit = f" {time.unit}" if time.unit else ""
    lines = [
        f"{summary.name}: {_count(summary.rows, 'row')}, {form}, {len(summary.series)} series",
        f"time: `{time.column}`, {time.first:g} to {time.last:g}{unit}, {_count(time.distinct, 'time')}; starts at {time.starts}",
    ]
    return [*lines, f"      {time.dates}"] if time.dates else lines


def _series(summary: Summary) -> list[str]:
    if len(summary.series) < 2 and not any(s.numbers for s in summary.series):
        return []
    shown = [_one_series(s) for s in summary.series[:SHOWN]]
    more = len(summary.series) - len(shown)
    return [f"  {line}" for line in [*shown, *([f"and {more} more"] if more else [])]]


def _one_series(series: SeriesSummary) -> str:
    numbers = "".join(f", {name} = {value:g}" for name, value in series.numbers.items())
    numbers += "".join(f", {column} {label}" for column, label in series.groups.items() if label not in series.name.split("/"))
    name = f"`{series.name}`: " if series.name else ""
    return f"{name}{_count(series.values, 'value')}, {series.first:g} to {series.last:g}{numbers}"


def _observed(summary: Summary) -> str:
    """One row per observation; what no observation has is left out."""
    optional = {
        "missing": [str(o.missing) for o in summary.observed],
        "limits": [_limits(o) for o in summary.observed],
        "replicates": [str(o.replicates) for o in summary.observed],
        "unit": [o.unit for o in summary.observed],
    }
    kept = [name for name, texts in optional.items() if any(text not in ("0", "") for text in texts)]
    renamed = any(o.column != o.name for o in summary.observed)
    headers = ["observed", *(["column"] if renamed else []), "values", *kept, "range", "noise"]
    rows = [
        [o.name, *([o.column] if renamed else []), str(o.values), *(optional[name][i] for name in kept), _range(o), o.noise]
        for i, o in enumerate(summary.observed)
    ]
    right = frozenset(i for i, name in enumerate(headers) if name in ("values", "missing", "replicates"))
    return table(headers, rows, right)


def _limits(o: ObservedSummary) -> str:
    counts = ((o.below, "below"), (o.above, "above"), (o.between, "between"))
    return ", ".join(f"{n} {what}" for n, what in counts if n)


def _range(o: ObservedSummary) -> str:
    if o.classes:
        return ", ".join(f"{name}: {count}" for name, count in o.classes.items())
    return "–" if o.least is None or o.greatest is None else f"{short(o.least)} … {short(o.greatest)}"


def _rest(summary: Summary) -> list[str]:
    lines = [
        f"input `{i.name}`: `{i.column}`, {_count(i.values, 'value')}, {short(i.least)} … {short(i.greatest)}, {i.interpolation}"
        for i in summary.inputs
    ]
    lines += list(summary.doses)
    lines += [f"set by a column: `{name}` ({what})" for name, what in summary.set_by_columns.items()]
    lines += [f"converted: {sentence}" for sentence in summary.converted]
    lines += list(summary.remarks)
    return lines


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
