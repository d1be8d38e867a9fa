"""Numbers, units and lists as they are read in a sentence or a table of the report."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from hybridode.report.axes import RAISED

_CODE = 160  # letters of a formula in a sentence
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([-+]\d+)(?![\w.])")  # a number with an exponent, outside of names


def significant(value: Any, digits: int = 4) -> str:
    """A number for reading: `digits` significant figures, no more; a dash for what does not exist."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    number = float(value)
    if number == 0:
        return "0"
    if 1e-4 <= abs(number) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
        return f"{number:.{decimals}f}".replace("-", "−")
    mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    return f"{mantissa}×10^{int(exponent)}".replace("-", "−")


def brief(value: Any, digits: int = 3) -> str:
    """A number in a sentence, without zeros at its end."""
    head, power, exponent = significant(value, digits).partition("×10^")
    head = head.rstrip("0").rstrip(".") if "." in head else head
    return f"{head}×10{exponent.translate(RAISED)}" if power else head


def with_power(text: str) -> Markup:
    """`1.2×10^−5` with its exponent raised."""
    head, caret, exponent = text.partition("^")
    return Markup("{}<sup>{}</sup>").format(head, exponent) if caret else Markup("{}").format(text)


def with_code(text: str) -> Markup:
    """What stands in backquotes as code; numbers with exponents as they are read. What is markup already stays as it is."""
    if isinstance(text, Markup):
        return text
    parts = text.replace(" %", "\N{NO-BREAK SPACE}%").split("`")
    parts[::2] = [_POWER.sub(_plain, part) for part in parts[::2]]
    parts[1::2] = [part if len(part) <= _CODE else f"{part[: _CODE - 1]}…" for part in parts[1::2]]
    marked = [Markup("<code>{}</code>").format(part) if i % 2 else Markup("{}").format(part) for i, part in enumerate(parts)]
    return Markup("").join(marked)


def _plain(match: re.Match[str]) -> str:
    """`1.18e+03` as 1180, `2.1e-07` with a power of ten."""
    value = float(match[0])
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:.10f}".rstrip("0").rstrip(".")
    return f"{match[1]}×10{str(int(match[2])).translate(RAISED)}"


def sentence(text: str) -> str:
    """With a capital at its beginning, unless that is a name, and a full stop at its end."""
    text = text.strip()
    first = text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
    return first if not first or first[-1] in ".:!?" else f"{first}."


def duration(seconds: Any) -> str:
    """Seconds in words of a size that is read at a glance."""
    if seconds is None:
        return "–"
    return f"{float(seconds):.1f} s" if float(seconds) < 120 else f"{float(seconds) / 60:.1f} min"


def listed(names: Sequence[str], most: int = 4) -> str:
    """`a`, `b` and `c`; what is beyond `most` is counted."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > most:
        return f"{', '.join(quoted[:most])} and {len(quoted) - most} more"
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else "none"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 series`, `3 numbers`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def gathered(columns: Sequence[str]) -> list[str]:
    """Names with the entries of each vector as one: `rho[1]` to `rho[26]`."""
    found: dict[str, list[str]] = {}
    for column in columns:
        base, bracket, _ = column.partition("[")
        found.setdefault(base if bracket else column, []).append(column)
    return [names[0] if len(names) == 1 else f"{names[0]}` to `{names[-1]}" for names in found.values()]
