"""Where the parser stopped → what is wrong, in plain words, and how to mend it.

The parser only knows the token it could not use and the tokens it could have used. `Stuck` looks at the statement
from there; the rows in `mistake_rows`, `mistake_statements` and `mistake_words` say what that means. The first row
that fits wins; the last resort is a list of what could stand there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from hybridode.errors import Diagnostic, Source
from hybridode.language.lexer import RESERVED, Token

OPENERS = {"_LPAR": "(", "_LSQB": "[", "_LBRACE": "{"}
CLOSERS = {"_RPAR": ")", "_RSQB": "]", "_RBRACE": "}"}
OPERATORS = frozenset("PLUS MINUS STAR SLASH AT _POW COMPARE AND OR _NOT and or not".split())
OPERANDS = frozenset("NAME INT REAL STRING DERIVATIVE".split())  # what can stand where a value is meant, or could be meant


@dataclass(frozen=True)
class Stuck:
    """The parser could not use `tokens[index]` (`len(tokens)`: the statement ends too early)."""

    source: Source
    tokens: list[Token]
    index: int
    expected: frozenset[str]
    word: str  # the statement's keyword, or ""

    @cached_property
    def found(self) -> Token:
        if self.index < len(self.tokens):
            return self.tokens[self.index]
        end = self.tokens[-1].end
        return Token("$END", "end of line", end, end)

    def near(self, offset: int) -> Token:
        """The token `offset` places after the found one (an empty one outside the statement)."""
        at = self.index + offset
        return self.tokens[at] if 0 <= at < len(self.tokens) else Token("", "", self.found.start, self.found.start)

    @property
    def before(self) -> Token:
        return self.near(-1)

    @property
    def after(self) -> Token:
        return self.near(1)

    @cached_property
    def open(self) -> list[int]:
        """Indices of the brackets that are open at the found token."""
        stack: list[int] = []
        for i, token in enumerate(self.tokens[: self.index]):
            if token.kind in OPENERS:
                stack.append(i)
            elif token.kind in CLOSERS and stack:
                stack.pop()
        return stack

    @property
    def inside(self) -> str:
        """What the innermost bracket is: "call", "group", "index", "list", "block", or "" outside all."""
        if not self.open:
            return ""
        i = self.open[-1]
        if self.tokens[i].kind == "_LBRACE":
            return "block"
        follows = i > 0 and self.tokens[i - 1].kind in ("NAME", "WORD", "PRIME", "_RPAR", "_RSQB")
        follows = follows and self.tokens[i - 1].text not in RESERVED
        if self.tokens[i].kind == "_LPAR":
            return "call" if follows else "group"
        return "index" if follows else "list"

    @cached_property
    def level(self) -> list[Token]:
        """The tokens before the found one in the same bracket, back to the last comma, `;` or line end."""
        out: list[Token] = []
        depth = 0
        for token in reversed(self.tokens[: self.index]):
            if token.kind in CLOSERS:
                depth += 1
            elif token.kind in OPENERS:
                depth -= 1
                if depth < 0:
                    break
            elif depth == 0 and token.kind in ("_COMMA", "_SEMICOLON", "_NL"):
                break
            elif depth == 0:
                out.append(token)
        return out[::-1]

    @property
    def in_condition(self) -> bool:
        """After an `if` that has no `then` yet, or between an event's `when` and its `{`."""
        texts = [t.text for t in self.level]
        return texts.count("if") > texts.count("then") or (self.word == "event" and not self.open and "when" in texts)

    @property
    def touching(self) -> bool:
        """Whether no blank stands before the found token."""
        return self.before.end == self.found.start

    def text_to_closing(self, first: Token) -> str:
        """The text from a token to the end of the bracket that opens at the found token (or of the token itself)."""
        depth, last = 0, self.found
        for token in self.tokens[self.index :]:
            last = token
            depth += (token.kind in OPENERS) - (token.kind in CLOSERS)
            if depth <= 0:
                break
        return self.source.text[first.start : last.end]

    def text_from_opening(self) -> str:
        """The text of the bracket that closes just before the found token."""
        depth, first = 0, self.before
        for token in reversed(self.tokens[: self.index]):
            first = token
            depth += (token.kind in CLOSERS) - (token.kind in OPENERS)
            if depth <= 0:
                break
        return self.source.text[first.start : self.before.end]

    def rest(self) -> str:
        """The text from the found token to the end of the statement."""
        return self.source.text[self.found.start : self.tokens[-1].end]


@dataclass(frozen=True)
class Row:
    """One kind of mistake. `found` and `before` list token kinds or texts (empty: any), `expects` terminals that the
    parser could have used. `message` and `hint` may use {found}, {before}, {after}, {word}, {name}, {product}, {rest}.
    """

    code: str
    message: str
    hint: str = ""
    found: str = ""
    before: str = ""
    expects: str = ""
    when: Callable[[Stuck], object] | None = None
    place: str = "found"  # found | before | both | first | after | open | comparison

    def fits(self, stuck: Stuck) -> bool:
        """Whether this row describes where the parser is stuck."""
        return (
            (not self.found or _is_one_of(stuck.found, self.found))
            and (not self.before or _is_one_of(stuck.before, self.before))
            and set(self.expects.split()) <= stuck.expected
            and (self.when is None or bool(self.when(stuck)))
        )


