"""The Jacobian of families: each template is differentiated by its slots once, and the entries are families again.

A member's derivative by one of its slots is a contribution to the entry (row of the member, column of the state in that slot).
Contributions to one entry are added. A sum over an index gives a contribution for each of its terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hybridode.equations.derivative_rules import total
from hybridode.equations.folding import folded
from hybridode.expr import Expr, Symbol, mul, postorder, rebuild
from hybridode.rolled import Column, Family, Piece, Rolled, Totals, slot, whole

Row = Mapping[int, Expr]  # key -> derivative
Differentiate = Callable[[Expr, Mapping[Symbol, int]], Row]  # an expression by the symbols that have keys
Index = np.ndarray


class Contribution(NamedTuple):
    """Terms of entries that share a template: one per (row, column). `columns` stand in the template's slots."""

    rows: Index
    columns: Index
    family: Family


class Entries(NamedTuple):
    """Entries sorted by row and column, and their expressions."""

    rows: list[int]
    columns: list[int]
    exprs: Rolled


def contributions(piece: Piece, states: Mapping[Symbol, int], differentiate: Differentiate) -> Iterator[Contribution]:
    """What one family of rates contributes to the Jacobian."""
    rows = np.asarray(piece.places)
    for place, column, family in _derivatives(piece.family, states, differentiate):
        yield Contribution(rows[place], column, family)


class Resolved:
    """Derivatives of intermediates by states, and contributions in which intermediates are resolved by the chain rule."""

    def __init__(self, states: int) -> None:
        self.states = states
        self._of: dict[int, list[Contribution]] = {}  # intermediate -> what has rows of it

    def add(self, c: Contribution) -> None:
        """Derivatives of intermediates (rows) by states."""
        for row in np.unique(c.rows).tolist():
            self._of.setdefault(row, []).append(c)

    def of_states(self, found: Iterable[Contribution]) -> Iterator[Contribution]:
        """Contributions by states alone: those by an intermediate are multiplied by its own derivatives."""
        for c in found:
            direct = np.flatnonzero(c.columns < self.states)
            if len(direct):
                yield Contribution(c.rows[direct], c.columns[direct], members_of(c.family, direct))
            targets = c.columns - self.states
            candidates = {id(r): r for t in np.unique(targets[targets >= 0]).tolist() for r in self._of.get(t, ())}
            for inner in candidates.values():
                mine, other = _pairs(targets, inner.rows)
                family = product(members_of(c.family, mine), members_of(inner.family, other))
                yield Contribution(c.rows[mine], inner.columns[other], family)


