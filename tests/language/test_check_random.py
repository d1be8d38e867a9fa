"""Random expressions: what the checker makes of a text is what Python's own arithmetic makes of it."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.errors import Source
from hybridode.expr import Symbol, show
from hybridode.language.check import declare
from hybridode.language.values import evaluate

A, B = 1.75, 0.625
Pair = tuple[str, str]  # the text in the language, and the same in Python
NUMBERS: st.SearchStrategy[Pair] = st.sampled_from([(n, n) for n in ("0.5", "2", "3", "1.25", "a", "b")])


def _infix(left: Pair, operator: str, right: Pair) -> Pair:
    return left[0] + operator + right[0], left[1] + operator + right[1]


def _choice(a: Pair, b: Pair, c: Pair, d: Pair) -> Pair:
    return f"(if {a[0]} < {b[0]} then {c[0]} else {d[0]})", f"(({c[1]}) if {a[1]} < {b[1]} else ({d[1]}))"


def grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """Operators with parentheses and without them: precedence is what is tested."""
    functions = st.sampled_from(["sin", "cos", "exp", "tanh", "abs", "atan"])
    return st.one_of(
        st.builds(_infix, inner, st.sampled_from([" + ", " - ", "*", "/"]), inner),
        inner.map(lambda e: (f"({e[0]})", f"({e[1]})")),
        inner.map(lambda e: (f"-{e[0]}", f"-{e[1]}") if e[0][0] != "-" else (f"-({e[0]})", f"-({e[1]})")),
        st.builds(lambda e, n: (f"({e[0]})^{n}", f"({e[1]})**{n}"), inner, st.sampled_from(["2", "3", "-1", "2^-1"])).map(
            lambda p: (p[0], p[1].replace("^", "**"))
        ),
        st.builds(lambda f, e: (f"{f}({e[0]})", f"{f}({e[1]})"), functions, inner),
        st.builds(_choice, inner, inner, inner, inner),
    )


EXPRESSIONS = st.recursive(NUMBERS, grow, max_leaves=12)


@given(EXPRESSIONS)
@settings(max_examples=80, deadline=None)
def test_meaning(pair: Pair) -> None:
    text, python = pair
    d = declare(Source("m.ode", f"model m\nparam a = {A}\nparam b = {B}\nstate x = 0\nx' = -x\ny = {text}\n"))
    (e,) = d.definitions[0].elements
    found = evaluate(e, {Symbol("parameter", "a"): A, Symbol("parameter", "b"): B})
    names = {n: getattr(math, n) for n in ("sin", "cos", "exp", "tanh", "atan")} | {"abs": math.fabs, "a": A, "b": B}
    try:
        expected = eval(python, {"__builtins__": {}}, names)  # the oracle, on a text this test made
    except (ZeroDivisionError, OverflowError):
        return
    except TypeError:  # a function of a complex number: Python's power of a negative number, which has no real value
        assert not math.isfinite(found)
        return
    if isinstance(expected, complex):
        return
    if math.isfinite(found) and abs(expected) < 1e200:
        assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    again = declare(Source("m.ode", f"model m\nparam a = {A}\nparam b = {B}\nstate x = 0\nx' = -x\ny = {show(e)}\n"))
    assert again.definitions[0].elements[0] is e, "what is printed reads back as the same expression"
