"""The functions of the language: what each takes and how it becomes operations of `hybridode.expr`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridode.expr import Expr, node


def _op(name: str) -> Callable[..., Expr]:
    return lambda *arguments: node(name, arguments)


class Elementwise(NamedTuple):
    """A function applied entry by entry; scalars are repeated."""

    arguments: tuple[str, ...]
    make: Callable[..., Expr]


_OF_ONE = (
    "exp", "expm1", "exprel", "log", "log1p", "log10", "log2", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "abs", "sign", "floor", "gamma", "lgamma", "erf", "softplus", "sigmoid", "relu",
    "heaviside",
)  # fmt: skip

ELEMENTWISE: dict[str, Elementwise] = {
    **{name: Elementwise(("x",), _op(name)) for name in _OF_ONE},
    "ln": Elementwise(("x",), _op("log")),
    "atan2": Elementwise(("y", "x"), _op("atan2")),
    "mod": Elementwise(("a", "b"), _op("mod")),
    "mm": Elementwise(("x", "K"), _op("mm")),
    "hill": Elementwise(("x", "K", "n"), _op("hill")),
    "step": Elementwise(("x", "k"), lambda x, k: node("sigmoid", (node("mul", (k, x)),))),
}

# Functions that look at whole vectors or at conditions: how they are written.
WHOLE: dict[str, str] = {
    "sum": "sum(v)",
    "prod": "prod(v)",
    "norm": "norm(v)",
    "dot": "dot(v, w)",
    "matmul": "matmul(A, B)",
    "min": "min(a, b)",
    "max": "max(a, b)",
    "piecewise": "piecewise(condition, value, ..., otherwise)",
    "interp": "interp(x, xs, ys)",
}

NAMES: tuple[str, ...] = (*ELEMENTWISE, *WHOLE, "NN")

# Names of the same thing elsewhere, and how it is written here.
FOREIGN: dict[str, str] = {
    "pow": "write `a^b`",
    "power": "write `a^b`",
    "square": "write `x^2`",
    "cbrt": "write `sign(x)*abs(x)^(1/3)`",
    "ceil": "write `-floor(-x)`",
    "round": "write `floor(x + 0.5)`",
    "fabs": "write `abs(x)`",
    "erfc": "write `1 - erf(x)`",
    "logistic": "write `sigmoid(x)`",
    "expit": "write `sigmoid(x)`",
    "logit": "write `log(p/(1 - p))`",
    "arcsin": "write `asin(x)`",
    "arccos": "write `acos(x)`",
    "arctan": "write `atan(x)`",
    "arctan2": "write `atan2(y, x)`",
    "arcsinh": "write `asinh(x)`",
    "arccosh": "write `acosh(x)`",
    "arctanh": "write `atanh(x)`",
    "ifelse": "write `if c then a else b`",
    "where": "write `if c then a else b`",
    "heav": "write `heaviside(x)`",
    "mean": "write `sum(v)/n`",
    "maximum": "write `max(a, b)`",
    "minimum": "write `min(a, b)`",
    "nn": "an inline network is written `NN(...)`",
    "der": "the derivative of `x` is `x'`",
    "ddt": "the derivative of `x` is `x'`",
    "cot": "write `1/tan(x)`",
    "sec": "write `1/cos(x)`",
    "csc": "write `1/sin(x)`",
}


def call_text(name: str) -> str:
    """How a function is called: `hill(x, K, n)`."""
    row = ELEMENTWISE.get(name)
    return f"{name}({', '.join(row.arguments)})" if row else WHOLE.get(name, f"{name}(...)")
