"""Runs as something to compare: of directories, and of fits in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from hybridode.data.kept_files import MODEL, SOURCE
from hybridode.errors import DataError, Diagnostic, UsageError
from hybridode.fit.criticism.comparison import Candidate, Comparison, compared_runs
from hybridode.fit.criticism.freedom import effective_number
from hybridode.fit.run import FitRun
from hybridode.language.check import declare
from hybridode.language.reader import load
from hybridode.report.findings import FOLDER, read_findings
from hybridode.report.opened import open_run
from hybridode.report.run_directory import read_run


class _InMemory(Protocol):
    """A `hybridode.Run`."""

    fitted: FitRun


def compare(*runs: _InMemory | str | Path) -> Comparison:
    """Runs side by side (those in memory, or directories): `table`, likelihood `ratios`, `sentences`.

    Raises UsageError E0791 for fewer than two, DataError E0807 for what is no run."""
    if len(runs) < 2:
        raise UsageError(Diagnostic("E0791", "one run by itself is not compared with anything", hint="give two or more"))
    found = [
        candidate_of_directory(Path(run))
        if isinstance(run, str | Path)
        else candidate_of_fit(f"{run.fitted.declarations.name} ({i})", run.fitted)
        for i, run in enumerate(runs, 1)
    ]
    return compared_runs(found)


def candidate_of_directory(directory: Path) -> Candidate:
    """A run directory. Raises DataError E0807 where it is none."""
    saved = read_run(directory)
    if not (directory / "residuals.csv").is_file():
        message = f"the run in `{directory}` has no residuals.csv"
        raise DataError(Diagnostic("E0807", message, hint="the file was taken out: fit again"))
    model = directory / SOURCE / MODEL
    declarations = declare(load(model if model.is_file() else saved.model))
    findings = read_findings(directory)
    residuals = pd.read_csv(directory / "residuals.csv", dtype={"series": str})
    free = None
    if is_held(saved.result):
        free = _known(findings)
        free = _effective(open_run(directory)[1]) if free is None else free
    loo = directory / FOLDER / "posterior.loo.csv"
    pointwise = pd.read_csv(loo, dtype={"series": str}, keep_default_na=False, na_values=["nan"]) if loo.is_file() else None
    return Candidate(str(directory), saved.result, residuals, declarations, free, findings, pointwise)


def candidate_of_fit(name: str, run: FitRun) -> Candidate:
    """A fit in memory."""
    free = _effective(run) if is_held(run.result) else None
    return Candidate(name, run.result, run.residuals, run.declarations, free)


def is_held(result: Mapping[str, Any]) -> bool:
    """Whether priors or penalties hold some numbers, so that fewer than all are free."""
    return bool(result["objective"]["prior"] or result["objective"]["regulariser"])


def _known(findings: Mapping[str, Mapping[str, Any]]) -> float | None:
    """The effective number of the finding `baselines`."""
    models = findings.get("baselines", {}).get("models")
    if models is None:
        return None
    found = [dict(zip(models["columns"], row, strict=True)) for row in models["rows"]]
    return next((row["n_free"] for row in found if row["model"] == "hybrid"), None)


def _effective(run: FitRun) -> float | None:
    return None if run.finished is None else effective_number(run.finished.prepared, run.finished.theta)
