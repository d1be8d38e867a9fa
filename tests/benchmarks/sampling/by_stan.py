"""Stan by PyStan, as in the case study. Its C++ compiler is part of "compile"."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.sampling.clock import Clock
from tests.benchmarks.sampling.problem import ATOL, CHAINS, DRAWS, RTOL, records

TITLE, NEEDS = "Stan", ("stan",)
WARMUP = 1000


def sample(clock: Clock, draws: int = DRAWS) -> np.ndarray:
    """(chains, draws, 8)."""
    import stan

    y = records()
    data = {
        "N": len(y) - 1,
        "ts": list(range(1, len(y))),
        "y_init": y[0].tolist(),
        "y": y[1:].tolist(),
        "rtol": RTOL,
        "atol": ATOL,
    }
    with clock("compile"):
        model = stan.build(Path(__file__).with_name("lynx_hare.stan").read_text(encoding="utf-8"), data=data, random_seed=1)
    with clock("sample"):
        fit = model.sample(num_chains=CHAINS, num_samples=draws, num_warmup=WARMUP)
    joined = np.concatenate([fit["theta"], fit["z_init"], fit["sigma"]])  # (8, draws * chains), chains run fastest
    return np.moveaxis(joined.reshape(8, draws, CHAINS), 0, -1).transpose(1, 0, 2)
