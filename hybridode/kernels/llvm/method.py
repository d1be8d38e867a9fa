"""Methods made ready for the loop: the step tape of a tableau with its dense output and controller."""

from __future__ import annotations

from hybridode.kernels.llvm.loop import Method
from hybridode.methods.control import pi_controller
from hybridode.methods.explicit import explicit_step
from hybridode.methods.rosenbrock import StiffField, rosenbrock_step
from hybridode.methods.tableau import ExplicitTableau, RosenbrockTableau
from hybridode.tape.tape import Tape


def explicit_method(tableau: ExplicitTableau, rates: Tape, n: int) -> Method:
    """An explicit pair with polynomial dense output on a vector field of n states."""
    assert tableau.dense, f"{tableau.name} has no polynomial dense output"
    weights = tuple((0.0, *row) for row in tableau.dense)
    controller = pi_controller(tableau.error_order, stiff=False)
    return Method(explicit_step(tableau, rates, n), rates, "stages", weights, True, False, controller, n)


def rosenbrock_method(tableau: RosenbrockTableau, field: StiffField, n: int) -> Method:
    """A Rosenbrock–Wanner method; its row r of dense output is weighted by theta^(r+1) (1 - theta)."""
    weights = tuple((*(0.0,) * (r + 1), 1.0, -1.0) for r in range(len(tableau.dense)))
    controller = pi_controller(tableau.error_order, stiff=True)
    return Method(rosenbrock_step(tableau, field, n), None, "dense", weights, False, True, controller, n)
