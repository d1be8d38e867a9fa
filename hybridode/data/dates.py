"""Times written as dates and clock times: what a cell says, exactly, and when two readings are possible.

Instants are exact seconds (fractions) since the start of the year 1 in the Gregorian calendar, continued backwards; those with a
zone are in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

DAY = 86400
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2})([.,](?P<rest>\d{1,18}))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(:?\d{2})?))?"
_TIME = rf"([T ]\s*{_CLOCK}{_ZONE})?\Z"
_YEAR, _MONTH, _DAY = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_NAME = r"(?P<name>[A-Za-z]{3,9})"
_PATTERNS = (  # family, pattern without the clock; the first that matches counts
    ("year-month-day", rf"{_YEAR}-{_MONTH}(-{_DAY})?"),
    ("year/month/day", rf"{_YEAR}(?P<mark>[/.]){_MONTH}(?P=mark){_DAY}"),
    ("day or month first", r"(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{2,4})"),
    ("month by name", rf"{_DAY}[ .-]*{_NAME}[ .,-]*{_YEAR}"),
    ("month by name", rf"{_NAME}\.? +{_DAY}(st|nd|rd|th)?,? +{_YEAR}"),
)
_FORMS = (
    *((family, re.compile(pattern + _TIME, re.ASCII)) for family, pattern in _PATTERNS),
    ("clock time", re.compile(rf"{_CLOCK}{_ZONE}\Z", re.ASCII)),
)


@dataclass(frozen=True)
class Written:
    """A cell that looks like a date or a clock time. `fields` are the texts of its parts (day and month may be `a` and `b`)."""

    text: str
    family: str
    fields: dict[str, str | None]

    @property
    def has_zone(self) -> bool:
        return bool(self.fields.get("zone"))

    @property
    def has_clock(self) -> bool:
        return self.fields.get("hour") is not None


class DateProblem(Exception):
    """Why a cell is no date, with a remedy as the second argument."""


def written(text: str) -> Written | None:
    """The parts of a date or a clock time; None for what looks like neither."""
    if len(text) > 60:
        return None
    for family, pattern in _FORMS:
        match = pattern.match(text)
        if match and not (family == "month by name" and _month_of(match["name"]) is None):
            return Written(text, family, match.groupdict())
    return None


def _month_of(name: str) -> int | None:
    name = name.lower()
    return _FULL.index(name) + 1 if name in _FULL else _MONTHS.index(name[:3]) + 1 if name in (*_MONTHS, "sept") else None


def order_of(cells: Sequence[Written]) -> tuple[str, Written | None]:
    """("dmy" or "mdy", the cell that shows it) for dates such as 13/02/2020; ("", None) when every cell has two readings; the dot
    is written in countries that put the day first. Raises DateProblem when the cells contradict each other."""
    day_first = next((c for c in cells if int(c.fields["a"] or 0) > 12), None)
    month_first = next((c for c in cells if int(c.fields["b"] or 0) > 12), None)
    if day_first is not None and month_first is not None:
        raise DateProblem(
            f"`{month_first.text}` has the month first, `{day_first.text}` the day",
            "write all dates as year-month-day: `2020-03-04`",
        )
    if month_first is not None:
        return "mdy", month_first
    if day_first is not None or (cells and cells[0].fields["mark"] == "."):
        return "dmy", day_first
    return "", None


def both_readings(cell: Written) -> str:
    """`03/04/2020` in words, twice."""
    a, b = int(cell.fields["a"] or 0), int(cell.fields["b"] or 0)
    year = cell.fields["year"]
    if not (1 <= a <= 12 and 1 <= b <= 12):
        return "no date"
    return f"{a} {_FULL[b - 1].capitalize()} {year} or {_FULL[a - 1].capitalize()} {b}, {year}"


def instant(cell: Written, order: str = "") -> Fraction:
    """Seconds since the start of the year 1 (of a clock time: since midnight). Raises DateProblem."""
    seconds = _seconds(cell)
    if cell.family == "clock time":
        return seconds
    f = cell.fields
    if len(f["year"] or "") != 4:
        raise DateProblem("has a year of two digits", "write all four digits of the year: `2020-03-04`")
    if "a" in f:
        day, month = (f["a"], f["b"]) if order == "dmy" else (f["b"], f["a"])
    else:
        day, month = f["day"] or "1", f.get("month") or str(_month_of(f.get("name") or ""))
    try:
        days = date(int(f["year"] or 0), int(month or 0), int(day or 0)).toordinal() - 1
    except ValueError as e:
        raise DateProblem(f"is no day of the calendar ({e})", "correct the date") from e
    return days * DAY + seconds - _offset(f.get("zone"))


def _seconds(cell: Written) -> Fraction:
    f = cell.fields
    if f.get("hour") is None:
        return Fraction(0)
    hour, minute = int(f["hour"] or 0), int(f["minute"] or 0)
    second = Fraction(f"{f['second'] or 0}.{f['rest'] or 0}")
    half = (f.get("half") or "").lower()[:1]
    if half and not 1 <= hour <= 12:
        raise DateProblem("is no time of the day", "hours run from 1 to 12 with am and pm")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 and cell.family == "clock time":
        raise DateProblem(
            "is no time of the day", "clock times run from 00:00 to 23:59; for elapsed times write numbers, for example minutes"
        )
    if hour > 23 or minute > 59 or second >= 60:
        raise DateProblem("is no time of the day", "clock times run from 00:00:00 to 23:59:59")
    return hour * 3600 + minute * 60 + second


def _offset(zone: str | None) -> int:
    """Seconds that a zone is ahead of UTC."""
    if not zone or zone in ("Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def instant_text(seconds: Fraction, zoned: bool, clock_only: bool = False) -> str:
    """`1978-01-22`, `1978-01-22T06:30:00Z`, `06:30:00`: reads back as the same instant to the nanosecond."""
    days, rest = divmod(seconds, DAY)
    whole, part = divmod(rest, 1)
    hours, minutes = divmod(int(whole), 3600)
    clock = f"{hours:02d}:{minutes // 60:02d}:{minutes % 60:02d}"
    if part:
        clock += f".{round(part * 10**9):09d}".rstrip("0")
    if clock_only:
        return clock
    day = date.fromordinal(int(days) + 1).isoformat()
    return day if not rest and not zoned else f"{day}T{clock}{'Z' if zoned else ''}"
