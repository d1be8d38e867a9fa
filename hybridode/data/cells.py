"""What one cell of a data file says: a number, a limit (`<0.5`), nothing, a date, or something to complain about."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

# Only ASCII digits, no underscores, no `inf`: Python's float() takes more than a data file may mean.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([,' ]\d{3})+(\.\d*)?\Z|[+-]?\d{1,3}(\.\d{3})+(,\d*)?\Z", re.ASCII)
_DATE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2})?([T ].*)?\Z|\d{1,4}[./]\d{1,2}[./]\d{1,4}( .*)?\Z|\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?\Z", re.ASCII
)
_FORTRAN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+\Z", re.ASCII)
_LIMIT = re.compile(r"(<=?|>=?|≤|≥)\s*(.*)\Z", re.DOTALL)
MISSING = frozenset({"", ".", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat"})

BELOW, NONE, ABOVE, BETWEEN = -1, 0, 1, 2  # how a value is censored


class Cell(NamedTuple):
    """`value` is NaN when the cell is empty; `censored` is BELOW for `<v`, ABOVE for `>v`; `problem` says why it is no value."""

    value: float
    censored: int = NONE
    problem: str = ""
    remedy: str = ""


EMPTY = Cell(math.nan)


def is_number(text: str) -> bool:
    """Whether a text is a number in either decimal notation."""
    return bool(_NUMBER.match(text) or _DECIMAL_COMMA.match(text))


def has_decimal_comma(text: str) -> bool:
    return bool(_DECIMAL_COMMA.match(text.lstrip("<>=≤≥ ")))


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
            return Cell(inner.value, BELOW if limit[1] in ("<", "<=", "≤") else ABOVE)
        return Cell(math.nan, NONE, "is no limit", "a censored value is a sign and a number: `<0.5` or `>100`")
    return Cell(math.nan, NONE, *_complaint(text))


def _finite(text: str) -> Cell:
    value = float(text)
    if math.isinf(value):
        return Cell(math.nan, NONE, "is too large for a number", "write a finite number, or leave the cell empty")
    return Cell(value)


def _complaint(text: str) -> tuple[str, str]:
    if _DATE.match(text):
        return "is a date", "dates are not read yet: write numbers, for example days since the first record"
    if _GROUPED.match(text):
        return "has grouped digits or another decimal mark", "write the number plainly with a decimal point: `1234.5`"
    if _DECIMAL_COMMA.match(text):
        return "has a decimal comma", "write a decimal point: `0.5`"
    if _FORTRAN.match(text):
        return "is no number", "write the exponent with `e`: `1e5`"
    if text.lower().lstrip("+-") in ("inf", "infinity", "∞"):
        return "is infinite", "write a finite number, or leave the cell empty"
    if text.endswith("%"):
        return "is no number", "write the number without the sign: `0.05` for 5 %"
    if text[:1].isdigit() and any(c.isalpha() for c in text):
        return "is no number", "write the number alone; a unit belongs into the header, in brackets: `dose [mg]`"
    return "is no number", "write a number; an empty cell or `NA` means missing"
