"""Scalar expressions: immutable, hash-consed nodes shared by the front end and the passes.

Two expressions that say the same are the same object, so `==` is `is`, a dictionary of expressions is cheap,
and a graph with sharing stays small. Vectors of the language are tuples of these (the tape groups what has one
shape back into vector instructions). A node is `Expr(op, args, data)`:

    const  data = float                      sym   data = Symbol
    net    args = inputs, data = network     out   args = (net,), data = output number (0-based)
    table  args = arguments, data = table    every other op: a row of OPS, data = None
    net_jacobian  args = inputs, data = network; `out` number k*inputs + j of it is d output k / d input j. The network `U'`
                  is the Jacobian of U, with outputs in that order: the Jacobian of `U'` has the second derivatives of U
    table_slope   args = arguments, data = (table, j, …): derivative of the table with respect to arguments j, …

`add` and `mul` take two or more arguments and are evaluated from left to right; `a - b` is `add(a, neg(b))`
(the same number in IEEE arithmetic). Comparisons, `and`, `or`, `not` are boolean, `where(c, a, b)` is `if c then a else b`.
All walks are iterative: a sum may be 20,000 terms long and nesting 1,000 deep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary


class Symbol(NamedTuple):
    """A leaf with a name. `index` is the flat 0-based entry of a vector, -1 for a scalar.

    kind: "time", "state", "parameter", "constant", "definition" (an intermediate), "input", "input_rate"
    (its time derivative), "start_input" (its value at the start), "derivative" (`x'` read in an expression),
    "algebraic" (an `alg` unknown), "slot" (a place in an equation's shape; name "" and index = slot number).
    """

    kind: str
    name: str
    index: int = -1

    def __str__(self) -> str:
        return self.name if self.index < 0 else f"{self.name}[{self.index + 1}]"


UNARY = (
    "neg", "not", "exp", "expm1", "exprel", "log", "log1p", "log10", "log2", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "abs", "sign", "floor", "gamma", "lgamma", "erf", "softplus", "sigmoid",
    "relu", "heaviside", "digamma", "exprel_slope",
)  # fmt: skip
BINARY = ("div", "pow", "atan2", "mod", "mm", "lt", "le", "gt", "ge", "eq", "ne")
TERNARY = ("where", "hill")
NARY = ("add", "mul", "min", "max", "and", "or")
OPS: dict[str, tuple[int, int]] = {  # op -> (fewest, most) arguments; most = -1: any number
    **dict.fromkeys(UNARY, (1, 1)),
    **dict.fromkeys(BINARY, (2, 2)),
    **dict.fromkeys(TERNARY, (3, 3)),
    **dict.fromkeys(NARY, (2, -1)),
    "const": (0, 0), "sym": (0, 0), "net": (1, -1), "net_jacobian": (1, -1), "out": (1, 1),
    "table": (1, -1), "table_slope": (1, -1),
}  # fmt: skip
BOOLEAN = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"})


class Expr:
    """One node. Make it with the functions below, never directly."""

    # Nodes are interned, so identity is equality, and Python's own hash of an object (by place) is theirs.
    __slots__ = ("__weakref__", "args", "data", "op")

    op: str
    args: tuple[Expr, ...]
    data: Any

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("expressions are immutable")

    def __reduce__(self) -> Any:
        raise TypeError("expressions are not pickled: print and parse them")

    @property
    def value(self) -> float | None:
        """The number of a `const`, else None."""
        return self.data if self.op == "const" else None

    def __repr__(self) -> str:
        return f"<{show(self)}>"


_interned: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()
_lock = threading.Lock()


def node(op: str, args: Iterable[Expr] = (), data: Any = None) -> Expr:
    """The one node with this operation, these arguments and this datum."""
    args = tuple(args)
    # Floats are keyed by their bits: 0.0 and -0.0 differ, NaN equals itself.
    key = (op, args, data.hex() if isinstance(data, float) else data)
    with _lock:
        found = _interned.get(key)
        if found is None:
            fewest, most = OPS[op]
            assert len(args) >= fewest and (most < 0 or len(args) <= most), f"{op} does not take {len(args)} arguments"
            found = object.__new__(Expr)
            set_ = object.__setattr__
            set_(found, "op", op)
            set_(found, "args", args)
            set_(found, "data", data)
            _interned[key] = found
    return found


def const(value: float) -> Expr:
    return node("const", (), float(value))


def sym(kind: str, name: str, index: int = -1) -> Expr:
    return node("sym", (), Symbol(kind, name, index))


ZERO, ONE = const(0.0), const(1.0)


def network_of(data: str) -> tuple[str, int]:
    """The network that the data of a net_jacobian names, and of which of its derivatives that is the Jacobian (0: of itself)."""
    name = data.rstrip("'")
    return name, len(data) - len(name)


# ---- constructors that fold what is certain (for derivatives and passes; the front end uses `node`, as written) -----
def add(*terms: Expr) -> Expr:
    """Sum; zeros vanish, numbers are gathered where they stand side by side at the front."""
    kept = [t for t in terms if t.value != 0.0]
    if not kept:
        return ZERO
    return kept[0] if len(kept) == 1 else node("add", kept)


def neg(a: Expr) -> Expr:
    if a.value is not None:
        return const(-a.value)
    return a.args[0] if a.op == "neg" else node("neg", (a,))


def sub(a: Expr, b: Expr) -> Expr:
    return ZERO if a is b else add(a, neg(b))


def mul(*factors: Expr) -> Expr:
    """Product; a factor 0 makes it 0, factors 1 vanish, -1 becomes a sign."""
    if any(f.value == 0.0 for f in factors):
        return ZERO
    kept, sign = [], 1.0
    for f in factors:
        if f.value == -1.0:
            sign = -sign
        elif f.value != 1.0:
            kept.append(f)
    product = ONE if not kept else kept[0] if len(kept) == 1 else node("mul", kept)
    return product if sign > 0 else neg(product)


def div(a: Expr, b: Expr) -> Expr:
    if a.value == 0.0:
        return ZERO
    return a if b.value == 1.0 else node("div", (a, b))


def pow_(a: Expr, b: Expr) -> Expr:
    if b.value == 0.0:
        return ONE
    return a if b.value == 1.0 else node("pow", (a, b))


# ---- walks ----------------------------------------------------------------------------------------------------------
def postorder(roots: Iterable[Expr]) -> Iterator[Expr]:
    """Every node below the roots once, arguments before the node; order depends on the structure only."""
    seen: set[Expr] = set()
    for root in roots:
        stack: list[tuple[Expr, int]] = [(root, 0)]
        while stack:
            e, i = stack.pop()
            if i == 0:
                if e in seen:
                    continue
                seen.add(e)
            if i < len(e.args):
                stack.append((e, i + 1))
                if e.args[i] not in seen:
                    stack.append((e.args[i], 0))
            else:
                yield e


def symbols(*roots: Expr) -> list[Symbol]:
    """The symbols below the roots in order of first occurrence."""
    return [e.data for e in postorder(roots) if e.op == "sym"]


def rebuild(roots: Iterable[Expr], change: Callable[[Expr, tuple[Expr, ...]], Expr | None]) -> tuple[Expr, ...]:
    """Bottom-up rewriting: `change(old node, new arguments)` gives the new node, or None to keep the operation."""
    roots = tuple(roots)
    new: dict[Expr, Expr] = {}
    for e in postorder(roots):
        args = tuple(new[a] for a in e.args)
        changed = change(e, args)
        new[e] = changed if changed is not None else e if args == e.args else node(e.op, args, e.data)
    return tuple(new[r] for r in roots)


def substitute(roots: Iterable[Expr], values: Mapping[Symbol, Expr]) -> tuple[Expr, ...]:
    """Symbols replaced by expressions (which are not looked into again)."""
    return rebuild(roots, lambda e, _: values.get(e.data) if e.op == "sym" else None)


# ---- printing in the language's own notation ------------------------------------------------------------------------
_INFIX = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_OR, _AND, _NOT, _CMP, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 10)


def number_text(value: float) -> str:
    """Shortest text that reads back as the same number, whole numbers without a point."""
    if value == float("inf"):
        return "inf"
    if value != value or value == float("-inf"):
        return "(0/0)" if value != value else "-inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def show(root: Expr, name: Callable[[Symbol], str] = str) -> str:
    """An expression as text of the language. `name` spells symbols."""
    done: dict[Expr, tuple[str, int]] = {}

    def at(e: Expr, level: int) -> str:
        text, own = done[e]
        return text if own >= level else f"({text})"

    for e in postorder((root,)):
        done[e] = _show_node(e, at, name)
    return done[root][0]


def _show_node(e: Expr, at: Callable[[Expr, int], str], name: Callable[[Symbol], str]) -> tuple[str, int]:
    op, args = e.op, e.args
    if op == "const":
        return number_text(e.data), _ATOM if e.data >= 0 else _SIGN
    if op == "sym":
        derivative = {"derivative": "'", "input_rate": "'", "start_input": "(0)"}.get(e.data.kind, "")
        return name(e.data) + derivative, _ATOM
    if op == "add":
        parts = [at(args[0], _SUM)]
        for a in args[1:]:
            if a.value is not None and a.value < 0:
                parts.append(f" - {number_text(-a.value)}")
                continue
            parts.append(f" - {at(a.args[0], _PRODUCT)}" if a.op == "neg" else f" + {at(a, _PRODUCT)}")
        return "".join(parts), _SUM
    if op == "mul":
        return "*".join([at(args[0], _PRODUCT), *(at(a, _SIGN) for a in args[1:])]), _PRODUCT
    if op == "div":
        return f"{at(args[0], _PRODUCT)}/{at(args[1], _SIGN)}", _PRODUCT
    if op == "neg":
        return f"-{at(args[0], _SIGN)}", _SIGN
    if op == "pow":
        return f"{at(args[0], _ATOM)}^{at(args[1], _SIGN)}", _POWER
    if op in _INFIX:
        return f"{at(args[0], _SUM)} {_INFIX[op]} {at(args[1], _SUM)}", _CMP
    if op in ("and", "or"):
        level = _AND if op == "and" else _OR
        return f" {op} ".join(at(a, level + 1) for a in args), level
    if op == "not":
        return f"not {at(args[0], _NOT)}", _NOT
    if op == "where":
        return f"if {at(args[0], _OR)} then {at(args[1], _OR)} else {at(args[2], 0)}", 0
    if op == "out":
        first = e.data == 0 and args[0].op == "net"
        return (at(args[0], _ATOM) if first else f"{at(args[0], _ATOM)}[{e.data + 1}]"), _ATOM
    arguments = ", ".join(at(a, 0) for a in args)
    if op == "table_slope":
        return f"D{e.data[0]}({arguments})[{', '.join(str(j + 1) for j in e.data[1:])}]", _ATOM
    return f"{ {'net': e.data, 'table': e.data, 'net_jacobian': f'D{e.data}'}.get(op, op) }({arguments})", _ATOM
