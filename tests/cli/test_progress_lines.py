"""The plain line of a fit's progress: of a start that goes on, beside what one that has ended had reached."""

from __future__ import annotations

import pytest

from hybridode.commands.progress import ProgressDisplay
from hybridode.fit.progress import Progress
from hybridode.fit.time_left import TimeLeft


def told(start: int, stage: str, objective: float) -> Progress:
    return Progress(stage, start, 2, 7, objective, 0.5, 12.0)


def test_a_start_that_goes_on_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    left = TimeLeft()
    with ProgressDisplay(left=left) as display:
        for progress in (told(1, "fisher scoring", -100.0), told(2, "fisher scoring", 30.0)):
            left.hear(progress)
            display(progress)
        assert display.line(12.0).startswith("start 1 of 2 · fisher scoring · iteration 7 · objective -100 · gradient")
        left.end(1)
        display(told(3, "multiple shooting", -90.0))
        line = display.line(12.0)
        assert line.startswith(
            "start 3 of 3 · multiple shooting · iteration 7 · objective -90 (another start -100) · gradient 5.0e-01"
        )
        assert "1 of 3 starts ended · 12 s · " in line
        left.end(2)
        left.end(3)
        assert display.line(12.0).startswith("start 1 of 3 · fisher scoring · iteration 7 · objective -100 · gradient")
    assert "compiling" in capsys.readouterr().err
