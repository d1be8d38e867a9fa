"""Edits of a model's text at places that the parser knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hybridode.declarations import Network
from hybridode.language import syntax as s


@dataclass(frozen=True)
class Edit:
    """The text `[start, end)` becomes `text`."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap."""
    parts, done = [], 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        parts += [text[done : edit.start], edit.text]
        done = edit.end
    return "".join([*parts, text[done:]])


def calls_of(file: s.File, name: str) -> list[s.Call]:
    """Every call of a name (`NN`, `U`) in the file, in file order."""
    found: list[s.Call] = []
    stack: list[Any] = list(reversed(file.statements))
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack += reversed(item)
        elif isinstance(item, s.Node):
            if isinstance(item, s.Call) and isinstance(item.function, s.Ref) and item.function.name == name:
                found.append(item)
            stack += reversed([getattr(item, field) for field in item.__dataclass_fields__])
    return sorted(found, key=lambda call: call.start)


def inline_call(network: Network, calls: Sequence[s.Call]) -> s.Call:
    """The `NN(…)` among `calls` that an inline network was made from: the tightest one round (or at) its span."""
    assert network.span is not None, f"{network.name} has no place in the text"
    start = network.span.start
    around = [call for call in calls if call.start <= start < call.end]
    assert around, f"no NN(…) stands at {network.span}"
    return min(around, key=lambda call: call.end - call.start)
