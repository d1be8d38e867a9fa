"""Inputs (signals from data) and lookup tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

from hybridode.declarations import InputSignal, Shape, Table, entry_names
from hybridode.language import syntax as s
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Usage
from hybridode.language.names import count, listing, nearest
from hybridode.language.quantities import declared_shape, unit_text
from hybridode.language.values import Value, shape_text

INPUT_INTERPOLATIONS = ("previous", "next", "linear", "cubic", "hermite", "akima", "rectilinear")
TABLE_INTERPOLATIONS = ("linear", "previous", "next", "cubic", "akima")


def _interpolation(el: Elaboration, options: Iterable[s.Option], allowed: tuple[str, ...], what: str) -> str:
    """The word of `interp=`, "linear" by default."""
    found = ""
    for option in options:
        if option.name != "interp":
            guess = nearest(option.name, ("interp",)) or "interp"
            el.findings.error("E0208", f"{what} has no option `{option.name}`", option, f"the only option is `{guess}=…`")
            continue
        if found:
            el.findings.error("E0328", "`interp` stands twice", option, "keep one")
        word = option.value.name if isinstance(option.value, s.Ref) else ""
        found = word or "linear"
        if word not in allowed:
            guess = nearest(word, allowed)
            hint = f"did you mean `{guess}`?" if guess else f"write {listing(allowed, 'or')}"
            message = f"`{word}` is no interpolation of {what}" if word else "`interp` needs one word"
            el.findings.error("E0208", message, option, hint)
    return found or "linear"


# ---- inputs ---------------------------------------------------------------------------------------------------------
def input_signal(el: Elaboration, st: s.InputStatement) -> InputSignal | None:
    """`input I from protocol.I`; a vector reads a list of columns, or the columns `X[1]`, `X[2]`, … of one source."""
    shape = declared_shape(el, st)
    interpolation = _interpolation(el, st.options, INPUT_INTERPOLATIONS, "an input")
    if shape is None:
        return None
    columns = _columns(el, st, shape)
    if columns is None:
        return None
    name = st.name.text
    el.scope.shapes[name] = shape
    return InputSignal(name, columns, shape, unit_text(st.unit), interpolation, st.doc, el.findings.span(st.name))


def _columns(el: Elaboration, st: s.InputStatement, shape: Shape) -> tuple[tuple[str, str], ...] | None:
    name = st.name.text
    match st.source:
        case s.Text(value=file):
            return tuple((f'"{file}"', label) for label in entry_names(name, shape))
        case s.Ref(name=dotted) if "." in dotted:
            source, column = dotted.split(".", 1)
            return tuple((source, label) for label in entry_names(column, shape))
        case s.ListLiteral(items=items) if len(shape) == 1:
            if len(items) != shape[0]:
                message = f"`{name}` has {count(shape[0], 'entry', 'entries')}, and {count(len(items), 'column')}"
                el.findings.error("E0313", message, st.source, f"write `input {name}[{len(items)}] from …`")
                return None
            pairs = [tuple(item.name.split(".", 1)) for item in items if isinstance(item, s.Ref) and "." in item.name]
            if len(pairs) == len(items):
                return tuple((source, column) for source, column in pairs)
            wrong = next(item for item in items if not (isinstance(item, s.Ref) and "." in item.name))
            el.findings.error("E0208", "a column is written `data.NAME`", wrong, f"write `data.{getattr(wrong, 'name', 'NAME')}`")
            return None
        case s.ListLiteral():
            hint = f"write `input {name}[{len(st.source.items)}] from …`" if not shape else "use one source and numbered columns"
            message = f"a list of columns needs a vector, `{name}` is {shape_text(shape)}"
            el.findings.error("E0313", message, st.source, hint)
            return None
    hint = f'write `input {name} from data.{name}`, or `from "file.csv"`'
    el.findings.error("E0208", f"the input `{name}` needs a column of a source", st.source or st.name, hint)
    return None


# ---- tables ---------------------------------------------------------------------------------------------------------
def table(el: Elaboration, st: s.TableStatement) -> Table | None:
    """`table f(x) = [[0, 1], [1, 3]]`: one point `[x, f]` per inner list; two arguments take `[x, y, f]` on a full grid."""
    name = st.name.text
    interpolation = _interpolation(el, st.options, TABLE_INTERPOLATIONS, "a table")
    if not isinstance(st.points, s.ListLiteral):
        return None  # refused before
    n = len(st.arguments)
    if n > 2:
        el.findings.error(
            "E0324", f"a table has one or two arguments, `{name}` has {n}", st.name, "put tables together in an expression"
        )
        return None
    rows = _rows(el, st, n)
    if rows is None:
        return None
    if n == 1:
        axes: tuple[tuple[float, ...], ...] = (tuple(row[0] for row in rows),)
        values = tuple(row[1] for row in rows)
        if not _increasing(el, st, axes[0]):
            return None
    else:
        grid = _grid(el, st, rows)
        if grid is None:
            return None
        axes, values = grid
        if interpolation in ("cubic", "akima"):
            message = f"`{interpolation}` works for one argument, `{name}` has two"
            el.findings.error("E0208", message, st.name, "use `interp=linear`")
            return None
    arguments = tuple(argument.text for argument, _ in st.arguments)
    return Table(name, arguments, axes, values, interpolation, unit_text(st.unit), st.doc, el.findings.span(st.name))


def _rows(el: Elaboration, st: s.TableStatement, n: int) -> list[tuple[float, ...]] | None:
    """The points as numbers, each of n + 1."""
    frame = Frame(Usage(f"a point of `{st.name.text}`", CONSTANTS))
    form = "[x, value]" if n == 1 else "[x, y, value]"
    assert isinstance(st.points, s.ListLiteral)
    rows: list[tuple[float, ...]] = []
    for item in st.points.items:
        if not isinstance(item, s.ListLiteral) or len(item.items) != n + 1:
            el.findings.error(
                "E0324", f"every point of `{st.name.text}` is written `{form}`", item, f"{n + 1} numbers in brackets"
            )
            return None
        value = el.evaluate(item, frame)
        row = None if value is None or not _is_plain(el, value, item, frame) else el.constant(value, item, frame)
        if row is None:
            return None
        if not all(map(math.isfinite, row)):
            el.findings.error("E0324", "a point is made of finite numbers", item, f"write `{form}`")
            return None
        rows.append(row)
    if len(rows) < 2:
        el.findings.error("E0324", f"the table `{st.name.text}` needs at least two points", st.points, "a number is a `const`")
        return None
    return rows


def _is_plain(el: Elaboration, value: Value, item: s.Node, frame: Frame) -> bool:
    if len(value.shape) > 1:
        el.error("E0324", "a point is a plain list of numbers", item, frame, "no lists in it")
    return len(value.shape) == 1


def _increasing(el: Elaboration, st: s.TableStatement, xs: tuple[float, ...]) -> bool:
    assert isinstance(st.points, s.ListLiteral)
    for before, after, item in zip(xs, xs[1:], st.points.items[1:], strict=False):
        if not before < after:
            message = f"the points of `{st.name.text}` do not increase: {after:g} comes after {before:g}"
            el.findings.error("E0324", message, item, "sort the points; each argument stands once")
            return False
    return True


def _grid(
    el: Elaboration, st: s.TableStatement, rows: list[tuple[float, ...]]
) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...]] | None:
    xs, ys = (tuple(sorted({row[i] for row in rows})) for i in (0, 1))
    found = {(row[0], row[1]): row[2] for row in rows}
    if len(rows) != len(found) or len(found) != len(xs) * len(ys) or len(xs) < 2 or len(ys) < 2:
        missing = next(((x, y) for x, y in product(xs, ys) if (x, y) not in found), None)
        because = (
            f"the value at ({missing[0]:g}, {missing[1]:g}) is missing"
            if missing
            else "a point stands twice or an axis has one value"
        )
        el.findings.error(
            "E0324",
            f"the points of `{st.name.text}` are no full grid: {because}",
            st.points or st.name,
            "every x with every y, once",
        )
        return None
    return (xs, ys), tuple(found[point] for point in product(xs, ys))
