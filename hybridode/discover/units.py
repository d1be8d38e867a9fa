"""Units of what a formula reads and of its numbers, in the names that the model uses: `nM/h` over `nM` is `1/h`.

A unit is a mapping of names to exponents. Nothing is converted: the coefficient of a term has the unit of the rate that it stands
in over that of the term, whatever the names mean, so that units that no library knows (`hares/yr`) are as good as any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from hybridode.declarations import Declarations
from hybridode.discover.slots import Slot, inlined, network_calls
from hybridode.expr import Expr, postorder

Unit = Mapping[str, Fraction]

_TOKEN = re.compile(r"\s*(?:([^\W\d]\w*|%|°\w*)|(\d+)|([-+*/^()]))")
_ONE: Unit = {}
_DIMENSIONLESS = frozenset({"1", "rad", "%"})


def read_unit(text: str) -> Unit | None:
    """A unit as the language writes it; None of an empty text, and of numbers other than 1 in it."""
    if not text.strip():
        return None
    found: dict[str, Fraction] = {}
    signs, sign, last = [1], 1, ""
    at, power = 0, 1
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        name, number, mark = match.groups()
        at = match.end()
        if name:
            last = name
            found[name] = found.get(name, Fraction(0)) + signs[-1] * sign
            power = signs[-1] * sign
        elif mark == "^":
            exponent = re.match(r"\s*\(?\s*([-+]?\d+)\s*\)?", text[at:])
            if exponent is None or not last:
                return None
            at += exponent.end()
            found[last] += power * (int(exponent[1]) - 1)
        elif mark in ("*", "/"):
            sign, last = (1 if mark == "*" else -1), ""
        elif mark == "(":
            signs.append(signs[-1] * sign)
            sign = 1
        elif mark == ")":
            signs.pop()
            sign, last = 1, ""  # a power of what stands in parentheses is not read
            if not signs:
                return None
        elif number != "1":
            return None
    return {k: e for k, e in found.items() if e and k not in _DIMENSIONLESS}


def unit_text(unit: Unit | None) -> str:
    """As the language writes it; "" of no unit, and where an exponent is no whole number."""
    if not unit or any(e.denominator != 1 for e in unit.values()):
        return ""
    over = [k if e == 1 else f"{k}^{e}" for k, e in unit.items() if e > 0]
    under = [k if e == -1 else f"{k}^{-e}" for k, e in unit.items() if e < 0]
    return ("*".join(over) or "1") + "".join(f"/{u}" for u in under)


def times(a: Unit | None, b: Unit | None, power: Fraction | int = 1) -> Unit | None:
    """a b^power, None where one is not known."""
    if a is None or b is None:
        return None
    exponents = {k: a.get(k, Fraction(0)) + power * b.get(k, Fraction(0)) for k in {**a, **b}}
    return {k: e for k, e in exponents.items() if e}


def coefficient_unit(unit: str, units: Sequence[str], powers: Sequence[float]) -> str:
    """unit/(units^powers) as a text; "" where one that counts is not known."""
    found = read_unit(unit)
    for u, p in zip(units, powers, strict=False):
        if p:
            found = times(found, read_unit(u), -Fraction(p).limit_denominator(4))
    return unit_text(found)


# ---- units of a slot -------------------------------------------------------------------------------------------------------
def with_units(d: Declarations, slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Slots with the units of their values and arguments, where the declared units say what they are. Without unit: `1` stands
    for a number without one. What has a unit is no angle: its sine would have none."""
    units, found = _Units(d), []
    for slot in slots:
        own = tuple(_said(units.of_argument(slot, i)) for i in range(slot.inputs))
        angles = tuple(angle and unit in ("", "1") for angle, unit in zip(slot.angles, own, strict=True))
        found.append(replace(slot, unit=_said(units.needed(slot)), units=own, angles=angles))
    return tuple(found)


def _said(unit: Unit | None) -> str:
    return "" if unit is None else unit_text(unit) or "1"


