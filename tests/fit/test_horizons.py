"""Growing horizons of networks: a part of the time that cannot be evaluated waits until one before it is trained."""

from __future__ import annotations

from pathlib import Path

import hybridode.api as ho
from hybridode.fit.run import fit
from hybridode.fit.search.horizons import Horizons
from tests.fit.test_fit import check

EXAMPLES = Path(__file__).parents[2] / "examples" / "lynx_hare"


def test_parts_between_come_first_and_end() -> None:
    now = Horizons.of((0.3, 1.0)).trained()
    assert now.reached == 0.3 and now.next == 1.0
    nearer = now.nearer()
    assert nearer is not None and nearer.ahead == (0.65, 1.0)
    assert nearer.trained().reached == 0.65
    count = 0
    while now is not None:
        now, count = now.nearer(), count + 1
    assert count < 6
    assert Horizons.of((0.05,)).nearer() is None


def test_a_network_that_leaves_the_domain_behind_what_it_saw_is_trained_nevertheless() -> None:
    """Trained on the first years alone the populations fall below 0 in the next ones, where lognormal noise says nothing."""
    run = check(fit(ho.load(EXAMPLES / "lynx_hare_neural.ode"), EXAMPLES / "pelts.csv", hold_out="last:5"))
    assert run.result["status"] == "converged"
    assert any("predictions of `hare` are impossible" in line for line in run.log)
    assert run.result["objective"]["nll"] < 80  # 136 from multiple shooting, which climbs where no start can be evaluated
