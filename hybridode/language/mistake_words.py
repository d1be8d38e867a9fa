"""Mistakes in the first word of a statement: misspelt keywords, words of other languages, other `.ode` dialects."""

from __future__ import annotations

from difflib import get_close_matches

from hybridode.errors import Diagnostic
from hybridode.language.lexer import Token
from hybridode.language.mistakes import Stuck, kind_of, short
from hybridode.language.tables import load_table

STATEMENT_WORDS = tuple(
    "model units time import use param const state alg discrete input noise random prior nn func grid table history bc "
    "event at dose observe reaction".split()
)

# What people write from habit → how it is written here.
_ELSEWHERE = {
    "parameter": "write `param {rest}`", "parameters": "write `param {rest}`",
    "constant": "write `const {rest}`", "let": "write `{rest}`", "variable": "write `state {rest}`",
    "var": "write `state {rest}`", "def": "write `func name(arguments) = value`",
    "function": "write `func name(arguments) = value`", "ode": "write `dx/dt = …`",
    "eq": "write the equation alone: `left = right`", "equation": "write the equation alone: `left = right`",
    "network": "write `nn NAME: 2 -> 1`", "neural": "write `nn NAME: 2 -> 1`", "net": "write `nn NAME: 2 -> 1`",
    "species": "write `state {rest}`", "algebraic": "write `alg {rest}`", "algebraics": "write `alg {rest}`",
    "unknown": "write `alg {rest}`", "boundary": "write `bc x = 0: …`",
    "observable": "write `observe NAME ~ normal(value, sigma)`", "measure": "write `observe NAME ~ normal(value, sigma)`",
    "output": "write `observe NAME ~ normal(value, sigma)`", "data": "write `observe NAME ~ normal(value, sigma)`",
    "when": "write `event NAME when CONDITION {{ x := … }}`", "every": "write `at 0 every PERIOD {{ x := … }}`",
    "domain": "write `grid x = 0 .. 1, cells=100`", "include": 'write `import "file.ode" as NAME`',
    "module": 'write `import "file.ode" as NAME`', "delay": "write `x(t - tau)` where it is used",
    "unit": "write `units strict`, `units warn` or `units off`",
}  # fmt: skip

_XPPAUT = {
    "par": "write `param a = 1`, one a line", "p": "write `param a = 1`, one a line",
    "params": "write `param a = 1`, one a line", "number": "write `const a = 1`, one a line",
    "init": "write `state x = 1`, one a line", "i": "write `state x = 1`, one a line",
    "aux": "leave the word out: `name = expression` is kept in every solution", "wiener": "write `noise W` and `… + s*dW/dt`",
    "done": "delete the line", "global": "write `event NAME when CONDITION {{ x := … }}`", "markov": "there is no equivalent",
    "bdry": "write `bc x = 0: …`", "@": "delete the line: settings of the solver are flags of the command",
    "!": "write `name = expression`", "solv": "write an equation: `left = right`",
}  # fmt: skip
_GOTRAN_HINT = "write `param a = 1` and `state x = 0`, one a line; the equations stay as they are"
_GOTRAN = frozenset("parameters states expressions component comment monitor ScalarParam".split())


def explain_first_word(stuck: Stuck) -> Diagnostic | None:
    """What is wrong when the statement's first word is; None when it is not."""
    first = stuck.tokens[0]
    return _dialect(stuck, first) or _nameless(stuck, first) or _unknown_word(stuck, first)


def _nameless(stuck: Stuck, first: Token) -> Diagnostic | None:
    """A keyword that nothing follows that could make it one: `state`, `model "text"`, `reaction -> B, k`."""
    if stuck.index != 1 or first.text not in STATEMENT_WORDS or first.kind != "WORD":
        return None
    if stuck.found.kind not in ("$END", "STRING", "ARROW", "ARROW_BOTH", "_TILDE", "_COLON", "_LBRACE"):
        return None
    span = stuck.source.span(stuck.found.start, stuck.found.end)
    if first.text == "reaction":
        return Diagnostic("E0132", "the left side of the reaction is missing", span, "write `null` where there is nothing")
    return Diagnostic("E0119", f"a name is missing after `{first.text}`", span, f"write `{first.text} NAME …`")


