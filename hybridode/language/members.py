"""The members of a family (or the terms of a sum over an index) while their common expression is worked out once.

An index is a symbol of kind "index"; what depends on it in a way that only a number can tell (an entry `x[i - 1]`, the
condition of an `if`) is looked up for all members at once. An entry becomes a slot: a symbol of kind "slot" that is named
after its family and numbered by its column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hybridode.expr import Expr, Symbol, const, node, postorder, rebuild, sym, symbols
from hybridode.language.values import NUMBER, NotConstant, evaluate
from hybridode.rolled import Column, Family, Totals
from hybridode.rolled import slot as place_of_column

MOST_MEMBERS = 2_000_000  # of one family, or terms of the sums in it


class NotRolled(Exception):
    """The members do not share one expression: they are worked out one by one."""


class Split(Exception):
    """An `if` on the index goes both ways: the members are worked out in two parts. `truths`: one per member."""

    def __init__(self, truths: Sequence[bool]) -> None:
        super().__init__("an `if` on the index")
        self.truths = truths


class Members:
    """The values that the indices take, and the columns found so far.

    `indices`: the symbol of each index (also of families round this one) and its numbers, one per member. `parents`: for the
    terms of a sum inside a family, which of its members each belongs to.
    """

    def __init__(
        self,
        indices: Mapping[Symbol, tuple[int, ...]],
        count: int,
        outer: Members | None = None,
        parents: Sequence[int] = (),
    ) -> None:
        self.indices = indices
        self.count = count
        self.outer = outer
        self.parents = parents
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.columns: list[Column] = []
        self.inlined: dict[Any, Any] = {}  # function and arguments -> value
        self._found: dict[Any, Expr] = {}

    # ---- indices ----------------------------------------------------------------------------------------------------
    def part(self, chosen: Sequence[int]) -> Members:
        """Some of the members, as a family of their own."""
        indices = {s: tuple([column[k] for k in chosen]) for s, column in self.indices.items()}
        parents = [self.parents[k] for k in chosen] if self.outer is not None else ()
        return Members(indices, len(chosen), self.outer, parents)

    def where(self, member: int) -> str:
        """`i` = 3, `j` = 4"""
        return ", ".join(f"`{s.name}` = {column[member]}" for s, column in self.indices.items())

    def known(self, known: Mapping[Symbol, float]) -> Mapping[Symbol, float]:
        """What is known of a family of one: the numbers of its indices beside the constants."""
        return {**known, **{s: float(column[0]) for s, column in self.indices.items()}}

    def depends(self, e: Expr) -> bool:
        """Whether an expression reads an index, or an entry chosen by one."""
        return any(s in self.indices or s.kind == "slot" for s in symbols(e))

    def numbers(self, e: Expr, known: Mapping[Symbol, float]) -> list[float]:
        """The number of an expression of indices and constants for each member. Raises NotConstant."""
        n = self.count
        done: dict[Expr, Sequence[Any]] = {}
        for x in postorder((e,)):
            if x.op == "sym" and x.data in self.indices:
                done[x] = self.indices[x.data]
            elif x.op in ("const", "sym"):
                column = self.owned(x)
                if isinstance(column, Totals):
                    raise NotConstant(x.data)
                done[x] = [evaluate(x, known)] * n if column is None else [evaluate(c, known) for c in column]
            elif x.op in NUMBER:
                f = NUMBER[x.op]
                try:
                    done[x] = [f(*entry) for entry in zip(*(done[a] for a in x.args), strict=True)]
                except (ValueError, ZeroDivisionError, OverflowError):
                    done[x] = [_one(x, entry) for entry in zip(*(done[a] for a in x.args), strict=True)]
            else:
                raise NotConstant(None)
        return list(done[e])

    # ---- entries ----------------------------------------------------------------------------------------------------
    def pick(self, elements: Sequence[Expr], places: Sequence[int]) -> Expr:
        """The entry of a value that each member reads: a slot, or the one entry that all read."""
        if self.count == 1 or min(places) == max(places):
            return elements[places[0]]
        column = tuple([elements[k] for k in places])
        if not all(map(_is_leaf, set(column))):
            raise NotRolled
        return self.column(column)

    def column(self, column: Column) -> Expr:
        """The slot of a column; equal columns are one."""
        key = column if isinstance(column, tuple) else id(column)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = sym("slot", f"{id(self):x}", len(self.columns))
            self.columns.append(column)
        return found

    def owned(self, e: Expr) -> Column | None:
        """The column behind a slot of this family."""
        mine = e.op == "sym" and e.data.kind == "slot" and e.data.name == f"{id(self):x}"
        return self.columns[e.data.index] if mine else None

    def first(self, e: Expr) -> Expr:
        """What the first member reads in place of each slot: to ask what names an expression reads."""

        def leaf(x: Expr, args: tuple[Expr, ...]) -> Expr | None:
            column = self.owned(x)
            return None if column is None else column.expand()[0] if isinstance(column, Totals) else column[0]

        return rebuild((e,), leaf)[0]

    # ---- the result -------------------------------------------------------------------------------------------------
    def family(self, e: Expr) -> Family:
        """The family of an expression of slots and indices, its slots in order of first occurrence."""
        if not self.indices:
            return Family(e, (), self.count)
        columns: list[Column] = []
        new: dict[Expr, Expr] = {}
        for x in postorder((e,)):
            args = tuple([new[a] for a in x.args])
            column = self._column_of(x)
            if column is None:
                new[x] = x if args == x.args else node(x.op, args, x.data)
            elif isinstance(column, tuple) and all(c is column[0] for c in column):
                new[x] = column[0]
            else:
                new[x] = place_of_column(len(columns))
                columns.append(column)
        return Family(new[e], tuple(columns), self.count)

    def _column_of(self, e: Expr) -> Column | None:
        if e.op != "sym":
            return None
        if e.data in self.indices:
            return tuple([const(k) for k in self.indices[e.data]])
        if e.data.kind != "slot":
            return None
        own = self.owned(e)
        if own is not None:
            return own
        # A slot of a family round this one (an argument of a function): the same leaf for all terms of one member.
        above = None if self.outer is None else self.outer._column_of(e)
        if above is None or isinstance(above, Totals):
            raise NotRolled
        return tuple([above[k] for k in self.parents])


def _is_leaf(e: Expr) -> bool:
    return e.op == "const" or (e.op == "sym" and e.data.kind not in ("slot", "index"))


def _one(e: Expr, entry: Sequence[Any]) -> Any:
    try:
        return NUMBER[e.op](*entry)
    except (ValueError, ZeroDivisionError):
        return math.nan
    except OverflowError:
        return math.inf
