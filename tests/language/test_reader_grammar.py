"""The grammar is LALR(1) without conflicts, the stored table is its table, and our parser agrees with Lark's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lark import Lark, Token, Tree
from lark.lark import PostLex

from hybridode.language import lexer, tables
from hybridode.language.parser import Parser

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.ode"))
GRAMMAR = (tables.grammar_directory() / "ode.lark").read_text(encoding="utf-8")


class NewlinesAndQuotients(PostLex):
    """What ode.lark asks of whoever drives it with Lark: newlines inside ( ) and [ ] go, `dx/dy` is split unless y is t."""

    always_accept = ("_NL",)

    def process(self, stream: Any) -> Any:
        open_: list[str] = []
        for token in stream:
            if token.type in ("_LPAR", "_LSQB", "_LBRACE"):
                open_.append(token.type)
            elif token.type in ("_RPAR", "_RSQB", "_RBRACE") and open_:
                open_.pop()
            elif token.type == "_NL" and open_ and open_[-1] != "_LBRACE":
                continue
            if token.type == "DERIVATIVE" and token.split("/")[1].strip() != "dt":
                left, right = (part.strip() for part in token.split("/"))
                yield from (Token("NAME", left), Token("SLASH", "/"), Token("NAME", right))
            else:
                yield token


@pytest.fixture(scope="module")
def lark() -> Lark:
    options: dict[str, Any] = {"parser": "lalr", "lexer": "contextual", "maybe_placeholders": True, "start": "file"}
    return Lark(GRAMMAR, strict=True, postlex=NewlinesAndQuotients(), **options)


def test_strict_lalr(lark: Lark) -> None:
    assert lark.options.strict and lark.options.parser == "lalr"


def test_table_is_up_to_date_and_deterministic() -> None:
    stored = json.loads((tables.grammar_directory() / tables.TABLE_NAME).read_text(encoding="utf-8"))
    remedy = "run: python -m hybridode.language.tables"
    assert stored["grammar"] == tables.grammar_hash(GRAMMAR), remedy
    script = (
        "import json, sys; from hybridode.language import tables; json.dump(tables.build_table(sys.stdin.read()), sys.stdout)"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    built = subprocess.run(
        [sys.executable, "-c", script], input=GRAMMAR.encode(), capture_output=True, cwd=root, env=environment, check=True
    )
    assert json.loads(built.stdout) == stored, remedy


def _plain(node: Any) -> Any:
    """A Lark tree as nested tuples."""
    if isinstance(node, Tree):
        return (str(node.data), *(_plain(child) for child in node.children))
    return None if node is None else lexer.normal_name(str(node))


class _Trees(dict[str, Any]):
    """Builders that make the tuples of `_plain` for every rule."""

    def __missing__(self, action: str) -> Any:
        return lambda start, end, children: (action, *(c.text if isinstance(c, lexer.Token) else c for c in children))


def _statements(text: str) -> list[Any]:
    parser = Parser(tables.load_table(), _Trees())
    return [parser.parse(line.tokens, "statement", text, "t") for line in lexer.split(list(lexer.tokenize(text, [])), text)]


TRICKY = """
dose = 3
input' = -k*input
time*2 = x
state = state + model
y = dx/dt + dx/ds - d/dt*2
y = a[1..3] + b[i-1 .. n](0)
z = f(x=1, j in 1..n if j != i, 2 [mV/s^(1/2)])'
at 5 every 2 { stop; x := 1
  y' := 2 for i in 1..2
  stop # a comment
}
w = (1 +   # ( a comment with a bracket
   2) \\
   - 3
reaction 2E -> null, 1e3
q = `if` + `param`
"""


@pytest.mark.parametrize("text", [*(p.read_text(encoding="utf-8") for p in SAMPLES), TRICKY])
def test_agrees_with_lark(lark: Lark, text: str) -> None:
    theirs = _plain(lark.parse(text + "\n"))
    assert theirs[0] == "file"
    assert _statements(text) == [child for child in theirs[1:] if child is not None]


@pytest.mark.parametrize("text", ["y = 2x", "param k 2", "x = (1", "if a then b", "y = a < b < c", "import cell as c", "at 5 {}"])
def test_rejects_what_lark_rejects(lark: Lark, text: str) -> None:
    from lark.exceptions import UnexpectedInput

    from hybridode.errors import Source
    from hybridode.language.reader import parse

    with pytest.raises(UnexpectedInput):
        lark.parse(text + "\n")
    assert parse(Source("m", text))[1]


def test_grammar_comes_from_the_checkout() -> None:
    assert tables.grammar_directory() == Path(__file__).parents[2] / "grammar"


def test_starting_does_not_import_lark() -> None:
    script = "import sys; from hybridode.language.reader import parse; from hybridode.errors import Source"
    script += "; parse(Source('m', 'x = 1'))"
    script += "; print([m for m in ('lark', 'sympy', 'jax', 'numpy', 'pint', 'rich') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=Path(__file__).parents[2], check=True, text=True
    )
    assert done.stdout.strip() == "[]"
