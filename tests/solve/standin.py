"""Compiled models made by hand, so that the drivers are tested without the language and the compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Declarations, InputSignal
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import ZERO, Symbol
from hybridode.solve.problem import Arguments, Compiled, EventTable
from hybridode.solve.signals import Signals, build_signals, no_signals


def compiled(
    rates: Callable[[Any, Any, Any], Any],
    start: Sequence[float] | Callable[[Any, Any], Any],
    parameters: Sequence[float] = (),
    signals: Signals | None = None,
    inputs: Sequence[InputSignal] = (),
    events: EventTable | None = None,
) -> Compiled:
    """`rates(t, y, args)` and the start, either numbers or `start(t0, args)`."""
    n = len(start(0.0, arguments(parameters))) if callable(start) else len(start)
    declarations = Declarations(Source("standin.ode", ""), "standin", inputs=tuple(inputs))
    states = tuple(Symbol("state", f"x{i}") for i in range(n))
    names = tuple(Symbol("parameter", f"p{i}") for i in range(len(parameters)))
    system = EquationSystem(declarations, states, names, (), (), (ZERO,) * n, (ZERO,) * n)
    return Compiled(
        declarations=declarations,
        system=system,
        tapes={},
        rates=rates,
        plain_rates=rates,
        start=start if callable(start) else lambda t0, args: jnp.asarray(start, args.parameters.dtype),
        definitions=lambda t, y, args: jnp.zeros(0),
        observables=lambda t, y, args: jnp.zeros(0),
        default_arguments=lambda set, data, dtype: arguments(parameters, signals, dtype),
        events=events,
    )


def arguments(parameters: Sequence[float], signals: Signals | None = None, dtype: Any = np.float64) -> Arguments:
    signals = no_signals(dtype) if signals is None else signals
    return Arguments(np.asarray(parameters, dtype), {}, signals, np.zeros(signals.count, dtype))


def one_signal(times: Any, values: Any, kind: str) -> Signals:
    return build_signals(["u"], [kind], {"u": (times, values)})
