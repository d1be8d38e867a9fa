"""Random trees print and parse to themselves; random text is answered, never with an exception."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hybridode.errors import Source, render
from hybridode.language import syntax as s
from hybridode.language.format import unparse
from hybridode.language.reader import parse, parse_expression

SAMPLES = [p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parent / "samples").glob("*.ode"))]

names = st.sampled_from(
    ["x", "k1", "dx", "dt", "d", "α", "Ca_i", "if", "in", "for", "state", "param", "at", "stop", "log", "m1.V", "m.dx", "dtau"]
)
plain_names = names.filter(lambda name: "." not in name)
unit_texts = st.sampled_from(["mV", "1/(uM*s)^(1/2)", "m*s^-2", "1"])


def _unit(text: str) -> s.Unit:
    number, diagnostics = parse_expression(Source("unit", f"1 [{text}]"))
    assert isinstance(number, s.Number) and number.unit is not None and not diagnostics
    return number.unit


def _node(kind: type[s.Node], *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*fields).map(lambda values: kind(0, 0, *values))


def _several(strategy: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


numbers = st.tuples(st.sampled_from(["0", "1", "12", "2.5", ".5", "3.", "1e5", "1.5E-3"]), st.none() | unit_texts.map(_unit)).map(
    lambda pair: s.Number(0, 0, pair[0], float(pair[0]), pair[1])
)
refs = _node(s.Ref, names)


def _postfix(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`x`, `x'`, `x(…)`, `x[…]` and their mixtures; `inner` is what stands in the brackets."""
    ranges = _node(s.Range, inner, inner)
    iterators = _node(s.Iterator, plain_names, ranges, st.none() | inner)
    options = _node(s.Option, plain_names, inner | _node(s.Text, st.sampled_from(["", "a b"])))
    return st.recursive(
        refs,
        lambda base: (
            _node(s.Prime, base)
            | _node(s.Call, base, _several(inner | options | iterators))
            | _node(s.Index, base, _several(inner | ranges, 1))
        ),
        max_leaves=3,
    )


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def chain(level: str, operators: str) -> st.SearchStrategy[Any]:
        return _node(s.Chain, st.just(level), inner, _several(st.tuples(st.sampled_from(operators.split()), inner), 1))

    return (
        chain("sum", "+ -")
        | chain("product", "* / @")
        | chain("or", "or")
        | chain("and", "and")
        | _node(s.Compare, st.sampled_from("< <= > >= == !=".split()), inner, inner)
        | _node(s.Not, inner)
        | _node(s.Sign, st.sampled_from("+-"), inner)
        | _node(s.Power, inner, inner)
        | _node(s.IfElse, inner, inner, inner)
        | _node(s.ListLiteral, _several(inner))
        | _postfix(inner)
    )


expressions = st.recursive(numbers | refs, _larger, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(expressions)
def test_expressions_print_and_parse(node: s.Expression) -> None:
    text = unparse(node)
    again, diagnostics = parse_expression(Source("e", text))
    assert diagnostics == [], text
    assert again == node, text


@settings(max_examples=80, deadline=None)
@given(expressions, expressions, plain_names)
def test_statements_print_and_parse(left: s.Expression, right: s.Expression, name: str) -> None:
    one_by = isinstance(left, s.Chain) and left.rest[0][0] == "/" and isinstance(left.first, s.Number) and left.first.value == 1
    assume(not one_by)  # `k[1/s]` is a unit that somebody wrote in the wrong place, see E0115
    named = s.Name(0, 0, name)
    target = s.Target(0, 0, name, (right,), 1)
    assign = s.Assign(0, 0, target, left)
    span = s.Range(0, 0, right, s.Ref(0, 0, name))
    iterators = (s.Iterator(0, 0, name, span), s.Iterator(0, 0, "j", span, s.Compare(0, 0, "<", s.Ref(0, 0, "j"), left)))
    statements: list[s.Statement] = [
        s.Equation(0, 0, left, right, (), "doc"),
        s.ValueStatement(
            0, 0, "param", named, (left,), (), _unit("mV"), right, s.Modifiers(0, 0, (s.Bounds(0, 0, left, right),))
        ),
        s.EventStatement(0, 0, s.Target(0, 0, name), left, (assign, s.Stop(0, 0)), "rising", True),
        s.AtStatement(0, 0, s.Number(0, 0, "5", 5.0), (assign,), left, right),
        s.ObserveStatement(0, 0, s.Target(0, 0, name), s.Distribution(0, 0, "normal", (left, right)), "end"),
        s.BoundaryStatement(0, 0, named, left, right, left),
        # Families.
        s.Equation(0, 0, left, right, iterators, "doc"),
        s.AtStatement(0, 0, s.Number(0, 0, "5", 5.0), (replace(assign, iterators=iterators), assign)),
        s.ObserveStatement(0, 0, replace(target, primes=0), s.Distribution(0, 0, "normal", (left, right)), iterators=iterators),
        s.PriorStatement(0, 0, target, s.Distribution(0, 0, "normal", (left, right)), iterators=iterators),
    ]
    for statement in statements:
        text = unparse(statement)
        tree, diagnostics = parse(Source("m", text))
        assert diagnostics == [], text
        assert tree.statements == (statement,), text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("xd/t=()[]{}'\",.:;~@^*+-<>! \n\\#0123eif", max_size=60))
def test_random_text_is_answered(text: str) -> None:
    tree, diagnostics = parse(Source("m", text))
    render(diagnostics)
    for diagnostic in diagnostics:
        assert diagnostic.span is None or 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
    again, none = parse(Source("m", unparse(tree)))
    if not any(d.severity == "error" for d in diagnostics):
        assert [d for d in none if d.severity == "error"] == [] and again.statements == tree.statements
    parse_expression(Source("e", text))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_samples_are_answered(seed: int) -> None:
    """Characters and pieces of real models, deleted, doubled and swapped."""
    chance = random.Random(seed)
    text = chance.choice(SAMPLES)
    for _ in range(chance.randint(1, 4)):
        a, b = sorted(chance.randrange(len(text)) for _ in range(2))
        b = min(b, a + chance.choice([1, 1, 2, 10]))
        text = chance.choice(
            [text[:a] + text[b:], text[:b] + text[a:], text[:a] + chance.choice("()[]{}=~:@\"'\\;,. \n2x") + text[b:]]
        )
    _, diagnostics = parse(Source("m", text))
    assert all(d.message and d.code.startswith(("E01", "W01")) for d in diagnostics)
    render(diagnostics)
