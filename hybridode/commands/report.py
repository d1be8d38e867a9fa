"""`hybridode report`: the report of a finished run, made anew from its directory."""

from __future__ import annotations

from pathlib import Path

from hybridode.commands.output import Output
from hybridode.report.rebuild import rebuild_report
from hybridode.report.run_directory import read_run


def report(run: str, output: Output, open_page: bool = False) -> int:
    """Rebuilds report.html and the figures. Raises DataError E0807, E0890, E0891, UsageError E0809."""
    saved = read_run(Path(run))
    path = rebuild_report(saved.directory)
    output.data({"ok": True, "report": str(path)})
    output.result(f"report: {path}")
    if open_page:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
