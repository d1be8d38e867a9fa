"""The plan of a dry run in words."""

from __future__ import annotations

from hybridode.commands.dry_run import plan_text
from hybridode.fit.plan import Plan

PLAN = Plan("native", "Tsit5", ("engine native",), ("r", "K"), 0, 34, 2, 24, 16, 1.5, 2e-5, 12.5, 0.1, 20.0)


def test_what_is_fixed_held_out_and_limited_is_said() -> None:
    chosen = {"fix": {"sigma": 0.1, "K": None}, "hold_out": "last:3", "max_seconds": 20.0}
    lines = plan_text(PLAN, "m.runs", chosen, 40).splitlines()
    assert "fixed: sigma = 0.1, K" in lines
    assert "from: 34 records in 2 series; 6 more are held out (last:3)" in lines
    assert "estimate: a second to 20 s for the search, and no more than 20 s (--max-seconds)" in lines
    assert any(line.startswith("at the values it begins with: objective 12.5") for line in lines)


def test_what_was_not_asked_for_is_not_said() -> None:
    text = plan_text(PLAN, "m.runs", {}, 34)
    assert "fixed" not in text
    assert "held out" not in text
    assert "--max-seconds" not in text
