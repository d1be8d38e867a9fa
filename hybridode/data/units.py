"""Units of headers: what a text such as `1000/yr` or `mg kg^-1` means, and the exact factor from one to another.

Names are pint's; a name that it does not know (`cells`, `pelts`) is a dimension of its own. Pint takes more than a second to
start and is asked only when two texts differ. All factors are fractions, so that a converted number is the nearest float of the
exact one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import UnitRegistry

LONGEST = 120  # characters of a unit; bounds the depth of parentheses too
_LARGEST_EXPONENT = 100
_FACTORS = (Fraction(1, 10**100), Fraction(10**100))
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<per>per\b)|(?P<name>[^\W\d]+(?:\d+[^\W\d]+)*|[%°]\w*)"
    r"(?P<power>[+-]?\d+)?|(?P<sign>\*\*|[-*/·×^()+]))"
)
_SECONDS = {  # units of time that need no pint: name -> seconds (a year is 365.25 days, as pint's)
    **dict.fromkeys(("s", "sec", "second", "seconds"), Fraction(1)),
    **dict.fromkeys(("min", "minute", "minutes"), Fraction(60)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), Fraction(3600)),
    **dict.fromkeys(("d", "day", "days"), Fraction(86400)),
    **dict.fromkeys(("wk", "week", "weeks"), Fraction(7 * 86400)),
    **dict.fromkeys(("mo", "month", "months"), Fraction(36525 * 72 * 10)),
    **dict.fromkeys(("a", "yr", "year", "years"), Fraction(36525 * 864)),
    "ms": Fraction(1, 1000),
}


class UnitProblem(Exception):
    """A text that is no unit, in words."""


@dataclass(frozen=True)
class Unit:
    """v of this unit are `factor*v + offset` of base units with these exponents."""

    factor: Fraction
    exponents: Mapping[str, Fraction]
    offset: Fraction = Fraction(0)

    def to_power(self, n: Fraction) -> Unit:
        if self.offset and n != 1:
            raise UnitProblem("a temperature that starts elsewhere than at 0 K cannot stand in a product: write `K`")
        if n.denominator != 1:
            if self.factor != 1:
                raise UnitProblem("a fractional power of a scaled unit has no exact factor")
            return Unit(Fraction(1), {k: e * n for k, e in self.exponents.items()})
        return Unit(self.factor ** int(n), {k: e * n for k, e in self.exponents.items()}, self.offset)

    def times(self, other: Unit) -> Unit:
        if (self.offset and not other.is_one) or (other.offset and not self.is_one):
            raise UnitProblem("a temperature that starts elsewhere than at 0 K cannot stand in a product: write `K`")
        exponents = {k: self.exponents.get(k, 0) + other.exponents.get(k, 0) for k in {**self.exponents, **other.exponents}}
        kept = {k: Fraction(e) for k, e in exponents.items() if e}
        return Unit(self.factor * other.factor, kept, self.offset + other.offset)

    @property
    def is_one(self) -> bool:
        return self.factor == 1 and not self.exponents

    @property
    def dimension(self) -> str:
        """The exponents in words: `mass/length^3`."""
        over = [_power(k, e) for k, e in sorted(self.exponents.items()) if e > 0]
        under = [_power(k, -e) for k, e in sorted(self.exponents.items()) if e < 0]
        return ("*".join(over) or "1") + "".join(f"/{u}" for u in under)


_ONE = Unit(Fraction(1), {})


def _power(name: str, exponent: Fraction) -> str:
    name = name.strip("[]")
    return name if exponent == 1 else f"{name}^{exponent}" if exponent.denominator == 1 else f"{name}^({exponent})"


@dataclass(frozen=True)
class Conversion:
    """A number v of a column is `factor*v + offset` for the model; `from_` and `to` are the two units."""

    factor: Fraction
    offset: Fraction
    from_: str
    to: str

    def __call__(self, value: float) -> float:
        """The nearest float to the exact result (the shortest decimal text of `value` counts as exact)."""
        return float(self.factor * Fraction(repr(value)) + self.offset)

    def __str__(self) -> str:
        factor = f"{self.factor.numerator}" if self.factor.denominator == 1 else f"{float(self.factor):.12g}"
        offset = f" and {'added' if self.offset > 0 else 'reduced by'} {abs(float(self.offset)):.12g}" if self.offset else ""
        times = "" if self.factor == 1 and offset else f" multiplied by {factor}"
        return f"`{self.from_}` to `{self.to}`:{times}{offset.removeprefix(' and') if not times else offset}"


def same_text(a: str, b: str) -> bool:
    """Whether two units are written alike up to blanks and variants of signs."""
    return _plain(a) == _plain(b)


def _plain(unit: str) -> str:
    unit = unit.replace(" ", "").replace("·", "*").replace("**", "^").replace("\u00b5", "\u03bc")
    return "1" if unit in ("", "-") else unit


def conversion(given: str, declared: str) -> Conversion | None:
    """From a header's unit to the model's; None when they are the same. Raises UnitProblem with the reason."""
    if same_text(given, declared):
        return None
    a, b = parse_unit(given), parse_unit(declared)
    if a.exponents != b.exponents:
        raise UnitProblem(f"`{given}` is {a.dimension}, `{declared}` is {b.dimension}")
    factor, offset = a.factor / b.factor, (a.offset - b.offset) / b.factor
    if not _FACTORS[0] < factor < _FACTORS[1]:
        raise UnitProblem(f"the factor from `{given}` to `{declared}` is not between 1e-100 and 1e100")
    return None if factor == 1 and not offset else Conversion(factor, offset, given, declared)


def scale_to(given: str, declared: str) -> float:
    """The factor between two units, 1 where there is none to speak of (used for sizes only, never for values)."""
    if not (given and declared):
        return 1.0
    try:
        change = conversion(given, declared)
    except UnitProblem:  # told where the values are read
        return 1.0
    return 1.0 if change is None else float(change.factor)


def seconds_of(unit: str) -> Fraction:
    """The seconds in a unit of time. Raises UnitProblem when it is none."""
    if unit in _SECONDS:
        return _SECONDS[unit]
    found = parse_unit(unit)
    if found.exponents != {"[time]": 1}:
        raise UnitProblem(f"`{unit}` is {found.dimension}, no time")
    return found.factor


def parse_unit(text: str) -> Unit:
    """The meaning of a unit: products, quotients (from left to right), powers, numbers, names; `m2` and `s-1` are powers too."""
    if len(text) > LONGEST:
        raise UnitProblem(f"a unit has at most {LONGEST} characters")
    unit, rest = _product(_tokens(text.translate(_SUPERSCRIPTS).replace("\u00b5", "\u03bc").replace("\u2126", "Ω")), 0)
    assert rest == 0, "every parenthesis is closed"
    return unit


def _tokens(text: str) -> list[re.Match[str]]:
    """The tokens in reverse, to be taken from the end."""
    found, at, depth = [], 0, 0
    text = "1" if text.strip() in ("", "-") else text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        depth += 0 if token is None else {"(": 1, ")": -1}.get(token["sign"], 0)
        if token is None or depth < 0:
            raise UnitProblem(f"`{text}` is no unit: `{text[at:]}` is not understood")
        found.append(token)
        at = token.end()
    if depth:
        raise UnitProblem(f"`{text}` is no unit: a parenthesis is not closed")
    return found[::-1]


def _product(tokens: list[re.Match[str]], depth: int) -> tuple[Unit, int]:
    """Factors up to the end or the closing parenthesis."""
    unit, divide = _ONE, False
    expects = True
    while tokens and tokens[-1]["sign"] != ")":
        token = tokens[-1]
        if token["sign"] in ("*", "·", "×", "/") or token["per"]:
            divides = token["sign"] == "/" or bool(token["per"])
            if expects and not (unit.is_one and divides):
                raise UnitProblem(f"a unit is missing before `{token[0].strip()}`")
            divide, expects = divides, True
            tokens.pop()
            continue
        factor = _factor(tokens, depth)
        unit, divide, expects = unit.times(factor.to_power(Fraction(-1)) if divide else factor), False, False
    if expects:
        raise UnitProblem("the unit ends too early")
    if tokens:
        tokens.pop()
        depth -= 1
    return unit, depth


def _factor(tokens: list[re.Match[str]], depth: int) -> Unit:
    token = tokens.pop()
    if token["sign"] == "(":
        unit, _ = _product(tokens, depth + 1)
    elif token["number"]:
        if not Fraction(token["number"]):
            raise UnitProblem("a unit cannot have the factor 0")
        unit = Unit(Fraction(token["number"]), {})
    elif token["name"]:
        unit = named(token["name"]).to_power(_bounded(Fraction(token["power"] or 1)))
    else:
        raise UnitProblem(f"`{token[0].strip()}` stands where a unit is expected")
    if tokens and tokens[-1]["sign"] in ("^", "**"):
        tokens.pop()
        unit = unit.to_power(_exponent(tokens))
    return unit


def _exponent(tokens: list[re.Match[str]]) -> Fraction:
    """`2`, `-1`, `0.5`, `(1/2)`."""
    text = ""
    while tokens:
        part = tokens[-1][0].strip()
        if not (part in ("-", "+", "(", ")", "/") or tokens[-1]["number"]) or (part == "/" and "(" not in text):
            break
        if part == ")" and "(" not in text:
            break
        text += part
        tokens.pop()
        if part == ")" or (tokens and text.strip("+-(") and "(" not in text):
            break
    match = re.fullmatch(r"\(?([+-]?\d+\.?\d*)(?:/(\d+))?\)?", text)
    if not match or (match[2] and not int(match[2])):
        raise UnitProblem("an exponent is a number: `s^-1`, `s^(1/2)`")
    return _bounded(Fraction(match[1]) / int(match[2] or 1))


def _bounded(exponent: Fraction) -> Fraction:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise UnitProblem(f"exponents go up to {_LARGEST_EXPONENT}")
    return exponent


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry

    return UnitRegistry(non_int_type=Fraction)  # pyright: ignore[reportArgumentType]  # pint documents fractions too


def named(name: str) -> Unit:
    """The unit of one name. What pint does not know is a dimension of its own, without a plural `s`."""
    if name in _SECONDS:
        return Unit(_SECONDS[name], {"[time]": Fraction(1)})
    from pint import UndefinedUnitError

    registry = _registry()
    try:
        unit = registry.parse_units(name)
    except UndefinedUnitError:
        return Unit(Fraction(1), {name.removesuffix("s") or name: Fraction(1)})
    try:
        zero, one = (registry.Quantity(Fraction(v), unit).to_root_units() for v in (0, 1))
    except TypeError as e:  # fractions have no logarithm
        raise UnitProblem(f"`{name}` is logarithmic: its values cannot be scaled") from e
    exponents = {str(k): Fraction(str(v)) for k, v in one.dimensionality.items()}
    return Unit(one.magnitude - zero.magnitude, exponents, zero.magnitude)
