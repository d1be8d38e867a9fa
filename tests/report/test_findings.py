"""Findings: written whole, read back the same, refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hybridode.errors import DataError
from hybridode.report.findings import read_findings, write_finding

BARE = {"command": "hybridode profile RUN", "seconds": 0.5, "sentences": ["`k` is identified."]}


def test_there_and_back(tmp_path: Path) -> None:
    table = {"columns": ["name", "value"], "rows": [["k", np.float64(0.5)], ["m", float("nan")]]}
    path = write_finding(tmp_path, "profiles", {**BARE, "table": table, "values": np.arange(3), "pair": (1, 2)})
    assert path == tmp_path / "findings" / "profiles.json"
    found = read_findings(tmp_path)["profiles"]
    assert found == {
        "schema": 1, "kind": "profiles", **BARE, "table": {"columns": ["name", "value"], "rows": [["k", 0.5], ["m", None]]},
        "values": [0, 1, 2], "pair": [1, 2],
    }  # fmt: skip
    write_finding(tmp_path, "profiles", BARE)
    assert "values" not in read_findings(tmp_path)["profiles"]
    assert [p.name for p in path.parent.iterdir()] == ["profiles.json"]


def test_order_is_that_of_the_report(tmp_path: Path) -> None:
    for kind in ("discovery", "profiles", "learnt"):
        write_finding(tmp_path, kind, BARE)
    assert list(read_findings(tmp_path)) == ["learnt", "profiles", "discovery"]


def test_none_newer_damaged(tmp_path: Path) -> None:
    assert read_findings(tmp_path) == {}
    path = write_finding(tmp_path, "profiles", BARE)
    path.write_text(json.dumps({"schema": 2}))
    assert read_findings(tmp_path) == {}
    for text in ("{", "[]", "3"):
        path.write_text(text)
        with pytest.raises(DataError, match="E0890"):
            read_findings(tmp_path)


def test_programmers_are_told() -> None:
    with pytest.raises(AssertionError, match="no kind"):
        write_finding(Path(), "wishes", BARE)
    with pytest.raises(AssertionError, match="seconds"):
        write_finding(Path(), "profiles", {"command": "", "sentences": []})
