"""Random models with an oracle of their own.

Every random expression is made twice at once: as text of the language and as a plain Python function of the
values. The text goes through the whole compiler; the function is the independent answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

Values = dict[str, float]
Oracle = Callable[[Values], float]


@dataclass
class RandomModel:
    """A model's text, the values of all names at a point, and what each rate and intermediate must be there."""

    text: str
    time: float
    states: Values
    parameters: Values
    rates: Values
    definitions: Values


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _exprel(x: float) -> float:
    return math.expm1(x) / x if x else 1.0


# name in the language -> (Python meaning, what keeps the argument in a tame range)
UNARY: dict[str, tuple[Callable[[float], float], str]] = {
    "exp": (math.exp, "bounded"),
    "expm1": (math.expm1, "bounded"),
    "exprel": (_exprel, "bounded"),
    "log": (math.log, "positive"),
    "ln": (math.log, "positive"),
    "log1p": (math.log1p, "positive"),
    "log10": (math.log10, "positive"),
    "log2": (math.log2, "positive"),
    "sqrt": (math.sqrt, "positive"),
    "sin": (math.sin, "any"),
    "cos": (math.cos, "any"),
    "tan": (math.tan, "bounded"),
    "asin": (math.asin, "unit"),
    "acos": (math.acos, "unit"),
    "atan": (math.atan, "any"),
    "sinh": (math.sinh, "bounded"),
    "cosh": (math.cosh, "bounded"),
    "tanh": (math.tanh, "any"),
    "asinh": (math.asinh, "any"),
    "abs": (abs, "any"),
    "erf": (math.erf, "any"),
    "softplus": (_softplus, "any"),
    "sigmoid": (_sigmoid, "any"),
    "relu": (lambda x: max(x, 0.0), "any"),
}
TAME = {  # range -> (text around an expression, the same as a function)
    "any": ("{}", lambda x: x),
    "bounded": ("sin({})", math.sin),
    "unit": ("0.9*sin({})", lambda x: 0.9 * math.sin(x)),
    "positive": ("(1.5 + cos({}))", lambda x: 1.5 + math.cos(x)),
}


@dataclass
class _Writer:
    rng: random.Random
    names: list[str] = field(default_factory=list)

    def leaf(self) -> tuple[str, Oracle]:
        if self.rng.random() < 0.75:
            name = self.rng.choice(self.names)
            return name, lambda v, n=name: v[n]
        text = self.rng.choice(["2", "0.5", "3.25", "1e-2", "7", "10.", ".125"])
        return text, lambda v, x=float(text): x

    def expression(self, depth: int) -> tuple[str, Oracle]:
        if depth == 0:
            return self.leaf()
        kind = self.rng.choice(
            ["sum", "difference", "product", "quotient", "power", "minus", "call", "call", "if", "hill", "extreme", "pair"]
        )
        a, fa = self.expression(depth - 1)
        b, fb = self.expression(self.rng.randrange(depth))
        return getattr(self, f"_{kind}")(a, fa, b, fb)

    def _sum(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"({a} + {b})", lambda v: fa(v) + fb(v)

    def _difference(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"({a} - {b} - 1)", lambda v: fa(v) - fb(v) - 1

    def _product(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"{a}*tanh({b})", lambda v: fa(v) * math.tanh(fb(v))

    def _quotient(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"{a}/(2 + sin({b}))", lambda v: fa(v) / (2 + math.sin(fb(v)))

    def _power(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        n = self.rng.choice([0, 1, 2, 3, 5])
        return f"sin({a})^{n}", lambda v: math.sin(fa(v)) ** n

    def _minus(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"(-cos({a})^2)", lambda v: -(math.cos(fa(v)) ** 2)

    def _call(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        name = self.rng.choice(list(UNARY))
        function, kind = UNARY[name]
        around, tame = TAME[kind]
        return f"{name}({around.format(a)})", lambda v: function(tame(fa(v)))

    def _if(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return (
            f"(if {a} < {b} and not ({b} > 5) then {a} else sin({b}))",
            lambda v: fa(v) if fa(v) < fb(v) and not fb(v) > 5 else math.sin(fb(v)),
        )

    def _hill(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        def value(v: Values) -> float:
            x, k = fa(v), 1.5 + math.cos(fb(v))
            return x**3 / (k**3 + x**3) if x > 0 else 0.0

        return f"hill({a}, 1.5 + cos({b}), 3)", value

    def _extreme(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        name, function = self.rng.choice([("min", min), ("max", max)])
        return f"{name}({a}, {b}, 1)", lambda v: function(fa(v), fb(v), 1.0)

    def _pair(self, a: str, fa: Oracle, b: str, fb: Oracle) -> tuple[str, Oracle]:
        return f"atan2({a}, 2 + cos({b}))", lambda v: math.atan2(fa(v), 2 + math.cos(fb(v)))


def random_model(seed: int, states: int = 3, parameters: int = 3, definitions: int = 3, depth: int = 3) -> RandomModel:
    """A model whose statements stand in random order; each state and intermediate is a random expression."""
    rng = random.Random(seed)
    writer = _Writer(rng, ["time_"])
    values: Values = {"time_": rng.uniform(0, 2)}
    lines = []
    for i in range(parameters):
        values[f"k{i}"] = round(rng.uniform(0.2, 2), 3)
        lines.append(f"param k{i} = {values[f'k{i}']!r}")
    for i in range(states):
        values[f"x{i}"] = round(rng.uniform(-2, 2), 3)
        lines.append(f"state x{i} = {values[f'x{i}']!r}")
    writer.names += list(values)[1:]
    made: Values = {}
    for i in range(definitions):
        text, oracle = writer.expression(depth)
        lines.append(f"d{i} = {text}")
        values[f"d{i}"] = made[f"d{i}"] = oracle(values)
        writer.names.append(f"d{i}")
    rates: Values = {}
    for i in range(states):
        text, oracle = writer.expression(depth)
        lines.append(rng.choice([f"dx{i}/dtime_ = {text}", f"x{i}' = {text}"]))
        rates[f"x{i}"] = oracle(values)
    rng.shuffle(lines)
    text = "model random_model\ntime time_\n" + "\n".join(lines) + "\n"
    pick = {n: v for n, v in values.items() if n[0] == "x"}
    return RandomModel(text, values["time_"], pick, {n: v for n, v in values.items() if n[0] == "k"}, rates, made)
