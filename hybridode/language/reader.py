"""Text → syntax tree. Never raises for what a user wrote: mistakes are diagnostics, all of a file in one run."""

from __future__ import annotations

import codecs
import os
import re
import stat
from functools import cache
from itertools import islice
from typing import Any

from hybridode.collector import without_collector
from hybridode.errors import Diagnostic, ModelError, Source
from hybridode.language import syntax
from hybridode.language.build import BUILDERS, TERMS_LIMIT, Refused
from hybridode.language.confusables import lookalikes
from hybridode.language.depth import NESTING_LIMIT, deepest, too_deep
from hybridode.language.lexer import RESERVED, Line, Token, is_statement_word, split, tokenize
from hybridode.language.parser import Parser, Unexpected
from hybridode.language.tables import load_table

TEXT_LIMIT = 8_000_000  # characters; this and the next as in contracts.md
TOKEN_LIMIT = 2_000_000
ERROR_LIMIT = 500  # a file with more is no model


@cache
def _parser() -> Parser:
    return Parser(load_table(), BUILDERS)


def load(path: str | os.PathLike[str]) -> Source:
    """The text of a model file: UTF-8 with or without a byte order mark, any line ends.

    Raises ModelError when there is no such text (E0139 no file, E0140 no UTF-8 text, E0141 too large).
    """
    name = os.fspath(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ModelError(Diagnostic("E0139", f"{name} is a directory", hint="give the path of a model file in it"))
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ModelError(Diagnostic("E0139", f"{name} is not a file", hint="give the path of a text file"))
        if status.st_size > TEXT_LIMIT:
            raise ModelError(too_large(name, status.st_size))
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise ModelError(Diagnostic("E0139", f"there is no file {name}", hint=_near_file(name))) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(Diagnostic("E0139", f"{name!r} cannot be read: {reason}")) from None
    return Source(name, _decoded(name, data))


def _decoded(name: str, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ModelError(Diagnostic("E0140", f"{name} is UTF-16 text", hint="save it as UTF-8"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{name} is not UTF-8 text: byte {data[error.start]:#04x} in line {line}"
        raise ModelError(Diagnostic("E0140", message, hint="save the file as UTF-8")) from None
    at = text.find("\0")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        message = f"{name} has a null byte in line {line}"
        raise ModelError(Diagnostic("E0140", message, hint="this is no text file, or it is damaged"))
    return text if "\r" not in text else re.sub(r"\r(?!\n)", "\n", text)


def _near_file(name: str) -> str:
    import difflib

    folder, wanted = os.path.split(name)
    try:
        there = os.listdir(folder or ".")
    except (OSError, ValueError):
        return f"there is no directory {folder} either"
    close = difflib.get_close_matches(wanted, there, 1, 0.7)
    return f"did you mean {os.path.join(folder, close[0])}?" if close else ""


def parse(source: Source) -> tuple[syntax.File, list[Diagnostic]]:
    """The tree of a file and its syntax errors, in file order. Statements with errors are left out of the tree."""
    comments: list[tuple[int, int]] = []
    statements: list[syntax.Statement] = []
    diagnostics: list[Diagnostic] = []
    with without_collector():
        tokens, too_large = _tokens(source, comments)
        if too_large is not None:
            return syntax.File((), ()), [too_large]
        lines = split(tokens, source.text)
        time = _time_name(lines, source.text)
        foreign = False
        for line in lines:
            node, found = _sentence(source, line, "statement", time)
            if node is not None:
                statements.append(node)
            for diagnostic in found:
                if diagnostic.code == "E0138":  # another dialect: said once
                    if foreign:
                        continue
                    foreign = True
                diagnostics.append(diagnostic)
            if len(diagnostics) >= ERROR_LIMIT:
                diagnostics.append(Diagnostic("E0141", f"more than {ERROR_LIMIT} errors: the rest of the file was not read"))
                break
        diagnostics += lookalikes(source, tokens)
    return syntax.File(tuple(statements), tuple(comments)), diagnostics


def parse_expression(source: Source, time: str = "t") -> tuple[syntax.Expression | None, list[Diagnostic]]:
    """One expression (of `--set`, of `sol["2*x"]`); `time` is the name of the independent variable."""
    tokens, too_large = _tokens(source, [])
    if too_large is not None:
        return None, [too_large]
    lines = split([t for t in tokens if t.kind != "_NL"], source.text)
    if not lines:
        return None, [Diagnostic("E0113", "the expression is empty", source.span(0, 0))]
    return _sentence(source, lines[0], "expr", time)


def _messages():
    """The words for mistakes, loaded when there is one: most files have none, and a start has 0.1 s."""
    from hybridode.language import syntax_errors

    return syntax_errors


def _sentence(source: Source, line: Line, start: str, time: str) -> tuple[Any, list[Diagnostic]]:
    """The node of one statement or expression, or why there is none."""
    tokens, fault = line.tokens, line.fault
    found: list[Diagnostic] = []
    if fault is None:
        crowd = _too_many_terms(source, tokens)
        if crowd is not None:
            return None, [crowd]
    else:  # only what stands before the bracket can be trusted
        found = [_messages().explain_fault(source, fault, tokens)]
        tokens = tokens[: tokens.index(fault.token)] if fault.kind != "too deep" else []
        if not tokens:
            return None, found
    try:
        node = _parser().parse(tokens, start, source.text, time)
    except Unexpected as stop:
        if fault is not None and stop.index == len(tokens):
            return None, found
        return None, [_messages().explain_stop(source, line.tokens, stop, start), *found]
    except Refused as refusal:
        return None, [Diagnostic(refusal.code, refusal.message, source.span(refusal.start, refusal.end), refusal.hint), *found]
    if fault is not None:
        return None, found
    if len(tokens) > NESTING_LIMIT:
        depth, at = deepest(node)
        if depth > NESTING_LIMIT:
            return None, [too_deep(source, at.start, at.end)]
    return node, []


# ---- limits ---------------------------------------------------------------------------------------------------------------
def _tokens(source: Source, comments: list[tuple[int, int]]) -> tuple[list[Token], Diagnostic | None]:
    if len(source.text) > TEXT_LIMIT:
        return [], too_large(source.name, len(source.text))
    tokens = list(islice(tokenize(source.text, comments), TOKEN_LIMIT + 1))
    if len(tokens) <= TOKEN_LIMIT:
        return tokens, None
    end = source.span(tokens[-1].start, tokens[-1].end)
    return [], Diagnostic("E0141", f"the file has more than {TOKEN_LIMIT:,} words and signs", end, "the limit is reached here")


def too_large(name: str, size: int) -> Diagnostic:
    """The error for a file of `size` bytes (or characters)."""
    message = f"{name} has {size:,} bytes; a model may have {TEXT_LIMIT:,}"
    return Diagnostic("E0141", message, hint='put data into CSV files (`input`, `table … from "file.csv"`)')


def _too_many_terms(source: Source, tokens: list[Token]) -> Diagnostic | None:
    if len(tokens) <= TERMS_LIMIT:
        return None
    signs = [t for t in tokens if t.kind == "PLUS" or t.kind == "MINUS"]
    if len(signs) < TERMS_LIMIT:
        return None
    message = f"an expression of {len(signs) + 1:,} terms; the limit is {TERMS_LIMIT:,}"
    place = signs[TERMS_LIMIT - 1]
    hint = "the limit is passed here: use intermediates or `sum(i in 1..n, …)`"
    return Diagnostic("E0142", message, source.span(place.start, place.end), hint)


def _time_name(lines: list[Line], text: str) -> str:
    """What `time NAME` says, before anything is parsed; `t` if nothing does."""
    for line in lines:
        if len(line.tokens) > 1 and line.tokens[0].text == "time" and is_statement_word(line.tokens[0], None, text):
            name = line.tokens[1]
            if name.kind in ("NAME", "WORD") and name.text not in RESERVED:
                return name.text
    return "t"
