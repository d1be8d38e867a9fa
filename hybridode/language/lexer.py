"""Text → tokens → one list of tokens a statement.

The token pattern comes from the grammar. What needs more than a pattern is decided here: whether `dx/dtau` is a
derivative (the time's name is known only from the file), which newlines end a statement, and names (NFC, µ = μ).
A statement whose brackets do not fit carries its `fault` and is not parsed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from hybridode.language.depth import NESTING_LIMIT
from hybridode.language.tables import load_table


class Token(NamedTuple):
    """`kind` is a terminal of the grammar, or WORD (a keyword or a name: the parser decides), UNCLOSED (a text without
    its end), BADNAME (a name with superscripts or the like) or BAD (a character of no token)."""

    kind: str
    text: str  # names are normalised and without backquotes
    start: int
    end: int


class Fault(NamedTuple):
    """What is wrong with a statement's brackets."""

    kind: str  # never closed | closes nothing | mismatched | too deep
    token: Token
    opener: Token | None = None  # of a mismatched closer


@dataclass
class Line:
    """The tokens of one statement, and what is wrong with its brackets."""

    tokens: list[Token] = field(default_factory=list)
    fault: Fault | None = None


_OPENERS = {"_LPAR": "_RPAR", "_LSQB": "_RSQB", "_LBRACE": "_RBRACE"}
_CLOSERS = frozenset(_OPENERS.values())
_FOLDED = {0xB5: 0x3BC, 0x2126: 0x3A9}  # micro sign → mu, ohm sign → omega (rule A5)
_SKIPPED = "BLANK", "CONTINUED"
RESERVED = frozenset("if then else and or not in for".split())


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # After the grammar's tokens: reserved words (which NAME refuses), a text that the line end cuts, anything else.
    return re.compile(rf"[ \t\f]*(?:{pattern}|(?P<WORD>[^\W\d]\w*)|(?P<UNCLOSED>\"[^\r\n]*)|(?P<BAD>[^ \t\f]))")


def normal_name(text: str) -> str:
    """A name as it is compared: NFC, micro and ohm signs folded, backquotes removed."""
    if text.startswith("`"):
        text = text[1:-1]
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_FOLDED)


def is_name(word: str) -> bool:
    """Whether a normalised word is made of letters, digits (subscripts too) and `_`. Python's `\\w` lets in more: x², ½."""
    return all(c == "_" or ((c.isalpha() or c.isdigit()) and not _is_raised(c)) for c in word)


def _is_raised(character: str) -> bool:
    return unicodedata.decomposition(character).startswith(("<super>", "<circle>"))


def tokenize(text: str, comments: list[tuple[int, int]]) -> Iterator[Token]:
    """All tokens of a text in order; comments are collected, blanks and continued line ends dropped."""
    words = load_table().words
    start_of_text = 1 if text.startswith("\ufeff") else 0
    for match in _compiled(load_table().pattern).finditer(text, start_of_text):
        kind = match.lastgroup
        assert kind is not None
        start, end = match.span(kind)
        if kind == "NAME":
            word = match[kind]
            if word in words:
                kind = "WORD"
            elif not word.isascii() or word[0] == "`":
                word = normal_name(word)
                kind = "NAME" if word.isascii() or is_name(word) else "BADNAME"
            yield Token(kind, word, start, end)
        elif kind == "COMMENT":
            comments.append((start, end))
        elif kind not in _SKIPPED:
            yield Token(kind, match[kind], start, end)


def split_quotient(token: Token) -> tuple[Token, Token, Token]:
    """`dx/dy` as the three tokens of a quotient."""
    at = token.text.index("/")
    left, right = token.text[:at].rstrip(), token.text[at + 1 :].lstrip()
    return (
        Token("NAME", normal_name(left), token.start, token.start + len(left)),
        Token("SLASH", "/", token.start + at, token.start + at + 1),
        Token("NAME", normal_name(right), token.end - len(right), token.end),
    )


