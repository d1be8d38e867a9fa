"""Warnings: what a right file may still deserve."""

from __future__ import annotations

import pytest

from hybridode.errors import Source
from hybridode.language.check import declare


def warnings(lines: str) -> list[tuple[str, str]]:
    """Code and text under the carets."""
    text = "model m\n" + lines + "\n"
    found = declare(Source("m.ode", text)).warnings
    assert all(d.severity == "warning" and d.hint for d in found)
    return [(d.code, text[d.span.start : d.span.end]) for d in found if d.span]


BASE = "param k = 1\nstate x = 1\nx' = -k*x\n"


@pytest.mark.parametrize(
    ("lines", "code", "under"),
    [
        (BASE + "param q = 1", "W0201", "q"),
        (BASE + "const c = 1", "W0201", "c"),
        (BASE + "input I from data.I", "W0201", "I"),
        (BASE + "nn U: 1 -> 1", "W0201", "U"),
        (BASE + "func f(a) = a", "W0201", "f"),
        (BASE + "table f(a) = [[0, 1], [1, 2]]", "W0201", "f"),
        (BASE + "func mm(a, b) = a*b\ny = mm(x, 1)", "W0202", "mm"),
        ("state x\nx' = -x", "W0301", "x"),
        ("state x[2]\nx[1](0) = 1\nx' = -x", "W0301", "x"),
        (BASE + "y = -2^2*x", "W0302", "-2^2"),
        (BASE + "y = if x == 1 then 1 else 2", "W0303", "x == 1"),
        (BASE + "param q = 1\ny = q*x", "W0304", "q"),
        (BASE + "param q = 1\nstate z = 1\nz' = -q*z\nobserve x ~ normal(x, 1)", "W0304", "q"),
        (BASE + "state z = 1 in (0, 2)\nz' = -z\nobserve x ~ normal(x, 1)", "W0304", "z"),
        (BASE + "y = NN(x)", "W0304", "NN(x)"),
        ("param k = 1\nstate x[101] = 1\nx' = k*y\ny = if a then 1 else 2\na = t > 3", "W0305", "if a then 1 else 2"),
        ("param k = 1\nstate x[17] = 1\nx[i]' = if x[i] > k then 1 else 2 for i in 1..17", "W0305", "if x[i] > k then 1 else 2"),
        ("state x = 1\nalg z = 0\nx' = if x > 2 then 1 else z\n0 = z - x", "W0305", "if x > 2 then 1 else z"),
        (BASE + "param q = 1 fixed\nprior q ~ normal(1, 1)\nobserve x ~ normal(x, q)", "W0306", "q"),
        ("state x = 1\nx' = 0*NN(x)", "W0501", "0*NN(x)"),
    ],
)
def test_warning(lines: str, code: str, under: str) -> None:
    assert warnings(lines) == [(code, under)]


@pytest.mark.parametrize(
    "lines",
    [
        BASE,
        BASE + "const n = 3\nparam v[n] = 1\nstate z = 1\nz' = sum(v)*x",  # used in a size
        BASE + "param q = 2 in (1, c)\nconst c = 3\nobserve x ~ normal(x, q)",  # used in bounds
        BASE + "y = if k > 2 then x else 2*x",  # an intermediate outside the dynamics
        "param k = 1\nstate x = 1\nx' = if k > 0.5 then -x else x",  # never changes its side
        "param k = 1\nstate x = 1\nx' = if x > k then 1 else 2",  # located
        BASE + "state z = 1\nparam q = 1\nz' = -q*z\nat 3 { x := z }\nobserve x ~ normal(x, 1)",  # seen through an event
        BASE + "param T = 1\nat T { x := 2 }\nobserve x ~ normal(x, 1)",  # seen through an event's time
        BASE + "param q = 1\nstate z\nz(0) = q\nz' = -z\ny = z*x\nobserve w ~ normal(y, 1)",  # seen through a start
        BASE + "param q = 1\nobserve x ~ normal(x, 1) censored below q",
        BASE + "y = 0*x + 2^2 - (-2)^2",
        "state theta = 1\ntheta'' = -theta",  # a velocity starts at 0 without a word
    ],
)
def test_no_warning(lines: str) -> None:
    assert warnings(lines) == []
