"""torchdiffeq on CPU torch: explicit methods only; the right-hand side is a Python function of tensors."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.peers.generated import function, values
from tests.benchmarks.peers.peer import At, Peer, Runner
from tests.problems import Problem


def prepare(problem: Problem) -> At:
    import torch
    from torchdiffeq import odeint

    torch.set_num_threads(1)
    rates, (p, y0) = function(problem.text, torch), values(problem.text)
    start, times = torch.tensor(y0, dtype=torch.float64), torch.tensor([0.0, problem.end], dtype=torch.float64)

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            with torch.no_grad():
                found = odeint(lambda t, y: torch.stack(rates(y, p, t)), start, times, rtol=rtol, atol=atol, method="dopri5")
            return found[-1].numpy()

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    return [] if stiff else [Peer("torchdiffeq dopri5", "torchdiffeq", "torchdiffeq", prepare)]
