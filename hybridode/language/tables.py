"""The parse table: what `grammar/ode.lark` says, in the form the parser runs.

Lark reads the grammar and builds the LALR(1) table; we keep the table as plain JSON beside the grammar
(`ode.table.json`), so that a start costs a few milliseconds and never imports Lark. The file carries the hash of
the grammar: after an edit the table is rebuilt in memory until `python -m hybridode.language.tables` writes it anew.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

STARTS = ("statement", "expr")  # the reader splits a file into statements itself
TABLE_NAME = "ode.table.json"

# A keyword's pattern in the grammar is its word (or words), then a lookahead.
_WORD = re.compile(r"\(?([a-z]+(?:\|[a-z]+)*)\)?(\(\?[=!].*\))$", re.DOTALL)
_WHOLE_WORD = r"(?!\w)"  # a lookahead that is true after any whole word


@dataclass(frozen=True)
class Production:
    """`origin` is made of `size` symbols, of which `kept` reach the builder: (index, spliced) or None for an absent `[x]`."""

    origin: str
    size: int
    action: str  # the builder's key, or "" when the one child passes through
    kept: tuple[tuple[int, bool] | None, ...]


@dataclass(frozen=True)
class Table:
    """`rows[state][symbol]` is the next state (≥ 0) or, for terminals, `~i` to reduce by `productions[i]`."""

    pattern: str  # of one token; the group's name is its kind
    words: dict[str, tuple[tuple[str, str], ...]]  # word → (terminal, lookahead that must match after the word)
    productions: tuple[Production, ...]
    rows: tuple[dict[str, int], ...]
    starts: dict[str, int]
    ends: dict[str, int]


def grammar_directory() -> Path:
    """`grammar/` of the repository when we run from one, else the wheel's copy."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "grammar"
    if (package.parent / "pyproject.toml").is_file() and (checkout / "ode.lark").is_file():
        return checkout
    return package / "grammar"


@cache
def load_table() -> Table:
    """The table of the grammar in `grammar_directory()`. Read once a process; it is never changed."""
    directory = grammar_directory()
    grammar = (directory / "ode.lark").read_text(encoding="utf-8")
    stored = directory / TABLE_NAME
    if stored.is_file():
        data = json.loads(stored.read_text(encoding="utf-8"))
        if data["grammar"] == grammar_hash(grammar):
            return _table(data)
    return _table(build_table(grammar))


def grammar_hash(grammar: str) -> str:
    """A checksum of the grammar's text, whatever its line ends: it notices an edit, no more is asked of it."""
    text = "\n".join(grammar.splitlines()).encode()
    return f"{len(text)}-{zlib.crc32(text):08x}"


def _table(data: dict[str, Any]) -> Table:
    symbols = data["symbols"]
    return Table(
        pattern=data["pattern"],
        words={word: tuple((name, ahead) for name, ahead in options) for word, options in data["words"].items()},
        productions=tuple(
            Production(origin, size, action, tuple(k if k is None else (abs(k) - 1, k < 0) for k in kept))
            for origin, size, action, kept in data["productions"]
        ),
        rows=tuple({symbols[row[i]]: row[i + 1] for i in range(0, len(row), 2)} for row in data["rows"]),
        starts=data["starts"],
        ends=data["ends"],
    )


# ---- building, with Lark ------------------------------------------------------------------------------------------------
def build_table(grammar: str) -> dict[str, Any]:
    """The table as JSON data, the same for the same grammar in every process. Needs Lark; takes about a second."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    parser = Lark(grammar, parser="lalr", lexer="contextual", start=list(STARTS), maybe_placeholders=True)
    lalr = parser.parser.parser._parse_table
    rules = sorted(parser.rules, key=lambda rule: (str(rule.origin.name), [str(s.name) for s in rule.expansion]))
    position = {rule: i for i, rule in enumerate(rules)}
    numbers = _breadth_first(lalr.states, [lalr.start_states[s] for s in STARTS], Shift)
    names = sorted({str(name) for row in lalr.states.values() for name in row})
    index = {name: i for i, name in enumerate(names)}
    rows = []
    for state in sorted(numbers, key=lambda s: numbers[s]):
        row: list[int] = []
        for name in sorted(lalr.states[state]):
            action, argument = lalr.states[state][name]
            row += [index[name], numbers[argument] if action is Shift else ~position[argument]]
        rows.append(row)
    pattern, words = _terminals(parser.terminals)
    return {
        "grammar": grammar_hash(grammar),
        "pattern": pattern,
        "words": words,
        "symbols": names,
        "productions": [_production(rule) for rule in rules],
        "rows": rows,
        "starts": {s: numbers[lalr.start_states[s]] for s in STARTS},
        "ends": {s: numbers[lalr.end_states[s]] for s in STARTS},
    }


def _breadth_first(states: dict[int, dict[str, Any]], starts: list[int], shift: Any) -> dict[int, int]:
    """Lark's state numbers depend on the hash seed; ours are the order of a breadth-first walk."""
    numbers: dict[int, int] = {}
    queue = list(starts)
    for state in queue:  # grows while we walk
        if state not in numbers:
            numbers[state] = len(numbers)
            queue += [states[state][name][1] for name in sorted(states[state]) if states[state][name][0] is shift]
    return numbers


def _production(rule: Any) -> list[Any]:
    """`[origin, size, action, kept]`: which children the builder sees, by Lark's conventions (`_x` is spliced or
    dropped, `[x]` leaves None). A kept child is its index + 1, negative when it is spliced."""
    origin = str(rule.origin.name)
    absent = rule.options.empty_indices or (False,) * len(rule.expansion)
    kept: list[int | None] = []
    i = 0
    for is_absent in absent:
        if is_absent:
            kept.append(None)
            continue
        symbol = rule.expansion[i]
        i += 1
        if not (symbol.is_term and symbol.filter_out):
            kept.append(-i if not symbol.is_term and symbol.name.startswith("_") else i)
    passes = rule.options.expand1 and not rule.alias and len(kept) == 1 and kept[0] is not None
    action = "" if passes else str(rule.alias or origin)
    return [origin, len(rule.expansion), action, kept]


def _terminals(terminals: Iterable[Any]) -> tuple[str, dict[str, list[list[str]]]]:
    """One pattern for every token (longest and most urgent first, as Lark orders them), and the keywords apart."""
    words: dict[str, list[list[str]]] = {}
    tokens = []
    for terminal in sorted(terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name)):
        pattern = terminal.pattern.to_regexp()
        keyword = _WORD.fullmatch(pattern)
        if keyword is None:
            tokens.append(f"(?P<{terminal.name}>{pattern})")
            continue
        ahead = "" if keyword[2] == _WHOLE_WORD else keyword[2]
        for word in keyword[1].split("|"):
            words.setdefault(word, []).append([terminal.name, ahead])
    return "|".join(tokens), words


if __name__ == "__main__":
    where = grammar_directory()
    built = build_table((where / "ode.lark").read_text(encoding="utf-8"))
    (where / TABLE_NAME).write_text(json.dumps(built, separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")
    print(f"{where / TABLE_NAME}: {len(built['rows'])} states, {len(built['productions'])} productions")
