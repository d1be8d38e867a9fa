"""The words a fit ends with: they follow from the numbers, and say what deserves a look."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridode.report.design import LIGHT
from hybridode.report.ending import ending_text, remarks, statistics_text
from hybridode.report.notebook import notebook_html
from hybridode.report.run_directory import write_run
from tests.report.fake import fitted_run


def said(run):
    """The remarks about a run."""
    return remarks(run.result, run.dataset.declarations, run.parameters_table.to_dict("records"))


def page_of(run, directory):
    """The report that `write_run` makes."""
    directory.mkdir(parents=True, exist_ok=True)
    return (write_run(run, directory, "hybridode fit a.ode b.csv") / "report.html").read_text(encoding="utf-8")


def with_starts(run, *objectives):
    run.result["starts"] = [
        {"start": i, "status": "converged", "objective": value, "iterations": 3, "rejected_steps": 0, "reason": "gradient 1e-9"}
        for i, value in enumerate(objectives, 1)
    ]
    return run


def test_how_the_starts_compare() -> None:
    run = with_starts(fitted_run(), 12.0, 12.0001, 15.5, None)
    assert "2 of 4 starts ended at this optimum; the next best ended 3.5 higher" in said(run)
    assert not any("starts" in line for line in said(with_starts(fitted_run(), 12.0)))
    assert "2 of 2 starts ended at this optimum" in statistics_text(with_starts(fitted_run(), 3.0, 3.0))


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "words"),
    [
        ("alpha", 5.0, 0.01, 5.0, "`alpha` is at its upper bound, 5: the data would take it further"),
        ("alpha", 0.01, 0.01, np.nan, "`alpha` is at its lower bound, 0.01: the data would take it further"),
        ("sigma_hare", 0.01, 0.01, 2.0, "`sigma_hare` is at its lower bound, 0.01: the model follows the data more closely"),
        ("sigma_hare", 2.0, 0.01, 2.0, "`sigma_hare` is at its upper bound, 2: the model does not follow the data more closely"),
    ],
)
def test_what_a_bound_means(name, value, low, high, words) -> None:
    run = with_starts(fitted_run(), 3.0)
    row = run.parameters_table["name"] == name
    run.parameters_table.loc[row, ["value", "lower_bound", "upper_bound"]] = [value, low, high]
    run.parameters_table["at_bound"] = row.to_numpy()
    found = said(run)
    assert len(found) == 1
    assert found[0].startswith(words)


def test_no_criteria_without_a_likelihood() -> None:
    run = fitted_run()
    run.result["objective"] |= {"aic": None, "bic": None}
    assert "AIC" not in statistics_text(run).partition("starts")[0].splitlines()[0]


def test_a_notebook_shows_parameters_and_curves_and_escapes_what_is_the_users() -> None:
    run = fitted_run()
    run.parameters_table["unit"] = "<script>"
    shown = notebook_html("a < b", run)
    assert "<script>" not in shown
    assert "Fit of a &lt; b" in shown
    assert shown.count("<svg") == 2
    assert all(name in shown for name in run.parameters_table["name"])
    assert "<script>" in ending_text(run)  # a terminal shows it as it is


def test_the_page_says_the_same_in_sentences(tmp_path: Path) -> None:
    run = with_starts(fitted_run(), 12.0, 15.5)
    run.log.append("warning W0646: look at `hare`")
    page = page_of(run, tmp_path / "a")
    assert "1 of 2 starts ended at this optimum" in page
    assert "Warning W0646: look at <code>hare</code>." in page
    assert "Triangles" not in page
    run.residuals["censored"] = -1
    assert "Triangles: limits" in page_of(run, tmp_path / "b")


def test_series_are_told_apart_by_a_legend_with_one_colour_each(tmp_path: Path) -> None:
    run = fitted_run()
    for table in (run.predictions, run.residuals):
        second = table.copy()
        second["series"] = "island"
        table["series"] = "mainland"
        joined = pd.concat([table, second], ignore_index=True)
        if table is run.predictions:
            predictions = joined
        else:
            residuals = joined
    run.predictions, run.residuals = predictions, residuals
    drawing = (write_run(run, tmp_path) / "figures" / "fit_hare.svg").read_text(encoding="utf-8")
    assert "mainland" in drawing
    assert "island" in drawing
    assert len({LIGHT[f"c{i}"] for i in (1, 2)} & set(re.findall(r"#[0-9a-f]{6}", drawing))) == 2


def test_a_fit_that_was_cut_short_claims_no_optimum(tmp_path: Path) -> None:
    run = with_starts(fitted_run(), 12.0, 15.5)
    run.result["status"] = "stopped"
    assert "1 of 2 starts came this far; the next best ended 3.5 higher" in said(run)
    page = page_of(run, tmp_path)
    assert "at the optimum" not in page
    assert "The fit has not reached an optimum" in page
