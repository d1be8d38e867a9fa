"""One tree of errors, one place in a text, one renderer.

Everything a user can do wrong ends as a `Diagnostic`: a stable code, a place, what is wrong in the
user's own words and how to mend it. The exceptions only carry diagnostics; the exit code of the
command line is a property of the exception's class.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Source:
    """A text with a name. Places in it are character offsets until they are shown."""

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        starts, at = [0], self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def line_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """Text of a 1-based line without its line end."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    def span(self, start: int, end: int) -> Span:
        """The place `[start, end)` in this source."""
        return Span(self, start, max(end, start))


@dataclass(frozen=True)
class Span:
    """A half-open range of characters in a source."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.line_column(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.line_column(self.start)[1]

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One thing to tell the user.

    `message` says what is wrong, `hint` (shown beside the carets) how to mend it, `related` names other
    places with a few words each. `severity` is "error" or "warning".
    """

    code: str
    message: str
    span: Span | None = None
    hint: str = ""
    severity: str = "error"
    related: tuple[tuple[Span, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The diagnostic as plain data (what `--json` prints)."""
        place: dict[str, Any] = {}
        if self.span is not None:
            source = self.span.source
            line, column = source.line_column(self.span.start)
            end_line, end_column = source.line_column(self.span.end)
            place = {"file": source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            **place,
            "related": [{"file": s.source.name, "line": s.line, "column": s.column, "message": m} for s, m in self.related],
        }


class HybridodeError(Exception):
    """Base of every error that is the user's to mend. `diagnostics` is never empty."""

    exit_code = 1

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__(render(self.diagnostics))


class ModelError(HybridodeError):
    """The model file is wrong (exit code 1)."""


class DataError(HybridodeError):
    """The data are wrong or do not fit the model (exit code 1)."""


class UsageError(HybridodeError):
    """The command or call is wrong (exit code 2)."""

    exit_code = 2


class NumericsError(HybridodeError):
    """The computation failed; `partial` holds what was computed (exit code 3)."""

    exit_code = 3

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic], partial: Any = None) -> None:
        super().__init__(diagnostics)
        self.partial = partial


_SHOWN = 160  # characters of a source line that are shown


def _width(text: str) -> int:
    """Terminal columns of a text (tabs count as one: they are shown as a blank)."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _excerpt(span: Span, hint: str) -> list[str]:
    line, column = span.source.line_column(span.start)
    text = span.source.line_text(line)
    first = max(0, column - 1 - _SHOWN // 2) if len(text) > _SHOWN else 0
    shown = "".join(" " if c == "\t" or not c.isprintable() else c for c in text[first : first + _SHOWN])
    before = _width(shown[: column - 1 - first])
    length = min(span.end - span.start, len(text) - (column - 1), _SHOWN - (column - 1 - first))
    carets = "^" * max(1, _width(shown[column - 1 - first : column - 1 - first + max(length, 0)]))
    gutter = f"{line:>5} | "
    return [gutter + shown, " " * (len(gutter) - 2) + "| " + " " * before + carets + (f" {hint}" if hint else "")]


def visible(text: str) -> str:
    """A text with its control characters (which move a terminal's cursor or turn the direction of writing) as escapes."""
    if text.isprintable():
        return text
    hidden = ("Cc", "Cf")
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in hidden else c.encode("unicode_escape").decode() for c in text
    )


def render_one(diagnostic: Diagnostic) -> str:
    """A diagnostic as text: `file:line:column: error E0203: …`, the line, carets, the remedy."""
    return visible(_rendered(diagnostic))


def _rendered(diagnostic: Diagnostic) -> str:
    head = f"{diagnostic.severity} {diagnostic.code}: {diagnostic.message}"
    if diagnostic.span is None:
        return head + (f"\n    {diagnostic.hint}" if diagnostic.hint else "")
    lines = [f"{diagnostic.span}: {head}", *_excerpt(diagnostic.span, diagnostic.hint)]
    for span, message in diagnostic.related:
        lines += [f"    {span}: {message}", *_excerpt(span, "")]
    return "\n".join(lines)


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """All diagnostics as text, in the order given, an empty line between."""
    return "\n\n".join(render_one(d) for d in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by place, errors before warnings at one place, repetitions dropped."""

    def key(d: Diagnostic) -> tuple[str, int, bool, str]:
        return (d.span.source.name if d.span else "", d.span.start if d.span else -1, d.severity != "error", d.code)

    return tuple(sorted(dict.fromkeys(diagnostics), key=key))