class _Units:
    """What the declarations say of the units of expressions."""

    def __init__(self, d: Declarations) -> None:
        self.d = d
        self.definitions = {(x.name, i): e for x in d.definitions for i, e in enumerate(x.elements)}
        self.declared = any(x.unit for x in (*d.states, *d.parameters, *d.constants))

    def of(self, root: Expr) -> Unit | None:
        """The unit of an expression, None where it is not known."""
        (whole,) = inlined([root], self.definitions)
        done: dict[Expr, Unit | None] = {}
        for e in postorder([whole]):
            done[e] = self._of_node(e, [done[a] for a in e.args])
        return done[whole]

    def _of_node(self, e: Expr, args: list[Unit | None]) -> Unit | None:
        if e.op == "const":
            return _ONE
        if e.op == "sym":
            return self._of_symbol(e)
        if e.op in ("add", "min", "max", "neg", "abs"):
            return next((a for a in args if a is not None), None)
        if e.op in ("mul", "div"):
            found = args[0]
            for other in args[1:]:
                found = times(found, other, 1 if e.op == "mul" else -1)
            return found
        if e.op == "pow" and e.args[1].value is not None and args[0] is not None:
            return times(_ONE, args[0], Fraction(e.args[1].value).limit_denominator(4))
        return _ONE if e.op in ("sin", "cos", "tan", "exp", "log", "tanh", "sigmoid", "hill", "mm") else None

    def _of_symbol(self, e: Expr) -> Unit | None:
        kind, name = e.data.kind, e.data.name
        if kind == "time":
            return read_unit(self.d.time_unit)
        velocity = next((s for s in self.d.states if s.name == name and s.velocity_of), None)
        if velocity is not None:
            return times(self._named(velocity.velocity_of), read_unit(self.d.time_unit), -1)
        if kind == "derivative":
            return times(self._named(name), read_unit(self.d.time_unit), -1)
        return self._named(name)

    def _named(self, name: str) -> Unit | None:
        velocity = next((s for s in self.d.states if s.name == name and s.velocity_of), None)
        if velocity is not None:
            return times(self._named(velocity.velocity_of), read_unit(self.d.time_unit), -1)
        return read_unit(self.d.unit_of(name))

    def of_argument(self, slot: Slot, i: int) -> Unit | None:
        calls = network_calls(self.d, slot.network.name)
        return self.of(calls[0][i]) if self.declared else None

    def needed(self, slot: Slot) -> Unit | None:
        """What the output must have in the sums that it stands in."""
        if not self.declared:
            return None
        for root, unit in self._roots():
            (whole,) = inlined([root], self.definitions)
            stack = [(whole, unit)]
            while stack:
                e, wanted = stack.pop()
                if e.op == "out" and e.args[0].data == slot.network.name and e.data == slot.output and wanted is not None:
                    return wanted
                stack += self._below(e, wanted)
        return None

    def _roots(self) -> list[tuple[Expr, Unit | None]]:
        clock = read_unit(self.d.time_unit)
        found = [(e, times(self._named(s.name), clock, -1)) for s in self.d.states for e in list(s.rate)[:64]]
        return [*found, *((e, None) for q in self.d.equations for e in list(q.residuals)[:64])]

    def _below(self, e: Expr, wanted: Unit | None) -> list[tuple[Expr, Unit | None]]:
        if e.op == "add":
            known = wanted if wanted is not None else next((u for u in map(self.of, e.args) if u is not None), None)
            return [(a, known) for a in e.args]
        if e.op == "neg":
            return [(e.args[0], wanted)]
        if e.op == "mul":
            found = []
            for i, a in enumerate(e.args):
                left = wanted
                for j, other in enumerate(e.args):
                    left = times(left, self.of(other), -1) if j != i else left
                found.append((a, left))
            return found
        return [(e.args[0], times(wanted, self.of(e.args[1])))] if e.op == "div" else []
