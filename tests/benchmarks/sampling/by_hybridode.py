"""`run.sample()` after `ho.fit`, with its defaults."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.sampling.clock import Clock
from tests.benchmarks.sampling.problem import CHAINS, DATA, DRAWS, MODEL, NAMES

TITLE, NEEDS = "hybridode", ("blackjax", "arviz_stats")


def sample(clock: Clock, draws: int = DRAWS) -> np.ndarray:
    """(chains, draws, 8)."""
    import hybridode as ho

    with clock("fit"):
        run = ho.fit(ho.load(MODEL), DATA)
    with clock("compile"):
        run.sample(chains=CHAINS, draws=1, warmup=20)
    with clock("sample"):
        found = run.sample(chains=CHAINS, draws=draws, seed=1)
    return found.natural[..., [found.names.index(name) for name in NAMES]]
