"""The LALR(1) loop: a table, a list of tokens, a value.

The table is Lark's (see tables.py); the loop is ours because it is three times as fast, needs no import at start, and
gives every reduction the exact extent of its text. Nothing here recurses: nesting costs list entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hybridode.language.lexer import RESERVED, Token, denominator, split_quotient
from hybridode.language.tables import Production, Table

Builder = Callable[[int, int, list[Any]], Any]  # (start, end, children) → node
_Make = Callable[[int, int, list[Any]], Any]


class Unexpected(Exception):
    """The parser stopped at `tokens[index]` (one past the end: the statement is not finished)."""

    def __init__(self, tokens: list[Token], index: int, expected: frozenset[str]) -> None:
        super().__init__(index)
        self.tokens, self.index, self.expected = tokens, index, expected


class Parser:
    """`builders[action](start, end, children)` makes the value of a production; actions as in the grammar."""

    def __init__(self, table: Table, builders: Mapping[str, Builder]) -> None:
        self._table = table
        self._rules = [(p.origin, p.size, _maker(p, builders)) for p in table.productions]
        self._words = {
            word: [(name, re.compile(ahead) if ahead else None) for name, ahead in options]
            for word, options in table.words.items()
        }

    def parse(self, tokens: list[Token], start: str, text: str, time: str) -> Any:
        """The value of one sentence of `start`. `time` is the name that `dx/dt` is measured against."""
        rows, rules = self._table.rows, self._rules
        state = self._table.starts[start]
        final = self._table.ends[start]
        states, values, begins, ends = [state], [], [0], [0]
        end_of_text = tokens[-1].end if tokens else 0
        derivative = "d" + time
        queue = [Token("$END", "", end_of_text, end_of_text), *reversed(tokens)]
        while queue:
            token = queue.pop()
            kind = token[0]
            row = rows[state]
            if kind == "WORD":
                kind = self._word(token, row, text)
            elif kind == "DERIVATIVE" and not (kind in row and denominator(token) == derivative):
                queue += reversed(split_quotient(token))
                continue
            while True:
                action = row.get(kind)
                if action is None:
                    raise self._unexpected(tokens, token, start, text, time)
                if action >= 0:
                    states.append(action)
                    values.append(token)
                    begins.append(token[2])
                    ends.append(token[3])
                    state = action
                    break
                origin, size, make = rules[~action]
                if make is not None:
                    if size:
                        first, last = begins[-size], ends[-1]
                        children = values[-size:]
                        del states[-size:], values[-size:], begins[-size:], ends[-size:]
                    else:
                        first = last = token[2]
                        children = []
                    begins.append(first)
                    ends.append(last)
                    values.append(make(first, last, children))
                else:
                    states.pop()
                state = rows[states[-1]][origin]
                states.append(state)
                if state == final and kind == "$END":
                    return values[-1]
                row = rows[state]
        raise AssertionError("the end of a statement is always an action")

    def _word(self, token: Token, row: dict[str, int], text: str) -> str:
        """The keyword that a word is here, else NAME (which a reserved word never is)."""
        options = self._words[token.text]
        for name, ahead in options:
            if name in row and (ahead is None or ahead.match(text, token.end)):
                return name
        return options[0][0] if token.text in RESERVED else "NAME"

    def _unexpected(self, tokens: list[Token], token: Token, start: str, text: str, time: str) -> Unexpected:
        index = len(tokens) if token.kind == "$END" else next(i for i, t in enumerate(tokens) if t.end > token.start)
        states = self._states_after(tokens[:index], self._table.starts[start], text, time)
        terminals = [name for name in self._table.rows[states[-1]] if name == "$END" or name.lstrip("_")[:1].isupper()]
        return Unexpected(tokens, index, frozenset(name for name in terminals if self._advance(list(states), name)))

    def _states_after(self, tokens: list[Token], start: int, text: str, time: str) -> list[int]:
        """The parser's states after tokens that it can use."""
        states = [start]
        queue = list(reversed(tokens))
        while queue:
            token = queue.pop()
            kind, row = token.kind, self._table.rows[states[-1]]
            if kind == "WORD":
                kind = self._word(token, row, text)
            elif kind == "DERIVATIVE" and not (kind in row and denominator(token) == "d" + time):
                queue += reversed(split_quotient(token))
                continue
            if not self._advance(states, kind):
                break  # inside a quotient that is no derivative
        return states

    def _advance(self, states: list[int], kind: str) -> bool:
        """Take one more terminal; False if it cannot be used. A row's own entries are too many: LALR merges states, and
        finds out only after some reductions."""
        rows, productions = self._table.rows, self._table.productions
        while (action := rows[states[-1]].get(kind)) is not None:
            if action >= 0:
                states.append(action)
                return True
            production = productions[~action]
            if production.size:
                del states[-production.size :]
            states.append(rows[states[-1]][production.origin])
            if kind == "$END" and states[-1] in self._table.ends.values():
                return True
        return False


def _maker(production: Production, builders: Mapping[str, Builder]) -> _Make | None:
    """What a reduction calls with all its children; None when its single child is its value."""
    kept = production.kept
    if production.action == "":
        assert kept[0] is not None
        index = kept[0][0]
        return None if production.size == 1 else lambda start, end, children: children[index]
    spliced = production.origin.startswith("_") and production.action == production.origin
    build: Builder = (lambda start, end, children: children) if spliced else builders[production.action]
    if kept == tuple((i, False) for i in range(production.size)):
        return build
    if spliced and kept and kept[0] == (0, True):  # a list grows in place: left-recursive, seen by nobody else
        rest = kept[1:]
        return lambda start, end, children: _extend(children[0], children, rest)
    return lambda start, end, children: build(start, end, _extend([], children, kept))


def _extend(out: list[Any], children: list[Any], kept: tuple[tuple[int, bool] | None, ...]) -> list[Any]:
    for entry in kept:
        if entry is None:
            out.append(None)
        elif entry[1]:
            out += children[entry[0]]
        else:
            out.append(children[entry[0]])
    return out
