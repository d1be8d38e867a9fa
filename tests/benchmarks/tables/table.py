"""What a table of the benchmark is: it measures numbers that JSON can hold, and writes and draws them again from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.measure import Effort

Data = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """`measure` runs in a process of its own that may use `cores` processors (0: all). `goals(data)` are pairs (row of
    GOALS, number). `draw(data)` are diagrams: file name → SVG text."""

    name: str
    title: str
    measure: Callable[[Effort], Data]
    write: Callable[[Data], list[str]]
    goals: Callable[[Data], list[tuple[str, float | None]]]
    draw: Callable[[Data], dict[str, str]] = lambda data: {}
    cores: int = 1


def grid(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; all columns but the first are numbers."""
    lines = [f"| {' | '.join(heading)} |", f"|---|{'---:|' * (len(heading) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def time_text(seconds: float | None) -> str:
    """Three digits with a unit; a dash for None."""
    if seconds is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            return f"{seconds / size:.3g} {unit}" if seconds / size < 999.5 else f"{seconds / size:.0f} {unit}"
    raise AssertionError("the loop returns")


def ratio_text(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2g}×" if ratio < 99.5 else f"{ratio:.0f}×"
