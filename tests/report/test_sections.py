"""What the page shows of which findings, and that it says what is missing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hybridode.report.findings import read_findings, write_finding
from hybridode.report.rebuild import rebuild_report
from hybridode.report.sections.generic import finding_blocks
from tests.report.whole_run import findings, whole_run


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("whole"))


def page_of(directory: Path) -> str:
    return rebuild_report(directory).read_text(encoding="utf-8")


def test_every_finding_is_on_the_page(directory: Path) -> None:
    page = page_of(directory)
    plain = re.sub(r"<[^>]+>", "", page)
    for kind, content in findings().items():
        first = str(content["sentences"][0]).replace("`", "")
        assert first[1:] in plain or kind == "profiles", f"{kind}: {first}"
    for id_ in ("summary", "model", "data", "fit", "residuals", "learnt", "parameters", "identifiability", "bootstrap",
                "posterior", "hold-outs", "baselines", "comparison", "search", "discovery", "made"):  # fmt: skip
        assert f'<section id="{id_}"' in page and f'href="#{id_}"' in page, id_
    order = re.findall(r'<section id="([\w-]+)"', page)
    assert (
        order.index("summary") < order.index("fit") < order.index("parameters") < order.index("discovery") < order.index("made")
    )
    body = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert "&lt;" not in body, "markup that is shown as text"
    figures = re.findall(r'id="figure-([\w-]+)"', page)
    for name in ("profile_alpha", "spectrum", "spectrum_components", "marginal_alpha", "energy", "learnt_NN_lynx",
                 "learnt_NN_hare_map", "waterfall", "residuals_quantiles", "bootstrap_alpha", "hold_out_hare",
                 "hold_out_scores", "baselines_lynx", "baselines_unseen", "baselines_bic", "baselines_left", "comparison_hare",
                 "comparison_criteria", "comparison_errors", "posterior_hare", "check_1", "check_2", "rhat", "effective_draws",
                 "discovery_lengths", "discovery_terms", "discovery_NN_lynx"):  # fmt: skip
        assert name in figures
    assert sum(name.startswith("pair_") for name in figures) == 6


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("profiles", "hybridode profile RUN</code> adds profile likelihoods"),
        ("posterior", "hybridode sample RUN</code> adds the posterior"),
        ("bootstrap", "hybridode bootstrap RUN</code> adds"),
        ("discovery", "hybridode discover RUN</code> adds formulas"),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_adds_it(directory: Path, tmp_path: Path, kind: str, words: str) -> None:
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    assert words not in page_of(copy)
    (copy / "findings" / f"{kind}.json").unlink()
    page = page_of(copy)
    assert words in page
    assert f'<section id="{kind}"' not in page


def test_what_a_finding_says_is_text(directory: Path, tmp_path: Path) -> None:
    """Names in models and words in findings may be anything: nothing of it becomes markup."""
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    hostile = "</script><script>alert(1)</script><img src=x>"
    content = {"command": hostile, "seconds": 1.0, "sentences": [hostile], "table": {"columns": [hostile], "rows": [[hostile]]}}
    for kind in ("hold_outs", "bootstrap", "residual_tests"):
        write_finding(copy, kind, content)
    learnt = dict(read_findings(copy)["learnt"])
    learnt["terms"] = [
        {**learnt["terms"][1], "of": hostile, "arguments": [hostile], "columns": [hostile, *learnt["terms"][1]["columns"][1:]]}
    ]
    write_finding(copy, "learnt", learnt)
    page = page_of(copy)
    assert "alert(1)</script>" not in page
    assert "<img" not in page


def test_a_chart_without_its_file_is_left_out(directory: Path, tmp_path: Path) -> None:
    """Runs of earlier versions have the findings alone, and fewer fields in them."""
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    for path in (copy / "findings").glob("*.csv"):
        path.unlink()
    old = {"hold_outs": ("fitted", "overall"), "posterior": ("check_histograms",), "baselines": ("residuals",),
           "discovery": ("comparison", "terms"), "bootstrap": ("parameters",)}  # fmt: skip
    for kind, fields in old.items():
        found = dict(read_findings(copy)[kind])
        write_finding(copy, kind, {name: value for name, value in found.items() if name not in fields})
    figures = re.findall(r'id="figure-([\w-]+)"', page_of(copy))
    gone = {
        "bootstrap_alpha",
        "hold_out_hare",
        "baselines_lynx",
        "comparison_hare",
        "posterior_hare",
        "check_1",
        "discovery_terms",
    }
    assert not gone & set(figures)
    assert {"baselines_unseen", "rhat", "marginal_alpha"} <= set(figures)


def test_fields_nobody_knows_are_shown_when_they_are_tables() -> None:
    blocks = finding_blocks(
        {"sentences": ["a"], "scores_by_fold": {"columns": ["fold_number", "rmse"], "rows": [[1, 0.25]]}, "other": 3}
    )
    assert [type(b).__name__ for b in blocks] == ["Items", "Table"]
    assert (blocks[1].caption, list(blocks[1].columns), blocks[1].right) == ("Scores by fold", ["fold number", "RMSE"], {0, 1})
    assert finding_blocks(None) == []


def test_numbers_of_a_profile_that_was_cut_short_are_no_verdict(directory: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    found = dict(read_findings(copy)["profiles"])
    found["parameters"] = {"alpha": {**found["parameters"]["alpha"], "verdict": "unknown", "curve": {"value": [], "rise": []}}}
    write_finding(copy, "profiles", found)
    page = page_of(copy)
    assert "not known" in page
    assert not re.search(r"The data determine \d+ of \d+ parameter", page)
