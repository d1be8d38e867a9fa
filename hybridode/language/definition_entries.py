"""Intermediates that are given entry by entry: `y[1] = …`, `y[i] = y[i-1] + x[i] for i in 2..n`."""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.declarations import Definition, Shape, size
from hybridode.expr import Expr, Symbol, symbols
from hybridode.language import syntax as s
from hybridode.language.entries import Part, Piece, Words, entries_text, fill, pieces
from hybridode.language.families import indexed
from hybridode.language.findings import Place
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Usage
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.values import MOST_ENTRIES, shape_text


def declare_shape(el: Elaboration, name: str, parts: Sequence[Part]) -> None:
    """The shape that the left sides give: an intermediate is as large as its largest index."""
    found: list[tuple[Part, Shape]] = []
    for part in parts:
        extent = _extent(el, part)
        if extent is None:
            return
        if extent:
            found.append((part, extent))
    if not found:
        place = parts[0].equation.left
        el.findings.error(
            "E0321", f"`{name}` has no entries: the range of its index is empty", place, "begin at 1: `for i in 1..n`"
        )
        return
    first, shape = found[0]
    for part, extent in found[1:]:
        if len(extent) != len(shape):
            message = f"`{name}` has {len(shape)} indices in one equation and {len(extent)} in another"
            el.findings.error("E0313", message, part.equation.left, "use the same", [(first.equation.left, "first here")])
            return
        shape = tuple(max(a, b) for a, b in zip(shape, extent, strict=True))
    if size(shape) > MOST_ENTRIES:
        message = f"`{name}` would be {shape_text(shape)}; at most {MOST_ENTRIES} entries are allowed"
        el.findings.error("E0313", message, parts[0].equation.left, "use a smaller range")
        return
    el.scope.shapes[name] = shape


def _extent(el: Elaboration, part: Part) -> Shape | None:
    """The largest of each index on the left, () of an empty family; None after an error."""
    usage = Frame(Usage("an index", CONSTANTS, "an index is known before the run: use whole numbers and `const`s"))
    frame = usage
    if part.equation.iterators:
        found = indexed(el, part.equation.iterators, usage)
        if found is None:
            return None
        if found.members.count == 0:
            return ()
        frame = found.frame(usage)
    extent: list[int] = []
    for i in part.left.indices:
        end = i.last if isinstance(i, s.Range) else i
        value = el.evaluate(end, frame)
        if value is None or not el.is_number(value, end, frame) or not el.is_scalar(value, "an index", end, frame):
            return None
        numbers = el.whole_numbers(value.scalar, end, frame, "an index")
        if numbers is None:
            return None
        extent.append(max(1, *numbers))
    return tuple(extent)


def define_entries(el: Elaboration, name: str, parts: Sequence[Part]) -> list[Definition]:
    """The intermediate of several equations, each of which gives some of its entries."""
    shape = el.scope.shapes.get(name)
    if shape is None:
        return []
    usage = Usage(f"the definition of `{name}`", net_stem=name, equation=name, dynamics=True)
    given: list[tuple[Part, list[Piece]]] = []
    for part in parts:
        made = pieces(el, part, shape, usage)
        if made is None:
            el.scope.shapes.pop(name, None)
            return []
        given.append((part, made))
    boolean = {piece.boolean for _, made in given for piece in made}
    if len(boolean) > 1:
        message = f"some entries of `{name}` are numbers and others conditions"
        el.findings.error("E0315", message, parts[-1].equation.left, "all entries are of one kind")
        return []
    filled = fill(el, given, name, shape, Words("an equation", "E0202"))
    if filled is None:
        return []
    missing = filled.missing
    if missing:
        message = f"{entries_text(missing, name, shape)} of `{name}` {'has' if len(missing) == 1 else 'have'} no equation"
        el.findings.error("E0321", message, parts[0].equation.left, f"`{name}` is {shape_text(shape)}: every entry is given once")
        return []
    if True in boolean:
        el.scope.booleans.add(name)
    doc = next((p.equation.doc for p in parts if p.equation.doc), "")
    span = el.findings.span(parts[0].equation.left)
    return [Definition(name, filled.whole(size(shape)), shape, True in boolean, doc, span)]


def circle_of_entries(el: Elaboration, found: Sequence[Definition], places: dict[str, s.Expression]) -> None:
    """Reports entries that need themselves, with the entries named."""
    bodies: dict[str, Expr] = {}
    for d in found:
        for k, e in enumerate(d.elements):
            bodies[str(Symbol("definition", d.name, k if d.shape else -1))] = e
    edges = {
        entry: list(dict.fromkeys(str(x) for x in symbols(e) if x.kind == "definition" and str(x) in bodies))
        for entry, e in bodies.items()
    }
    for component in components(bodies, edges):
        if not is_circle(component, edges):
            continue
        way = circle(component, edges)
        at = [places[name.split("[")[0]] for name in way]
        related: list[tuple[Place, str]] = [(p, f"`{a}` reads `{b}`") for p, a, b in zip(at[1:], way[1:], way[2:], strict=False)]
        message = f"definitions in a circle: {' reads '.join(f'`{n}`' for n in way)}"
        if len(way) == 2:
            message = f"`{way[0]}` is defined by itself"
        el.findings.error("E0305", message, at[0], "an entry may read entries that do not read it in turn", related)
        return
