"""Names that a user may have meant, as remedies: the nearest name, the option that maps it, a unit that needs brackets."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence

LONGEST = 60  # characters of a name in a message
_UNIT_BEHIND = re.compile(
    r"(?P<name>.+?)(?:\s*\((?P<inside>[^()]*(?:\([^()]*\)[^()]*)*)\)|\s*/\s*(?P<per>\S+)|\s+in\s+(?P<words>\S+))\Z"
)


def near_names(name: str, known: Sequence[str]) -> str:
    """`did you mean ...?`, "" when nothing is near."""
    near = _near(name, known)
    return "did you mean " + " or ".join(f"`{shown(n)}`" for n in near) + "?" if near else ""


def listed(names: Mapping[str, object] | Sequence[str], quote: str = "`") -> str:
    """At most twelve names for a message."""
    found = list(names)[:12]
    more = len(list(names)) - len(found)
    return ", ".join(f"{quote}{shown(n)}{quote}" if n else "(unnamed)" for n in found) + (f" and {more} more" if more > 0 else "")


def shown(name: str) -> str:
    """A name, cut where it is too long to be one."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def column_option(ours: str, theirs: str, frame: bool = False) -> str:
    """The option that maps a column, as it is typed in a shell, or (for a data frame) in Python."""
    return f"columns={{{ours!r}: {theirs!r}}}" if frame else f"--column {shlex.quote(f'{ours}={theirs}')}"


def column_hint(ours: str, headers: Sequence[str], frame: bool = False) -> str:
    """What to do about a column that is not there under its name, when one of the headers is probably it; else "".

    A unit in parentheses or behind a slash is not read (`x (max)` is no unit): its brackets are shown.
    """
    for text in headers:
        match = _UNIT_BEHIND.match(text)
        if match and match["name"].strip().casefold() == ours.casefold():
            unit = next((u for u in (match["inside"], match["per"], match["words"]) if u), "…").strip("()")
            return f"if it is `{shown(text)}`, write its unit in square brackets: `{ours} [{unit}]`"
    near = _near(ours, headers)
    return f"if it is `{shown(near[0])}`, say `{column_option(ours, near[0], frame)}`" if near else ""


def _near(name: str, known: Sequence[str]) -> list[str]:
    same = [k for k in known if k.casefold() == name.casefold()]
    return same or difflib.get_close_matches(name, [k for k in known if k and len(k) <= LONGEST], n=2, cutoff=0.6)
