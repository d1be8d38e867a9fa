"""Entries of values: `x[1]`, `w[1, 2]`, slices `x[2..3]`. Indices are 1-based and known before the run."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from hybridode.declarations import Shape
from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.names import count
from hybridode.language.values import (
    Value,
    flat_index,
    shape_text,
)


def index(el: Elaboration, i: s.Index, frame: Frame) -> Visit:
    value = yield i.operand, frame.plain()
    return (yield from take(el, value, i.indices, i, frame))


def take(el: Elaboration, value: Result, indices: tuple[s.Node, ...], place: s.Node, frame: Frame) -> Visit:
    """Entries of a value by 1-based indices and slices."""
    chosen = yield from positions(el, value.shape if value is not None else None, indices, place, frame)
    if value is None or chosen is None:
        return None
    flats, shape = chosen
    return Value(tuple(value.elements[k] for k in flats), shape, value.boolean)


def positions(
    el: Elaboration, shape: tuple[int, ...] | None, indices: tuple[s.Node, ...], place: s.Node, frame: Frame
) -> Generator[tuple[s.Node, Frame], Result, tuple[list[int], Shape] | None]:
    """Flat places and the shape that indices choose from a shape; None after an error (unknown shape: checks names only)."""
    inner = frame.plain()
    ends: list[tuple[int | None, int | None, bool, s.Node]] = []
    for i in indices:
        parts = (i.first, i.last) if isinstance(i, s.Range) else (i,)
        numbers: list[int | None] = []
        for part in parts:
            value = yield part, inner
            numbers.append(el.whole(value, part, inner, "an index"))
        ends.append((numbers[0], numbers[-1], isinstance(i, s.Range), i))
    if shape is None or any(first is None or last is None for first, last, _, _ in ends):
        return None
    name = el.findings.source.text[place.start : indices[0].start].rstrip("[ ")
    if not shape:
        el.error("E0314", f"`{name}` is one number and has no entries", place, frame, f"declare it as a vector: `{name}[3]`")
        return None
    if len(indices) != len(shape):
        message = f"`{name}` is {shape_text(shape)} and takes {count(len(shape), 'index', 'indices')}"
        el.error("E0314", message, place, frame, "one index per size, separated by commas")
        return None
    axes: list[range] = []
    for (first, last, _, i), n in zip(ends, shape, strict=True):
        assert first is not None and last is not None
        if not _inside(el, first, last, n, name, i, frame):
            return None
        axes.append(range(first, last + 1))
    kept = tuple(len(axis) for axis, (_, _, is_range, _) in zip(axes, ends, strict=True) if is_range)
    return [flat_index(entry, shape) for entry in product(*axes)], kept


def _inside(el: Elaboration, first: int, last: int, n: int, name: str, place: s.Node, frame: Frame) -> bool:
    if first < 1:
        hint = f"the first entry is `{name}[1]`" if first == 0 else f"the last entry is `{name}[{n}]`"
        el.error("E0314", "indices count from 1", place, frame, hint)
        return False
    if last > n:
        el.error(
            "E0314", f"`{name}` has {count(n, 'entry', 'entries')}, not {last}", place, frame, f"the last entry is `{name}[{n}]`"
        )
        return False
    if last < first:
        el.error("E0314", f"the slice `{first}..{last}` is empty", place, frame, "the smaller index comes first")
        return False
    return True
