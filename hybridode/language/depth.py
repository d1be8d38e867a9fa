"""How deep a syntax tree is. Brackets are counted before parsing; this also sees `else if …`, `- - x`, `a^b^c` and `x'''`."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

from hybridode.errors import Diagnostic, Source
from hybridode.language.syntax import Node

NESTING_LIMIT = 1_000  # contracts.md


@cache
def _child_fields(kind: type[Node]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name not in ("start", "end"))


def children(node: Node) -> list[Node]:
    """The nodes directly below a node, in the order of its fields."""
    found: list[Node] = []
    pending = [getattr(node, name) for name in reversed(_child_fields(type(node)))]
    while pending:
        value = pending.pop()
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            pending += reversed(value)
    return found


def deepest(node: Node) -> tuple[int, Node]:
    """The depth of a tree (a leaf has 1) and a node at that depth."""
    level, depth = [node], 0
    while True:
        depth += 1
        below = [child for parent in level for child in children(parent)]
        if not below:
            return depth, level[0]
        level = below


def too_deep(source: Source, start: int, end: int) -> Diagnostic:
    """The error for nesting beyond the limit; the place is where it is passed."""
    message = f"an expression is nested more than {NESTING_LIMIT:,} deep"
    return Diagnostic("E0142", message, source.span(start, end), "the limit is passed here: use intermediates")
