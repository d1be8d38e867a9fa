"""Where a solve starts, as callers say it: a time, start values by name, or the whole state; and what else reads such values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.expr import Symbol
from hybridode.solve.defaults import unknown_name
from hybridode.solve.diagnose_constraints import declared
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.tapes import state_names
from hybridode.types import FloatArray


def start_of(compiled: Compiled, start: Any, t0: Any) -> tuple[Any, Mapping[int, Any]]:
    """(start time, {place in y: value}) from what a caller gives as `start`.

    A number is the time of the start; a mapping gives values by the names of states (`x`, `x'`, `v`, `v[2]`, also written `x(0)`)
    and the time by its own name; a vector (n,) is the whole state. Raises UsageError E0829.
    """
    if start is None:
        return t0, {}
    if not isinstance(start, Mapping):
        if np.ndim(start) == 0:
            return start, {}
        whole = whole_start(compiled, start)
        return t0, {i: whole[i] for i in range(compiled.size)}
    places = state_places(compiled)
    given: dict[int, Any] = {}
    for name, value in start.items():
        bare = name.removesuffix("(0)")
        if bare == compiled.declarations.time and bare not in places:
            t0 = value
        elif bare not in places:
            raise unknown_name("start", name, [*places, compiled.declarations.time])
        else:
            given |= spread(name, places[bare], value)
    return t0, given


def whole_start(compiled: Compiled, start: Any) -> Any:
    """`start` where it is a vector (n,) of the whole state, else None. Raises UsageError E0829 for a vector of another shape."""
    if start is None or isinstance(start, Mapping) or np.ndim(start) == 0:
        return None
    if np.shape(start) != (compiled.size,):
        raise UsageError(Diagnostic("E0829", f"the start has shape {np.shape(start)}, the model has {compiled.size} states"))
    return start


def state_places(compiled: Compiled) -> dict[str, tuple[int, ...]]:
    """Places in y of every state and of every entry of a vector state."""
    places: dict[str, tuple[int, ...]] = {}
    for k, (symbol, name) in enumerate(zip(compiled.system.states, state_names(compiled.system), strict=True)):
        places[symbol.name] = (*places.get(symbol.name, ()), k)
        places[name] = places.get(name, (k,))
    return places


def spread(name: str, places: tuple[int, ...], value: Any) -> dict[int, Any]:
    """A value for each place: one number for all, or as many as there are. Raises UsageError E0829."""
    size = int(np.size(value))
    if size not in (1, len(places)):
        raise UsageError(Diagnostic("E0829", f"`{name}` takes {len(places)} numbers, {size} were given"))
    flat = value.reshape(-1) if hasattr(value, "reshape") else np.ravel(value)
    return {place: flat[0 if size == 1 else k] for k, place in enumerate(places)}


def followed_starts(compiled: Compiled, given: Iterable[int]) -> tuple[list[int], list[int]]:
    """(places in y, places in p) of given starts that something else reads too, as the parameter `x(0)`.

    Raises UsageError E0829 where a start is read that is no parameter but made of others.
    """
    d, system = compiled.declarations, compiled.system
    if not d.starts_followed:
        return [], []
    index = {s: k for k, s in enumerate(system.parameters)}
    places: list[int] = []
    parameters: list[int] = []
    for k in given:
        symbol = system.states[k]
        if symbol.name not in d.starts_followed:
            continue
        own = Symbol("parameter", f"{symbol.name}(0)", symbol.index)
        if own in index:
            places.append(k)
            parameters.append(index[own])
        elif symbol.name in d.starts_read:
            name = state_names(system)[k]
            message = f"the equations read `{name}(0)`, which the model computes: it cannot be given another value"
            raise UsageError(Diagnostic("E0829", message, declared(d, symbol.name), "set what it is made of"))
    return places, parameters


def with_followed_starts(compiled: Compiled, args: Arguments, given: Mapping[int, float]) -> Arguments:
    """The same numbers where given starts, by place, are what `x(0)` reads. NumPy's arrays."""
    places, parameters = followed_starts(compiled, given)
    if not places:
        return args
    p = np.array(args.parameters, np.float64)
    p[parameters] = [float(given[k]) for k in places]
    return replace(args, parameters=p)


def plain_start(start: Any) -> Any:
    """What a caller gives as `start`, as JAX can flatten it."""
    return dict(start) if isinstance(start, Mapping) else start


def start_in_jax(
    compiled: Compiled, args: Arguments, t0: Any, starts: Mapping[int, Any], start: Any
) -> tuple[Arguments, Any, Any]:
    """(arguments, start time, the state there or None for the declared one). `starts`: what the solver was made with."""
    dtype = args.parameters.dtype
    whole = whole_start(compiled, start)
    if whole is not None:  # not entry by entry: the transpose of that is n additions of vectors
        y0 = jnp.asarray(whole, dtype)
        return _with_followed(compiled, args, range(compiled.size), y0), jnp.asarray(t0, dtype), y0
    t0, given = start_of(compiled, start, t0)
    t0, given = jnp.asarray(t0, dtype), {**starts, **given}
    if not given:
        return args, t0, None
    places = sorted(given)
    y0 = jnp.stack([jnp.asarray(given[k], dtype) for k in places])
    args = _with_followed(compiled, args, places, y0)
    if len(places) < compiled.size:
        y0 = compiled.start(t0, args.at_start(t0)).at[np.array(places)].set(y0)
    return args, t0, y0


def _with_followed(compiled: Compiled, args: Arguments, given: Sequence[int], y0: Any) -> Arguments:
    """As `with_followed_starts`, in JAX: y0 holds the values of the places `given`."""
    places, parameters = followed_starts(compiled, given)
    if not places:
        return args
    at = {k: i for i, k in enumerate(given)}
    values = y0[np.array([at[k] for k in places])]
    return replace(args, parameters=args.parameters.at[np.array(parameters)].set(values))


def start_in_numbers(
    compiled: Compiled, args: Arguments, t0: float, start: Mapping[int, float]
) -> tuple[Arguments, FloatArray | None]:
    """(arguments, the state at the start or None for the declared one) with start values by place, in NumPy."""
    if not start:
        return args, None
    args = with_followed_starts(compiled, args, start)
    y0 = compiled.numbers("start", t0, np.zeros(0), args.at_start(t0)).copy()
    y0[list(start)] = [float(v) for v in start.values()]
    return args, y0
