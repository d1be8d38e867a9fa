"""What one cell of a data file says: a number, a limit (`<0.5`), nothing, a date, or something to complain about."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

# Only ASCII digits, no underscores, no `inf`: Python's float() takes more than a data file may mean.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_GROUPED = re.compile(
    r"[+-]?\d{1,3}([,' \u00a0\u202f\u2009]\d{3})+(\.\d*)?\Z|[+-]?\d{1,3}([. \u00a0\u202f]\d{3})+(,\d*)?\Z", re.ASCII
)
_DATE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2})?([T ].*)?\Z|\d{1,4}[./]\d{1,2}[./]\d{1,4}( .*)?\Z|\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?\Z", re.ASCII
)
_FORTRAN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+\Z", re.ASCII)
# `[0.1, 0.5]`, `(0.1; 0.5]`, `]0.1, 0.5[`, `0.1..0.5`; what stands between the marks is read as numbers afterwards
_BRACKETS = re.compile(r"([\[(\]])(.+)([\])\[])\Z", re.DOTALL)
_ENDS = re.compile(r"\s*(?:\.\.|…|;)\s*|\s*,\s*|\s+")
_ENDS_BESIDE_COMMAS = re.compile(r"\s*(?:\.\.|…|;)\s*|\s*,\s+|\s+,\s*|\s+")  # where a comma may be a decimal mark
_RANGE = re.compile(r"[-+−.,\deE]+\s*(?:\.\.|…)\s*[-+−.,\deE]+\Z", re.ASCII)
_HYPHENED = re.compile(r"\d+([.,]\d+)?\s*[-–—]\s*\d+([.,]\d+)?\Z", re.ASCII)
_LIMIT = re.compile(r"(<=?|>=?|≤|≥)\s*(.*)\Z", re.DOTALL)
_DETECTION = frozenset(  # words for what an instrument could not see
    {"bql", "blq", "bdl", "lod", "loq", "lloq", "uloq", "nd", "n.d.", "not detected", "<lod", "<loq", "<lloq", ">uloq"}
)
_UNKNOWN = frozenset({"-", "--", "---", "–", "—", "?", "missing", "unknown", "x", "*", "null", "nil", "no data"})
MISSING = frozenset({"", ".", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat"})

_NINES = (88.0, 888.0, 8888.0, 99.0, 99.9, 999.0, 999.9, 9999.0, 9999.9, 99999.0, 999999.0, 1e20, 1e30, 1e35)
MARKS = frozenset((-9.0, *_NINES, *(-m for m in _NINES)))  # numbers that programs write where nothing was measured

LARGEST = 1e100  # of a number in a file: its square and cube are still numbers
BELOW, NONE, ABOVE, BETWEEN = -1, 0, 1, 2  # how a value is censored


class Cell(NamedTuple):
    """`value` is NaN when the cell is empty; `censored` is BELOW for `<v`, ABOVE for `>v`, BETWEEN for `[value, upper]`;
    `closed` says whether the (lower, upper) limit itself is possible; `problem` says why it is no value."""

    value: float
    censored: int = NONE
    problem: str = ""
    remedy: str = ""
    upper: float = math.nan
    closed: tuple[bool, bool] = (False, False)


EMPTY = Cell(math.nan)


def is_number(text: str) -> bool:
    """Whether a text is a number in either decimal notation."""
    return bool(_NUMBER.match(text) or _DECIMAL_COMMA.match(text))


def has_decimal_comma(text: str) -> bool:
    """Whether a number, a limit or an end of an interval is written with a decimal comma."""
    return any(_DECIMAL_COMMA.match(part) for part in re.split(r"[<>=≤≥;\[\]() ]|,\s|\.\.|…", text))


def has_decimal_point(text: str) -> bool:
    text = text.lstrip("<>=≤≥ ")
    return "." in text and bool(_NUMBER.match(text))


def read_cell(text: str, decimal: str = ".") -> Cell:
    """The meaning of a stripped cell. `decimal` is the file's decimal mark, "." or ","."""
    if _NUMBER.match(text):
        return _finite(text)
    if text.lower() in MISSING:
        return EMPTY
    text = text.replace("\u2212", "-")  # the typographic minus of spreadsheets and papers
    if decimal == "," and _DECIMAL_COMMA.match(text):
        return _finite(text.replace(",", "."))
    if _NUMBER.match(text):
        return _finite(text)
    limit = _LIMIT.match(text)
    if limit:
        inner = read_cell(limit[2].strip(), decimal)
        if not inner.problem and inner.censored == NONE and not math.isnan(inner.value):
            closed = limit[1] not in ("<", ">")
            if limit[1] in ("<", "<=", "≤"):
                return Cell(inner.value, BELOW, closed=(False, closed))
            return Cell(inner.value, ABOVE, closed=(closed, False))
        remedy = _AT_DETECTION if text.lower() in _DETECTION else "a censored value is a sign and a number: `<0.5` or `>100`"
        return Cell(math.nan, NONE, "is no limit", remedy)
    return _interval(text, decimal) or Cell(math.nan, NONE, *_complaint(text))


