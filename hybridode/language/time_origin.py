"""Where the time begins: `time t: yr from 1900`, `time t: d from "1978-01-22"`."""

from __future__ import annotations

import math
import re
from datetime import datetime

from hybridode.expr import Expr, const
from hybridode.language import syntax as s
from hybridode.language.collect import Collected
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Usage

_A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLOCK = re.compile(r"([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII)


def time_origin(el: Elaboration, found: Collected) -> Expr | None:
    """`from 1900` of the `time` statement; 0 with `from "1978-01-22"`."""
    if found.time is None or found.time.origin is None:
        return None
    usage = Usage("the start of the time", CONSTANTS, "use numbers and `const`s")
    frame = Frame(usage, unit=found.time.unit, unit_of="the time")
    origin = found.time.origin
    text = origin.value if isinstance(origin, s.Text) else el.findings.source.text[origin.start : origin.end]
    if isinstance(origin, s.Text) and not _is_instant(text):
        el.error("E0337", f"`{text}` is no date", origin, frame, 'write year-month-day: `from "1978-01-22"`')
    elif not isinstance(origin, s.Text) and _A_DATE.match(text):
        what = f"`{text}` is a difference of numbers, not a date"
        el.error("E0337", what, origin, frame, f'write the date in quotes: `from "{text}"`')
    elif not isinstance(origin, s.Text):
        return _origin_number(el, origin, frame)
    return const(0.0)


def _origin_number(el: Elaboration, origin: s.Expression, frame: Frame) -> Expr | None:
    value = el.evaluate(origin, frame)
    if value is None or not el.is_scalar(value, "the start", origin, frame):
        return None
    number = el.constant(value, origin, frame) if el.is_number(value, origin, frame) else None
    if number is not None and math.isinf(number[0]):
        el.error("E0312", "the start of the time is infinite", origin, frame, "write a number: `time t from 1900`")
    return value.scalar if number is not None else None


def _is_instant(text: str) -> bool:
    """Whether a text is a date or a date with a clock time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(_A_DATE.match(text) and _CLOCK.fullmatch(text[10:]))


def time_date(found: Collected) -> str:
    """The date behind `from`, "" where there is none."""
    origin = found.time.origin if found.time is not None else None
    return origin.value if isinstance(origin, s.Text) else ""
