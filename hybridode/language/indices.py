"""Entries of values: `x[1]`, `w[1, 2]`, slices `x[2..3]`. Indices are 1-based and known before the run; in a family
they are known for each of its members."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import product
from typing import NamedTuple

from hybridode.declarations import Shape
from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.members import NotRolled
from hybridode.language.names import count
from hybridode.language.values import Value, shape_text

Places = tuple[int, ...]


def index(el: Elaboration, i: s.Index, frame: Frame) -> Visit:
    value = yield i.operand, frame.plain()
    return (yield from take(el, value, i.indices, i, frame))


def take(el: Elaboration, value: Result, indices: tuple[s.Node, ...], place: s.Node, frame: Frame) -> Visit:
    """Entries of a value by 1-based indices and slices."""
    chosen = yield from positions(el, value.shape if value is not None else None, indices, place, frame)
    if value is None or chosen is None:
        return None
    flats, shape = chosen
    if frame.family is None:
        return Value(tuple([value.elements[k[0]] for k in flats]), shape, value.boolean)
    return Value(tuple([frame.family.pick(value.elements, k) for k in flats]), shape, value.boolean)


class Axis(NamedTuple):
    """What one index chooses along its axis: for each member of the family (or once for all) where the slice begins and ends."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    slice: bool
    place: s.Node


def positions(
    el: Elaboration, shape: tuple[int, ...] | None, indices: tuple[s.Node, ...], place: s.Node, frame: Frame
) -> Generator[tuple[s.Node, Frame], Result, tuple[list[Places], Shape] | None]:
    """The chosen entries, each as its flat place for every member of the family (one place for all where they agree), and their
    shape; None after an error (unknown shape: checks names only)."""
    inner = frame.plain()
    ends: list[Axis | None] = []
    for i in indices:
        parts = (i.first, i.last) if isinstance(i, s.Range) else (i,)
        numbers: list[tuple[int, ...] | None] = []
        for part in parts:
            value = yield part, inner
            sound = value is not None and el.is_number(value, part, inner) and el.is_scalar(value, "an index", part, inner)
            numbers.append(el.whole_numbers(value.scalar, part, inner, "an index") if sound and value is not None else None)
        first, last = numbers[0], numbers[-1]
        ends.append(None if first is None or last is None else Axis(first, last, isinstance(i, s.Range), i))
    axes = [axis for axis in ends if axis is not None]
    if shape is None or len(axes) < len(ends):
        return None
    name = el.findings.source.text[place.start : indices[0].start].rstrip("[ ")
    if not shape:
        el.error("E0314", f"`{name}` is one number and has no entries", place, frame, f"declare it as a vector: `{name}[3]`")
        return None
    if len(indices) != len(shape):
        message = f"`{name}` is {shape_text(shape)} and takes {count(len(shape), 'index', 'indices')}"
        el.error("E0314", message, place, frame, "one index per size, separated by commas")
        return None
    if not all(_inside(el, axis, n, name, frame) for axis, n in zip(axes, shape, strict=True)):
        return None
    return _entries(axes, shape)


def _entries(axes: list[Axis], shape: Shape) -> tuple[list[Places], Shape]:
    members = max(len(end) for axis in axes for end in (axis.first, axis.last))
    lengths = [{b - a for a, b in _pairs(axis)} for axis in axes]
    if any(len(found) > 1 for found in lengths):
        raise NotRolled
    extents = [found.pop() + 1 for found in lengths]
    flats: list[Places] = []
    for offsets in product(*(range(n) for n in extents)):
        flat: list[int] = [0] * members
        for axis, offset, n in zip(axes, offsets, shape, strict=True):
            starts = axis.first if len(axis.first) == members else axis.first * members
            flat = [f * n + a + offset - 1 for f, a in zip(flat, starts, strict=True)]
        flats.append(tuple(flat))
    return flats, tuple(n for n, axis in zip(extents, axes, strict=True) if axis.slice)


def _pairs(axis: Axis) -> Iterable[tuple[int, int]]:
    """First and last place of every member."""
    n = max(len(axis.first), len(axis.last))
    return zip(axis.first * (n // len(axis.first)), axis.last * (n // len(axis.last)), strict=True)


def _inside(el: Elaboration, axis: Axis, n: int, name: str, frame: Frame) -> bool:
    if min(axis.first) >= 1 and max(axis.last) <= n and not axis.slice:
        return True
    for member, (first, last) in enumerate(_pairs(axis)):
        if first >= 1 and last <= n and last >= first:
            continue
        where = ""
        if frame.family is not None and max(len(axis.first), len(axis.last)) > 1:
            where = f" where {frame.family.where(member)}"
        elif frame.family is not None and frame.family.count == 1 and frame.family.indices:
            where = f" where {frame.family.where(0)}"
        if first < 1:
            hint = f"the last entry is `{name}[{n}]`" if first < 0 else f"the first entry is `{name}[1]`"
            el.error("E0314", f"indices count from 1{_asked(first, where)}", axis.place, frame, hint)
        elif last > n:
            message = f"`{name}` has {count(n, 'entry', 'entries')}, not {last}{where}"
            el.error("E0314", message, axis.place, frame, f"the last entry is `{name}[{n}]`")
        else:
            message = f"the slice `{first}..{last}` is empty{where}"
            el.error("E0314", message, axis.place, frame, "the smaller index comes first")
        return False
    return True


def _asked(index: int, where: str) -> str:
    return f", this is {index}{where}" if where else ""
