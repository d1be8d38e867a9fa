"""Networks that nothing needs and networks that are needed (minutes: run with -m slow; docs/criticism.md has all seeds)."""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridode.api as ho
from hybridode.fit.criticism.baselines import baselines
from tests.fit.false_networks import MODELS, verdict

EXAMPLES = Path(__file__).parents[3] / "examples"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("model", list(MODELS))
def test_a_false_network_is_not_supported(model: str) -> None:
    assert sum(verdict(model, seed).verdict.kind == "not supported" for seed in (20, 21, 22)) >= 2


@pytest.mark.parametrize(
    ("model", "data"),
    [("hill_gene/hill_gene_hybrid", "hill_gene/data"), ("lotka_volterra_ude/lotka_volterra_ude", "lotka_volterra_ude/data"),
     ("fisher_kpp/fisher_kpp", "fisher_kpp/data")],
)  # fmt: skip
def test_a_network_that_is_needed_is_supported(model: str, data: str) -> None:
    run = ho.fit(EXAMPLES / f"{model}.ode", EXAMPLES / f"{data}.csv")
    assert baselines(run.fitted, alone=False).verdict.kind == "supported"
