"""A tape at many points in one pass of NumPy: every value carries the points in one more axis, behind its own.

What an operation means for one point stands in `meaning`. Elementwise operations mean the same with one axis more; the table
here says it for the structural ones, and the others are done point by point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hybridode.tape.ops import OPS, Shape
from hybridode.tape.tape import Instruction, Tape

_NUMBERS = 4_000_000  # that are held at a time, about
Function = Callable[..., Any]


def at_many(tape: Tape, fixed: Mapping[str, ArrayLike], moving: Sequence[str], output: str) -> Callable[..., np.ndarray]:
    """One output, shape (…, N), as a function of the inputs `moving` in their order, each (…, N) (some may not be read); the
    others are `fixed`, and what depends on those alone is computed now. Warnings are the caller's to silence."""
    place = {i.name: number for number, i in enumerate(tape.inputs)}
    values: list[Any] = [None] * (len(tape.inputs) + len(tape.instructions))
    changes = {place[name] for name in moving if name in place}
    for name, number in place.items():
        if number not in changes:
            values[number] = np.asarray(fixed[name], float)[()]
    program: list[tuple[int, Function, tuple[int, ...]]] = []
    for number, i in enumerate(tape.instructions, len(tape.inputs)):
        if changes.isdisjoint(i.args):
            values[number] = OPS[i.op].numpy(i.attrs, i.shape)(*[values[a] for a in i.args])
        else:
            program.append((number, _function(i, [a in changes for a in i.args]), i.args))
            changes.add(number)
    slots, wanted = [place.get(name) for name in moving], tape.output(output)
    held = sum(math.prod(tape.shape(number)) for number in changes)
    most, size = max(1, _NUMBERS // max(held, 1)), tape.shape(wanted)

    def part(given: Sequence[np.ndarray], count: int) -> np.ndarray:
        now = values.copy()
        for slot, value in zip(slots, given, strict=True):
            if slot is not None:
                now[slot] = value
        for number, function, args in program:
            now[number] = function(count, *[now[a] for a in args])
        found = now[wanted]
        return found if wanted in changes else np.broadcast_to(np.asarray(found)[..., None], (*size, count))

    def run(*given: np.ndarray) -> np.ndarray:
        total = np.shape(given[0])[-1]
        parts = [part([g[..., at : at + most] for g in given], min(most, total - at)) for at in range(0, total, most)]
        return np.concatenate(parts, axis=-1) if len(parts) != 1 else parts[0]

    return run


def _function(i: Instruction, moves: Sequence[bool]) -> Function:
    """An instruction as a function (number of points, operands): what moves has the points behind its own axes."""
    row = OPS[i.op]
    one = row.numpy(i.attrs, i.shape)
    if row.elementwise:
        return lambda count, *x: one(*[a if m or not np.ndim(a) else a[..., None] for a, m in zip(x, moves, strict=True)])
    if i.op in _STRUCTURAL:
        build = _STRUCTURAL[i.op](i.attrs, i.shape)
        return lambda count, *x: build(count, *[a if m else _still(a, count) for a, m in zip(x, moves, strict=True)])

    def each(count: int, *x: Any) -> np.ndarray:
        at = lambda j: [np.asarray(a[..., j])[()] if m else a for a, m in zip(x, moves, strict=True)]  # noqa: E731
        return np.stack([one(*at(j)) for j in range(count)], axis=-1)

    return each


def _still(value: Any, count: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(value)[..., None], (*np.shape(value), count))


# ---- (attributes, shape of the result) -> function (number of points, operands) ------------------------------------------
def _gather(attrs: Any, shape: Shape) -> Function:
    at = np.array(attrs, int).reshape(shape)
    return lambda count, x: x.reshape(-1, count)[at]


def _concat(attrs: Any, shape: Shape) -> Function:
    return lambda count, *parts: np.concatenate([p.reshape(-1, count) for p in parts]).reshape(*shape, count)


def _broadcast(attrs: Any, shape: Shape) -> Function:
    return lambda count, x: np.broadcast_to(x[:, None] if attrs == 1 else x, (*shape, count))


def _sum(attrs: Any, shape: Shape) -> Function:
    return lambda count, x: np.sum(x, axis=tuple(range(x.ndim - 1)) if attrs is None else attrs)


_STRUCTURAL = {"gather": _gather, "concat": _concat, "broadcast": _broadcast, "sum": _sum}
