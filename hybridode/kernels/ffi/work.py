"""How long code that was made in a hurry serves: until better code would have paid.

Without optimisation LLVM takes a third of the time, and its code 1.1 to 1.8 times as long. Which of the two runs changes no bit
of a result (see `llvm/fused`), so a program begins with the quick one and changes to the other when it has run for so long that
what better code would have saved is about what making it costs: all together then takes at most twice what would have been best.

Both times grow with the length of the code, so what is counted is steps of trajectories, which do not depend on how busy the
machine is. Measured on models of 2 to 8 states, optimised code has paid after 7 (DOP853 on 6 states) to 100 million steps
(Tsit5 on 2); fits of 50 starts take 1 to 40 million.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.kernels.llvm.job import INFO

ENOUGH = 12_000_000  # steps of trajectories and of their tangents
_STEPS = [INFO.index(name) for name in ("accepted", "rejected")]


@dataclass
class Work:
    """What a program's quick code has done so far. (Threads that add at once may lose some of it.)"""

    steps: int = 0

    @property
    def quick(self) -> bool:
        """Whether code that is made quickly serves."""
        return self.steps < ENOUGH

    def solved(self, info: np.ndarray) -> None:
        """After solves with these numbers of steps, info (B, 6)."""
        self.steps += int(info[:, _STEPS].sum())

    def replayed(self, info: np.ndarray, seeds: int) -> None:
        """After so many tangents of each solve."""
        self.steps += seeds * int(info[:, _STEPS[0]].sum())
