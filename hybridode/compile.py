"""THE pipeline: declarations -> equations -> tapes -> JAX functions -> `Compiled`.

Every stage is one call and shows itself to `dump(stage, value)`:

    "declarations"                                   what the file says
    "canonical", "rewrite", "fold", "jacobian", …    the equations after each pass
    "tape rates", "tape jacobian", …                 the tapes
    "jax rates", …                                   JAX's own form of the emitted functions (traced only if a dump is asked for)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.pipeline import equations_of, switched_of
from hybridode.equations.system import EquationSystem, definition_expressions, entry_expressions
from hybridode.expr import Expr, Symbol, const, node
from hybridode.kernels.jax import emit
from hybridode.rolled import symbols_read
from hybridode.solve.defaults import default_arguments, parameter_slices
from hybridode.solve.field import rates_with_jacobian, vector_function
from hybridode.solve.problem import Arguments, Compiled, EventTable
from hybridode.solve.tapes import tape_of
from hybridode.tape.tape import Tape

Dump = Callable[[str, Any], None]


def compile_model(declarations: Declarations, promoted: Iterable[str] = (), dump: Dump | None = None) -> Compiled:
    """A checked model made ready to be solved. `promoted` names constants that data or `set=` give values to."""
    show = dump or (lambda stage, value: None)
    show("declarations", declarations)
    twin = partial(_switched, declarations, frozenset(promoted))
    return replace(compile_system(equations_of(declarations, frozenset(promoted), show), dump), make_twin=twin)


def _switched(declarations: Declarations, promoted: frozenset[str]) -> Compiled | None:
    """The model with its `if`s as events, if there are any that move."""
    system = switched_of(declarations, promoted)
    return None if system is None else compile_system(system)


def compile_system(system: EquationSystem, dump: Dump | None = None) -> Compiled:
    """Equations after all passes made ready to be solved."""
    show = dump or (lambda stage, value: None)
    tapes = tapes_of(system)
    for name, tape in tapes.items():
        show(f"tape {name}", tape)
    emitted = {name: emit(tape) for name, tape in tapes.items()}
    function = {name: vector_function(emitted.get(name), name) for name in OUTPUTS}
    entries = system.jacobian or ()
    jacobian = None if system.jacobian is None else function["jacobian"]  # None: too many entries, JAX differentiates
    places = (tuple(e.row for e in entries), tuple(e.column for e in entries), len(system.states))
    compiled = Compiled(
        declarations=system.declarations,
        system=system,
        tapes=tapes,
        rates=rates_with_jacobian(function["rates"], jacobian, *places),
        plain_rates=function["rates"],
        stage_rates=rates_with_jacobian(function["rates"], jacobian, *places, lenient=True),
        start=lambda t0, args: function["start"](t0, jnp.zeros(0, args.parameters.dtype), args),
        definitions=function["definitions"],
        observables=function["observables"],
        default_arguments=partial(default_arguments, system),
        events=_event_table(system, emitted),
        observable_index=observable_index(system),
        definition_index={d.symbol: i for i, d in enumerate(system.definitions)},
        parameter_slices=parameter_slices(system),
        reads_input_rate=_reads_input_rate(system),
    )
    if dump is not None:
        for name in function:
            show(f"jax {name}", jax_text(compiled, name))
    return compiled


# The tapes of a model: name -> its one output of the same name. Invariants have two more; `at` statements: see `_event_outputs`.
OUTPUTS: Mapping[str, Callable[[EquationSystem], Sequence[Expr]]] = {
    "rates": lambda system: system.rates,
    "jacobian": lambda system: entry_expressions(system.jacobian or ()),
    "start": lambda system: system.starts,
    "definitions": lambda system: definition_expressions(system.definitions),
    "observables": lambda system: [e for o in system.observations for e in o.exprs],
}


def tapes_of(system: EquationSystem) -> dict[str, Tape]:
    """One tape per row of OUTPUTS that is not empty, and those of the `at` statements."""
    make = partial(tape_of, system)
    tapes = {name: make({name: exprs(system)}) for name, exprs in OUTPUTS.items() if len(exprs(system))}
    if system.invariants:
        tapes["invariants"] = make({"invariants": [x.expr for x in system.invariants]})
        tapes["invariant_jacobian"] = make({"invariant_jacobian": entry_expressions(system.invariant_jacobian or ())})
    if system.at_events:
        times, values = _event_outputs(system)
        tapes |= {"at_times": make(times)} | ({"at_values": make(values)} if values["at_values"] else {})
    if system.when_events:
        tapes["guards"] = make(_guard_outputs(system))
        changes = [a.expr for e in system.when_events for a in e.assignments]
        tapes |= {"changes": make({"changes": changes})} if changes else {}
    return tapes


def _guard_outputs(system: EquationSystem) -> dict[str, list[Expr]]:
    """Guards, and signs that say on which side of the condition a point is."""
    signs = []
    for e in system.when_events:
        signs.append(node("sign", (e.guard,)) if e.truth is None else node("where", (e.truth, const(1.0), const(-1.0))))
    return {"guard": [e.guard for e in system.when_events], "sign": signs}


def observable_index(system: EquationSystem) -> dict[tuple[str, str], int]:
    """(column, argument of its distribution) -> place among the observables."""
    names = [(o.column, name) for o in system.observations for name in o.names]
    return {name: i for i, name in enumerate(names)}


def _reads_input_rate(system: EquationSystem) -> tuple[bool, ...]:
    """Per input whether anything that is integrated, or a guard, reads its time derivative."""
    read = symbols_read(system.rates) | symbols_read(definition_expressions(system.definitions))
    read |= symbols_read([e.guard for e in system.when_events])
    return tuple(Symbol("input_rate", s.name, s.index) in read for s in system.inputs)


def _event_outputs(system: EquationSystem) -> tuple[dict[str, list[Expr]], dict[str, list[Expr]]]:
    never = const(np.inf)
    events = system.at_events
    times = {
        "time": [e.time for e in events],
        "every": [never if e.every is None else e.every for e in events],
        "until": [never if e.until is None else e.until for e in events],
    }
    return times, {"at_values": [a.expr for e in events for a in e.assignments]}


def _event_table(system: EquationSystem, emitted: Mapping[str, Callable[..., Any]]) -> EventTable | None:
    if not system.at_events:
        return None
    belongs = [(i, a.state) for i, e in enumerate(system.at_events) for a in e.assignments]

    def times(args: Arguments) -> tuple[Any, Any, Any]:
        given = emitted["at_times"]({"p": args.parameters})
        first, period, last = (given[name].astype(args.parameters.dtype) for name in ("time", "every", "until"))
        return first, period, last

    values = vector_function(emitted.get("at_values"), "at_values")
    stop = tuple(int(e.stop) for e in system.at_events)
    return EventTable(times, values, tuple(i for i, _ in belongs), tuple(s for _, s in belongs), stop)


def jax_text(compiled: Compiled, name: str = "rates") -> str:
    """The jaxpr of one of a model's functions at its declared values, float64."""
    with jax.enable_x64(True):
        args = compiled.default_arguments(None, None, np.float64, stand_in=True)
        y = np.zeros(compiled.size)
        if name == "start":
            return str(jax.make_jaxpr(compiled.start)(0.0, args))
        function = {"rates": compiled.plain_rates, "jacobian": jacobian_entries(compiled)}.get(name) or getattr(compiled, name)
        return str(jax.make_jaxpr(function)(0.0, y, args))


def jacobian_entries(compiled: Compiled) -> Callable[..., Any]:
    """(t, y, args) -> the entries of d rates / d states in the order of `system.jacobian`."""
    tape = compiled.tapes.get("jacobian")
    return vector_function(None if tape is None else emit(tape), "jacobian")
