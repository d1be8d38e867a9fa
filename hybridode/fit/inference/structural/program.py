"""Expressions as a list of operations that power series know: arithmetic, roots, functions by their differential equations.

`x^n` with a constant whole n is a product; any other power is exp(n log x). Functions of the language that no differential
equation defines (abs, min, if, tables, networks) are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridode.errors import Diagnostic, UsageError
from hybridode.expr import Expr, Symbol, postorder

MOST_POWER = 64
Instruction = tuple[str, tuple[int, ...], Any]  # operation, places of its arguments, datum


@dataclass
class Program:
    """Instructions, each reading earlier ones: `const` (a float), `leaf` (a Symbol), `random` (a known number, by name), `add`,
    `neg`, `mul`, `div`, `sqrt`, `exp`, `log`, `sin`, `cos`, `tanh`, `sigmoid`, `atan`."""

    instructions: list[Instruction] = field(default_factory=list)
    _known: dict[Instruction, int] = field(default_factory=dict)
    _places: dict[Expr, int] = field(default_factory=dict)
    _defined: dict[Symbol, int] = field(default_factory=dict)

    def add(self, op: str, *args: int, data: Any = None) -> int:
        """The place of an instruction, an old one where it is there already."""
        instruction = (op, args, data)
        if instruction not in self._known:
            self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return self._known[instruction]

    def define(self, symbol: Symbol, expr: Expr) -> None:
        """From now on the symbol means this expression."""
        self._defined[symbol] = self.place(expr)

    def place(self, root: Expr) -> int:
        """Where the value of an expression stands. Raises UsageError E0786 for what has no power series."""
        for e in postorder([root]):
            if e not in self._places:
                self._places[e] = self._lowered(e)
        return self._places[root]

    def _lowered(self, e: Expr) -> int:
        if e.op == "const":
            return self.add("const", data=float(e.data))
        if e.op == "sym":
            return self._defined[e.data] if e.data in self._defined else self.add("leaf", data=e.data)
        args = [self._places[a] for a in e.args]
        if e.op == "pow":
            return self._power(args[0], args[1], e.args[1].value)
        rule = RULES.get(e.op)
        if rule is None:
            message = f"structural identifiability is not known of models with {_NAMES.get(e.op, f'`{e.op}`')}"
            raise UsageError(Diagnostic("E0786", message, hint="profiles say what the data themselves determine"))
        return rule(self, args)

    def _power(self, base: int, exponent: int, value: float | None) -> int:
        if value is not None and value == int(value) and abs(value) <= MOST_POWER:
            whole = self.product([base] * abs(int(value)))
            return whole if value >= 0 else self.add("div", self.add("const", data=1.0), whole)
        if value in (0.5, -0.5):
            root = self.add("sqrt", base)
            return root if value == 0.5 else self.add("div", self.add("const", data=1.0), root)
        return self.add("exp", self.product([exponent, self.add("log", base)]))

    def product(self, factors: Iterable[int]) -> int:
        """Of some places; 1 of none."""
        found = None
        for factor in factors:
            found = factor if found is None else self.add("mul", found, factor)
        return self.add("const", data=1.0) if found is None else found

    def sum(self, terms: Iterable[int]) -> int:
        """Of some places."""
        found = None
        for term in terms:
            found = term if found is None else self.add("add", found, term)
        return self.add("const", data=0.0) if found is None else found


def _one(p: Program) -> int:
    return p.add("const", data=1.0)


def _minus(p: Program, a: int, b: int) -> int:
    return p.add("add", a, p.add("neg", b))


def _scaled_log(name: str) -> Callable[[Program, list[int]], int]:
    return lambda p, a: p.add("div", p.add("log", a[0]), p.add("random", data=name))


def _half(sign: int) -> Callable[[Program, list[int]], int]:
    """cosh and sinh."""

    def rule(p: Program, a: list[int]) -> int:
        up, down = p.add("exp", a[0]), p.add("div", _one(p), p.add("exp", a[0]))
        whole = p.add("add", up, down) if sign > 0 else _minus(p, up, down)
        return p.add("mul", p.add("const", data=0.5), whole)

    return rule


def _hill(p: Program, a: list[int]) -> int:
    x, k, n = a
    exponent = p.instructions[n]
    value = exponent[2] if exponent[0] == "const" else None
    up, half = p._power(x, n, value), p._power(k, n, value)
    return p.add("div", up, p.add("add", half, up))


RULES: Mapping[str, Callable[[Program, list[int]], int]] = {
    "add": lambda p, a: p.sum(a),
    "mul": lambda p, a: p.product(a),
    "neg": lambda p, a: p.add("neg", a[0]),
    "div": lambda p, a: p.add("div", a[0], a[1]),
    "mm": lambda p, a: p.add("div", a[0], p.add("add", a[1], a[0])),
    "hill": _hill,
    "tan": lambda p, a: p.add("div", p.add("sin", a[0]), p.add("cos", a[0])),
    "expm1": lambda p, a: _minus(p, p.add("exp", a[0]), _one(p)),
    "log1p": lambda p, a: p.add("log", p.add("add", _one(p), a[0])),
    "log10": _scaled_log("log 10"),
    "log2": _scaled_log("log 2"),
    "cosh": _half(1),
    "sinh": _half(-1),
    **{op: (lambda p, a, op=op: p.add(op, a[0])) for op in ("sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "atan")},
}
_CONDITIONS, _NETWORKS, _TABLES = "`if` and comparisons", "networks", "tables"
_NAMES = {
    **dict.fromkeys(("where", "lt", "le", "gt", "ge"), _CONDITIONS),
    **dict.fromkeys(("net", "out", "net_jacobian"), _NETWORKS),
    **dict.fromkeys(("table", "table_slope"), _TABLES),
}