def kind_of(token: Token) -> str:
    """The token's kind; soft words count as names, reserved words as RESERVED."""
    if token.kind != "WORD":
        return token.kind
    return "RESERVED" if token.text in RESERVED else "NAME"


def in_unit(c: Stuck) -> bool:
    """A unit's name is expected: a name, a whole number or `(`, but no other value."""
    return {"NAME", "INT", "_LPAR"} <= c.expected and "REAL" not in c.expected


def _is_one_of(token: Token, choices: str) -> bool:
    options = choices.split()
    return kind_of(token) in options or (token.kind != "STRING" and token.text in options)


def explain(stuck: Stuck, tables: Iterable[tuple[Row, ...]]) -> Diagnostic:
    """The first row that fits, as a diagnostic."""
    row = next((row for rows in tables for row in rows if row.fits(stuck)), None)
    if row is None:
        return _last_resort(stuck)
    fields = _Fields(stuck)
    start, end = _extent(stuck, row.place)
    hint = row.hint.format_map(fields)
    return Diagnostic(row.code, row.message.format_map(fields), stuck.source.span(start, end), hint)


def _extent(stuck: Stuck, place: str) -> tuple[int, int]:
    found, before = stuck.found, stuck.before
    comparison = next((t for t in reversed(stuck.level) if t.kind == "COMPARE"), found)
    first, last = {
        "comparison": (comparison, comparison),
        "found": (found, found),
        "before": (before, before),
        "both": (before, found),
        "after": (stuck.after, stuck.after),
        "first": (stuck.tokens[0], stuck.tokens[0]),
        "open": (stuck.tokens[stuck.open[-1]], stuck.tokens[stuck.open[-1]]) if stuck.open else (found, found),
    }[place]
    return first.start, last.end


class _Fields(dict[str, str]):
    """The names that a row's message may use, made when they are used."""

    def __init__(self, stuck: Stuck) -> None:
        super().__init__()
        self.stuck = stuck

    def __missing__(self, key: str) -> str:
        stuck = self.stuck
        name = stuck.tokens[1].text if len(stuck.tokens) > 1 else "NAME"
        return {
            "found": lambda: short(stuck.found.text),
            "before": lambda: short(stuck.before.text),
            "after": lambda: short(stuck.after.text),
            "word": lambda: stuck.word or stuck.tokens[0].text,
            "first": lambda: short(stuck.tokens[0].text),
            "name": lambda: short(name),
            "product": lambda: short(f"{stuck.before.text}*{stuck.text_to_closing(stuck.found)}"),
            "rest": lambda: short(stuck.rest()),
            "line": lambda: short(stuck.source.text[stuck.tokens[0].start : stuck.tokens[-1].end]),
            "group": lambda: short(stuck.text_to_closing(stuck.found)),
            "within": lambda: short(stuck.text_to_closing(stuck.found)[1:-1].strip()),
            "product_of_groups": lambda: short(f"{stuck.text_from_opening()}*{stuck.text_to_closing(stuck.found)}"),
            "until_as": lambda: short(stuck.rest().split(" as ")[0].strip(" '")),
            "index": lambda: short(stuck.near(-3).text),
            "blank": lambda: f"{ord(stuck.found.text[0]):04X}",
            "comparison": lambda: next((t.text for t in reversed(stuck.level) if t.kind == "COMPARE"), "<"),
        }[key]()


def short(text: str, most: int = 40) -> str:
    """A piece of the user's text for a message: one line, not too long, nothing that a terminal would obey."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in " ".join(text[: 4 * most].split()))
    return text if len(text) <= most else text[: most - 1] + "…"


# ---- last resort: what could stand here --------------------------------------------------------------------------------
_SHOWN = {
    "$END": "the end of the line", "_EQUAL": "`=`", "_COMMA": "`,`", "_RPAR": "`)`", "_RSQB": "`]`", "_RBRACE": "`}`",
    "_COLON": "`:`", "_TILDE": "`~`", "_LBRACE": "`{{`", "ARROW": "`->`", "_ASSIGN": "`:=`", "_DOTS": "`..`",
    "_FROM": "`from`", "_AS": "`as`", "_BY": "`by`", "_WHEN": "`when`", "_IN": "`in`", "_THEN": "`then`", "_ELSE": "`else`",
    "STRING": "a text in double quotes", "UNITS_MODE": "`strict`, `warn` or `off`", "SIDE": "`below` or `above`",
}  # fmt: skip


def _last_resort(stuck: Stuck) -> Diagnostic:
    options = [text.replace("{{", "{") for kind, text in _SHOWN.items() if kind in stuck.expected]
    if {"REAL", "_LPAR"} <= stuck.expected:
        options.insert(0, "a value")
    elif "NAME" in stuck.expected:
        options.insert(0, "a name")
    found = stuck.found
    message = "the statement ends too early" if found.kind == "$END" else f"unexpected `{short(found.text)}`"
    hint = f"{' or '.join(options)} could stand here" if 0 < len(options) <= 4 else ""
    return Diagnostic("E0101", message, stuck.source.span(found.start, found.end), hint)
