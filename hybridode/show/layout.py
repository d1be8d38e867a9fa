"""Plain text: sections with a heading and aligned columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hybridode.expr import Expr, Symbol
from hybridode.expr import show as expr_text
from hybridode.rolled import shown


def section(title: str, lines: Sequence[str]) -> str:
    """A heading and its lines indented; nothing if there are none."""
    return "\n".join([title, *(f"  {line}" if line else "" for line in lines)]) + "\n" if lines else ""


def document(heading: str, sections: Iterable[str]) -> str:
    return "\n".join([heading + "\n", *(s for s in sections if s)])


def entries_text(names: Sequence[str], mark: str, elements: Sequence[Expr], name: Callable[[Symbol], str]) -> list[str]:
    """`x[1]' = …`, a line for each entry; of a large family the first two and the last."""
    return [left_out(x.hidden) if x.hidden else f"{names[x.place]}{mark} = {expr_text(x.expr, name)}" for x in shown(elements)]


def left_out(hidden: int) -> str:
    """What stands for the members of a family that are not shown."""
    return f"… {hidden:,} more of this shape"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as aligned lines; a column that is empty everywhere is left out, the last is not padded."""
    if not rows:
        return []
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    widths = {i: max(len(row[i]) for row in rows) for i in kept}
    return ["  ".join(row[i].ljust(widths[i]) for i in kept).rstrip() for row in rows]


def counted(n: int, word: str) -> str:
    return f"{n:,} {word}" + ("" if n == 1 else "s")
