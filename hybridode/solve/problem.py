"""What every engine solves: a compiled model and the numbers that it is evaluated at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.system import EquationSystem
from hybridode.expr import Symbol
from hybridode.solve.doses import Doses, DoseTable
from hybridode.solve.pytree import pytree
from hybridode.solve.signals import Signals, jump_columns
from hybridode.tape.interpret import Interpreter
from hybridode.types import AnyArray, Array

if TYPE_CHECKING:
    from hybridode.tape.tape import Tape


def environment(t: Any, y: Any, args: Arguments) -> dict[str, Any]:
    """The standard inputs of a model's tapes by name, JAX or NumPy as the arguments are."""
    given = {f"{net}.{name}": array for net, arrays in args.weights.items() for name, array in arrays.items()}
    given |= {"t": t, "y": y, "p": args.parameters}
    if args.signals.count:
        u, du = args.signals(t)
        given |= {"u": u, "du": du, "u0": args.inputs_at_start}
    return given


@pytree
class Arguments:
    """The numbers of one experiment: a pytree that JAX differentiates with respect to and maps over.

    parameters (m,) natural units, in the order of `system.parameters`; weights: per network `W0` (out, in), `b0` (out,), …
    with its constants `shift`, `scale`, `out_scale`; signals: the inputs as functions of time; `inputs_at_start` (k,)
    what `X(0)` of an input reads (`at_start` fills it); doses: None where there are none.
    """

    parameters: AnyArray
    weights: dict[str, dict[str, AnyArray]]
    signals: Signals
    inputs_at_start: AnyArray
    doses: Doses | None = None

    def at_start(self, t0: Any) -> Arguments:
        """The same numbers with the inputs' values at the start time filled in."""
        if self.signals.count == 0:
            return self
        return replace(self, inputs_at_start=self.signals(t0)[0])

    def astype(self, dtype: Any) -> Arguments:
        """All numbers in this precision."""
        return jax.tree_util.tree_map(lambda leaf: leaf.astype(dtype), self)


@dataclass(frozen=True)
class EventTable:
    """What a model does at known times, `at` statements and doses, as functions and static tables.

    `times(args) -> (E,), (E,), (E,)`: first time, period (+inf: once) and last time (+inf: the end) of each `at` statement;
    `values(t, y, args, amount) -> (A,)`: the values of all assignments of all statements, from what was before, `amount` being
    what a dose adds; `statement[a]` and `state[a]`: to which statement assignment a belongs and which entry of y it sets; stop:
    1 for the statements that end the run. The statements of `doses` stand behind the E `at` statements.
    """

    times: Callable[[Arguments], tuple[Array, Array, Array]]
    values: Callable[[Any, Array, Arguments, Any], Array]
    statement: tuple[int, ...]
    state: tuple[int, ...]
    stop: tuple[int, ...]
    doses: DoseTable | None = None

    @property
    def count(self) -> int:
        """Number of `at` statements."""
        return len(self.stop) if self.doses is None else self.doses.bolus[0]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model ready to be solved. Static: compared and hashed by identity.

    The functions can be traced by JAX; `t` is a scalar, `y` (n,). `rates` -> (n,) carries the symbolic Jacobian as its
    derivative with respect to y; `plain_rates` is the same without it (what explicit methods differentiate), `stage_rates` that
    with derivatives of 0 where it is undefined (what implicit methods use, see `field.rates_with_jacobian`).
    `start(t0, args)` -> (n,), `definitions(t, y, args)` -> (k,), `observables(t, y, args)` -> (q,).
    """

    declarations: Declarations
    system: EquationSystem
    tapes: Mapping[str, Tape]
    rates: Callable[[Any, Array, Arguments], Array]
    plain_rates: Callable[[Any, Array, Arguments], Array]
    start: Callable[[Any, Arguments], Array]
    definitions: Callable[[Any, Array, Arguments], Array]
    observables: Callable[[Any, Array, Arguments], Array]
    default_arguments: Callable[..., Arguments]
    events: EventTable | None = None
    observable_index: Mapping[tuple[str, str], int] = field(default_factory=dict)
    stage_rates: Callable[[Any, Array, Arguments], Array] | None = None
    definition_index: Mapping[Symbol, int] = field(default_factory=dict)
    parameter_slices: Mapping[str, slice] = field(default_factory=dict)
    reads_input_rate: tuple[bool, ...] = ()
    make_twin: Callable[[], Compiled | None] | None = None  # the model with its `if`s as events, see `solve/switches`
    corners: tuple[int, ...] = ()  # inputs at whose knots steps end besides those that jump, see `solve/corners`
    jitted: dict[Any, Any] = field(default_factory=dict, repr=False)  # compiled solves, dropped with the model

    def arguments(self, set: Mapping[str, Any] | None = None, data: Mapping[str, tuple[Any, Any]] | None = None,
                  dtype: Any = np.float64) -> Arguments:  # fmt: skip
        """Declared parameter values (those in `set` replaced), initial weights and the inputs' records.

        `set` maps names of parameters, promoted constants or entries (`k[2]`) to numbers in natural units; `data` maps every
        entry of an input to (times, values). Raises `UsageError` E0829 for a name or shape that does not fit, E0831 when an
        input has no data.
        """
        return self.default_arguments(set, data, dtype)

    @property
    def size(self) -> int:
        """Number of states, vectors flattened."""
        return len(self.system.states)

    @cached_property
    def interpreters(self) -> dict[str, Interpreter]:
        """The tapes made ready for NumPy: for what needs no compiled code, and for finding out what went wrong."""
        return {name: Interpreter(tape) for name, tape in self.tapes.items()}

    def numbers(self, name: str, t: float, y: Any, args: Arguments, output: str = "", amount: float = 0.0) -> np.ndarray:
        """An output of the tape `name` ("rates", "jacobian", "start", …; its one output unless given) by NumPy, float64.
        `amount`: what a dose adds."""
        if name not in self.tapes:
            return np.zeros(0)
        return self.interpreters[name](environment(t, y, args) | {"amount": amount})[output or name]

    def along(self, name: str, args: Arguments) -> Callable[[Any, Any], np.ndarray]:
        """`numbers` as a function (t, y), for many calls at the same arguments. Warnings are the caller's to silence."""
        fixed = environment(0.0, np.zeros(self.size), args)
        if not args.signals.count:
            return self.interpreters[name].at(fixed, ("t", "y"), name)
        run = self.interpreters[name].at(fixed, ("t", "y", "u", "du"), name)
        return lambda t, y: run(t, y, *args.signals(t))

    @cached_property
    def jacobian_places(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the Jacobian's entries."""
        entries = self.system.jacobian or ()
        return [e.row for e in entries], [e.column for e in entries]

    @cached_property
    def landing_signals(self) -> tuple[int, ...]:
        """The inputs at whose knots the integrator lands."""
        kinds = [i.interpolation for i in self.declarations.inputs for _ in i.columns]
        rates = self.reads_input_rate or (False,) * len(kinds)
        return jump_columns(kinds, [rate or i in self.corners for i, rate in enumerate(rates)])

    def landing_on(self, corners: tuple[int, ...]) -> Compiled:
        """The same model, whose steps end at the knots of these inputs too."""
        twin = self.make_twin
        made = None if twin is None else lambda: None if (found := twin()) is None else found.landing_on(corners)
        return replace(self, corners=corners, make_twin=made, jitted={}) if corners else self
