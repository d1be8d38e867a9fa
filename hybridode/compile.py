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
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.pipeline import equations_of, switched_of
from hybridode.equations.system import AMOUNT, EquationSystem, definition_expressions, entry_expressions
from hybridode.expr import Expr, Symbol, const, node
from hybridode.kernels.jax import emit
from hybridode.rolled import symbols_read
from hybridode.solve.defaults import default_arguments, parameter_slices
from hybridode.solve.doses import DoseTable
from hybridode.solve.field import rates_with_jacobian, vector_function
from hybridode.solve.problem import Arguments, Compiled, EventTable, environment
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


# The tapes of a model: name -> its one output of the same name. Invariants have two more; known times: see `tapes_of`.
OUTPUTS: Mapping[str, Callable[[EquationSystem], Sequence[Expr]]] = {
    "rates": lambda system: system.rates,
    "jacobian": lambda system: entry_expressions(system.jacobian or ()),
    "start": lambda system: system.starts,
    "definitions": lambda system: definition_expressions(system.definitions),
    "observables": lambda system: [e for o in system.observations for e in o.exprs],
}


def tapes_of(system: EquationSystem) -> dict[str, Tape]:
    """One tape per row of OUTPUTS that is not empty, and those of `at` statements and doses."""
    make = partial(tape_of, system)
    tapes = {name: make({name: exprs(system)}) for name, exprs in OUTPUTS.items() if len(exprs(system))}
    if system.invariants:
        tapes["invariants"] = make({"invariants": [x.expr for x in system.invariants]})
        tapes["invariant_jacobian"] = make({"invariant_jacobian": entry_expressions(system.invariant_jacobian or ())})
    if system.at_events:
        tapes["at_times"] = make(_at_times(system))
    if system.doses:
        tapes["dose_options"] = make({"dose_options": [e for dose in system.doses for e in dose.options]})
    changes = [e for statement in _statements(system) for _, e in statement.assignments]
    if changes:
        tapes["at_values"] = make({"at_values": changes})
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


def _at_times(system: EquationSystem) -> dict[str, list[Expr]]:
    never, events = const(np.inf), system.at_events
    return {
        "time": [e.time for e in events],
        "every": [never if e.every is None else e.every for e in events],
        "until": [never if e.until is None else e.until for e in events],
    }


class _Statement(NamedTuple):
    """What happens at known times: (state, its value after), and whether the run ends."""

    assignments: tuple[tuple[int, Expr], ...]
    stop: bool = False


def _statements(system: EquationSystem) -> list[_Statement]:
    """`at` statements, then what doses add to their states, then what infusions add to their rates."""
    found = [_Statement(tuple((a.state, a.expr) for a in e.assignments), e.stop) for e in system.at_events]
    targets = [dose.state for dose in system.doses] + [dose.infusion for dose in system.doses if dose.infusion >= 0]
    amount = node("sym", (), AMOUNT)
    return found + [_Statement(((k, node("add", (node("sym", (), system.states[k]), amount))),)) for k in targets]


def _event_table(system: EquationSystem, emitted: Mapping[str, Callable[..., Any]]) -> EventTable | None:
    statements = _statements(system)
    if not statements:
        return None
    belongs = [(i, state) for i, statement in enumerate(statements) for state, _ in statement.assignments]

    def times(args: Arguments) -> tuple[Any, Any, Any]:
        if "at_times" not in emitted:
            nothing = jnp.zeros(0, args.parameters.dtype)
            return nothing, nothing, nothing
        given = emitted["at_times"]({"p": args.parameters})
        first, period, last = (given[name].astype(args.parameters.dtype) for name in ("time", "every", "until"))
        return first, period, last

    def values(t: Any, y: Any, args: Arguments, amount: Any) -> Any:
        if "at_values" not in emitted:
            return jnp.zeros(0, args.parameters.dtype)
        return emitted["at_values"](environment(t, y, args) | {"amount": amount})["at_values"].astype(args.parameters.dtype)

    stop, doses = tuple(int(statement.stop) for statement in statements), _dose_table(system, emitted)
    return EventTable(times, values, tuple(i for i, _ in belongs), tuple(s for _, s in belongs), stop, doses)


def _dose_table(system: EquationSystem, emitted: Mapping[str, Callable[..., Any]]) -> DoseTable | None:
    if not system.doses:
        return None
    first, count = len(system.at_events), len(system.doses)
    rates = accumulate((int(dose.infusion >= 0) for dose in system.doses), initial=first + count)
    infusion = tuple(k if dose.infusion >= 0 else -1 for dose, k in zip(system.doses, rates, strict=False))

    def options(args: Arguments) -> Any:
        return emitted["dose_options"]({"p": args.parameters})["dose_options"].astype(args.parameters.dtype).reshape(count, 4)

    return DoseTable(options, tuple(range(first, first + count)), infusion)


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
