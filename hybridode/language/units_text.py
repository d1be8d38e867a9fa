"""Units as texts: stored and printed. Checking and converting belong to a later version, so all this file knows
is when a literal's unit would have to be converted: its place has another unit, or the file uses a second unit of
the same quantity (`ms` beside `s`)."""

from __future__ import annotations

from collections.abc import Iterable

from hybridode.language.findings import Findings
from hybridode.language.later import refuse
from hybridode.language.syntax import Number, Unit

NormalForm = tuple[tuple[str, float], ...]

_QUANTITIES: dict[str, str] = {  # quantity -> its units that take no prefix, or are spelled out
    "time": "min h hr hour hours d day days wk week weeks month months a yr year years second seconds minute minutes",
    "temperature": "degC degF",
    "angle": "deg degree degrees rad radian turn",
    "mass": "lb oz tonne",
    "length": "inch ft mile",
    "volume": "gal",
    "pressure": "atm mmHg psi",
    "energy": "kcal",
}
_PREFIXABLE = {
    "s": "time", "m": "length", "g": "mass", "L": "volume", "l": "volume", "M": "concentration", "mol": "amount", "V": "voltage",
    "A": "current", "F": "capacitance", "S": "conductance", "ohm": "resistance", "Ω": "resistance", "Hz": "frequency",
    "J": "energy", "cal": "energy", "eV": "energy", "N": "force", "Pa": "pressure", "bar": "pressure", "W": "power",
    "C": "charge", "K": "temperature",
}  # fmt: skip
_PREFIXES = frozenset({"Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "μ", "n", "p", "f", "a", "z", "y"})
_QUANTITY: dict[str, str] = {name: q for q, names in _QUANTITIES.items() for name in names.split()} | _PREFIXABLE


def quantity(base: str) -> str:
    """What a base unit measures (`ms` → time); an unknown unit measures itself."""
    if base in _QUANTITY:
        return _QUANTITY[base]
    for cut in (1, 2):
        if base[:cut] in _PREFIXES and base[cut:] in _PREFIXABLE:
            return _PREFIXABLE[base[cut:]]
    return base


def normal_form(unit: Unit) -> NormalForm:
    """Base units with their exponents, sorted; `1/h` and `h^-1` give the same."""
    exponents: dict[str, float] = {}
    for factor in unit.factors:
        name = factor.name.replace("μ", "u") if len(factor.name) > 1 else factor.name
        exponents[name] = exponents.get(name, 0.0) + factor.exponent
    return tuple(sorted((name, e) for name, e in exponents.items() if e and name != "1"))


def bases(units: Iterable[Unit]) -> dict[str, str]:
    """Base unit names of declarations, each with the quantity it measures."""
    return {name: quantity(name) for unit in units for name, _ in normal_form(unit)}


class LiteralUnits:
    """Checks the units of number literals of one file against those of its declarations."""

    def __init__(self, declared: Iterable[Unit]) -> None:
        self._declared = bases(declared)
        self.seen_literal = False

    def in_expression(self, literal: Number, findings: Findings) -> None:
        """Inside an expression a literal counts as its number if no other unit of its quantity is in use."""
        assert literal.unit is not None
        self.seen_literal = True
        for base, _ in normal_form(literal.unit):
            if base in self._declared:
                continue
            kind = quantity(base)
            other = next((name for name, q in self._declared.items() if q == kind), None)
            if other is not None:
                text = f"`{literal.text} [{literal.unit.text}]` needs converting (this file uses `{other}` for {kind})"
                self._refuse(literal, text, f"write the number in `{other}`", findings)
                return
            self._declared[base] = kind

    def in_place(self, literal: Number, place: Unit | None, what: str, findings: Findings) -> None:
        """A literal that is a declared value, bound or time has exactly the unit of its place."""
        if literal.unit is None:
            return
        if place is None:
            self.in_expression(literal, findings)
            return
        self.seen_literal = True
        if normal_form(literal.unit) != normal_form(place):
            text = f"`{literal.text} [{literal.unit.text}]` needs converting ({what} is in `{place.text}`)"
            self._refuse(literal, text, f"write the number in `{place.text}`", findings)

    @staticmethod
    def _refuse(literal: Number, text: str, hint: str, findings: Findings) -> None:
        refuse(findings, "conversion", literal, f"{text}; this", hint)
