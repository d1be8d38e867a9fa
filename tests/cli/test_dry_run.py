"""The plan of a dry run in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from hybridode.commands.dry_run import plan_text
from hybridode.fit import run as fits
from hybridode.fit.plan import Plan
from hybridode.language.check import declare
from hybridode.language.reader import load

EXAMPLES = Path(__file__).parents[2] / "examples"

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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "model", "data"),
    [
        ("influenza_sir", "influenza_sir", "boarding_school"),
        ("pk_oral", "pk_oral", "data"),
        ("hill_gene", "hill_gene_hybrid", "data"),
        ("fisher_kpp", "fisher_kpp", "data"),
        ("lorenz96", "lorenz96", "data"),
    ],
)
def test_the_estimate_is_within_a_factor_of_three(example: str, model: str, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its middle, of the search's processor time (the machine may be busy)."""
    begun, ended, plans = [], [], []
    finish = fits._finish

    def planned(plan: Plan) -> None:
        plans.append(plan)
        begun.append(time.process_time())

    def finishing(*of: Any) -> Any:
        ended.append(time.process_time())
        return finish(*of)

    monkeypatch.setattr(fits, "_finish", finishing)
    folder = EXAMPLES / example
    run = fits.fit(declare(load(str(folder / f"{model}.ode"))), folder / f"{data}.csv", planned=planned)
    assert run.status == "converged"
    truth, middle = ended[0] - begun[0], (plans[0].least * plans[0].most) ** 0.5
    assert middle / 3 < truth < 3 * middle, (plans[0].least, plans[0].most, truth)
