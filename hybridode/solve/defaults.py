"""The numbers that a model is evaluated at when nothing else is said: declared values, first weights, given inputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from hybridode.declarations import entry_names, size
from hybridode.equations.system import EquationSystem
from hybridode.errors import Diagnostic, UsageError
from hybridode.networks.weights import first_weights
from hybridode.solve.problem import Arguments
from hybridode.solve.signals import Signals, build_signals, no_signals


def default_arguments(system: EquationSystem, set: Mapping[str, Any] | None = None,
                      data: Mapping[str, tuple[Any, Any]] | None = None, dtype: Any = np.float64, *, stand_in: bool = False,
                      weights: Mapping[str, Mapping[str, Any]] | None = None) -> Arguments:  # fmt: skip
    """See `Compiled.arguments`. `stand_in` takes inputs of 0 where no data are given; `weights` stand for the first ones."""
    arrays = first_weights(system.declarations, dtype=dtype) if weights is None else {n: dict(w) for n, w in weights.items()}
    signals = build_inputs(system, data or {}, stand_in)
    return Arguments(parameter_vector(system, set or {}), arrays, signals, np.zeros(signals.count)).astype(dtype)


def build_inputs(system: EquationSystem, data: Mapping[str, tuple[Any, Any]], stand_in: bool = False) -> Signals:
    """The inputs from the records (times, values) of every entry. Raises `UsageError` E0825 where one has none."""
    inputs = system.declarations.inputs
    names = [name for i in inputs for name in entry_names(i.name, i.shape)]
    kinds = [i.interpolation for i in inputs for _ in entry_names(i.name, i.shape)]
    records = dict(data)
    missing = [name for name in names if name not in records]
    if stand_in:
        records |= dict.fromkeys(missing, ((0.0,), (0.0,)))
    elif missing:
        span = next(i.span for i in inputs if missing[0] in entry_names(i.name, i.shape))
        raise UsageError(Diagnostic("E0825", f"input `{missing[0]}` has no data", span, "give the records of inputs with data="))
    return build_signals(names, kinds, records) if names else no_signals()


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
    hint = (
        "did you mean " + " or ".join(f"`{n}`" for n in near) + "?"
        if near
        else "known are " + ", ".join(f"`{n}`" for n in known[:12])
    )
    return UsageError(Diagnostic("E0829", f"{what}: the model has no `{name}`", hint=hint if known else ""))


def with_parameters(slices: Mapping[str, slice], base: Arguments, params: Mapping[str, Any],
                    join: Callable[[Sequence[Any]], Any] | None = None) -> Arguments:  # fmt: skip
    """Arguments (of JAX arrays) with these natural values and weights by name put in; the rest stays.

    `join` makes one vector of several (JAX's concatenation unless given). Raises `UsageError` E0829 for an unknown name or
    another shape.
    """
    import jax.numpy as jnp

    dtype = base.parameters.dtype
    pieces: list[tuple[slice, Any]] = []
    weights = {name: dict(arrays) for name, arrays in base.weights.items()}
    for name, value in params.items():
        if name in weights:
            weights[name] |= _network_arrays(name, value, weights[name], dtype)
        elif name in slices:
            place, value = slices[name], jnp.asarray(value, dtype)
            if value.size not in (1, place.stop - place.start):
                message = f"`{name}` takes {place.stop - place.start} numbers, {value.size} were given"
                raise UsageError(Diagnostic("E0829", message))
            pieces.append((place, value.reshape(-1) if join is None else value))
        else:
            raise unknown_name("parameters", name, [*slices, *weights])
    return replace(base, parameters=_put_in(base.parameters, pieces, join), weights=weights)


def _put_in(p: Any, pieces: Sequence[tuple[slice, Any]], join: Callable[[Sequence[Any]], Any] | None) -> Any:
    """The vector with pieces of it replaced, later ones last. As one concatenation where none overlap: XLA copies the vector for
    every piece that is set by itself, forwards and backwards."""
    import jax.numpy as jnp

    ordered = sorted(pieces, key=lambda piece: piece[0].start)
    if any(a.stop > b.start for (a, _), (b, _) in pairwise(ordered)):
        p = jnp.asarray(p)
        for place, value in pieces:
            p = p.at[place].set(value.reshape(-1))
        return p
    parts, at = [], 0
    for place, value in ordered:
        parts += [
            p[at : place.start],
            value if value.size == place.stop - place.start else jnp.broadcast_to(value, (place.stop - place.start,)),
        ]
        at = place.stop
    parts = [jnp.asarray(part) for part in (*parts, p[at:]) if part.size]
    return (join or jnp.concatenate)(parts) if parts else jnp.asarray(p)


def _network_arrays(name: str, given: Mapping[str, Any], base: Mapping[str, Any], dtype: Any) -> dict[str, Any]:
    import jax.numpy as jnp

    arrays = {key: jnp.asarray(array, dtype) for key, array in given.items()}
    for key, array in arrays.items():
        if key not in base:
            raise unknown_name(f"weights of {name}", key, base)
        if array.shape != base[key].shape:
            raise UsageError(Diagnostic("E0829", f"`{name}.{key}` has shape {base[key].shape}, {array.shape} was given"))
    return arrays
