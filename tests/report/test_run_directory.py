"""The files of a run: complete, reproducible, never overwritten, readable by their own readers."""

from __future__ import annotations

import json
import re
import threading
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from hybridode.errors import DataError, UsageError
from hybridode.report.run_directory import new_directory, read_run, write_atomically, write_run
from tests.report.fake import fitted_run


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(fitted_run(hybrid=True), tmp_path_factory.mktemp("run"), "hybridode fit a.ode b.csv")


def test_all_files_are_there(directory: Path) -> None:
    names = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    drawn = ("fit_hare", "fit_lynx", "residuals_hare", "residuals_lynx", "residuals_quantiles", "waterfall", "convergence")
    figures = {f"figures/{name}.{ending}" for name in drawn for ending in ("svg", "csv")}
    tables = {f"{name}.csv" for name in ("parameters", "predictions", "residuals", "trace")}
    assert names == figures | tables | {
        "result.json",
        "source/model.ode",
        "fitted.ode",
        "weights.safetensors",
        "report.html",
        "log.txt",
        "settings.toml",
    }


def test_tables_read_back(directory: Path) -> None:
    run = fitted_run(hybrid=True)
    for name in ("predictions", "residuals", "trace"):
        expected = getattr(run, name)
        found = pd.read_csv(directory / f"{name}.csv", keep_default_na=False, na_values={c: [""] for c in ("lower95", "upper95")})
        assert list(found.columns) == list(expected.columns)
        for column in expected.columns:
            if expected[column].dtype.kind == "f":
                np.testing.assert_array_equal(found[column], expected[column])
    weights = load_file(directory / "weights.safetensors")
    assert weights["NN_hare.W0"].shape == (6, 2)
    assert weights["NN_lynx.out_scale"].shape == ()


def test_same_run_same_bytes(directory: Path, tmp_path: Path) -> None:
    again = write_run(fitted_run(hybrid=True), tmp_path, "hybridode fit a.ode b.csv")
    for path in directory.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(directory)).read_bytes(), path.name


class Page(HTMLParser):
    """Checks that elements are closed and that nothing is fetched."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not str(value).startswith("#"):
                self.fetched.append(str(value))
            if name == "id":
                self.ids.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_is_one_file_without_a_network(directory: Path) -> None:
    text = (directory / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.fetched == []
    assert (
        re.search(r"""content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-""", text)
        or "&#39;none&#39;" in text
    )
    assert not re.search(r"url\((?!#)|@import", text)
    assert len(page.ids) == len(set(page.ids)), "ids of different figures must not meet"
    for piece in ("Snowshoe hare", "hybridode fit a.ode b.csv", "NN_hare", "<math", "<svg", "held out", "sigma_lynx"):
        assert piece in text


def test_figures_are_svg_with_text(directory: Path) -> None:
    for path in (directory / "figures").glob("*.svg"):
        root = ET.parse(path).getroot()
        assert root.tag.endswith("svg")
        text = path.read_text(encoding="utf-8")
        assert "class=" not in text and "var(" not in text, "programs that draw it know no style sheet of ours"
        assert "year" in "".join(root.itertext()) or path.stem in ("convergence", "waterfall", "residuals_quantiles")


def test_report_survives_hostile_names(tmp_path: Path) -> None:
    run = fitted_run()
    run.log = ["<script>alert(1)</script>"]
    run.dataset.notes = ("column `<img src=x>` is ignored",)
    write_run(run, tmp_path, "hybridode fit '<b>' x")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<b>'" not in text


def test_numbers_that_do_not_exist(tmp_path: Path) -> None:
    run = fitted_run()
    run.result = {**run.result, "status": "failed", "objective": {"nll": None, "n_data": 42, "aic": None, "bic": None}}
    run.parameters_table = run.parameters_table.assign(se=np.nan, lower95=np.nan, upper95=np.nan)
    run.residuals = run.residuals.assign(residual=np.nan, predicted=np.nan)
    run.predictions = run.predictions.iloc[:0]
    run.trace = run.trace.iloc[:0]
    write_run(run, tmp_path)
    assert "There is no answer" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_directories_are_numbered_and_never_reused(tmp_path: Path) -> None:
    model = tmp_path / "m.ode"
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(new_directory(model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in found) == [f"{i:03d}" for i in range(1, 9)]
    (tmp_path / "m.runs" / "1234").mkdir()
    assert new_directory(model).name == "1235"


def test_given_directory_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "best"
    assert new_directory(tmp_path / "m.ode", out) == out
    (out / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="E0806"):
        new_directory(tmp_path / "m.ode", out)
    with pytest.raises(UsageError, match="E0809"):
        new_directory(tmp_path / "m.ode", out / "note.txt" / "sub")


def test_unwritable_files_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="E0809"):
        write_atomically(tmp_path / "taken", b"x")
    with pytest.raises(UsageError, match="E0809"):
        write_atomically(tmp_path / "no" / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_reading_back(directory: Path, tmp_path: Path) -> None:
    saved = read_run(directory)
    assert saved.result["status"] == "stopped"
    assert saved.model.is_file()
    assert read_run(directory / "fitted.ode").directory == directory
    for content in (None, "{", "[]", json.dumps({"schema": 2})):
        if content is not None:
            (tmp_path / "result.json").write_text(content)
        with pytest.raises(DataError, match="E0807"):
            read_run(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_run(tmp_path / "nowhere")