_AT_DETECTION = "write the limit of detection as a number, `<0.5`, or leave the cell empty if nothing was measured"
_INTERVAL_REMEDY = "an interval is two numbers, the smaller first: `[0.1, 0.5]` or `0.1..0.5`"


def _interval(text: str, decimal: str) -> Cell | None:
    """`[0.1, 0.5]` and `0.1..0.5`; None for what looks like no interval."""
    brackets = _BRACKETS.match(text)
    if not brackets and not _RANGE.match(text):
        return None
    closed = (not brackets or brackets[1] == "[", not brackets or brackets[3] == "]")
    inside = brackets[2].strip() if brackets else text
    ends = (_ENDS_BESIDE_COMMAS if decimal == "," else _ENDS).split(inside)
    if len(ends) != 2:
        return Cell(math.nan, NONE, "is no interval", _INTERVAL_REMEDY)
    low, high = (_end(e, decimal) for e in ends)
    if not low < high:
        return Cell(math.nan, NONE, "is no interval", _INTERVAL_REMEDY)
    if math.isinf(low) or math.isinf(high):
        if math.isinf(low) and math.isinf(high):
            return EMPTY
        return Cell(high, BELOW, closed=(False, closed[1])) if math.isinf(low) else Cell(low, ABOVE, closed=(closed[0], False))
    return Cell(low, BETWEEN, upper=high, closed=closed)


def _end(text: str, decimal: str) -> float:
    """An end of an interval: a number or an infinity; NaN for anything else."""
    bare = text.lower().lstrip("+-")
    if bare in ("inf", "infinity", "∞"):
        return -math.inf if text.startswith("-") else math.inf
    cell = read_cell(text, decimal) if text else EMPTY
    return math.nan if cell.problem or cell.censored != NONE else cell.value


def _finite(text: str) -> Cell:
    value = float(text)
    if abs(value) > LARGEST:
        return Cell(
            math.nan, NONE, "is too large to compute with", f"numbers go to {LARGEST:g}: choose another unit, or leave it empty"
        )
    return Cell(value)


def _complaint(text: str) -> tuple[str, str]:
    if _DATE.match(text):
        return "is a date", "dates may stand in the time column only; write a number here"
    if _HYPHENED.match(text):
        return "is no number", "an interval is written `0.1..0.5` or `[0.1, 0.5]`"
    if _GROUPED.match(text):
        return "has grouped digits or another decimal mark", "write the number plainly with a decimal point: `1234.5`"
    if _DECIMAL_COMMA.match(text):
        return "has a decimal comma", "write a decimal point: `0.5`"
    if _FORTRAN.match(text):
        return "is no number", "write the exponent with `e`: `1e5`"
    if text.lower().lstrip("+-") in ("inf", "infinity", "∞"):
        return "is infinite", "write a finite number, or leave the cell empty"
    if text.lower() in _DETECTION:
        return "is no number", _AT_DETECTION
    if text.lower() in _UNKNOWN:
        return "is no number", "if it means missing, leave the cell empty or write `NA`"
    if "±" in text or "+/-" in text:
        return "is no number", "write the value alone; how values scatter is what the noise model of `observe` says"
    if text.endswith("%"):
        return "is no number", "write the number without the sign: `0.05` for 5 %"
    if text[:1].isdigit() and any(c.isalpha() for c in text):
        return "is no number", "write the number alone; a unit belongs into the header, in brackets: `dose [mg]`"
    return "is no number", "write a number; an empty cell or `NA` means missing"
