"""Starts that lead to where the model is stiff wait for the others.

Only an implicit method solves the model there. To compile it takes longer than most fits, and where many other starts agree on an
optimum nobody needs it: then the starts that wait are not continued. Else they go on where they were, as if they had not waited.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.pool import Ending

AGREEING = 5  # starts that converged to the best optimum, from which on the others are not needed
_SAME = 1e-2  # of log-likelihood: starts that differ by less ended at one optimum


class Postponing:
    """While it is `begun`, the lanes do not solve what is stiff but say so."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    def begin(self) -> None:
        self.lanes.postponing = self.lanes.implicit is not None and not self.lanes.stiff

    def end(self) -> None:
        """From now on everything is solved."""
        self.lanes.postponing = False

    def not_needed(self, ended: Sequence[Ending]) -> str:
        """Why the starts that wait need not go on, or ""."""
        good = [e.optimum.value for e in ended if e.finished and e.optimum.status == "converged"]
        best = min((e.optimum.value for e in ended), default=float("inf"))
        same = sum(value - best < _SAME for value in good)
        if same < AGREEING:
            return ""
        return f"not continued: the model is stiff where it led, and {same} other starts agree on an optimum"
