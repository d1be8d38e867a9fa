"""Charts of findings: what is drawn is what the files say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybridode.report.axes import Axis
from hybridode.report.chart import Chart, Mark, file_svg, page_svg
from hybridode.report.discovery_charts import brief_formula
from hybridode.report.findings import read_findings
from hybridode.report.page import sections
from hybridode.report.rows_chart import places, rows_chart
from hybridode.report.run_directory import read_run
from hybridode.report.saved import Saved, read_saved, read_table, unit_text
from hybridode.report.sections.compared import short_names
from hybridode.report.spread import binned, histogram, line_at
from tests.report.fake import VALUES
from tests.report.whole_run import whole_run


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    directory = whole_run(tmp_path_factory.mktemp("whole"))
    return read_saved(directory, read_run(directory).result)


@pytest.fixture(scope="module")
def charts(saved: Saved) -> dict[str, Chart]:
    return {chart.name: chart for section in sections(saved) for chart in section.charts}


def test_a_bootstrap_histogram_counts_the_replicates_that_converged(charts: dict[str, Chart]) -> None:
    chart = charts["bootstrap_alpha"]
    assert np.sum(np.array(chart.data["replicates"], float)) == 119  # of 120, one of which did not converge
    lines = {mark.name: mark.x.tolist() for mark in chart.marks if mark.kind in ("at", "ends")}
    a = VALUES["alpha"]
    assert lines == {"estimate": [a], "95 % interval": [0.8 * a, 1.2 * a], "plain": [0.82 * a, 1.22 * a]}


def test_predicted_stands_against_seen(charts: dict[str, Chart]) -> None:
    chart = charts["hold_out_hare"]
    dots = next(mark for mark in chart.marks if mark.kind == "dots")
    np.testing.assert_allclose(dots.x - dots.y, 1.0)
    assert "11 records" in chart.alt and "11 lie in their 95 % intervals" in chart.alt
    assert (chart.x.low, chart.x.high) == (chart.y.low, chart.y.high), "on the diagonal they agree"


def test_each_model_has_one_colour_everywhere(charts: dict[str, Chart]) -> None:
    curves = {mark.name: mark.color for mark in charts["baselines_hare"].marks if mark.kind == "line"}
    assert len(curves) == 4 and len(set(curves.values())) == 4
    rows = charts["baselines_bic"]
    colors = [mark.color for mark in rows.marks if mark.kind == "dots"]
    assert colors == [curves["constant"], curves["physics alone"], curves["hybrid"]], "the network alone has no BIC"
    assert rows.data["value"][:3] == [132.0, 25.0, 0.0]


def test_rows_stand_where_their_names_are() -> None:
    names = ["first", "a name that is much too long for a phone", "last"]
    mark = Mark("dots", np.array([1.0, 2.0, 3.0]), places(3), 1, "value")
    chart = rows_chart("rows", "Rows", "alt", names, Axis("x", 0, 4), [mark])
    assert [text for _, text in sorted(chart.y.ticks, reverse=True)] == names
    svg = page_svg(chart)
    assert "a name that is much t…</text>" in svg and f"{names[1]}" in svg, "drawn short, read whole"
    assert file_svg(chart).count("\u2026") == 1


def test_histograms_hold_all_values_in_decades_too() -> None:
    x = 10.0 ** np.linspace(-3, 3, 500)
    edges, counts = binned(x, log=True)
    assert counts.sum() == 500 and np.ptp(counts) <= 2
    np.testing.assert_allclose(np.diff(np.log10(edges)), np.log10(edges[1] / edges[0]))
    chart = histogram("h", "h", "h", "x", edges, counts, line_at((1.0, None), 1, "known"), ("count", "count"), log=True)
    assert chart.x.log and chart.marks[1].x.tolist() == [1.0]
    assert line_at(None, 1, "none") == []


def test_words_of_formulas_runs_and_units() -> None:
    assert brief_formula("dx = -0.90031*x*y, dy = 0.79759*x*y") == "-0.9*x*y, 0.8*x*y"
    assert brief_formula("vmax*x^2/(k2 + x^2)") == "vmax*x^2/(k2 + x^2)"
    assert short_names(["a/b/001", "a/b/002"], "a/b/002") == {"a/b/001": "001", "a/b/002": "002 (this)"}
    assert short_names(["/x/001", "y/002"], "") == {"/x/001": "/x/001", "y/002": "y/002"}
    assert unit_text("mol*m^-3*s^2") == "mol·m⁻³·s²"
    assert unit_text("1/h") == "1/h" and unit_text("m^0.5") == "m^0.5"


def test_files_are_read_as_they_are_documented(saved: Saved) -> None:
    held = read_table(saved.directory / "findings" / "hold_outs.csv", frozenset({"fold", "series", "column"}))
    assert set(held["column"]) == {"hare", "lynx"}
    assert read_findings(saved.directory)["comparison"]["run"] == "runs/hybrid"


def test_classes_are_counted_and_have_no_residuals(tmp_path: Path) -> None:
    """Of records 1, 1, 2, 3 the model names 1, 1, 2, 2."""
    directory = whole_run(tmp_path / "run")
    header = "series,time,column,location,lower95,upper95,kind"
    rows = [f",{t},stage[{name}],0.3,0,1,curve" for t in (1900, 1910, 1920) for name in ("deep", "light", "REM")]
    (directory / "predictions.csv").write_text("\n".join([header, *rows]) + "\n")
    header = "series,row,time,column,observed,predicted,residual,log_density,used,censored"
    rows = [
        f",{k},{1900 + k},stage,{seen},{said},0.5,-1,fit,0" for k, (seen, said) in enumerate(((1, 1), (1, 1), (2, 2), (3, 2)))
    ]
    (directory / "residuals.csv").write_text("\n".join([header, *rows]) + "\n")
    found = {section.id: section for section in sections(read_saved(directory, read_run(directory).result))}
    assert [chart.name for chart in found["residuals"].charts] == []
    said = " ".join(line for block in found["summary"].blocks for line in getattr(block, "items", ()))
    assert "observed in 3 of 4 records of `stage` (3 classes; always naming the most frequent one would be right in 2)" in said
    assert "variance" not in said


def test_a_run_that_was_cut_short_claims_nothing(saved: Saved) -> None:
    result = {**saved.result, "status": "interrupted", "status_reason": "interrupted by the user; the best point so far"}
    blocks = sections(replace(saved, result=result, findings={}))[0].blocks
    said = " ".join([getattr(blocks[0], "text", ""), *(line for block in blocks for line in getattr(block, "items", ()))])
    assert "The fit was interrupted by the user; the best point so far. `hybridode fit --resume RUN` goes on" in said
    assert "So far: `alpha` 0.5469 1/yr; " in said and "95 % intervals" not in said
    assert "No optimum was reached" in said
