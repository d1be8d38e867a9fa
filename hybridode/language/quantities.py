"""Constants, parameters and the values of states: shapes, numbers, bounds, scales."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from hybridode.declarations import Constant, Parameter, Shape, entry_names, size
from hybridode.expr import Symbol
from hybridode.language import syntax as s
from hybridode.language.findings import Place
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Usage
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.units_text import quantity
from hybridode.language.values import MOST_ENTRIES, Value, shape_text
from hybridode.language.walk import mentions

_REMEDY = "use numbers and `const`s; what depends on a parameter is an intermediate: `y = …`"


def unit_text(unit: s.Unit | None) -> str:
    return unit.text if unit is not None else ""


def declared_shape(el: Elaboration, statement: s.ValueStatement | s.InputStatement) -> Shape | None:
    """`[n, m]` after the name, or the shape of a list that is the value; None after an error."""
    if not statement.shape:
        value = statement.value if isinstance(statement, s.ValueStatement) else None
        return _literal_shape(value)
    name = statement.name.text
    found: list[int] = []
    for part in statement.shape:
        unit = _looks_like_unit(el, part)
        if unit:
            hint = f"the unit stands after a colon: `{_word(statement)} {name}: {unit} = …`"
            el.findings.error("E0401", f"`[{unit}]` after a name is a size, not a unit", part, hint)
            return None
        frame = Frame(Usage(f"the size of `{name}`", CONSTANTS, _REMEDY))
        n = el.whole(el.evaluate(part, frame), part, frame, "a size")
        if n is None:
            return None
        if n < 1:
            el.findings.error("E0313", f"`{name}` would have {n} entries", part, "a size is at least 1")
            return None
        found.append(n)
    if size(tuple(found)) > MOST_ENTRIES:
        el.findings.error(
            "E0313", f"`{name}` has {size(tuple(found))} entries; at most {MOST_ENTRIES} are allowed", statement.name
        )
        return None
    return tuple(found)


def _word(statement: s.ValueStatement | s.InputStatement) -> str:
    return statement.kind if isinstance(statement, s.ValueStatement) else statement.word


def _looks_like_unit(el: Elaboration, part: s.Node) -> str:
    """The text of `1/s` or `mV` in a place for sizes, if its names are units and none is declared."""
    names = [m.name for m in mentions(part)]
    if names and all(el.scope.find(name) is None and quantity(name) != name for name in names):
        return el.findings.source.text[part.start : part.end]
    return ""


def _literal_shape(value: s.Node | None) -> Shape:
    shape: list[int] = []
    while isinstance(value, s.ListLiteral) and value.items:
        shape.append(len(value.items))
        value = value.items[0]
    return tuple(shape)


def fit(el: Elaboration, value: Value, shape: Shape, name: str, place: Place, frame: Frame) -> Value | None:
    """The value in the declared shape: equal, or one number for all entries."""
    if value.shape == shape:
        return value
    if value.shape == ():
        return Value(value.elements * size(shape), shape)
    what = f"`{name}` is {shape_text(shape)}"
    hint = f"declare it `{name}[{', '.join(map(str, value.shape))}]`" if not shape else "give one number, or one for each entry"
    el.error("E0313", f"{what}, its value is {shape_text(value.shape)}", place, frame, hint)
    return None


def numbers(el: Elaboration, node: s.Node, shape: Shape, name: str, unit: s.Unit | None, what: str) -> tuple[float, ...] | None:
    """The constant numbers of a declared value, in the declared shape."""
    frame = Frame(Usage(what, CONSTANTS, _REMEDY), unit=unit, unit_of=f"`{name}`")
    value = el.evaluate(node, frame)
    if value is None or not el.is_number(value, node, frame):
        return None
    fitted = fit(el, value, shape, name, node, frame)
    return None if fitted is None else el.constant(fitted, node, frame)


# ---- constants ------------------------------------------------------------------------------------------------------
def constants(el: Elaboration, statements: Iterable[s.ValueStatement]) -> list[Constant]:
    """All constants with their numbers, in file order; they may be written in any order."""
    by_name = {st.name.text: st for st in statements if el.scope.entities.get(st.name.text, None) is not None}
    called = _constants_of_functions(el, by_name)
    edges: dict[str, list[str]] = {}
    for name, st in by_name.items():
        edges[name] = []
        for m in mentions(st.value, *st.shape):
            edges[name] += [m.name] if m.name in by_name else called.get(m.name, [])
    found: dict[str, Constant] = {}
    for component in components(by_name, edges):
        if is_circle(component, edges):
            way = circle(component, edges)
            lines = [(by_name[n].name, f"`{n}` needs `{m}`") for n, m in pairwise(way[1:])]
            message = f"constants in a circle: {' needs '.join(f'`{n}`' for n in way)}"
            el.findings.error("E0329", message, by_name[way[0]].name, "give one of them a number", lines)
            continue
        made = _constant(el, by_name[component[0]])
        if made is not None:
            found[made.name] = made
    return [found[name] for name in by_name if name in found]


def _constants_of_functions(el: Elaboration, constant_names: Iterable[str]) -> dict[str, list[str]]:
    """function -> the constants it reads, also through the functions that it calls."""
    names = set(constant_names)
    direct = {f: [m.name for m in mentions(st.body)] for f, st in el.functions.items()}
    result: dict[str, list[str]] = {}
    for component in components(direct, {f: [m for m in ms if m in direct] for f, ms in direct.items()}):
        for f in component:
            reads = dict.fromkeys(m for m in direct[f] if m in names)
            for g in direct[f]:
                reads |= dict.fromkeys(result.get(g, []))
            result[f] = list(reads)
    return result


def _constant(el: Elaboration, st: s.ValueStatement) -> Constant | None:
    name = st.name.text
    shape = declared_shape(el, st)
    if shape is None:
        return None
    if st.value is None:
        el.findings.error("E0309", f"the constant `{name}` needs a value", st.name, f"write `const {name} = …`")
        return None
    _refuse_modifiers(el, st)
    if not st.shape:  # the value says what it is: const A = B @ C
        frame = Frame(Usage(f"the value of `{name}`", CONSTANTS, _REMEDY), unit=st.unit, unit_of=f"`{name}`")
        value = el.evaluate(st.value, frame)
        if value is None or not el.is_number(value, st.value, frame):
            return None
        shape, found = value.shape, el.constant(value, st.value, frame)
    else:
        found = numbers(el, st.value, shape, name, st.unit, f"the value of `{name}`")
    if found is None:
        return None
    el.scope.shapes[name] = shape
    for i, number in enumerate(found):
        el.scope.known[Symbol("constant", name, i if shape else -1)] = number
    return Constant(name, found, shape, unit_text(st.unit), st.doc, el.findings.span(st.name))


def _refuse_modifiers(el: Elaboration, st: s.ValueStatement) -> None:
    m = st.modifiers
    for part in () if m is None else (*m.bounds, *m.scales, *m.groups):
        el.findings.error("E0328", "a constant is never learnt: it has no bounds or scale", part, f"write `param {st.name.text}`")


# ---- parameters and learnt starts -----------------------------------------------------------------------------------
class Range(NamedTuple):
    """Bounds (None: infinite), scale and `fixed` as written."""

    lower: float | None = None
    upper: float | None = None
    scale: str = "linear"
    fixed: bool = False
    place: Place | None = None


def parameter(el: Elaboration, st: s.ValueStatement, shape: Shape, name: str = "", start_of: str = "") -> Parameter | None:
    """A `param`, or (with `start_of`) the learnt start of a state."""
    name = name or st.name.text
    limits = _range(el, st, name)
    if limits is None:
        return None
    if st.value is not None:
        found = numbers(el, st.value, shape, st.name.text, st.unit, f"the value of `{name}`")
    else:
        middle = _middle(el, limits, st, name)
        found = None if middle is None else (middle,) * size(shape)
    if found is None or not _inside(el, found, limits, shape, name, st.value if st.value is not None else st.name):
        return None
    by, groups = groups_of(el, st, shape, name, limits)
    return Parameter(
        name, found, shape, unit_text(st.unit), limits.lower, limits.upper, limits.scale, limits.fixed, st.doc,
        el.findings.span(st.name), start_of, by, groups,
    )  # fmt: skip


def groups_of(
    el: Elaboration, st: s.ValueStatement, shape: Shape, name: str, limits: Range
) -> tuple[str, tuple[tuple[str, tuple[float, ...]], ...]]:
    """The column of `by`, and the values by label that stand after it."""
    written = () if st.modifiers is None else st.modifiers.groups
    if not written:
        return "", ()
    for part in written[1:]:
        hint = "one column says which group a series belongs to; make one that joins both"
        el.findings.error("E0328", f"`{name}` has `by` twice", part, hint, [(written[0], "first here")])
    found: dict[str, tuple[float, ...]] = {}
    for item in written[0].values:
        if item.label in found:
            el.findings.error("E0328", f'the group "{item.label}" of `{name}` stands twice', item, "keep one")
            continue
        values = numbers(el, item.value, shape, st.name.text, st.unit, f'the value of `{name}` for "{item.label}"')
        if values is not None and _inside(el, values, limits, shape, name, item.value):
            found[item.label] = values
    return written[0].name.text, tuple(found.items())


def _range(el: Elaboration, st: s.ValueStatement, name: str) -> Range | None:
    m = st.modifiers
    if m is None:
        return Range()
    for part in m.bounds[1:]:
        el.findings.error("E0328", f"`{name}` has bounds twice", part, "keep one", [(m.bounds[0], "first here")])
    words = [n.text for n in m.scales]
    for i, part in enumerate(m.scales):
        clash = [w for w in words[:i] if w == part.text or {w, part.text} == {"log", "logit"}]
        if clash:
            repeated = clash[0] == part.text
            message = f"`{part.text}` stands twice" if repeated else f"`{clash[0]}` and `{part.text}` exclude each other"
            el.findings.error("E0328", message, part, "keep one", [(m.scales[words.index(clash[0])], "first here")])
    scale = next((w for w in words if w in ("log", "logit")), "linear")
    scale_place = next((n for n in m.scales if n.text == scale), st.name)
    if not m.bounds:
        if scale == "logit":
            hint = "write `in (0, 1) logit`: the scale lies between two bounds"
            el.findings.error("E0311", f"`logit` needs bounds for `{name}`", scale_place, hint)
            return None
        return Range(0.0 if scale == "log" else None, None, scale, "fixed" in words)
    ends = [_end(el, e, st, name) for e in (m.bounds[0].lower, m.bounds[0].upper)]
    if ends[0] is None or ends[1] is None:
        return None
    lower, upper = ends[0], ends[1]
    if not lower < upper:
        hint = f"write `in ({upper:g}, {lower:g})`" if upper < lower else "the lower one comes first, and they differ"
        el.findings.error("E0311", f"the bounds of `{name}` are the wrong way round or equal", m.bounds[0], hint)
        return None
    if scale == "log" and lower < 0:
        el.findings.error(
            "E0311", f"a `log` scale needs bounds from 0 up, `{name}` starts at {lower:g}", m.bounds[0], "drop `log`"
        )
        return None
    if scale == "logit" and (math.isinf(lower) or math.isinf(upper)):
        el.findings.error(
            "E0311", f"a `logit` scale needs two finite bounds for `{name}`", m.bounds[0], "use `log` or give a number"
        )
        return None
    low, high = (None if math.isinf(end) else end for end in (lower, upper))
    return Range(low, high, scale, "fixed" in words, m.bounds[0])


def _end(el: Elaboration, node: s.Node, st: s.ValueStatement, name: str) -> float | None:
    found = numbers(el, node, (), st.name.text, st.unit, f"a bound of `{name}`")
    return None if found is None else found[0]


def _middle(el: Elaboration, limits: Range, st: s.ValueStatement, name: str) -> float | None:
    """The value of a parameter that has bounds only: their middle on the parameter's scale (rule B7)."""
    lower, upper = limits.lower, limits.upper
    if lower is not None and upper is not None and not (limits.scale == "log" and lower == 0):
        return math.sqrt(lower) * math.sqrt(upper) if limits.scale == "log" else lower + 0.5 * (upper - lower)
    why = "" if limits.place is None else ": its bounds have no middle"
    el.findings.error("E0309", f"the parameter `{name}` needs a value{why}", st.name, f"write `param {name} = …`")
    return None


def _inside(el: Elaboration, found: tuple[float, ...], limits: Range, shape: Shape, name: str, place: Place) -> bool:
    for label, number in zip(entry_names(name, shape), found, strict=True):
        if math.isinf(number):
            el.findings.error("E0310", f"the value of `{label}` is infinite", place, "write a finite number")
            return False
        below = limits.lower is not None and number <= limits.lower
        above = limits.upper is not None and number >= limits.upper
        if not below and not above:
            continue
        end = limits.lower if below else limits.upper
        if limits.place is None:
            el.findings.error("E0310", f"`{label}` has a `log` scale and the value {number:g}", place, "it must be positive")
            return False
        where = "on" if number == end else "outside"
        hint = "bounds are open: the value lies strictly between them"
        el.findings.error("E0310", f"{number:g} is {where} the bounds of `{label}`", place, hint, [(limits.place, "its bounds")])
        return False
    return True
