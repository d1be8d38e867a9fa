"""What a section of the report is made of. The template renders each kind; text is plain, with `code` in backquotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridode.report.chart import Chart


@dataclass(frozen=True)
class Text:
    """A paragraph. tone: "" plain, "muted" for how to read something, "verdict" for what to believe, "warn"."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[str]
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells: text, numbers, None, or Markup. The first column heads its row. right: columns of numbers; code: columns of
    names. `folded` of the rows are shown, the rest behind a fold."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    right: frozenset[int] = frozenset()
    code: frozenset[int] = frozenset({0})
    shown: int = 40

    def without_empty(self) -> Table:
        """Without the columns in which nothing stands."""
        keep = [i for i in range(len(self.columns)) if i == 0 or any(row[i] not in (None, "") for row in self.rows)]
        if len(keep) == len(self.columns):
            return self
        cut = lambda places: frozenset(k for k, i in enumerate(keep) if i in places)  # noqa: E731
        rows = [[row[i] for i in keep] for row in self.rows]
        return Table(self.caption, [self.columns[i] for i in keep], rows, cut(self.right), cut(self.code), self.shown)


@dataclass(frozen=True, eq=False)
class Figures:
    """Charts side by side where there is room; more of them in a row when they are `small`."""

    charts: Sequence[Chart]
    small: bool = False


@dataclass(frozen=True)
class Math:
    """Typeset equations under a heading; `more` that are not shown."""

    title: str
    markup: str
    more: int = 0


@dataclass(frozen=True)
class Facts:
    """Pairs of a name and a short value, with a tone (good, warn, bad) for colour."""

    pairs: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Code:
    """Text as it is, in a box."""

    text: str
    label: str


@dataclass(frozen=True)
class Fold:
    """Blocks behind a line that opens them."""

    title: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Section:
    """A part of the page. `id` is what links lead to."""

    id: str
    title: str
    blocks: list[Any] = field(default_factory=list)

    @property
    def charts(self) -> list[Chart]:
        """All charts in it, also those behind folds."""
        found, waiting = [], list(self.blocks)
        while waiting:
            block = waiting.pop(0)
            if isinstance(block, Figures):
                found += block.charts
            elif isinstance(block, Fold):
                waiting = [*block.blocks, *waiting]
        return found
