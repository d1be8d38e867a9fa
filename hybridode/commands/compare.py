"""`hybridode compare`: several runs side by side; of each, hold-outs and baselines on request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.commands.run import INTERRUPTED
from hybridode.errors import Diagnostic, UsageError
from hybridode.files import write_whole

if TYPE_CHECKING:
    from hybridode.fit.criticism.comparison import Comparison
    from hybridode.fit.run import FitRun


@dataclass(frozen=True)
class CompareOptions:
    """The options of `hybridode compare`."""

    cross_validate: str | None = None
    baselines: bool = False
    max_seconds: float | None = None
    output: str | None = None


def compare(runs: Sequence[str], options: CompareOptions, command: str, output: Output) -> int:
    """Writes the findings `hold_outs` and `baselines` that were asked for, and returns the exit code: 0, 130 when interrupted.

    Raises UsageError E0791 where there is nothing to compare, E0790 for records that cannot be held out, DataError E0807 for what
    is no run."""
    if len(runs) < 2 and not options.baselines and options.cross_validate is None:
        hint = f"name another run, or write `hybridode compare {runs[0] if runs else 'RUN'} --baselines`"
        raise UsageError(Diagnostic("E0791", "one run by itself is not compared with anything", hint=hint))
    places, began = list(dict.fromkeys(runs)), time.perf_counter()
    made: dict[str, dict[str, Any]] = {}
    try:
        for place in places:
            made[place] = _asked(place, options, command, output)
    except KeyboardInterrupt:
        output.note("interrupted; what was found is kept")
        output.data({"ok": False, "findings": made})
        return INTERRUPTED
    for place, findings in made.items():
        for kind, content in findings.items():
            output.result(_shown(place, kind, content))
    data: dict[str, Any] = {"ok": True, "findings": made}
    if len(places) > 1:
        from hybridode.fit.criticism.comparison import compared_runs
        from hybridode.report.candidates import candidate_of_directory

        found = compared_runs([candidate_of_directory(Path(place)) for place in places])
        output.result(repr(found))
        data |= found.content()
        _keep_comparison(found, places, command, time.perf_counter() - began, output)
        if options.output is not None:
            write_table(found, options.output, output)
    output.data(data)
    return 0


def _keep_comparison(found: Comparison, places: Sequence[str], command: str, seconds: float, output: Output) -> None:
    """The finding `comparison` in each of the runs; one that cannot be written to is said."""
    from hybridode.report.run_curves import run_curves

    files = {"csv": run_curves(places)}
    for place in places:
        try:
            keep(Path(place), "comparison", Found({**found.content(), "run": place}, files), command, seconds)
        except UsageError as error:
            output.note(f"the comparison is not in the report of `{place}`: {error.diagnostics[0].message}")


def write_table(found: Comparison, path: str, output: Output) -> None:
    """The table as CSV; `-` for standard output. Raises UsageError E0809 when it cannot be written."""
    text = found.table.to_csv(index=False, lineterminator="\n")
    if path == "-":
        output.result(text)
        return
    try:
        write_whole(Path(path), text.encode("utf-8"))
    except OSError as error:
        message = f"`{path}` cannot be written: {error.strerror}"
        raise UsageError(Diagnostic("E0809", message, hint="choose another place with `-o FILE`")) from error


def _asked(place: str, options: CompareOptions, command: str, output: Output) -> dict[str, Any]:
    """What was asked for of one run, written and read back, by kind."""
    if options.cross_validate is None and not options.baselines:
        return {}
    from hybridode.report.findings import read_findings
    from hybridode.report.opened import open_run

    _, run = open_run(place)
    if run.finished is None:
        reason = "the fit failed" if run.status == "failed" else "its solution is in pieces"
        raise UsageError(Diagnostic("E0781", f"nothing can be held out of `{place}`: {reason}"))
    kinds = []
    if options.cross_validate is not None:
        kinds.append(_kept(place, "hold_outs", command, output, lambda: hold_outs_found(run, options)))
    if options.baselines and not all(n.freeze for n in run.dataset.declarations.networks):
        kinds.append(_kept(place, "baselines", command, output, lambda: baselines_found(run, options.max_seconds)))
    elif options.baselines:
        output.note(f"`{place}` has no networks: there are no baselines")
    found = read_findings(Path(place))
    return {kind: found[kind] for kind in kinds}


def _kept(place: str, kind: str, command: str, output: Output, find: Any) -> str:
    output.note(f"{place}: {kind.replace('_', ' ')} …")
    began = time.perf_counter()
    found = find()
    keep(Path(place), kind, found, command, time.perf_counter() - began)
    if found.interrupted:
        raise KeyboardInterrupt
    return kind


def hold_outs_found(run: FitRun, options: CompareOptions) -> Found:
    """The finding `hold_outs`."""
    from hybridode.fit.criticism.hold_outs import hold_outs

    assert run.finished is not None and options.cross_validate is not None
    found = hold_outs(run.finished.prepared, run.finished.theta, options.cross_validate, options.max_seconds)
    files = {"csv": found.table(run.finished.prepared)} if found.folds else {}
    return Found(found.content(), files, interrupted=found.interrupted)


def baselines_found(run: FitRun, seconds: float | None) -> Found:
    """The finding `baselines`; its verdict is told at the end of a fit."""
    from hybridode.fit.criticism.baselines import baselines
    from hybridode.fit.criticism.side_by_side import as_csv

    found = baselines(run, seconds)
    told = found.verdict.sentences[: 2 if found.verdict.provisional else 1]
    return Found(found.content(), {"csv": as_csv(found.curves)}, tell=told, interrupted=found.interrupted)


def _shown(place: str, kind: str, content: Mapping[str, Any]) -> str:
    """A finding as text: its table and its sentences."""
    import pandas as pd

    key = {"hold_outs": "folds", "baselines": "models"}[kind]
    table = pd.DataFrame(content[key]["rows"], columns=content[key]["columns"]).dropna(axis=1, how="all")
    table = table.drop(columns=[c for c in ("early", "reason") if c in table])
    numbers = table.to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-")
    return "\n".join([place, "", numbers, "", *content["sentences"], ""])
