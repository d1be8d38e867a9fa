"""What the text means: precedence, soft words, time's name, names, units, lines, places."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridode.errors import Source
from hybridode.language import syntax as s
from hybridode.language.format import unparse
from hybridode.language.reader import parse, parse_expression

WORDS = "model units time import use param const state alg discrete input noise random prior nn func grid".split()
INNER_WORDS = "from by when at start end every until stop censored strict off rising log fixed below as".split()
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.ode"))


def statements(text: str) -> tuple[s.Statement, ...]:
    tree, diagnostics = parse(Source("m.ode", text))
    assert not diagnostics, diagnostics
    return tree.statements


def statement(text: str) -> s.Statement:
    (only,) = statements(text)
    return only


def expression(text: str, time: str = "t") -> s.Expression:
    node, diagnostics = parse_expression(Source("e", text), time)
    assert node is not None and not diagnostics, diagnostics
    return node


def lisp(node: object) -> str:
    """A compact form in which the structure is plain."""
    match node:
        case s.Number(text=text, unit=unit):
            return text if unit is None else f"{text}[{unit.text}]"
        case s.Ref(name=name):
            return name
        case s.Prime(operand=x):
            return f"(d {lisp(x)})"
        case s.Chain(first=first, rest=rest):
            return "(" + " ".join([lisp(first), *(f"{op} {lisp(x)}" for op, x in rest)]) + ")"
        case s.Sign(operator=op, operand=x):
            return f"({op}{lisp(x)})"
        case s.Power(base=a, exponent=b):
            return f"(pow {lisp(a)} {lisp(b)})"
        case s.Compare(operator=op, left=a, right=b):
            return f"({op} {lisp(a)} {lisp(b)})"
        case s.Not(operand=x):
            return f"(not {lisp(x)})"
        case s.IfElse(condition=a, then=b, otherwise=c):
            return f"(if {lisp(a)} {lisp(b)} {lisp(c)})"
        case s.Call(function=f, arguments=arguments):
            return f"(call {' '.join(map(lisp, (f, *arguments)))})"
        case s.Index(operand=x, indices=indices):
            return f"(at {' '.join(map(lisp, (x, *indices)))})"
        case s.ListLiteral(items=items):
            return f"[{' '.join(map(lisp, items))}]"
        case s.Range(first=a, last=b):
            return f"({lisp(a)}..{lisp(b)})"
        case s.Option(name=name, value=value):
            return f"{name}={lisp(value)}"
        case s.Iterator(name=name, range=r, condition=c):
            return f"({name} in {lisp(r)}{'' if c is None else ' if ' + lisp(c)})"
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("-x^2", "(-(pow x 2))"),
        ("-2^2", "(-(pow 2 2))"),
        ("2^-3", "(pow 2 (-3))"),
        ("a^b^c", "(pow a (pow b c))"),
        ("a**b**c", "(pow a (pow b c))"),
        ("2^-x^2", "(pow 2 (-(pow x 2)))"),
        ("a^b'", "(pow a (d b))"),
        ("a - b - c + d", "(a - b - c + d)"),
        ("a/b*c @ d", "(a / b * c @ d)"),
        ("a + b*c", "(a + (b * c))"),
        ("(a + b)*c", "((a + b) * c)"),
        ("a - -b", "(a - (-b))"),
        ("not a == b", "(not (== a b))"),
        ("a or b and not c", "(a or (b and (not c)))"),
        ("if a then b else if c then d else e", "(if a b (if c d e))"),
        ("1 + (if a then b else c)", "(1 + (if a b c))"),
        ("x[1..3]", "(at x (1..3))"),
        ("x[1.5..3]", "(at x (1.5..3))"),
        ("x[i-1, 2..n-1]", "(at x (i - 1) (2..(n - 1)))"),
        ("x[1](t - tau)", "(call (at x 1) (t - tau))"),
        ("theta''", "(d (d theta))"),
        ("x[i]'", "(d (at x i))"),
        ("40 [mV]*2", "(40[mV] * 2)"),
        ("2 [1/(uM*s)]", "2[1/(uM*s)]"),
        ("V[1]", "(at V 1)"),
        ("f(x, k=2)", "(call f x k=2)"),
        ("sum(j in 1..n if j != i, x[j])", "(call sum (j in (1..n) if (!= j i)) (at x j))"),
        ("[[0, 1], []]", "[[0 1] []]"),
        ("m1.V - c.m.V", "(m1.V - c.m.V)"),
        ("1e5 + .5 + 2. + 1.5e-3", "(1e5 + .5 + 2. + 1.5e-3)"),
        ("lambda + S + E + I + N + pi2 + __import__", "(lambda + S + E + I + N + pi2 + __import__)"),
        ("`if` + `param`", "(if + param)"),
    ],
)
def test_precedence_and_forms(text: str, meaning: str) -> None:
    assert lisp(expression(text)) == meaning


@pytest.mark.parametrize(
    ("text", "time", "meaning"),
    [
        ("dx/dt", "t", "(d x)"),
        ("d x/dt", "t", None),
        ("sigma*dW/dt*2", "t", "(sigma * (d W) * 2)"),
        ("dx / dt", "t", "(d x)"),
        ("2^dx/dt", "t", "(pow 2 (d x))"),
        ("dx/dtau", "t", "(dx / dtau)"),
        ("2^dx/dtau", "t", "((pow 2 dx) / dtau)"),
        ("dx/dtau", "tau", "(d x)"),
        ("dx/dt", "tau", "(dx / dt)"),
        ("a/dx/dt", "tau", "(a / dx / dt)"),
        ("a/dx/dt", "t", "(a / (d x))"),
        ("dose/dt", "t", "(d ose)"),
        ("dx/dt2", "t", "(dx / dt2)"),
        ("m1.dx/dt", "t", "(m1.dx / dt)"),
        ("dε/dτ", "τ", "(d ε)"),
        ("(dx)/dt", "t", "(dx / dt)"),
    ],
)
def test_derivatives_follow_the_times_name(text: str, time: str, meaning: str | None) -> None:
    if meaning is None:
        assert parse_expression(Source("e", text), time)[1]
    else:
        assert lisp(expression(text, time)) == meaning


def test_time_is_renamed_wherever_it_stands() -> None:
    first, second, _ = statements("dx/dtau = dx/dt\ny = dx/dtau\ntime tau: s from 1900")
    assert isinstance(first, s.Equation) and isinstance(second, s.Equation)
    assert lisp(first.left) == lisp(second.right) == "(d x)"
    assert lisp(first.right) == "(dx / dt)"


def test_derivative_place() -> None:
    text = "y = 2*dprey/dt"
    equation = statement(text)
    assert isinstance(equation, s.Equation) and isinstance(equation.right, s.Chain)
    prime = equation.right.rest[0][1]
    assert isinstance(prime, s.Prime) and text[prime.start : prime.end] == "dprey/dt"
    assert text[prime.operand.start : prime.operand.end] == "prey"


@pytest.mark.parametrize("word", WORDS)
def test_statement_words_are_names_elsewhere(word: str) -> None:
    for text in (f"{word} = 3", f"{word}' = -k*{word}", f"{word}*2 = x", f"{word}(0) = 1", f"[{word}, b] = U(x)"):
        assert isinstance(statement(text), s.Equation), text


@pytest.mark.parametrize("word", INNER_WORDS)
def test_inner_words_are_names_elsewhere(word: str) -> None:
    assert isinstance(statement(f"{word} = 2*{word}"), s.Equation)
    declared = statement(f"param {word}: 1/h = 2 in (0, {word}) log")
    assert isinstance(declared, s.ValueStatement) and declared.name.text == word
    event = statement(f"event {word} when {word} > 1 {{ {word} := {word} }}")
    assert isinstance(event, s.EventStatement) and len(event.actions) == 1


def test_stop_is_an_action_and_a_name() -> None:
    event = statement("event e when x > 1 { stop := 2; stop\n stop # now\n }")
    assert isinstance(event, s.EventStatement)
    assert [type(a) for a in event.actions] == [s.Assign, s.Stop, s.Stop]


def test_names_are_normalised() -> None:
    first, second, third = statements("\u00b5 = 1\n\u2126m = \u03bc\ne\u0301 = 2")
    assert unparse(first.left) == "\u03bc" and unparse(second.left) == "\u03a9m"  # type: ignore[attr-defined]
    assert unparse(third.left) == "\u00e9"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["x²", "xⁿ", "x̂", "½", "x①", "²"])
def test_no_names(name: str) -> None:
    assert parse(Source("m", f"y = {name}"))[1][0].code in ("E0137", "E0102")


@pytest.mark.parametrize("name", ["x₁", "α", "Ca_i", "変数", "_x", "é", "ẋ", "x1", "Ñ"])
def test_names(name: str) -> None:
    assert lisp(expression(name)) == name


def test_events_have_their_own_lines() -> None:
    event = statement(
        "event e[i] when x > 1 rising at start {\n\n x' := f(1,\n  2);; y := [1,\n 2] for j in 1..2\n} for i in 1..n"
    )
    assert isinstance(event, s.EventStatement)
    assert [unparse(a) for a in event.actions] == ["x' := f(1, 2)", "y := [1, 2] for j in 1..2"]
    assert event.direction == "rising" and event.at_start and event.iterators[0].name == "i"


def test_lines() -> None:
    text = 'a = (1 + # a ) comment with "\n 2)\n\n# only a comment\nb = 1 \\\n  + 2 \\ # and here\n  + 3\n'
    text += 'param k = 1 "a # text ( "\n'
    tree, diagnostics = parse(Source("m", text))
    assert not diagnostics
    assert [unparse(x) for x in tree.statements] == ["a = 1 + 2", "b = 1 + 2 + 3", 'param k = 1 "a # text ( "']
    assert [text[a:b] for a, b in tree.comments] == ['# a ) comment with "', "# only a comment"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_line_ends(end: str) -> None:
    assert len(statements(end.join(["\ufeffmodel m", "event e when x > 1 {", "x := 1", "stop", "}", "y = (1", "+ 2) "]))) == 3


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "   \t", "\ufeff"])
def test_nothing(text: str) -> None:
    assert statements(text) == ()


def test_units() -> None:
    declared = statement("const k: kg*m^2/(mM*s)^(1/2)/h^-1.5 = 1 [1/ms]")
    assert isinstance(declared, s.ValueStatement) and declared.unit is not None
    assert declared.unit.text == "kg*m^2/(mM*s)^(1/2)/h^-1.5"
    factors = [(f.name, f.exponent) for f in declared.unit.factors]
    assert factors == [("kg", 1), ("m", 2), ("mM", -0.5), ("s", -0.5), ("h", 1.5)]
    assert isinstance(declared.value, s.Number) and declared.value.unit is not None
    assert [(f.name, f.exponent) for f in declared.value.unit.factors] == [("1", 1), ("ms", -1)]


def test_declarations() -> None:
    declared = statement('state w[n, 3]: mV = 0.5 log by ID in (0, inf) fixed "weights"')
    assert isinstance(declared, s.ValueStatement) and declared.modifiers is not None
    assert (declared.kind, declared.name.text, len(declared.shape), declared.doc) == ("state", "w", 2, "weights")
    assert [n.text for n in declared.modifiers.scales] == ["log", "fixed"]
    assert [n.name.text for n in declared.modifiers.groups] == ["ID"]
    grouped = statement('param k[2] = 1 by site ("north 1" = [1, 2],\n  "süd" = -0.5) log')
    assert isinstance(grouped, s.ValueStatement) and grouped.modifiers is not None
    (group,) = grouped.modifiers.groups
    assert (group.name.text, [v.label for v in group.values]) == ("site", ["north 1", "süd"])
    assert lisp(group.values[1].value) == "(-0.5)"
    assert lisp(declared.modifiers.bounds[0].upper) == "inf"


def test_reaction() -> None:
    reaction = statement("reaction bind: 2 A + B + 0.5 C <-> null, k1, k2")
    assert isinstance(reaction, s.ReactionStatement) and reaction.name is not None
    assert [(x.target.name, x.count) for x in reaction.left] == [("A", 2), ("B", 1), ("C", 0.5)]
    assert (reaction.name.text, reaction.arrow, len(reaction.rates), reaction.law) == ("bind", "<->", 2, None)
    glued = statement("reaction 2A -> B @ v")
    assert isinstance(glued, s.ReactionStatement) and glued.left[0].count == 2


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree, diagnostics = parse(Source(path.name, text))
    assert diagnostics == []
    words = [line.split()[0] for line in text.splitlines() if line and line[0] not in " #}\t"]
    assert len(tree.statements) == len(words) and isinstance(tree.statements[0], s.ModelStatement)
    for node, word in zip(tree.statements, words, strict=True):  # every statement begins where its line does
        assert text[node.start : node.end].split()[0] == word and text[node.start - 1 : node.start] in ("", "\n")
    again, none = parse(Source(path.name, unparse(tree)))
    assert none == [] and again.statements == tree.statements


def test_all_mistakes_of_a_file_at_once() -> None:
    text = "model m\ny = 2x\nstate a, b\nz = (1\nw = 3 +\nparam k = 1\n"
    tree, diagnostics = parse(Source("m", text))
    assert [(d.code, d.span and d.span.line) for d in diagnostics] == [("E0103", 2), ("E0120", 3), ("E0111", 4), ("E0113", 5)]
    assert len(tree.statements) == 2


def test_expression_mistakes() -> None:
    for text in ("", "  # nothing", "2*", "a b", "x = 3", "(a", "a)", "param k = 3"):
        node, diagnostics = parse_expression(Source("--set", text))
        assert node is None and len(diagnostics) == 1, text


@pytest.mark.parametrize("time", ["-7", "-.5", "(-7)", "(k + 1)", "7", "k"])
def test_an_at_statement_may_begin_with_a_sign_or_a_bracket(time: str) -> None:
    tree, diagnostics = parse(Source("m", f"at {time} every 2 {{ x := 1 }}\n"))
    assert diagnostics == [] and [type(st) for st in tree.statements] == [s.AtStatement]


@pytest.mark.parametrize("equation", ["at - 7 = x", "at(0) = 3", "at (0) = 3", "at' = -1", "at = 2"])
def test_a_name_that_is_called_at(equation: str) -> None:
    tree, diagnostics = parse(Source("m", equation + "\n"))
    assert diagnostics == [] and [type(st) for st in tree.statements] == [s.Equation]
