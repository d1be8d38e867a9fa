"""A run as a LaTeX table and as a notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from hybridode.commands.output import Output
from hybridode.commands.report import report
from hybridode.errors import DataError
from hybridode.report.latex_table import number_latex
from tests.report.whole_run import whole_run


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("whole") / "run", hybrid=False)


def test_the_table_has_a_row_for_each_parameter(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(str(directory), "-", None, False, Output()) == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and line.strip().startswith("$")]
    assert len(rows) == 8
    assert all(row.count("&") == 4 for row in rows)
    assert text.count("{") == text.count("}")
    for piece in (r"\toprule", r"\bottomrule", r"$\alpha$ & ", r"\sigma_{\mathrm{hare}}", r"\mathrm{hare}(0)", r"lynx\_hare"):
        assert piece in text
    assert r"$\ge$ $0.804" in text, "an interval that is open above"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.0, 3, "$0$"), (-0.02345, 3, "$-0.0234$"), (1.5e-7, 2, r"$1.5\times10^{-7}$"), (None, 3, "--"), (float("nan"), 3, "--")],
)
def test_numbers(value: float | None, digits: int, text: str) -> None:
    assert number_latex(value, digits) == text


def test_the_notebook_is_valid_and_its_cells_compile(directory: Path) -> None:
    place = directory.parent / "look.ipynb"
    assert report(str(directory), None, str(place), False, Output(quiet=True)) == 0
    notebook = nbformat.read(place, as_version=4)
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for source in code:
        compile(source, "cell", "exec")
    assert "ho.open_run(run_directory)" in "\n".join(code)
    assert re.search(r"Path\('run'\)", code[0]), "the folder as seen from the notebook"


def test_the_report_is_a_function_of_the_directory(directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (directory / "report.html").read_bytes()
    (directory / "report.html").unlink()
    report(str(directory), None, None, False, Output(json=True))
    assert json.loads(capsys.readouterr().out) == {"ok": True, "report": str(directory / "report.html")}
    assert (directory / "report.html").read_bytes() == before
    with pytest.raises(DataError, match="E0807"):
        report(str(tmp_path), None, None, False, Output())


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    directory = whole_run(tmp_path / "run")
    for text in ("start,stage\n1,a,2\n", "start,stage,iteration,objective,gradient_norm,seconds\n1,x,y,z,1,1\n"):
        (directory / "trace.csv").write_text(text)
        with pytest.raises(DataError, match=r"E0891.*trace\.csv"):
            report(str(directory), None, None, False, Output())
