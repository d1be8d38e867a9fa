"""What equations say entry by entry: `x[1]' = …`, `x[i]' = … for i in 2..n`; together they give every entry once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hybridode import rolled
from hybridode.declarations import Shape, entry_names, size
from hybridode.expr import ZERO, Expr
from hybridode.language import syntax as s
from hybridode.language.families import Indexed, check_names, indexed, over_members
from hybridode.language.frames import Elaboration, Frame, Usage
from hybridode.language.indices import Places, positions
from hybridode.language.left import Left
from hybridode.language.members import Members
from hybridode.language.names import listing
from hybridode.language.quantities import fit
from hybridode.language.values import Value
from hybridode.rolled import Family


class Part(NamedTuple):
    """One equation for a vector or some of its entries."""

    left: Left
    equation: s.Equation


class Words(NamedTuple):
    """How an equation's mistakes are told: codes, and what the entries have (`its dynamics`, `a start`)."""

    what: str
    twice: str  # the code for an entry that is given twice
    primes: int = 0  # of what is on the left
    delete: str = "delete one"


class Piece(NamedTuple):
    """Entries (flat places) that one equation gives, and the family of their expressions."""

    places: Places
    family: Family
    members: Members
    boolean: bool = False


def pieces(el: Elaboration, part: Part, shape: Shape, usage: Usage, within: Indexed | None = None) -> list[Piece] | None:
    """The entries that one equation gives, with their right sides; None after an error.

    `within`: one member of a family in which the equation stands (an assignment of an indexed event).
    """
    left, equation = part.left, part.equation
    written = el.findings.source.text[equation.left.start : equation.left.end]
    around = Frame(usage) if within is None else within.frame(Frame(usage))
    if not equation.iterators:
        if within is not None:
            return _work(el, part, shape, around, within.members, written)
        if left.indices:
            single = not any(isinstance(i, s.Range) for i in left.indices)
            usage = usage._replace(net_stem=numbered(el, usage, left, shape, equation)) if single else usage
        return _work(el, part, shape, Frame(usage), Members({}, 1), written)
    found = indexed(el, equation.iterators, around)
    if found is None:
        return None
    frame = found.frame(around)
    if not left.indices:
        message = f"`{written}` does not say which entry the equation is for"
        hint = f"write `{left.name}[{equation.iterators[0].name}]`, or leave out `for`"
        el.error("E0331", message, equation.left, frame, hint)
        return None
    if found.members.count == 0:
        check_names(el, equation.right, frame)
        return []
    parts = over_members(el, found.members, lambda some: _work(el, part, shape, frame, some, written))
    return None if parts is None else [piece for _, made in parts for piece in made]


def numbered(el: Elaboration, usage: Usage, left: Left, shape: Shape, equation: s.Equation) -> str:
    """A network in the equation of one entry is called after that entry: NN_x_3."""
    chosen = el.run(positions(el, shape, left.indices, equation.left, Frame(Usage("an index"))))
    return usage.net_stem if chosen is None else f"{usage.net_stem}_{chosen[0][0][0] + 1}"


def _work(el: Elaboration, part: Part, shape: Shape, frame: Frame, members: Members, written: str) -> list[Piece] | None:
    """The pieces of members that share an expression: one per entry on the left (several where it is a slice)."""
    left, equation = part.left, part.equation
    n = members.count
    inside = frame if not members.indices else frame._replace(family=members)
    target: tuple[list[Places], Shape] = ([(k,) for k in range(size(shape))], shape)
    if left.indices:
        place = Frame(Usage("an index"), inside.local, family=inside.family)
        chosen = el.run(positions(el, shape, left.indices, equation.left, place))
        if chosen is None:
            return None
        target = chosen
    if n > 1 and any(len(places) < n for places in target[0]):
        names = listing(i.name for i in equation.iterators)
        message = f"`{written}` is the same entry for every {names}"
        el.error("E0331", message, equation.left, frame, "every index of `for` chooses the entry on the left")
        return None
    inside = inside._replace(outputs=target[1])
    value = el.evaluate(equation.right, inside)
    if value is None:
        return None
    value = _fit_right(el, value, target[1], written, equation, inside)
    if value is None:
        return None
    return [Piece(at, members.family(e), members, value.boolean) for at, e in zip(target[0], value.elements, strict=True)]


