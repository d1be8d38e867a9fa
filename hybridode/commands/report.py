"""`hybridode report`: the report of a finished run, made anew from its directory; as LaTeX and as a notebook too."""

from __future__ import annotations

from pathlib import Path

from hybridode.commands.output import Output
from hybridode.report.rebuild import rebuild_report
from hybridode.report.run_directory import read_run, write_atomically


def report(run: str, latex: str | None, notebook: str | None, open_page: bool, output: Output) -> int:
    """Rebuilds report.html and the figures, and writes what else was asked for; `-` prints it.

    Raises DataError E0807, E0890, E0891, UsageError E0809.
    """
    from hybridode.report.latex_table import parameters_latex
    from hybridode.report.notebook_file import notebook_text, place_from
    from hybridode.report.saved import read_saved

    found = read_run(Path(run))
    path = rebuild_report(found.directory)
    places = {"report": str(path)}
    saved = read_saved(found.directory, found.result) if latex or notebook else None
    if saved is not None and latex:
        text = parameters_latex(saved)
        if latex == "-":
            print(text, end="")
        else:
            write_atomically(Path(latex), text.encode())
            places["latex"] = latex
    if saved is not None and notebook:
        write_atomically(Path(notebook), notebook_text(saved, place_from(found.directory, Path(notebook))).encode())
        places["notebook"] = notebook
    output.data({"ok": True, **places})
    if latex != "-":
        output.result("\n".join(f"{name + ':':<10}{place}" for name, place in places.items()))
    if open_page:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
