"""Rewrites: what they match, that they are identities, that they keep digits where the written form loses them (mpmath)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import mpmath
import numpy as np
import pytest

from hybridode.equations.folding import folded
from hybridode.equations.pipeline import equations_of
from hybridode.equations.rewrite import rewritten
from hybridode.expr import Expr, Symbol, postorder, rebuild, show, sym
from tests.equations import models
from tests.equations.evaluator import EXACT, evaluate
from tests.equations.models import minus, n

X, K, S, N, T = (sym("state" if name == "x" else "parameter", name) for name in "xksnt")
XS = n("div", X, S)


def exp(e: Expr) -> Expr:
    return n("exp", e)


def linexp(k: Expr | float, d: Expr, s: Expr | float) -> Expr:
    return n("div", n("mul", k, n("div", d, s)), minus(1.0, exp(n("div", n("neg", d), s))))


# written, what it must become (in the language's notation), singular at x =
SINGULAR: list[tuple[Expr, str, float]] = [
    (n("div", X, minus(exp(X), 1.0)), "1/exprel(x)", 0.0),
    (n("div", X, n("add", -1.0, exp(X))), "1/exprel(x)", 0.0),
    (linexp(K, X, S), "k/exprel(-x/s)", 0.0),
    (linexp(0.1, n("add", X, 40.0), 10.0), "0.1/exprel(-(x + 40)/10)", -40.0),
    (
        n("div", n("mul", 0.1, n("add", X, 40.0)), minus(1.0, exp(n("mul", -0.1, n("add", X, 40.0))))),
        "1/exprel(-0.1*(x + 40))",
        -40.0,
    ),
    (n("div", n("mul", 0.01, minus(10.0, X)), minus(exp(n("div", minus(10.0, X), 10.0)), 1.0)), "0.1/exprel((10 - x)/10)", 10.0),
    (n("div", minus(X, 25.0), minus(exp(n("div", minus(25.0, X), 10.0)), 1.0)), "-10/exprel((25 - x)/10)", 25.0),
    (n("mul", K, n("div", X, minus(1.0, exp(n("neg", X)))), S), "k*(1/exprel(-x))*s", 0.0),
    (n("div", X, minus(exp(n("mul", K, X)), 1.0)), "1/(k*exprel(k*x))", 0.0),
    (n("div", minus(1.0, exp(n("neg", X))), X), "exprel(-x)", 0.0),
    (n("div", minus(exp(X), 1.0), X), "exprel(x)", 0.0),
    (n("div", minus(1.0, exp(n("neg", n("mul", X, T)))), X), "t*exprel(-(x*t))", 0.0),
    (n("div", n("mul", K, minus(exp(XS), 1.0)), n("mul", 2.0, X)), "0.5*k*exprel(x/s)/s", 0.0),
]
CANCELLING: list[tuple[Expr, str, float]] = [
    (minus(exp(X), 1.0), "expm1(x)", 0.0),
    (minus(1.0, exp(X)), "-expm1(x)", 0.0),
    (minus(n("mul", 2.0, exp(X)), 2.0), "2*expm1(x)", 0.0),
    (n("log", n("add", 1.0, X)), "log1p(x)", 0.0),
    (n("log", minus(1.0, n("mul", K, X))), "log1p(-(k*x))", 0.0),
]
OVERFLOWING: list[tuple[Expr, str, float]] = [
    (n("log", n("add", 1.0, exp(X))), "softplus(x)", 800.0),
    (n("div", exp(X), n("add", 1.0, exp(X))), "sigmoid(x)", 800.0),
    (n("div", K, n("add", 1.0, exp(n("neg", XS)))), "k*sigmoid(x/s)", -2000.0),
    (n("div", n("pow", X, N), n("add", n("pow", K, N), n("pow", X, N))), "hill(x, k, n)", 1e200),
    (n("div", n("mul", S, n("pow", X, N)), n("add", n("pow", X, N), n("pow", K, N))), "s*hill(x, k, n)", 1e200),
    (n("div", n("pow", X, 2.5), n("add", 1.0, n("pow", X, 2.5))), "hill(x, 1, 2.5)", 1e200),
]
UNTOUCHED: list[Expr] = [
    n("div", X, minus(exp(K), 1.0 + 1e-9)),
    n("add", exp(X), 1.0),
    minus(exp(X), exp(K)),
    n("log", n("add", 2.0, X)),
    n("log", n("add", K, X)),
    n("pow", X, N),
    n("pow", X, 2.5),
    n("div", n("pow", X, N), n("add", n("pow", K, S), n("pow", X, N))),
    n("div", n("mul", X, X), n("add", 4.0, n("mul", X, X))),
]
VALUES = {"k": 0.7, "s": 2.5, "n": 2.5, "t": 1.5}


def values(x: float) -> dict[Symbol, float]:
    return {X.data: x} | {e.data: VALUES[e.data.name] for e in (K, S, N, T)}


def new_form(e: Expr) -> Expr:
    return rebuild([rewritten(e).expr], folded)[0]


def error(e: Expr, written: Expr, x: float) -> float:
    """Relative error of e in float64 against the written form in 50 digits."""
    with mpmath.workdps(80):
        (exact,) = evaluate([written], values(x), functions=EXACT, number=mpmath.mpf)
        (got,) = evaluate([e], values(x))
        return float(abs(mpmath.mpf(float(got)) - exact) / abs(exact)) if math.isfinite(got) else math.inf


@pytest.mark.parametrize(("written", "expected", "at"), SINGULAR + CANCELLING + OVERFLOWING)
def test_form(written: Expr, expected: str, at: float) -> None:
    assert show(new_form(written)) == expected


@pytest.mark.parametrize("written", UNTOUCHED)
def test_left_alone(written: Expr) -> None:
    assert not rewritten(written).changes and rewritten(written).expr is written


@pytest.mark.parametrize(("written", "expected", "at"), SINGULAR + CANCELLING)
def test_digits_near_the_singularity(written: Expr, expected: str, at: float) -> None:
    new = new_form(written)
    scale = 1.0 if at else 0.0  # x itself is rounded: its distance from a singularity away from 0 is exact only for powers of two
    for distance in (2.0**-k for k in (4, 12, 20, 28, 36)):
        for x in (at + distance, at - distance):
            assert error(new, written, x) < 1e-15 * (1 + scale)
    lost = max(error(written, written, at + 1.1e-9 * s) for s in (1.0, -1.0, 1.7))
    assert lost > 1e-10, "the written form keeps its digits: the rewrite is not needed"


@pytest.mark.parametrize(("written", "expected", "at"), SINGULAR)
def test_value_at_the_singularity_is_the_limit(written: Expr, expected: str, at: float) -> None:
    (there,) = evaluate([new_form(written)], values(at))
    with mpmath.workdps(80):
        (limit,) = evaluate(
            [written], values(0) | {X.data: mpmath.mpf(at) + mpmath.mpf("1e-30")}, functions=EXACT, number=mpmath.mpf
        )
    assert math.isclose(there, float(limit), rel_tol=1e-15)
    assert not math.isfinite(evaluate([written], values(at))[0])


@pytest.mark.parametrize(("written", "expected", "at"), OVERFLOWING)
def test_value_where_the_written_form_overflows(written: Expr, expected: str, at: float) -> None:
    new = new_form(written)
    with mpmath.workdps(60):
        (exact,) = evaluate([written], values(at), functions=EXACT, number=mpmath.mpf)
    assert math.isclose(evaluate([new], values(at))[0], float(exact), rel_tol=1e-14, abs_tol=1e-300)


@pytest.mark.parametrize(("written", "expected", "at"), SINGULAR + CANCELLING + OVERFLOWING)
def test_identity_at_random_points(written: Expr, expected: str, at: float) -> None:
    rng = np.random.default_rng(1)
    for x in rng.uniform(0.05, 0.9, 20) if written.op == "log" or "hill" in expected else rng.uniform(-5, 5, 20):
        np.testing.assert_allclose(evaluate([new_form(written)], values(x)), evaluate([written], values(x)), rtol=1e-12)


def test_hill_with_a_whole_exponent_keeps_its_value_below_zero() -> None:
    """x^2/(K^2 + x^2) is positive for x < 0; hill is 0 there."""
    e = n("div", n("pow", X, 2.0), n("add", n("pow", K, 2.0), n("pow", X, 2.0)))
    (value,) = evaluate([new_form(e)], values(-3.0))
    assert math.isclose(value, 9 / (0.49 + 9), rel_tol=1e-14)


@pytest.mark.parametrize("power", [*range(-4, 9), 0.5, -0.5])
def test_powers(power: float) -> None:
    e = n("pow", X, float(power))
    new = new_form(e)
    assert all(x.op != "pow" for x in postorder([new]))
    for x in (0.3, 1.7, 1e5):
        assert error(new, e, x) < 1e-15
    if power == round(power):
        np.testing.assert_allclose(evaluate([new], values(-1.7)), (-1.7) ** power, rtol=1e-15)


def test_records_in_the_users_names() -> None:
    system = equations_of(models.hodgkin_huxley())
    told = [(r.place, r.before, r.after) for r in system.rewrites]
    assert told == [
        ("I_ion", "m^3", "m*m*m"),
        ("I_ion", "n^4", "n*n*(n*n)"),
        ("alpha_m", "1*((V + 40)/10)/(1 - exp(-(V + 40)/10))", "1/exprel(-(V + 40)/10)"),
        ("beta_h", "1/(1 + exp(-(V + 35)/10))", "sigmoid((V + 35)/10)"),
        ("alpha_n", "0.1*((V + 55)/10)/(1 - exp(-(V + 55)/10))", "0.1/exprel(-(V + 55)/10)"),
    ]
    assert system.rewrites[2].reason == "0/0 at V + 40 = 0 and loses digits near it"


EXACT_FOLDS: list[tuple[Callable[[], Expr], str]] = [
    (lambda: n("add", 1.0, 2.0, X, 3.0), "3 + x + 3"),
    (lambda: n("add", 0.1, 0.2, X), "0.30000000000000004 + x"),
    (lambda: n("mul", 2.0, 3.0, X, 0.5), "6*x*0.5"),
    (lambda: n("mul", X, 1.0, n("neg", -1.0)), "x"),
    (lambda: n("mul", 0.0, X), "0"),
    (lambda: n("div", X, 1.0), "x"),
    (lambda: n("div", 1.0, 0.0), "1/0"),
    (lambda: n("pow", X, 1.0), "x"),
    (lambda: n("pow", 2.0, 10.0), "1024"),
    (lambda: n("pow", 2.0, 0.3), "2^0.3"),
    (lambda: exp(n("mul", 0.0, X)), "1"),
    (lambda: exp(n("add", 1.0, 1.0)), "exp(2)"),
    (lambda: n("sqrt", 2.0), repr(math.sqrt(2))),
    (lambda: n("where", n("lt", 1.0, 2.0), X, K), "x"),
    (lambda: n("where", n("lt", X, 2.0), X, K), "if x < 2 then x else k"),
]


@pytest.mark.parametrize(("make", "expected"), EXACT_FOLDS)
def test_folding(make: Callable[[], Expr], expected: str) -> None:
    assert show(rebuild([make()], folded)[0]) == expected


def test_a_start_on_the_singularity() -> None:
    """V(0) = -40 makes alpha_m at the start 0/0 as written; its limit is 1."""
    d = models.hodgkin_huxley()
    v, *gates = d.states
    system = equations_of(replace(d, states=(replace(v, start=(n("neg", 40.0),)), *gates)))
    start = evaluate(system.starts, {})
    assert start[1] == pytest.approx(1 / (1 + 4 * math.exp(-25 / 18)), rel=1e-15)
