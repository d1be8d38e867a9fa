"""What every peer gives the tables: a problem made ready once, then solves at any tolerance.

`prepare(problem)` parses and compiles; what it returns makes runners, `at(rtol, atol) -> runner`, and a call of a runner is one
whole solve from numbers in Python to numbers in Python: the states at the problem's end, as an array (n,), NaN where a solve
did not arrive. What checking costs is not a solver's time, so it is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from tests.problems import Problem

Runner = Callable[[], np.ndarray]
At = Callable[[float, float], Runner]  # (rtol, atol) -> runner


class CannotSolve(Exception):
    """A solve that failed, in words: no point of the diagram."""


@dataclass(frozen=True)
class Peer:
    """One solver of one package (`package`, as PyPI calls it); `family` gathers the solvers of one row of a table."""

    name: str
    family: str
    package: str
    prepare: Callable[[Problem], At]

    @property
    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return f"{self.package} is not installed"
        return None
