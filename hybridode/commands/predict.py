"""`hybridode predict`: continues a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hybridode.commands.options import pairs
from hybridode.commands.output import Output
from hybridode.commands.simulate import SimulateOptions, simulate
from hybridode.data.hints import listed, near_names
from hybridode.data.kept_files import INPUTS, kept_sources
from hybridode.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from hybridode.report.run_directory import SavedRun


def predict(run: str, options: SimulateOptions, output: Output) -> int:
    """Simulates the fitted model of a run directory. Raises DataError E0807 when it is none, UsageError E0833 when it is not said
    which of several series is meant."""
    from hybridode.report.run_directory import read_run

    saved = read_run(run)
    if saved.result["status"] != "converged":
        output.note(f"note: this fit is not converged but {saved.result['status']}")
    if options.data is None:
        options = _with_kept(saved, _of_series(saved.result, options))
    return simulate(str(saved.model), replace(options, observed=True, classes=saved.result["data"].get("classes", {})), output)


def _with_kept(saved: SavedRun, options: SimulateOptions) -> SimulateOptions:
    """With the inputs and doses of the fit, which its directory keeps."""
    from hybridode.language.check import declare
    from hybridode.language.reader import load

    directory, names = saved.directory, [s["name"] for s in saved.result["data"].get("experiments", [])]
    if options.series is None and len(names) > 1 and any(directory.glob("inputs*.csv")):
        hint = f"choose one with --series: {listed(names)}"
        raise UsageError(Diagnostic("E0833", f"the fit has {len(names)} series, each with inputs or doses of its own", hint=hint))
    said = {text.split("=")[0].strip() for text in options.sources}
    kept = kept_sources(declare(load(str(saved.model))), directory) if any(directory.glob("inputs_*.csv")) else {}
    sources = tuple(f"{name}={path}" for name, path in kept.items() if name not in said)
    data = str(directory / INPUTS) if (directory / INPUTS).is_file() else None
    return replace(options, data=data, sources=(*options.sources, *sources))


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
    begins = chosen.get("equilibrated", {}).get("begins", {})
    groups = (*options.groups, *groups)
    return replace(options, groups=groups, values=chosen["numbers"], start=chosen["start"], begins=begins)
