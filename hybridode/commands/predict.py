"""`hybridode predict`: continues a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybridode.commands.options import pairs
from hybridode.commands.output import Output
from hybridode.commands.simulate import SimulateOptions, simulate
from hybridode.data.columns import listed, near_names
from hybridode.errors import Diagnostic, UsageError


def predict(run: str, options: SimulateOptions, output: Output) -> int:
    """Simulates the fitted model of a run directory. Raises DataError E0807 when it is none, UsageError E0833 when it is not said
    which of several series is meant."""
    from hybridode.report.run_directory import read_run

    saved = read_run(run)
    if saved.result["status"] != "converged":
        output.note(f"note: this fit is not converged but {saved.result['status']}")
    if options.data is None:
        options = _of_series(saved.result, options)
    return simulate(str(saved.model), replace(options, observed=True), output)


def _of_series(result: Mapping[str, Any], options: SimulateOptions) -> SimulateOptions:
    """With the start, the group and the numbers of one series of the fit."""
    series = {s["name"]: s for s in result["data"].get("experiments", [])}
    if options.series is None:
        own = {n for s in series.values() for n in (*s["groups"], *s["numbers"])}
        told = {*pairs("--group", options.groups), *(n for n in own if any(t.split("=")[0].strip() == n for t in options.set))}
        if len(series) > 1 and own - told:
            raise UsageError(Diagnostic("E0833", f"the fit has {len(series)} series, which differ in {listed(sorted(own))}",
                                        hint=f"choose one with --series: {listed(series)}"))  # fmt: skip
        chosen = next(iter(series.values())) if len(series) == 1 else None
    elif options.series not in series:
        hint = near_names(options.series, list(series)) or f"it has {listed(series)}"
        raise UsageError(Diagnostic("E0833", f"the fit has no series `{options.series}`", hint=hint))
    else:
        chosen = series[options.series]
    if chosen is None:
        return options
    said = {text.split("=")[0].strip() for text in options.groups}
    groups = tuple(f"{column}={label}" for column, label in chosen["groups"].items() if column not in said)
    return replace(options, groups=(*options.groups, *groups), values=chosen["numbers"], start=chosen["start"])
