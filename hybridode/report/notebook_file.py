"""A notebook that opens a run again and draws its main figures: where a reader goes on by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hybridode.report.figures import MOST
from hybridode.report.saved import Saved, names_in

_IMPORTS = """import json

import hybridode as ho
import matplotlib.pyplot as plt
import pandas as pd
"""
_TABLES = """fitted = pd.read_csv(run_directory / "predictions.csv")
seen = pd.read_csv(run_directory / "residuals.csv")
parameters = pd.read_csv(run_directory / "parameters.csv")
parameters"""
_FIT = """for column in columns:
    curve = fitted[(fitted["column"] == column) & (fitted["kind"] == "curve")]
    plt.figure(figsize=(6, 3.5))
    for series, line in curve.groupby("series", dropna=False):
        plt.fill_between(line["time"], line["lower95"], line["upper95"], alpha=0.15)
        plt.plot(line["time"], line["location"], label=series)
    data = seen[seen["column"] == column]
    plt.plot(data["time"], data["observed"], "o", ms=4, color="black")
    plt.xlabel(time_label)
    plt.ylabel(column)
    plt.show()"""
_RESIDUALS = """for column in columns:
    data = seen[seen["column"] == column]
    plt.figure(figsize=(6, 2.5))
    plt.axhspan(-1.96, 1.96, alpha=0.1)
    plt.stem(data["time"], data["residual"])
    plt.xlabel(time_label)
    plt.ylabel(f"{column}: standardised residual")
    plt.show()"""
_PROFILES = """profiled = run.profiles()
profiled.table"""
_KNOWN_PROFILES = """# as the fit found them; `run.profiles()` makes them anew
profiles = json.loads((run_directory / "findings" / "profiles.json").read_text(encoding="utf-8"))
pd.DataFrame(profiles["parameters"]).T[["value", "lower95", "upper95", "verdict"]]"""
_LEARNT = """learnt = json.loads((run_directory / "findings" / "learnt.json").read_text(encoding="utf-8"))
for term in learnt["terms"]:
    rows = pd.DataFrame(term["rows"], columns=term["columns"]).astype(float)
    for argument in term["arguments"]:
        points = rows.sort_values(argument)
        plt.figure(figsize=(6, 3.5))
        plt.vlines(points[argument], points["lower95"], points["upper95"], alpha=0.3)
        plt.plot(points[argument], points["learnt"], ".", ms=4)
        plt.xlabel(argument)
        plt.ylabel(term["of"])
        plt.show()"""


def notebook_text(saved: Saved, place: str) -> str:
    """The notebook as JSON (nbformat 4.5). `place`: the run directory as the notebook names it."""
    columns = names_in(saved.residuals, "column")[:MOST]
    where = (
        f"from pathlib import Path\n\nrun_directory = Path({place!r})\ncolumns = {columns!r}\ntime_label = {saved.time_label!r}"
    )
    doc = saved.declarations.doc
    cells = [
        _markdown(f"# {saved.declarations.name}\n\n{doc}\n\nThe run `{place}`, opened again.".replace("\n\n\n\n", "\n\n")),
        _code(f"{_IMPORTS}{where}"),
        _code("run = ho.open_run(run_directory)\nrun"),
        _markdown("## Parameters"),
        _code(_TABLES),
        _markdown("## Data and fit\n\nBand: where 95 % of new observations are expected."),
        _code(_FIT),
        _markdown("## Residuals"),
        _code(_RESIDUALS),
        *([_markdown("## Learnt functions\n\nOnly where the fitted trajectories go, with 95 % bands."), _code(_LEARNT)]
          if "learnt" in saved.findings else []),
        _markdown("## What the data determine"),
        _code(_KNOWN_PROFILES if saved.findings.get("profiles", {}).get("parameters") else _PROFILES),
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": [{"id": f"cell-{i:02d}", **cell} for i, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def place_from(directory: Path, notebook: Path) -> str:
    """The run directory as seen from the notebook's folder, absolute when they share no way."""
    there, here = directory.resolve(), notebook.resolve().parent
    return there.relative_to(here).as_posix() if there.is_relative_to(here) else there.as_posix()


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": text.splitlines(keepends=True),
    }  # fmt: skip
