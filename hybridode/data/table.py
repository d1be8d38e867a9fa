"""A data file as a table of texts with the lines they stand in; no meaning yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hybridode.data.units import Conversion
from hybridode.errors import DataError, Diagnostic, Source, Span

_UNIT = re.compile(r"(?P<name>.*?)(?P<gap>\s*)\[(?P<inside>[^\[\]]*)\]\Z", re.DOTALL)
_INDEX = re.compile(r"\s*\d+\s*(,\s*\d+\s*)*\Z", re.ASCII)


@dataclass(frozen=True)
class Header:
    """A column's name (blanks trimmed, unit taken off) and unit; `position` counts the file's columns from 0. `theirs` is the
    name in the file when the model knows the column under another."""

    name: str
    unit: str
    position: int
    theirs: str = ""

    @property
    def original(self) -> str:
        """The name in the file."""
        return self.theirs or self.name


@dataclass(frozen=True, eq=False)
class Table:
    """Texts of a data file. `rows[i][j]` is the stripped cell under `headers[j]`, `lines[i]` its line in the file.

    For a DataFrame `source` is None and a line is the row's number, counted from 1. `decimal` is "." or ",".
    `conversions` say how the numbers under a header become those of a name of the model, `row_conversions` how the observed value
    of a row does, where rows have units of their own; the texts stay as they are.
    Of columns that came from conditions, `optional` are those in which a series may have nothing (the model's own number then
    holds), and `splitting` those that name the experiments.
    """

    name: str
    headers: tuple[Header, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str = ","
    decimal: str = "."
    source: Source | None = field(default=None, repr=False)
    header_line: int = 0
    conversions: Mapping[tuple[int, str], Conversion] = field(default_factory=dict, repr=False)
    row_conversions: Mapping[int, Conversion] = field(default_factory=dict, repr=False)
    optional: frozenset[str] = frozenset()
    splitting: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(h.name for h in self.headers)

    def column(self, j: int) -> tuple[str, ...]:
        return tuple(row[j] for row in self.rows)

    def place(self, line: int, position: int | None = None) -> Span | None:
        """The place of a cell (or of a whole line) for a diagnostic; None for a DataFrame."""
        if self.source is None:
            return None
        offsets = self.source.span(0, 0)
        start = _offset_of_line(self.source.text, line)
        text = self.source.line_text(line)
        if position is not None:
            first, last = _field_range(text, self.separator, position)
            return replace(offsets, start=start + first, end=start + last)
        return replace(offsets, start=start, end=start + len(text))

    def where(self, line: int, name: str = "") -> str:
        """The place in words, for messages."""
        row = f"{self.name}, {'line' if self.source else 'row'} {line}"
        return f"{row}, column `{name}`" if name else row

    def problem(self, code: str, row: int, j: int, message: str, remedy: str) -> Diagnostic:
        """What is wrong with the cell in row `row` under header `j` (both places in the table)."""
        line = self.lines[row]
        place = self.place(line, self.headers[j].position)
        return Diagnostic(code, f"{self.where(line, self.names[j])}: {message}", place, remedy)

    def renamed(self, names: Mapping[int, str]) -> Table:
        """The same table with other names for some columns (keyed by their place in `headers`)."""
        headers = tuple(replace(h, name=names[j], theirs=h.original) if j in names else h for j, h in enumerate(self.headers))
        return replace(self, headers=headers)


def _offset_of_line(text: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.index("\n", at) + 1
    return at


def _field_range(text: str, separator: str, position: int) -> tuple[int, int]:
    """Where the `position`-th field stands in a line (quotes respected)."""
    start, quoted, found = 0, False, 0
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif c == separator and not quoted:
            if found == position:
                return start, i
            found, start = found + 1, i + 1
    return (start, len(text)) if found == position else (0, len(text))


def data_error(code: str, message: str, remedy: str, span: Span | None = None) -> DataError:
    return DataError(Diagnostic(code, message, span, remedy))


def cell_error(table: Table, code: str, row: int, j: int, message: str, remedy: str) -> DataError:
    """The error that one cell is, see `Table.problem`."""
    return DataError(table.problem(code, row, j, message, remedy))


def header(text: str, position: int) -> Header:
    """`hare [1000/yr]` is hare with a unit; `x[2]` is an entry of a vector, not a unit."""
    text = " ".join(text.strip().split())
    match = _UNIT.match(text)
    if match and match["name"] and not (_INDEX.match(match["inside"]) and not match["gap"]):
        return Header(match["name"], match["inside"].strip(), position)
    if match and match["name"]:
        return Header(f"{match['name']}[{', '.join(i.strip() for i in match['inside'].split(','))}]", "", position)
    return Header(text, "", position)
