"""What of a model with algebraic unknowns or invariants the native loops need, and which methods and engines can solve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hybridode.methods.choice import ROLLED_FROM
from hybridode.solve.consistent import moves_states
from hybridode.solve.defaults import parameter_vector
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.signals import jump_times
from hybridode.tape.derive import forward
from hybridode.tape.tape import Tape, TapeBuilder

if TYPE_CHECKING:
    from hybridode.methods.constraints import Block, Invariants, Settle

IMPLICIT = ("rodas4", "rodas5p")  # of order 4 and 5 also for algebraic unknowns


def is_constrained(compiled: Compiled) -> bool:
    """Has it algebraic unknowns or invariants?"""
    return bool(compiled.system.unknowns or compiled.system.invariants)


def cannot_constrain(compiled: Compiled, method: str) -> str | None:
    """Why a method cannot solve this model's equations, in words, or None. `method`: its name, or "auto"."""
    if not compiled.system.unknowns or method in ("auto", *IMPLICIT):
        return None
    names = " and ".join(METHODS[name].title for name in IMPLICIT)
    return f"it has algebraic unknowns, which {METHODS[method].title} cannot solve for ({names} can)"


def method_for_unknowns(settings: Settings) -> str:
    """The method of a model with algebraic unknowns, by the tolerance."""
    return "rodas4" if settings.rtol >= 1e-6 else "rodas5p"


def as_declared(compiled: Compiled, args: Arguments) -> bool:
    """Are the parameters what the model says?"""
    return np.array_equal(args.parameters, parameter_vector(compiled.system, {}))


def jumps_of_unknowns(compiled: Compiled) -> bool:
    """Do inputs jump, and algebraic unknowns with them? A solve then goes in stretches from jump to jump."""
    return bool(compiled.system.unknowns and compiled.landing_signals)


def number_of_jumps(compiled: Compiled, args: Arguments) -> int:
    """At how many times inputs may jump and algebraic unknowns with them."""
    if not jumps_of_unknowns(compiled):
        return 0
    found = jump_times(args.signals, compiled.landing_signals)
    return 0 if found is None else int(found.shape[-1])


def invariants_of(compiled: Compiled) -> Invariants | None:
    """The model's invariants as tapes."""
    from hybridode.methods.constraints import Invariants

    system, tapes = compiled.system, compiled.tapes
    if not system.invariants:
        return None
    pattern = tuple((e.row, e.column) for e in system.invariant_jacobian or ())
    moving = tuple(moves_states(system, pattern))
    return Invariants(tapes["invariants"], tapes["invariant_jacobian"], pattern, len(system.invariants), moving=moving)


def block(compiled: Compiled) -> Block:
    """The algebraic rows by the algebraic unknowns."""
    from hybridode.methods.constraints import block_of

    entries = compiled.system.jacobian or ()
    return block_of([(e.row, e.column) for e in entries], compiled.system.unknowns, compiled.size >= ROLLED_FROM)


def settle_of(compiled: Compiled, rolled: bool) -> Settle | None:
    """How a state that nearly is consistent becomes so; None for an ODE."""
    if not is_constrained(compiled):
        return None
    from hybridode.methods.constraints import in_operations, settle

    tapes, invariants = compiled.tapes, invariants_of(compiled)
    rates = tapes["rates"]
    return settle(
        rates, tapes.get("jacobian", rates), block(compiled), in_operations(invariants) if rolled else invariants, compiled.size
    )


def motion_of(compiled: Compiled) -> Tape:
    """The derivative of the state along a solution: the rates, of algebraic unknowns what the other equations make of them."""
    tapes, system = compiled.tapes, compiled.system
    if not system.unknowns:
        return tapes["rates"]
    from hybridode.methods.constraints import motion

    pattern = [(e.row, e.column) for e in system.jacobian or ()]
    return motion(tapes["rates"], tapes["jacobian"], pattern, time_slope(tapes["rates"]), block(compiled), compiled.size)


def time_slope(rates: Tape) -> Tape | None:
    """The partial derivative of the rates by time, None for an autonomous model."""
    read = {i.name for i in rates.inputs}
    following = {name: rate for name, rate in (("t", ""), ("u", "du"), ("du", "ddu")) if name in read}
    if not following:
        return None
    b, moved = TapeBuilder(), forward(rates, tuple(following), values=False)
    dots = {i.name: i.shape for i in moved.inputs if i.name.endswith(".dot")}
    given = {f"{name}.dot": b.input(rate, dots[f"{name}.dot"]) if rate else b.const(1.0) for name, rate in following.items()}
    nodes = b.inline(moved, {name: node for name, node in given.items() if name in dots})
    return b.finish({"slope": nodes[moved.outputs[0][1]]})
