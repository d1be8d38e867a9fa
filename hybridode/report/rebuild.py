"""report.html and the figures of a run directory, made from what lies in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybridode.errors import Diagnostic, UsageError
from hybridode.files import write_whole
from hybridode.report.chart import csv_text, file_svg
from hybridode.report.page import report_html, sections
from hybridode.report.saved import read_saved

REPORT, FIGURES = "report.html", "figures"


def report_files(directory: Path, result: Mapping[str, Any]) -> dict[str, str]:
    """Name -> text of the page, and of each figure as SVG with the numbers behind it as CSV. Raises DataError E0890."""
    saved = read_saved(directory, result)
    found = sections(saved)
    files = {REPORT: report_html(saved, found)}
    for section in found:
        for chart in section.charts:
            files[f"{FIGURES}/{chart.name}.svg"] = file_svg(chart)
            table = csv_text(chart)
            if table:
                files[f"{FIGURES}/{chart.name}.csv"] = table
    return files


def rebuild_report(directory: Path) -> Path:
    """Makes the report of a complete run anew, in place of the old one, and returns its path.

    Raises DataError E0890 for a damaged finding, UsageError E0809 when a file cannot be written.
    """
    directory = Path(directory)
    result = json.loads((directory / "result.json").read_text(encoding="utf-8"))
    (directory / FIGURES).mkdir(exist_ok=True)
    for name, text in report_files(directory, result).items():
        try:
            write_whole(directory / name, text.encode())
        except OSError as error:
            hint = "is the disk full, or the folder read-only?"
            raise UsageError(
                Diagnostic("E0809", f"`{directory / name}` cannot be written: {error.strerror}", hint=hint)
            ) from error
    return directory / REPORT
