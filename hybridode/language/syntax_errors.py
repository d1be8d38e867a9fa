"""From a statement that could not be read to the diagnostic for it: which table of rows is asked first."""

from __future__ import annotations

from hybridode.errors import Diagnostic, Source
from hybridode.language.depth import too_deep
from hybridode.language.lexer import Fault, Token, is_statement_word
from hybridode.language.mistake_rows import CHARACTER_ROWS, FIRST_ROWS, GENERAL_ROWS
from hybridode.language.mistake_statements import STATEMENT_ROWS
from hybridode.language.mistake_words import explain_first_word, explain_inner_word
from hybridode.language.mistakes import Stuck, explain, kind_of
from hybridode.language.parser import Unexpected

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def explain_stop(source: Source, tokens: list[Token], stop: Unexpected, start: str) -> Diagnostic:
    """Why the parser stopped in the statement (or expression: `start`) of these tokens."""
    word = tokens[0].text if start == "statement" and is_statement_word(tokens[0], None, source.text) else ""
    stuck = Stuck(source, tokens, stop.index, stop.expected, word)
    strange = stuck.found.kind in ("BAD", "BADNAME", "UNCLOSED")
    first_word = explain_first_word(stuck) if start == "statement" and not stuck.word else None
    if first_word is not None:
        return first_word
    rows = (FIRST_ROWS, CHARACTER_ROWS if strange else (), STATEMENT_ROWS.get(stuck.word, ()), GENERAL_ROWS)
    return explain_inner_word(stuck) or explain(stuck, rows)


def explain_fault(source: Source, fault: Fault, tokens: list[Token]) -> Diagnostic:
    """What is wrong with a statement's brackets."""
    token = fault.token
    span = source.span(token.start, token.end)
    if fault.kind == "too deep":
        return too_deep(source, token.start, token.end)
    if fault.kind == "closes nothing":
        return Diagnostic("E0112", f"`{token.text}` closes nothing", span, "delete it, or open a bracket before it")
    if fault.opener is not None:
        related = ((source.span(fault.opener.start, fault.opener.end), "this bracket is open"),)
        hint = f"a `{_CLOSING[fault.opener.text]}` is missing before it"
        return Diagnostic("E0112", f"`{token.text}` cannot close `{fault.opener.text}`", span, hint, related=related)
    at = tokens.index(token)
    called = token.kind == "_LPAR" and at > 0 and kind_of(tokens[at - 1]) == "NAME" and tokens[at - 1].end == token.start
    which = f"`(` of the call `{tokens[at - 1].text}`" if called else f"`{token.text}`"
    return Diagnostic("E0111", f"{which} is never closed", span, f"a `{_CLOSING[token.text]}` is missing")