def _dialect(stuck: Stuck, first: Token) -> Diagnostic | None:
    second = stuck.tokens[1] if len(stuck.tokens) > 1 else Token("$END", "", first.end, first.end)
    third = stuck.tokens[2] if len(stuck.tokens) > 2 else Token("$END", "", first.end, first.end)
    if stuck.index <= 1 and first.text in _XPPAUT and first.kind in ("NAME", "WORD", "AT", "BAD"):
        alone = second.kind == "$END" and first.text == "done"
        listed = second.kind in ("NAME", "WORD") and third.kind in ("_EQUAL", "_COMMA", "$END", "_LPAR")
        settings = first.kind in ("AT", "BAD") and second.kind in ("NAME", "WORD")
        if alone or (listed and not (first.text == "init" and second.kind == "$END")) or settings:
            return _foreign(stuck, first, "XPPAUT", _XPPAUT[first.text].replace("{{", "{").replace("}}", "}"))
    if first.text in _GOTRAN and second.kind == "_LPAR":
        return _foreign(stuck, first, "gotran", _GOTRAN_HINT)
    return None


def _foreign(stuck: Stuck, first: Token, program: str, hint: str) -> Diagnostic:
    message = f"`{short(first.text)}` belongs to the .ode dialect of {program}, which is another language"
    return Diagnostic("E0138", message, stuck.source.span(first.start, first.end), hint)


def explain_inner_word(stuck: Stuck) -> Diagnostic | None:
    """A name where a word like `else`, `from` or `log` could stand, and is nearly one."""
    found = stuck.found
    if kind_of(found) != "NAME" or len(found.text) < 3:
        return None
    words = [word for word, options in load_table().words.items() if any(name in stuck.expected for name, _ in options)]
    close = get_close_matches(found.text.lower(), words, 1, 0.66)
    if not close:
        return None
    return Diagnostic(
        "E0147", f"unknown word `{short(found.text)}`", stuck.source.span(found.start, found.end), f"did you mean `{close[0]}`?"
    )


def _unknown_word(stuck: Stuck, first: Token) -> Diagnostic | None:
    if stuck.index == 1 and stuck.found.kind == "_COLON" and kind_of(first) == "NAME":
        word = next((w for w in STATEMENT_WORDS if first.text.startswith(w) and first.text != w), "")
        hint = f"write `{word} {first.text[len(word) :]}`" if word else f"write `param {short(first.text)}: …` or another keyword"
        return Diagnostic("E0125", "a declaration begins with its keyword", stuck.source.span(first.start, first.end), hint)
    if stuck.index != 1 or first.kind not in ("NAME", "WORD"):
        return None
    if stuck.found.kind not in ("NAME", "WORD", "INT", "REAL", "STRING"):
        return None
    word = first.text
    span = stuck.source.span(first.start, first.end)
    if word in STATEMENT_WORDS:
        return None
    rest = short(stuck.rest())
    if word.lower() in STATEMENT_WORDS:
        return Diagnostic("E0125", "keywords are written in lower case", span, f"write `{word.lower()}`")
    if word.lower() == "initial":
        variable, value = stuck.found.text, short(stuck.source.text[stuck.near(2).start : stuck.tokens[-1].end]) or "…"
        return Diagnostic("E0125", f"unknown statement `{word}`", span, f"write `{variable}(0) = {value}`")
    if word.lower() in _ELSEWHERE:
        return Diagnostic("E0125", f"unknown statement `{word}`", span, _ELSEWHERE[word.lower()].format(rest=rest))
    close = get_close_matches(word.lower(), STATEMENT_WORDS, 1, 0.7)
    if close:
        return Diagnostic("E0125", f"unknown statement `{word}`", span, f"did you mean `{close[0]}`?")
    if stuck.found.kind in ("NAME", "WORD") and stuck.near(1).kind in ("_EQUAL", "$END", "_COLON", ""):
        return Diagnostic("E0125", f"unknown statement `{short(word)}`", span, "`hybridode explain E0125` lists the statements")
    return None
