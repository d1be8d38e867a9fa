"""Values while an expression is worked out: a shape and one scalar expression per entry (row-major)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hybridode.declarations import Shape, size
from hybridode.expr import Expr, Symbol, const, node, postorder, sym

MOST_ENTRIES = 100_000  # of one value; beyond it a file asks for more than it can mean


class Value(NamedTuple):
    elements: tuple[Expr, ...]
    shape: Shape = ()
    boolean: bool = False

    @property
    def scalar(self) -> Expr:
        assert self.shape == (), "a vector stands where one number is expected"
        return self.elements[0]


def number(value: float) -> Value:
    return Value((const(value),))


def symbol(kind: str, name: str, shape: Shape, boolean: bool = False) -> Value:
    """A name read whole: one symbol per entry."""
    if not shape:
        return Value((sym(kind, name),), (), boolean)
    return Value(tuple(sym(kind, name, i) for i in range(size(shape))), shape, boolean)


def shape_text(shape: Shape) -> str:
    """`a number`, `a vector of 3`, `a 2 x 3 matrix`."""
    if not shape:
        return "one number"
    if len(shape) == 1:
        return f"a vector of {shape[0]}"
    return f"a {' x '.join(map(str, shape))} array"


def common_shape(values: Sequence[Value]) -> Shape | None:
    """The shape an element-by-element operation gives (a scalar goes with everything), None if two shapes disagree."""
    shape: Shape = ()
    for value in values:
        if value.shape:
            if shape and value.shape != shape:
                return None
            shape = value.shape
    return shape


def spread(value: Value, shape: Shape) -> tuple[Expr, ...]:
    """The value's entries, a scalar repeated to fill the shape."""
    return value.elements if value.shape == shape else value.elements * size(shape)


def each(values: Sequence[Value], make: Callable[..., Expr], boolean: bool = False) -> Value:
    """`make` applied entry by entry; the shapes must agree (see `common_shape`)."""
    shape = common_shape(values)
    assert shape is not None
    if not shape:
        return Value((make(*(v.elements[0] for v in values)),), (), boolean)
    columns = [spread(v, shape) for v in values]
    return Value(tuple(make(*entry) for entry in zip(*columns, strict=True)), shape, boolean)


def total(op: str, terms: Sequence[Expr]) -> Expr:
    """An n-ary operation over any number of terms, at least one."""
    return terms[0] if len(terms) == 1 else node(op, terms)


def _inner(a: Sequence[Expr], b: Sequence[Expr]) -> Expr:
    return total("add", [node("mul", (x, y)) for x, y in zip(a, b, strict=True)])


def matmul(a: Value, b: Value) -> Value | None:
    """Matrix product with NumPy's rules for vectors (vector @ vector is the dot product); None if the sizes disagree."""
    if not a.shape or not b.shape or len(a.shape) > 2 or len(b.shape) > 2:
        return None
    rows, inner = (1, *a.shape)[-2:]
    height, columns = (*b.shape, 1)[:2]
    if height != inner or rows * inner * columns > 10 * MOST_ENTRIES:
        return None
    elements = tuple(
        _inner(a.elements[i * inner : (i + 1) * inner], b.elements[j::columns]) for i in range(rows) for j in range(columns)
    )
    return Value(elements, (*a.shape[:-1], *b.shape[1:]))


# ---- numbers of constant expressions --------------------------------------------------------------------------------
def _exprel(u: float) -> float:
    return math.expm1(u) / u if u else 1.0


def _sigmoid(u: float) -> float:
    return 1 / (1 + math.exp(-u)) if u >= 0 else math.exp(u) / (1 + math.exp(u))


def _softplus(u: float) -> float:
    return max(u, 0.0) + math.log1p(math.exp(-abs(u)))


def _hill(x: float, k: float, n: float) -> float:
    if x <= 0:
        return 0.0
    try:
        return 1 / (1 + (k / x) ** n)
    except OverflowError:
        return 0.0


def _power(a: float, b: float) -> float:
    return a**b if a >= 0 or b == math.floor(b) else math.nan


NUMBER: dict[str, Any] = {
    "neg": lambda a: -a, "not": lambda a: not a, "exp": math.exp, "expm1": math.expm1, "exprel": _exprel, "log": math.log,
    "log1p": math.log1p, "log10": math.log10, "log2": math.log2, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh,
    "tanh": math.tanh, "asinh": math.asinh, "acosh": math.acosh, "atanh": math.atanh, "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0), "floor": math.floor, "gamma": math.gamma, "lgamma": math.lgamma, "erf": math.erf,
    "softplus": _softplus, "sigmoid": _sigmoid, "relu": lambda a: max(a, 0.0), "heaviside": lambda a: a >= 0,
    "div": lambda a, b: a / b, "pow": _power, "atan2": math.atan2, "mod": lambda a, b: a - b * math.floor(a / b),
    "mm": lambda x, k: x / (k + x), "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "where": lambda c, a, b: a if c else b, "hill": _hill,
    "add": lambda *a: sum(a[1:], a[0]), "mul": lambda *a: math.prod(a), "min": min, "max": max,
    "and": lambda *a: all(a), "or": lambda *a: any(a),
}  # fmt: skip


class NotConstant(ValueError):
    """An expression that should be known before the run reads `symbol` (None: a network or table)."""

    def __init__(self, what: Symbol | None) -> None:
        super().__init__("the expression is not constant")
        self.symbol = what


def evaluate(root: Expr, known: Mapping[Symbol, float]) -> float:
    """The number of a constant expression (NaN where it is undefined, such as 0/0). Raises NotConstant."""
    done: dict[Expr, float] = {}
    for e in postorder((root,)):
        if e.op == "const":
            done[e] = e.data
        elif e.op == "sym":
            if e.data not in known:
                raise NotConstant(e.data)
            done[e] = known[e.data]
        elif e.op in NUMBER:
            try:
                done[e] = float(NUMBER[e.op](*(done[a] for a in e.args)))
            except (ValueError, ZeroDivisionError):
                done[e] = math.nan
            except OverflowError:
                done[e] = math.inf
        else:
            raise NotConstant(None)
    return done[root]
