"""A tiny evaluator of expressions, written apart from the package: the oracle of these tests (NumPy floats or mpmath numbers)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import mpmath
import numpy as np
from scipy import special

from hybridode.expr import Expr, Symbol, postorder


def _fold(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *a: reduce(f, a)


def _hill(x: float, k: float, n: float) -> float:
    return 0.0 if not x > 0 else float(1 / (1 + np.power(np.float64(k) / x, n)))


def _exprel_slope(x: mpmath.mpf) -> mpmath.mpf:
    """The integral of s e^(s x) over 0..1, the derivative of (e^x - 1)/x."""
    with mpmath.workdps(60):
        return (mpmath.exp(x) * (x - 1) + 1) / x**2 if abs(x) > 1e-15 else mpmath.mpf(1) / 2 + x / 3


NUMPY: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "not": np.logical_not, "exp": np.exp, "expm1": np.expm1, "exprel": special.exprel, "log": np.log,
    "log1p": np.log1p, "log10": np.log10, "log2": np.log2, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "abs": np.abs, "sign": np.sign, "floor": np.floor,
    "gamma": special.gamma, "lgamma": special.gammaln, "digamma": special.digamma, "erf": special.erf,
    "softplus": lambda a: np.logaddexp(a, 0.0), "sigmoid": special.expit, "relu": lambda a: np.maximum(a, 0.0),
    "heaviside": lambda a: 1.0 * (a >= 0), "exprel_slope": lambda a: float(_exprel_slope(mpmath.mpf(a))),
    "div": np.true_divide, "pow": lambda a, b: np.power(np.float64(a), b), "atan2": np.arctan2,
    "mod": np.mod, "mm": lambda x, k: x / (k + x), "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal, "where": lambda c, a, b: a if c else b, "hill": _hill, "add": _fold(np.add),
    "mul": _fold(np.multiply), "min": _fold(np.minimum), "max": _fold(np.maximum), "and": _fold(np.logical_and),
    "or": _fold(np.logical_or),
}  # fmt: skip

EXACT: dict[str, Callable[..., Any]] = {
    "neg": lambda a: -a, "exp": mpmath.exp, "expm1": mpmath.expm1,
    "exprel": lambda a: mpmath.expm1(a) / a if a else mpmath.mpf(1), "exprel_slope": lambda a: _exprel_slope(a),
    "log": mpmath.log, "log1p": mpmath.log1p, "sqrt": mpmath.sqrt, "tanh": mpmath.tanh, "abs": abs,
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)), "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "div": lambda a, b: a / b, "pow": mpmath.power,
    "add": _fold(lambda a, b: a + b), "mul": _fold(lambda a, b: a * b),
    "min": min, "max": max, "lt": lambda a, b: a < b, "gt": lambda a, b: a > b, "eq": lambda a, b: a == b,
    "where": lambda c, a, b: a if c else b, "hill": lambda x, k, n: x**n / (k**n + x**n) if x > 0 else mpmath.mpf(0),
    "mm": lambda x, k: x / (k + x),
}  # fmt: skip


class Net:
    """A fixed smooth function of m inputs and k outputs that stands for a network, with its exact Jacobian."""

    def __init__(self, inputs: int, outputs: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.w, self.v = rng.normal(size=(3, inputs)), rng.normal(size=(outputs, 3))

    def value(self, *x: float) -> np.ndarray:
        return self.v @ np.tanh(self.w @ np.array(x))

    def jacobian(self, *x: float) -> np.ndarray:
        h = np.tanh(self.w @ np.array(x))
        return (self.v @ ((1 - h**2)[:, None] * self.w)).ravel()


def sine_table(*x: float) -> float:
    return math.sin(sum((i + 1) * v for i, v in enumerate(x)))


def sine_slope(j: int, *x: float) -> float:
    return (j + 1) * math.cos(sum((i + 1) * v for i, v in enumerate(x)))


def evaluate(
    roots: Iterable[Expr],
    values: Mapping[Symbol, Any],
    nets: Mapping[str, Net] | None = None,
    functions: Mapping[str, Callable[..., Any]] = NUMPY,
    number: Callable[[float], Any] = np.float64,
) -> list[Any]:
    """Values of expressions at values of symbols."""
    roots, nets, done = list(roots), nets or {}, {}
    with np.errstate(all="ignore"):
        for e in postorder(roots):
            a = [done[x] for x in e.args]
            if e.op == "const":
                done[e] = number(e.data)
            elif e.op == "sym":
                done[e] = number(values[e.data])
            elif e.op == "net":
                done[e] = nets[e.data].value(*a)
            elif e.op == "net_jacobian":
                done[e] = nets[e.data].jacobian(*a)
            elif e.op == "out":
                done[e] = a[0][e.data]
            elif e.op == "table":
                done[e] = sine_table(*a)
            elif e.op == "table_slope":
                done[e] = sine_slope(e.data[1], *a)
            else:
                done[e] = functions[e.op](*a)
    return [done[e] for e in roots]
