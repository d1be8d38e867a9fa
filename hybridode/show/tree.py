"""The syntax tree as an indented list: one node a line with its place."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from hybridode.errors import Source
from hybridode.language.syntax import File, Node

_PLACE = 9  # columns of `line:column`


def tree_text(tree: File, source: Source) -> str:
    """A parsed file; what was left out in the text is left out here."""
    lines: list[str] = []
    stack: list[tuple[int, str, Any]] = [(0, "", s) for s in reversed(tree.statements)]
    while stack:
        depth, label, value = stack.pop()
        if isinstance(value, Node):
            line, column = source.line_column(value.start)
            words, below = _fields(value)
            lines.append(f"{f'{line}:{column}':<{_PLACE}}{'  ' * depth}{label}{' '.join([type(value).__name__, *words])}")
            stack.extend((depth + 1, name, part) for name, part in reversed(below))
        elif value is not None:
            lines.append(f"{'':<{_PLACE}}{'  ' * depth}{label}{value!r}")
    return "\n".join(lines) + "\n"


def _fields(node: Node) -> tuple[list[str], list[tuple[str, Any]]]:
    """Plain fields as words, and the parts that get lines of their own with their labels."""
    words: list[str] = []
    below: list[tuple[str, Any]] = []
    for f in fields(node):
        value = getattr(node, f.name)
        if f.name in ("start", "end") or value is None or (f.default is not MISSING and value == f.default):
            continue
        if isinstance(value, Node):
            below.append((f"{f.name}: ", value))
        elif isinstance(value, tuple):
            below += _parts(f.name, value)
        else:
            words.append(f"{f.name}={value!r}")
    return words, below


def _parts(name: str, values: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """`rest` of a chain is pairs of an operator and an operand, the arguments of a table pairs of a name and a unit."""
    out: list[tuple[str, Any]] = []
    for value in values:
        if isinstance(value, tuple):
            operator = value[0] if isinstance(value[0], str) else ""
            out += [(f"{operator} " if operator else f"{name}: ", part) for part in value if part is not operator]
        else:
            out.append((f"{name}: ", value))
    return out