def denominator(token: Token) -> str:
    """`dtau` of `dx/dtau`."""
    return normal_name(token.text[token.text.index("/") + 1 :].strip())


def is_statement_word(token: Token, after: Token | None, text: str) -> bool:
    """Whether a token at the start of a line is a statement's keyword there."""
    if token.kind != "WORD" or (after is not None and after.text in RESERVED):
        return False
    options = load_table().words[token.text]
    return any(ahead and name != "STOP" and re.compile(ahead).match(text, token.end) for name, ahead in options)


def split(tokens: list[Token], text: str) -> list[Line]:
    """Tokens by statement: newlines end one, except inside () and [] (where they are dropped) and {} (kept).

    When a bracket stays open and the next line plainly begins a statement of its own, the bracket is the mistake.
    """
    lines: list[Line] = []
    first, eager = 0, False
    while first < len(tokens):
        line, after, opened = _take(tokens, first, text, eager)
        if after == len(tokens) and opened is not None:  # open to the end: give the following lines back
            eager = True  # from now on at every line that looks like a statement, so that this stays linear
            after = next((i for i in range(opened + 1, after) if _looks_like_start(tokens, i)), after)
            line.tokens = [t for t in tokens[first:after] if t.kind != "_NL"]
        if line.tokens:
            lines.append(line)
        first = after
    return lines


def _take(tokens: list[Token], first: int, text: str, eager: bool) -> tuple[Line, int, int | None]:
    """One statement from `first`, the index after it, and the index of a bracket that is open there."""
    line = Line()
    open_: list[int] = []
    for i in range(first, len(tokens)):
        token = tokens[i]
        kind = token.kind
        if kind == "_NL":
            if not open_:
                return line, i + 1, None
            if _ends_open(tokens, i, open_[-1], text, eager):
                line.fault = line.fault or Fault("never closed", tokens[open_[-1]])
                return line, i + 1, None
            if tokens[open_[-1]].kind == "_LBRACE":
                line.tokens.append(token)
            continue
        line.tokens.append(token)
        if kind in _OPENERS:
            open_.append(i)
            if len(open_) == NESTING_LIMIT + 1:
                line.fault = line.fault or Fault("too deep", token)
        elif kind in _CLOSERS:
            if not open_:
                line.fault = line.fault or Fault("closes nothing", token)
            elif _OPENERS[tokens[open_[-1]].kind] == kind:
                open_.pop()
            else:
                line.fault = line.fault or Fault("mismatched", token, tokens[open_.pop()])
    if open_ and line.fault is None:
        line.fault = Fault("never closed", tokens[open_[-1]])
    return line, len(tokens), open_[-1] if open_ else None


def _looks_like_start(tokens: list[Token], i: int) -> bool:
    """`x =`, `x' =`, `dx/dt =` or `x ~` at the start of a line."""
    if tokens[i - 1].kind != "_NL" or tokens[i].kind not in ("NAME", "WORD", "DERIVATIVE"):
        return False
    while i + 1 < len(tokens) and tokens[i + 1].kind == "PRIME":
        i += 1
    return i + 1 < len(tokens) and tokens[i + 1].kind == "_EQUAL"


def _ends_open(tokens: list[Token], newline: int, opener: int, text: str, eager: bool) -> bool:
    """Whether the line after `newline` begins a new statement although the bracket at `opener` is open."""
    i = newline + 1
    if i >= len(tokens):
        return False
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if is_statement_word(tokens[i], after, text):
        return True
    if not _looks_like_start(tokens, i):
        return False
    if eager:
        return True
    if tokens[opener].kind == "_LBRACE":
        return False  # in a block `x = 0` is `x := 0` misspelt
    is_option = after is not None and after.kind == "_EQUAL"
    called = tokens[opener - 1].kind if opener > 0 else ""
    is_call = tokens[opener].kind == "_LPAR" and called in ("NAME", "WORD", "PRIME", "_RPAR", "_RSQB")
    return not (is_option and is_call and tokens[newline - 1].kind in ("_COMMA", "_LPAR", "_NL"))