def _pairs(targets: Index, rows: Index) -> tuple[Index, Index]:
    """All pairs of places at which the two are equal."""
    order = np.argsort(rows, kind="stable")
    first, last = (np.searchsorted(rows[order], targets, side) for side in ("left", "right"))
    counts = last - first
    mine = np.repeat(np.arange(len(targets)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return mine, order[np.repeat(first, counts) + offsets]


def _derivatives(
    family: Family, states: Mapping[Symbol, int], differentiate: Differentiate
) -> Iterator[tuple[Index, Index, Family]]:
    """Members (which may repeat), the states that they are differentiated by, and the derivatives."""
    where = [None if isinstance(c, Totals) else _state_numbers(c, states) for c in family.columns]
    fixed = [s for s in _symbols(family.template) if s in states]
    keys = {Symbol("slot", "", j): j for j, w in enumerate(where) if w is None or (w >= 0).any()}
    keys |= {s: -1 - k for k, s in enumerate(fixed)}
    shared: dict[Expr, list[int]] = {}  # derivative -> the states that all members read in that way
    for key, value in differentiate(family.template, keys).items():
        (slope,) = rebuild((value,), folded)
        if slope.value == 0.0:
            continue
        if key < 0:
            shared.setdefault(slope, []).append(states[fixed[-1 - key]])
            continue
        column, at = family.columns[key], where[key]
        if at is not None:
            members = np.flatnonzero(at >= 0)
            yield members, at[members], used(slope, family.columns, members)
            continue
        assert isinstance(column, Totals)
        parents = np.repeat(np.arange(family.count), column.lengths)
        for terms, of, inner in _derivatives(column.family, states, differentiate):
            outer = used(slope, family.columns, parents[terms])
            yield parents[terms], of, product(outer, inner)
    for slope, read in shared.items():
        members = np.tile(np.arange(family.count), len(read))
        yield members, np.repeat(np.array(read), family.count), used(slope, family.columns, members)


def _symbols(e: Expr) -> list[Symbol]:
    return [x.data for x in postorder((e,)) if x.op == "sym"]


def _state_numbers(column: Sequence[Expr], states: Mapping[Symbol, int]) -> Index:
    return np.array([states.get(e.data, -1) if e.op == "sym" else -1 for e in column], dtype=np.int64)


def taken(column: Column, members: Index) -> Column:
    """The column of some of the members."""
    if isinstance(column, tuple):
        return column if _everyone(members, len(column)) else tuple([column[k] for k in members.tolist()])
    if _everyone(members, len(column.lengths)):
        return column
    ends = np.cumsum(column.lengths)
    lengths = np.asarray(column.lengths, dtype=np.int64)[members]
    starts = np.repeat(ends[members] - lengths, lengths)
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Totals(tuple(lengths.tolist()), members_of(column.family, starts + offsets))


def _everyone(members: Index, count: int) -> bool:
    return len(members) == count and bool((members == np.arange(count)).all())


def members_of(family: Family, members: Index) -> Family:
    """Some members of a family."""
    return Family(family.template, tuple([taken(c, members) for c in family.columns]), len(members))


def used(e: Expr, columns: Sequence[Column], members: Index) -> Family:
    """The family of an expression that reads some of the columns, for some of the members."""
    read = sorted({s.index for s in _symbols(e) if s.kind == "slot"})
    new = {j: slot(k) for k, j in enumerate(read)}
    (template,) = rebuild((e,), lambda x, _: new.get(x.data.index) if x.op == "sym" and x.data.kind == "slot" else None)
    return Family(template, tuple([taken(columns[j], members) for j in read]), len(members))


def product(a: Family, b: Family) -> Family:
    """Member by member."""
    return combined([a, b], lambda parts: mul(*parts))


def combined(families: Sequence[Family], make: Callable[[Sequence[Expr]], Expr]) -> Family:
    """One template of several, on the columns of all; equal columns are one."""
    columns: list[Column] = []
    place: dict[int | Column, int] = {}
    parts: list[Expr] = []
    for family in families:
        new: dict[int, Expr] = {}
        for j, column in enumerate(family.columns):
            key = id(column) if isinstance(column, Totals) else column
            if key not in place:
                place[key] = len(columns)
                columns.append(column)
            new[j] = slot(place[key])
        parts += _with_slots(family.template, new)
    return Family(make(parts), tuple(columns), families[0].count)


def _with_slots(e: Expr, new: Mapping[int, Expr]) -> tuple[Expr, ...]:
    return rebuild((e,), lambda x, _: new[x.data.index] if x.op == "sym" and x.data.kind == "slot" else None)


# ---- adding up ------------------------------------------------------------------------------------------------------
def entries(found: Sequence[Contribution], states: int) -> Entries:
    """The entries that the contributions add up to, those that are alike in families."""
    if not found:
        return Entries([], [], Rolled((), 0))
    key = np.concatenate([c.rows * states + c.columns for c in found])
    source = np.concatenate([np.full(len(c.rows), k) for k, c in enumerate(found)])
    member = np.concatenate([np.arange(len(c.rows)) for c in found])
    order = np.lexsort((member, source, key))
    key, source, member = key[order], source[order], member[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    counts = np.diff(np.concatenate([first, [len(key)]]))
    pieces: list[Piece] = []
    single = counts == 1
    for k in np.unique(source[first[single]]):
        chosen = np.flatnonzero(single & (source[first] == k))
        pieces.append(Piece(tuple(chosen.tolist()), members_of(found[k].family, member[first[chosen]])))
    pieces += _sums(found, first, counts, source, member)
    unique = key[first]
    return Entries((unique // states).tolist(), (unique % states).tolist(), _rolled(pieces, len(unique)))


def _rolled(pieces: Sequence[Piece], length: int) -> Rolled:
    made = whole(pieces, length)
    if isinstance(made, Rolled):
        return made
    return Rolled([Piece((k,), Family(e, (), 1)) for k, e in enumerate(made)], length)


def _sums(found: Sequence[Contribution], first: Index, counts: Index, source: Index, member: Index) -> Iterator[Piece]:
    """Entries with several contributions, those of the same families together."""
    groups: dict[tuple[tuple[int, bool], ...], list[int]] = {}
    runs: dict[int, list[tuple[int, int, int]]] = {}
    for entry in np.flatnonzero(counts > 1).tolist():
        start, stop = int(first[entry]), int(first[entry] + counts[entry])
        cuts = [start, *(start + 1 + np.flatnonzero(np.diff(source[start:stop]))).tolist(), stop]
        runs[entry] = [(int(source[a]), a, b) for a, b in pairwise(cuts)]
        groups.setdefault(tuple((k, b - a > 1) for k, a, b in runs[entry]), []).append(entry)
    for signature, chosen in groups.items():
        parts: list[Family] = []
        for j, (k, several) in enumerate(signature):
            spans = [runs[entry][j] for entry in chosen]
            members = np.concatenate([member[a:b] for _, a, b in spans])
            part = members_of(found[k].family, members)
            if several:
                part = Family(slot(0), (Totals(tuple([b - a for _, a, b in spans]), part),), len(chosen))
            parts.append(part)
        family = combined(parts, total)
        (template,) = rebuild((family.template,), folded)
        yield Piece(tuple(chosen), used(template, family.columns, np.arange(len(chosen))))
