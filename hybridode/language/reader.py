"""Text → syntax tree. Never raises for what a user wrote: mistakes are diagnostics, all of a file in one run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from hybridode.errors import Diagnostic, Source
from hybridode.language import syntax
from hybridode.language.build import BUILDERS, Refused
from hybridode.language.lexer import Line, Token, is_statement_word, split, tokenize
from hybridode.language.parser import Parser, Unexpected
from hybridode.language.tables import load_table


@cache
def _parser() -> Parser:
    return Parser(load_table(), BUILDERS)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A tree has no cycles; collecting while it grows costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse(source: Source) -> tuple[syntax.File, list[Diagnostic]]:
    """The tree of a file and its syntax errors, in file order. Statements with errors are left out of the tree."""
    comments: list[tuple[int, int]] = []
    statements: list[syntax.Statement] = []
    diagnostics: list[Diagnostic] = []
    with _without_collector():
        lines = split(list(tokenize(source.text, comments)), source.text)
        time = _time_name(lines, source.text)
        for line in lines:
            try:
                statements.append(_parser().parse(line.tokens, "statement", source.text, time))
            except Unexpected as stop:
                at = stop.tokens[stop.index] if stop.index < len(stop.tokens) else stop.tokens[-1]
                diagnostics.append(Diagnostic("E0101", f"unexpected {at.text!r}", source.span(at.start, at.end)))
            except Refused as refusal:
                diagnostics.append(Diagnostic(refusal.code, refusal.message, source.span(refusal.start, refusal.end), refusal.hint))
    return syntax.File(tuple(statements), tuple(comments)), diagnostics


def _time_name(lines: list[Line], text: str) -> str:
    """What `time NAME` says, before anything is parsed; `t` if nothing does."""
    for line in lines:
        if line.tokens[0].text == "time" and len(line.tokens) > 1 and is_statement_word(line.tokens[0], line.tokens[1], text):
            return line.tokens[1].text
    return "t"
