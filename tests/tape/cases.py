"""Every elementwise operation with an independent meaning (SymPy) and points to try it at; edge cases and their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

INF = float("inf")

# Operation -> its meaning as a SymPy expression; None where SymPy's function has no usable derivative (see EDGES).
SYMPY: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "atan2": sp.atan2,
    "mod": lambda x, y: x - y * sp.floor(x / y),
    "min": lambda x, y: sp.Piecewise((x, x < y), (y, True)),
    "max": lambda x, y: sp.Piecewise((y, x < y), (x, True)),
    "hill": lambda x, k, n: x**n / (k**n + x**n),
    "exp": sp.exp,
    "expm1": lambda x: sp.exp(x) - 1,
    "exprel": lambda x: (sp.exp(x) - 1) / x,
    "log": sp.log,
    "log1p": lambda x: sp.log(1 + x),
    "log10": lambda x: sp.log(x) / sp.log(10),
    "log2": lambda x: sp.log(x) / sp.log(2),
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asinh": sp.asinh,
    "acosh": sp.acosh,
    "atanh": sp.atanh,
    "abs": lambda x: sp.Piecewise((-x, x < 0), (x, True)),
    "sign": lambda x: sp.Piecewise((-1, x < 0), (1, True)),
    "floor": sp.floor,
    "heaviside": lambda x: sp.Piecewise((0, x < 0), (1, True)),
    "gamma": sp.gamma,
    "lgamma": sp.loggamma,
    "digamma": sp.digamma,
    "polygamma": lambda x: sp.polygamma(1, x),
    "exprel_slope": lambda x: sp.diff((sp.exp(x) - 1) / x, x) if isinstance(x, sp.Symbol) else NotImplemented,
    "erf": sp.erf,
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "relu": lambda x: sp.Piecewise((0, x < 0), (x, True)),
}
ATTRS: dict[str, Any] = {"polygamma": 1, "exprel_slope": 1}

_ANY = (-30.0, -3.7, -0.4, -1e-3, 1e-9, 0.3, 1.0, 2.5, 21.0)
_POSITIVE = (1e-12, 0.2, 0.75, 1.0, 3.3, 40.0)
_INSIDE = (-0.99, -0.5, 1e-8, 0.3, 0.9)
_PAIRS = ((0.3, 1.7), (-2.4, 0.6), (5.0, -0.25), (-1.5, -3.0))
POINTS: dict[str, tuple[Any, ...]] = {
    "pow": ((0.3, 1.7), (2.0, -3.5), (1e-3, 0.5), (7.0, 2.0), (0.9, 3.0)),
    "hill": ((0.3, 1.2, 2.0), (5.0, 0.7, 3.5), (1e-6, 1.0, 4.0), (1e6, 1.0, 4.0), (2.0, 2.0, 1.0)),
    **dict.fromkeys(("add", "sub", "mul", "div", "atan2", "mod", "min", "max"), _PAIRS),
    **dict.fromkeys(("log", "log10", "log2", "sqrt", "gamma", "lgamma", "digamma", "polygamma"), _POSITIVE),
    **dict.fromkeys(("asin", "acos", "atanh"), _INSIDE),
    "log1p": (-0.9, -1e-3, 1e-12, 0.5, 30.0),
    "acosh": (1.001, 1.5, 4.0, 90.0),
    "gamma": (0.2, 0.75, 1.0, 3.3, 14.0),
    "exprel": (-30.0, -2.0, -1.1, -0.9, -1e-6, 1e-9, 0.4, 1.0, 1.01, 5.0, 30.0),
    "exprel_slope": (-30.0, -2.0, -1.1, -0.9, -1e-6, 1e-9, 0.4, 1.0, 1.01, 5.0, 30.0),
    "sinh": (-10.0, -0.4, 1e-9, 0.3, 10.0),
    "cosh": (-10.0, -0.4, 1e-9, 0.3, 10.0),
    "tan": (-1.4, -0.4, 1e-9, 0.3, 1.3),
    "erf": (-3.0, -0.4, 1e-9, 0.3, 2.0),
}


def points(op: str) -> list[tuple[float, ...]]:
    return [p if isinstance(p, tuple) else (p,) for p in POINTS.get(op, _ANY)]


# (operation, operands, value, partial derivatives): where a formula that is only right elsewhere gives NaN, infinity or noise.
EDGES: tuple[tuple[str, tuple[float, ...], float, tuple[float, ...]], ...] = (
    ("sqrt", (0.0,), 0.0, (0.0,)),
    ("abs", (0.0,), 0.0, (0.0,)),
    ("sign", (0.0,), 0.0, (0.0,)),
    ("heaviside", (0.0,), 1.0, (0.0,)),
    ("relu", (0.0,), 0.0, (0.0,)),
    ("floor", (-0.5,), -1.0, (0.0,)),
    ("pow", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (0.0, 2.5), 0.0, (0.0, 0.0)),
    ("pow", (0.0, 0.5), 0.0, (0.0, 0.0)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, 0.0)),
    ("pow", (-2.0, 0.0), 1.0, (0.0, 0.0)),
    ("hill", (0.0, 1.0, 2.0), 0.0, (0.0, 0.0, 0.0)),
    ("hill", (-3.0, 1.0, 2.5), 0.0, (0.0, 0.0, 0.0)),
    ("hill", (1e-200, 1.0, 4.0), 0.0, (0.0, 0.0, 0.0)),
    ("hill", (1e200, 1.0, 4.0), 1.0, (0.0, 0.0, 0.0)),
    ("min", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("max", (-1.0, -1.0), -1.0, (0.5, 0.5)),
    ("exprel", (0.0,), 1.0, (0.5,)),
    ("exprel", (-900.0,), 1 / 900, (1 / 900**2,)),
    ("exprel", (INF,), INF, (INF,)),
    ("exprel_slope", (0.0,), 0.5, (1 / 3,)),
    ("softplus", (800.0,), 800.0, (1.0,)),
    ("softplus", (-800.0,), 0.0, (0.0,)),
    ("softplus", (-40.0,), 4.248354255291589e-18, (4.248354255291589e-18,)),
    ("sigmoid", (800.0,), 1.0, (0.0,)),
    ("sigmoid", (-800.0,), 0.0, (0.0,)),
    ("sigmoid", (40.0,), 1.0, (4.248354255291589e-18,)),
    ("log1p", (1e-20,), 1e-20, (1.0,)),
    ("expm1", (1e-20,), 1e-20, (1.0,)),
    ("tanh", (400.0,), 1.0, (0.0,)),
    ("asin", (1.0,), 1.5707963267948966, (0.0,)),
    ("acos", (1.0,), 0.0, (0.0,)),
    ("acosh", (1.0,), 0.0, (0.0,)),
    ("atan2", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("atan2", (0.0, -1.0), 3.141592653589793, (-1.0, 0.0)),
    ("mod", (-1.0, 3.0), 2.0, (1.0, 1.0)),
    ("mod", (1.0, -3.0), -2.0, (1.0, 1.0)),
    ("mod", (6.0, 3.0), 0.0, (1.0, -2.0)),
    ("erf", (30.0,), 1.0, (0.0,)),
    ("gamma", (1.0,), 1.0, (-0.5772156649015329,)),
    ("div", (0.0, 2.0), 0.0, (0.5, 0.0)),
)
