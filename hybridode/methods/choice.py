"""A method on a model as straight-line code (unrolled) or as loops over vectors (rolled): what is quicker to compile and to run.

Measured on chains, rings and grids of 30 to 300 states: for one trajectory loops are as quick as straight-line code from about 60
states on, twice as quick at 200, for batches from about 150; they compile in a tenth of a second whatever the size. A sparse
elimination in straight-line code runs two to three times quicker than by tables, but 20,000 instructions take seconds to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.methods.ready import Method
    from hybridode.methods.rosenbrock import StiffField
    from hybridode.tape.systems import LinearSystem

ROLLED_FROM = 100  # states
LEAST_ROLLED = 13  # states: fewer are no long vector
MANY_EVENTS = {"explicit": 8, "implicit": 32}  # located ones from which straight-line code for each is slow to compile and to run
LONG = 20_000  # instructions of a straight-line step
LONG_VECTORS = 16  # elements of an instruction on average


def method_of(name: str, model: StiffField, n: int, system: Callable[[], LinearSystem | None], events: int = 0,
              straight: bool = False) -> Method:  # fmt: skip
    """The method of this name on a model of n states, unrolled or rolled (never with `straight`). `system`: its linear system,
    asked where it matters. `events`: how many are located."""
    from hybridode.methods.constraints import in_operations
    from hybridode.methods.explicit_tableaux import EXPLICIT
    from hybridode.methods.ready import explicit_method, rosenbrock_method
    from hybridode.methods.rolled import RolledStep
    from hybridode.methods.rosenbrock_tableaux import ROSENBROCK

    rolled = not straight and rolls(name, model.rates, n, system, events)
    if rolled:
        model = replace(model, invariants=in_operations(model.invariants))
    if name in EXPLICIT:
        return explicit_method(EXPLICIT[name], model.rates, n, rolled, model.invariants)
    found = system() if rolled else None
    return rosenbrock_method(ROSENBROCK[name], model, n, None if found is None else RolledStep(ROSENBROCK[name], model, n, found))


def rolls(name: str, rates: Tape, n: int, system: Callable[[], LinearSystem | None], events: int = 0) -> bool:
    """Whether this method on these rates becomes loops over vectors."""
    from hybridode.methods.explicit_tableaux import EXPLICIT
    from hybridode.methods.rosenbrock_tableaux import ROSENBROCK

    if n < LEAST_ROLLED:
        return False
    if name in EXPLICIT:
        stages = EXPLICIT[name].stages
        return n >= ROLLED_FROM or events >= MANY_EVENTS["explicit"] or stages * (elements(rates) + stages * n) > LONG
    found = system()
    if found is None:
        return False
    stages = ROSENBROCK[name].stages
    if n >= ROLLED_FROM or events >= MANY_EVENTS["implicit"]:
        return True
    return found.products + 2 * stages * (found.size + n) + stages * elements(rates) > LONG


def solved_singly(name: str, rates: Tape, n: int, networks: bool) -> bool:
    """Whether a batch is quicker one by one than in lanes: lanes only spread an explicit method's long vectors over more memory
    (a chain of 10,000 states: 72 us a step, in lanes 94). Linear systems are two to four times quicker in lanes, and networks'
    arrays are read once for all."""
    from hybridode.methods.explicit_tableaux import EXPLICIT

    return name in EXPLICIT and n >= ROLLED_FROM and not networks and elements(rates) >= LONG_VECTORS * rates.count()


def elements(tape: Tape) -> int:
    """How many instructions on single numbers a tape is."""
    return sum(size(i.shape) for i in tape.instructions if i.op not in ("const", "gather", "concat", "broadcast"))
