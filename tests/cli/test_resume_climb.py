"""Climbing fits that are cut off in the midst of a rung: what was found out is recalled, the end is the same to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hybridode.fit import keeper
from hybridode.fit.keeper import Keeper
from hybridode.fit.progress import Track
from hybridode.fit.search import linearised, rungs
from tests.fit.test_shooting import prey_data, prey_text


class Killed(BaseException):
    """As sudden as kill -9: nobody catches it, and nothing is written after it."""


@pytest.fixture
def prey_files(tmp_path: Path) -> Path:
    prey_data(30, 12).to_csv(tmp_path / "prey.csv", index=False)
    (tmp_path / "prey.ode").write_text(prey_text(off=True), encoding="utf-8")
    return tmp_path


def outcome(run: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything but the times."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return {k: v for k, v in result.items() if k != "timing"}, pd.read_csv(run / "trace.csv").drop(columns="seconds")


@pytest.mark.slow
def test_a_climb_that_was_killed_recalls_its_rungs(
    hybridode: Callable, prey_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = prey_files / "prey.ode", prey_files / "prey.csv"
    evaluated, original = [], linearised.linearised

    def counted(*of: Any) -> Any:
        evaluate = original(*of)
        return lambda *x: (evaluated.append(1), evaluate(*x))[1]

    monkeypatch.setattr(rungs, "linearised", counted)
    monkeypatch.setattr(keeper, "EVERY", 0.0)
    monkeypatch.setattr(keeper, "AT_MOST", 0.0)  # a checkpoint after every iteration
    assert hybridode("fit", model, data, "--starts", "1", "--out", prey_files / "whole").code == 0
    whole, trace = outcome(prey_files / "whole")
    assert whole["search"]["stage"].startswith("multiple shooting")
    rung = int((trace["stage"] == "multiple shooting").sum())
    needed = len(evaluated)
    assert rung > 10

    accept = Track.accept
    for iterations in (4, rung - 3):  # killed once near the rung's beginning, then near its end
        evaluated.clear()

        def killing(self: Track, *point: Any, most: int = iterations) -> None:
            accept(self, *point)
            if self.stage == "multiple shooting" and sum(row.stage == self.stage for row in self.rows) == most:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(Track, "accept", killing)
            patched.setattr(Keeper, "close", lambda self, *how, **more: self.checkpoint.close())
            again = (
                ("--resume", prey_files / "cut")
                if iterations > 4
                else (model, data, "--starts", "1", "--out", prey_files / "cut")
            )
            with pytest.raises(Killed):
                hybridode("fit", *again)
        assert not (prey_files / "cut" / "result.json").exists()
    evaluated.clear()
    assert hybridode("fit", "--resume", prey_files / "cut").code == 0
    assert len(evaluated) < needed / 2  # what was known before the second kill is not evaluated again
    result, trace_again = outcome(prey_files / "cut")
    assert result == whole
    pd.testing.assert_frame_equal(trace_again, trace, check_exact=True)