def _fit_right(el: Elaboration, value: Value, shape: Shape, written: str, equation: s.Equation, frame: Frame) -> Value | None:
    if value.shape and not shape:
        hint = "reduce it (`sum`, `norm`, `dot`), choose an entry (`[1]`), or declare the state as a vector"
        el.error(
            "E0313", f"`{written}` is one number, its right side has {size(value.shape)} entries", equation.right, frame, hint
        )
        return None
    fitted = fit(el, value, shape, written, equation.right, frame)
    return None if fitted is None else fitted._replace(boolean=value.boolean)


# ---- all equations of one name --------------------------------------------------------------------------------------
class Filled(NamedTuple):
    """The entries that the equations give, (flat) those that none gives, and which equation gives each entry."""

    pieces: tuple[rolled.Piece, ...]
    missing: tuple[int, ...]
    equations: tuple[s.Equation | None, ...]

    def whole(self, length: int) -> Sequence[Expr]:
        """All entries; what is missing is 0."""
        zeros = [rolled.Piece(self.missing, Family(ZERO, (), len(self.missing)))] if self.missing else []
        return rolled.whole([*self.pieces, *zeros], length)


def worked_out(el: Elaboration, parts: list[Part], name: str, shape: Shape, usage: Usage, words: Words) -> Filled | None:
    """The entries that equations give; None if any of them is wrong."""
    given: list[tuple[Part, list[Piece]]] = []
    sound = True
    for part in parts:
        made = pieces(el, part, shape, usage)
        wrong = made is None or not all(_is_number(el, piece, part, usage) for piece in made)
        sound = sound and not wrong
        if made is not None:
            given.append((part, made))
    filled = fill(el, given, name + "'" * words.primes, shape, words)
    return filled if sound else None


def _is_number(el: Elaboration, piece: Piece, part: Part, usage: Usage) -> bool:
    return el.is_number(Value((), (), piece.boolean), part.equation.right, Frame(usage))


def fill(el: Elaboration, given: Sequence[tuple[Part, list[Piece]]], label: str, shape: Shape, words: Words) -> Filled | None:
    """The entries that the equations give; None (and a report) if one is given twice."""
    by: dict[int, tuple[Part, Members, int]] = {}
    sound = True
    for part, found in given:
        for piece in found:
            own = {flat: (part, piece.members, k) for k, flat in reversed(list(enumerate(piece.places)))}
            clash = None
            if len(own) < len(piece.places) or not by.keys().isdisjoint(own):
                clash = next(k for k, flat in enumerate(piece.places) if flat in by or own[flat][2] != k)
            if clash is not None:
                flat = piece.places[clash]
                earlier = by.get(flat, own[flat])
                _twice(el, (part, piece.members, clash), earlier, entry_names(label, shape)[flat], words)
                sound = False
                break
            by |= own
    if not sound:
        return None
    made = tuple(rolled.Piece(piece.places, piece.family) for _, found in given for piece in found)
    everywhere = range(size(shape))
    equations = tuple([by[k][0].equation if k in by else None for k in everywhere])
    return Filled(made, tuple(k for k in everywhere if k not in by), equations)


def _twice(
    el: Elaboration, later: tuple[Part, Members, int], earlier: tuple[Part, Members, int], label: str, words: Words
) -> None:
    said = [f" (where {m.where(k)})" if m.indices else "" for _, m, k in (later, earlier)]
    related = [(earlier[0].equation.left, f"first here{said[1]}")]
    message = f"`{label}` has {words.what} twice{said[0]}"
    hint = words.delete
    if later[1].indices or earlier[1].indices:
        hint = "the ranges of the families do not overlap: change one of them"
    el.findings.error(words.twice, message, later[0].equation.left, hint, related)


def entries_text(gaps: Sequence[int], label: str, shape: Shape) -> str:
    """Entries in words, those next to each other as ranges: `x[1]`, `x[4..7]` and `x[9]`."""
    if len(shape) != 1:
        return listing(entry_names(label, shape)[k] for k in gaps)
    starts = [a for b, a in pairwise([-2, *gaps]) if a != b + 1]
    ends = [a for a, b in pairwise([*gaps, -2]) if b != a + 1]
    shown: list[str] = []
    for a, b in zip(starts, ends, strict=True):
        shown += [f"{label}[{k + 1}]" for k in range(a, b + 1)] if b - a < 2 else [f"{label}[{a + 1}..{b + 1}]"]
    return listing(shown)
