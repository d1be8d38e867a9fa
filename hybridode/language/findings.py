"""What the checker has found so far: errors and warnings, each with its place, none twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from hybridode.errors import Diagnostic, Source, Span, in_order


class Placed(Protocol):
    """Anything with character offsets: every node of the syntax tree."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


Place = Placed | Span


class Findings:
    """Collects diagnostics of one source. Equal ones (a function's body seen at two calls) are kept once."""

    def __init__(self, source: Source, earlier: Iterable[Diagnostic] = ()) -> None:
        self.source = source
        self._items: list[Diagnostic] = list(earlier)
        self._seen: set[tuple[str, int, str]] = set()

    def span(self, place: Place) -> Span:
        return place if isinstance(place, Span) else self.source.span(place.start, place.end)

    def _report(
        self, severity: str, code: str, message: str, place: Place, hint: str, related: Sequence[tuple[Place, str]]
    ) -> None:
        span = self.span(place)
        key = (code, span.start, message)
        if key not in self._seen:
            self._seen.add(key)
            notes = tuple((self.span(p), text) for p, text in related)
            self._items.append(Diagnostic(code, message, span, hint, severity, notes))

    def error(self, code: str, message: str, place: Place, hint: str = "", related: Sequence[tuple[Place, str]] = ()) -> None:
        self._report("error", code, message, place, hint, related)

    def warn(self, code: str, message: str, place: Place, hint: str = "", related: Sequence[tuple[Place, str]] = ()) -> None:
        self._report("warning", code, message, place, hint, related)

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self._items)

    def all(self) -> tuple[Diagnostic, ...]:
        """Everything found, in order of place."""
        return in_order(self._items)
