"""The one file that talks to SymPy: the shape of an equation goes there, its derivatives come back.

SymPy objects are built node by node from an expression of slots (no text, no name of the user's), and are brought back
the same way.
Smooth elementary functions, products and whole powers are SymPy's own. Sums and all other operations are opaque
functions that are differentiated by our rules: so SymPy cancels and collects factors, but never reorders a sum that the
user wrote, and never makes 0*inf of a branch that is not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any

from hybridode.equations.alpha import slot, whole
from hybridode.equations.derivative_rules import RULES
from hybridode.equations.patterns import raised
from hybridode.expr import BOOLEAN, NARY, Expr, add, const, div, mul, neg, node, postorder, pow_, symbols

SMOOTH = ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "asinh", "atan", "erf")  # SymPy's functions of these names
SHOWN = {op: op for op in (*SMOOTH, "tanh", "asin", "acos", "acosh", "atanh", "sign", "floor", "sqrt")} | {"abs": "Abs"}
_HIGHEST_POWER = 8


class Algebra:
    """SymPy with our operations. `opaque` keeps sums and functions with edges out of SymPy's sight (for derivatives);
    without it SymPy sees what it can (for `simplify`, shown only)."""

    def __init__(self, opaque: bool = True) -> None:
        self.opaque = opaque
        self._ours: dict[str, Any] = {}

    @cached_property
    def sympy(self) -> ModuleType:
        import sympy  # half a second: only when a shape is first needed

        return sympy

    @cached_property
    def known(self) -> dict[str, Any]:
        """Operation -> SymPy's function of the same meaning."""
        names = {op: op for op in SMOOTH} if self.opaque else SHOWN
        return {op: getattr(self.sympy, name) for op, name in names.items()}

    def _function(self, op: str) -> Any:
        """The SymPy function class of an operation that only our rules look into."""
        if op not in self._ours:
            self._ours[op] = self._new_function(op)
        return self._ours[op]

    def _new_function(self, op: str) -> Any:
        def eval_derivative(self_: Any, by: Any) -> Any:
            if op in BOOLEAN:
                return self.sympy.S.Zero
            given = {i: d for i, a in enumerate(self_.args) if (d := a.diff(by)) != 0}
            return self._by_rule(op, self_.args, given) if given else self.sympy.S.Zero

        return type(f"ode_{op}", (self.sympy.Function,), {"_eval_derivative": eval_derivative, "operation": op})

    def _by_rule(self, op: str, args: tuple[Any, ...], given: Mapping[int, Any]) -> Any:
        """Our derivative rule on placeholders, brought to SymPy; numbers stay numbers, rules look at them."""
        places = [const(float(a)) if a.is_Rational else slot(i) for i, a in enumerate(args)]
        n = len(args)
        derivative = RULES[op](node(op, places))({i: slot(n + i) for i in given})
        return self.into([derivative], {**dict(enumerate(args)), **{n + i: d for i, d in given.items()}})[derivative]

    # ---- there -------------------------------------------------------------------------------------------------------
    def into(self, roots: Iterable[Expr], slots: Mapping[int, Any]) -> dict[Expr, Any]:
        """SymPy objects of all nodes below the roots."""
        made: dict[Expr, Any] = {}
        for e in postorder(roots):
            made[e] = self._into(e, [made[a] for a in e.args], slots)
        return made

    def _into(self, e: Expr, args: list[Any], slots: Mapping[int, Any]) -> Any:
        sp, op = self.sympy, e.op
        if op == "const":
            return self._number(e.data)
        if op == "sym":
            return slots[e.data.index]
        if op == "mul":
            return sp.Mul(*args)
        if op == "neg":
            return sp.Mul(-1, args[0])
        if op == "div":
            return sp.Mul(args[0], sp.Pow(args[1], -1))
        if op == "pow" and (whole(e.args[1]) or not self.opaque):
            return sp.Pow(*args)
        if op == "add" and not self.opaque:
            return sp.Add(*args)
        return (self.known.get(op) or self._function(op))(*args)

    def _number(self, value: float) -> Any:
        sp = self.sympy
        if value != value or value in (float("inf"), float("-inf")):
            return sp.Symbol({"inf": "edge_plus", "-inf": "edge_minus"}.get(str(value), "edge_nan"))  # never computed with
        return sp.Rational(*value.as_integer_ratio())

    # ---- and back ----------------------------------------------------------------------------------------------------
    def back(self, root: Any, origin: Mapping[Any, Expr]) -> Expr | None:
        """The expression of a SymPy object; parts that came from one of ours are that very node again (so that values are shared
        with the right side). None if SymPy made something that we have no word for."""
        done: dict[Any, Expr] = {self._number(v): const(v) for v in (float("inf"), float("-inf"), float("nan"))}
        done.update(origin)
        stack = [(root, False)]
        while stack:
            x, ready = stack.pop()
            if x in done:
                continue
            if not ready and not x.is_number:
                stack += [(x, True), *((a, False) for a in reversed(x.args))]
                continue
            made = self._back(x, [done[a] for a in x.args if a in done])
            if made is None:
                return None
            done[x] = made
        return done[root]

    def _back(self, x: Any, args: list[Expr]) -> Expr | None:
        if x.is_number:
            return const(float(x)) if x.is_finite and x.is_real else None
        if x.is_Add:
            return add(*args)
        if x.is_Mul:
            return self._product(x, args)
        if x.is_Pow:
            return self._power(args[0], x.exp, args[1])
        op = getattr(x, "operation", None) or next((op for op, f in self.known.items() if op != "sqrt" and x.func is f), None)
        if op is None:
            return None
        return args[0] if op in NARY and len(args) == 1 else node(op, args)

    def _product(self, x: Any, args: list[Expr]) -> Expr | None:
        above, below = [], []
        for factor, e in zip(x.args, args, strict=True):
            if factor.is_Pow and factor.exp.is_negative and factor.exp.is_Integer:
                inverse = e.args[1] if e.op == "div" and e.args[0].value == 1.0 else None
                (below if inverse is not None else above).append(inverse if inverse is not None else e)
            else:
                above.append(e)
        top, bottom = mul(*above), mul(*below)
        return neg(div(top.args[0], bottom)) if top.op == "neg" else div(top, bottom)

    def _power(self, base: Expr, exponent: Any, e: Expr) -> Expr:
        if exponent.is_Integer and abs(exponent) <= _HIGHEST_POWER:
            n = int(exponent)
            return raised(base, n) if n > 0 else div(const(1.0), raised(base, -n))
        if exponent.is_Rational and abs(exponent) * 2 == 1:
            root = node("sqrt", (base,))
            return root if exponent > 0 else div(const(1.0), root)
        return pow_(base, e)

    # ---- what is done there ------------------------------------------------------------------------------------------
    def _slots(self, e: Expr) -> dict[int, Any]:
        # Numbered names sort as the slots do; real, so that SymPy does not keep cases of complex numbers.
        return {s.index: self.sympy.Symbol(f"s{s.index:04d}", real=True) for s in symbols(e)}

    def partials(self, shape: Expr, by: Iterable[int]) -> dict[int, Expr] | None:
        """Slot number -> partial derivative of an expression of slots by those slots, zeros left out; None if SymPy's
        answer has no word of ours."""
        slots = self._slots(shape)
        made = self.into([shape], slots)
        origin: dict[Any, Expr] = {}
        for e, x in made.items():
            origin.setdefault(x, e)
        out: dict[int, Expr] = {}
        for i in by:
            slope = made[shape].diff(slots[i])
            if slope == 0:
                continue
            value = self.back(slope, origin)
            if value is None:
                return None
            out[i] = value
        return out

    def simplified(self, e: Expr) -> Expr:
        """What `sympy.simplify` makes of an expression of slots; the expression itself if that has no word of ours."""
        slots = self._slots(e)
        made = self.into([e], slots)
        simple = self.sympy.simplify(made[e])
        return self.back(simple, {x: slot(i) for i, x in slots.items()}) or e
