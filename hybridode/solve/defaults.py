"""The numbers that a model is evaluated at when nothing else is said: declared values, first weights, given inputs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hybridode.declarations import entry_names, size
from hybridode.equations.system import EquationSystem
from hybridode.errors import Diagnostic, UsageError
from hybridode.networks.initialise import constants, initialise
from hybridode.solve.problem import Arguments
from hybridode.solve.signals import build_signals, no_signals


def default_arguments(system: EquationSystem, set: Mapping[str, Any] | None = None,
                      data: Mapping[str, tuple[Any, Any]] | None = None, dtype: Any = np.float64, *, seed: int = 0,
                      stand_in: bool = False) -> Arguments:  # fmt: skip
    """See `Compiled.arguments`. `seed` is that of the networks; `stand_in` takes inputs of 0 where no data are given."""
    declarations = system.declarations
    weights = {n.name: initialise(n, seed, dtype) | constants(n, dtype) for n in declarations.networks}
    names = [name for i in declarations.inputs for name in entry_names(i.name, i.shape)]
    kinds = [i.interpolation for i in declarations.inputs for _ in entry_names(i.name, i.shape)]
    records = dict(data or {})
    missing = [name for name in names if name not in records]
    if stand_in:
        records |= {name: ((0.0,), (0.0,)) for name in missing}
    elif missing:
        span = next(i.span for i in declarations.inputs if missing[0] in entry_names(i.name, i.shape))
        raise UsageError(Diagnostic("E0825", f"input `{missing[0]}` has no data", span, "give the records of the inputs with data="))
    signals = build_signals(names, kinds, records) if names else no_signals()
    return Arguments(parameter_vector(system, set or {}), weights, signals, np.zeros(len(names))).astype(dtype)


def parameter_slices(system: EquationSystem) -> dict[str, slice]:
    """Where every parameter and promoted constant stands in p; single entries too (`k[2]`)."""
    declarations = system.declarations
    promoted = {s.name for s in system.parameters} - {p.name for p in declarations.parameters}
    slices: dict[str, slice] = {}
    at = 0
    for item in (*declarations.parameters, *(c for c in declarations.constants if c.name in promoted)):
        n = size(item.shape)
        slices[item.name] = slice(at, at + n)
        if item.shape:
            slices |= {entry: slice(at + i, at + i + 1) for i, entry in enumerate(entry_names(item.name, item.shape))}
        at += n
    return slices


def parameter_vector(system: EquationSystem, set: Mapping[str, Any]) -> np.ndarray:
    """p (m,): declared values, those in `set` replaced. Raises `UsageError` E0829 for an unknown name or another shape."""
    declarations = system.declarations
    slices = parameter_slices(system)
    values = np.zeros(len(system.parameters))
    for item in (*declarations.parameters, *declarations.constants):
        if item.name in slices:
            values[slices[item.name]] = item.values
    for name, value in set.items():
        if name not in slices:
            raise unknown_name("set", name, slices)
        place, given = slices[name], np.asarray(value, np.float64)
        wanted = place.stop - place.start
        if given.size not in (1, wanted):
            raise UsageError(Diagnostic("E0829", f"`{name}` takes {wanted} numbers, {given.size} were given"))
        values[place] = given.ravel() if given.size == wanted else float(given.ravel()[0])
    return values


def unknown_name(what: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that the model does not have."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 2)
    hint = "did you mean " + " or ".join(f"`{n}`" for n in near) + "?" if near else "known are " + ", ".join(f"`{n}`" for n in known[:12])
    return UsageError(Diagnostic("E0829", f"{what}: the model has no `{name}`", hint=hint if known else ""))
