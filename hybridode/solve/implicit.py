"""The implicit methods as Diffrax runs them for us: with our stage iteration, and KenCarp4 as a plain implicit method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax as dfx
import optimistix as optx

from hybridode.solve.newton import MAX_ITERATIONS, StageNewton


class KenCarp4(dfx.AbstractESDIRK):
    """The implicit half of Kennedy & Carpenter's ARK4(3)6L[2]SA (Appl. Numer. Math. 44 (2003) 139), order 4.

    Diffrax has it as an implicit-explicit pair of terms; with everything in the implicit half that solves for the increments
    and evaluates the stages again, which multiplies Newton's remainder by the stiffness. As a method of its own it keeps the
    solved slopes. Unlike Kvaerno5 it never evaluates past the end of a step, so inputs may jump there.
    """

    tableau: ClassVar[Any] = dfx.KenCarp4.tableau.tableaus[1]
    interpolation_cls: ClassVar[Callable[..., Any]] = dfx.ThirdOrderHermitePolynomialInterpolation.from_k

    root_finder: optx.AbstractRootFinder = dfx.with_stepsize_controller_tols(dfx.VeryChord)()
    root_find_max_steps: int = 10

    def order(self, terms: Any) -> int:
        return 4


IMPLICIT = {"kvaerno3": dfx.Kvaerno3, "kvaerno5": dfx.Kvaerno5, "kencarp4": KenCarp4}


def implicit_solver(method: str, rtol: float, atol: float) -> Any:
    """A Diffrax solver of the implicit method with this name."""
    return IMPLICIT[method](root_finder=StageNewton(rtol=rtol, atol=atol), root_find_max_steps=MAX_ITERATIONS)
