"""A data file as a table of texts: separators, quotes, comments, blanks and line numbers; no meaning yet."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hybridode.data import cells
from hybridode.errors import DataError, Diagnostic, Source, Span

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 512 * 1024 * 1024  # bytes of a data file
_SEPARATORS = ("\t", ";", ",")
_UNIT = re.compile(r"(?P<name>.*?)(?P<gap>\s*)\[(?P<inside>[^\[\]]*)\]\Z", re.DOTALL)
_INDEX = re.compile(r"\s*\d+\s*(,\s*\d+\s*)*\Z", re.ASCII)


@dataclass(frozen=True)
class Header:
    """A column's name (blanks trimmed, unit taken off) and unit; `position` counts the file's columns from 0."""

    name: str
    unit: str
    position: int


@dataclass(frozen=True, eq=False)
class Table:
    """Texts of a data file. `rows[i][j]` is the stripped cell under `headers[j]`, `lines[i]` its line in the file.

    For a DataFrame `source` is None and a line is the row's number, counted from 1. `decimal` is "." or ",".
    """

    name: str
    headers: tuple[Header, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str = ","
    decimal: str = "."
    source: Source | None = field(default=None, repr=False)

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

    def renamed(self, names: Mapping[int, str]) -> Table:
        """The same table with other names for some columns (keyed by their place in `headers`)."""
        headers = tuple(replace(h, name=names.get(j, h.name)) for j, h in enumerate(self.headers))
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


def read_table(data: str | Path | pd.DataFrame, name: str = "") -> Table:
    """Reads a CSV file (path) or takes a DataFrame.

    Separators `,`, `;`, tab or blanks are recognised from the header; lines that start with `#` and empty lines are
    skipped; a byte order mark is dropped. Raises DataError (E0621, E0622, E0623) with the file, line and remedy.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        return parse_table(_read_text(path), name or path.name)
    return _from_frame(data, name or "data frame")


def _read_text(path: Path) -> str:
    def refuse(why: str, remedy: str) -> DataError:
        return data_error("E0621", f"the data file {path} {why}", remedy)

    if not path.exists():
        raise refuse("does not exist", "check the path; it is taken relative to the current directory")
    if path.is_dir():
        raise refuse("is a directory", "give the path of a CSV file")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise refuse(f"has {size} bytes; at most {LARGEST} are read", "thin the data or split the file")
        raw = path.read_bytes()
    except OSError as e:
        raise refuse(f"cannot be read: {e.strerror or e}", "check the file and its permissions") from e
    if raw[:2] == b"PK" or raw[:4] == b"\xd0\xcf\x11\xe0":
        raise refuse("is a spreadsheet, not text", "save the sheet as CSV")
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        raise refuse(f"is not UTF-8 (line {line}, byte {e.start})", "save it as UTF-8") from e
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refuse(f"holds a null byte in line {line}", "it is no text file, or it is damaged: save it as CSV in UTF-8")
    return text


def parse_table(text: str, name: str) -> Table:
    """A table from the text of a CSV file."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    source = Source(name, text)
    first = next((i for i, line in enumerate(text.split("\n")) if _has_content(line)), None)
    separator = "," if first is None else _separator(text.split("\n")[first])
    numbered = [(n, fields) for n, fields in _records(source, separator) if any(f.strip() for f in fields)]
    if not numbered:
        raise data_error("E0622", f"{name} is empty", "give it a header line with column names and one line per time")
    header_line, fields = numbered[0]
    headers = _headers(source, header_line, fields)
    rows, lines = [], []
    for line, fields in numbered[1:]:
        rows.append(_fit_row(source, line, [f.strip() for f in fields], len(headers), header_line))
        lines.append(line)
    if not rows:
        raise data_error(
            "E0622",
            f"{name} has a header but no rows",
            "write one line per time below the header",
            Table(name, headers, (), (), separator, source=source).place(header_line),
        )
    headers, rows = _without_empty_unnamed(headers, rows)
    table = Table(name, headers, tuple(map(tuple, rows)), tuple(lines), separator, source=source)
    return replace(table, decimal=_decimal_mark(table))


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _separator(header: str) -> str:
    """The candidate that occurs most often outside quotes and unit brackets in the header; blanks when there is none."""
    bare = re.sub(r'"[^"]*"?|\[[^\]]*\]', "", header)
    counts = Counter(c for c in bare if c in _SEPARATORS)
    best = max(_SEPARATORS, key=lambda s: counts[s])
    if counts[best]:
        return best
    return " " if len(bare.split()) > 1 else ","


def _records(source: Source, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Fields of each line that says something, with the number of the line on which the record starts."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at
        for number, line in enumerate(source.text.split("\n"), start=1):
            if _has_content(line):
                at = number
                yield (" ".join(line.split()) if separator == " " else line) + "\n"

    reader = csv.reader(lines(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        before = at
        try:
            fields = next(reader, None)
        except csv.Error as e:
            line = min(before + 1, source.text.count("\n") + 1)
            raise data_error(
                "E0623",
                f"{source.name}, line {line}: a quote is opened and not closed, or a cell is too long",
                'close the quote; a quote inside a quoted cell is doubled: `""`',
                Table(source.name, (), (), (), source=source).place(line),
            ) from e
        if fields is None:
            return
        yield at, fields


def _headers(source: Source, line: int, fields: list[str]) -> tuple[Header, ...]:
    if all(cells.is_number(f.strip()) for f in fields if f.strip()):
        above = [t for t in source.text.split("\n")[: line - 1] if t.lstrip().startswith("#")]
        remedy = "the header seems to stand behind a `#`: remove the `#`" if above else "write a first line with column names"
        raise data_error(
            "E0622",
            f"{source.name}, line {line}: there is no header, the first line holds numbers",
            remedy,
            Table(source.name, (), (), (), source=source).place(line),
        )
    return tuple(header(text, j) for j, text in enumerate(fields))


def header(text: str, position: int) -> Header:
    """`hare [1000/yr]` is hare with a unit; `x[2]` is an entry of a vector, not a unit."""
    text = " ".join(text.strip().split())
    match = _UNIT.match(text)
    if match and match["name"] and not (_INDEX.match(match["inside"]) and not match["gap"]):
        return Header(match["name"], match["inside"].strip(), position)
    if match and match["name"]:
        return Header(f"{match['name']}[{', '.join(i.strip() for i in match['inside'].split(','))}]", "", position)
    return Header(text, "", position)


def _fit_row(source: Source, line: int, fields: list[str], n: int, header_line: int) -> list[str]:
    while len(fields) > n and not fields[-1]:
        fields.pop()
    if len(fields) == n:
        return fields
    few = len(fields) < n
    remedy = (
        "fill the row up; an empty cell between two separators means missing"
        if few
        else ("quote a cell that contains the separator, and write numbers with a decimal point")
    )
    raise data_error(
        "E0623",
        f"{source.name}, line {line}: the row has {len(fields)} cells, the header in line {header_line} has {n}",
        remedy,
        Table(source.name, (), (), (), source=source).place(line),
    )


def _without_empty_unnamed(headers: tuple[Header, ...], rows: list[list[str]]) -> tuple[tuple[Header, ...], list[list[str]]]:
    """Columns with neither a name nor a cell (a separator at the end of each line) are no columns."""
    keep = [j for j, h in enumerate(headers) if h.name or any(row[j] for row in rows)]
    if len(keep) == len(headers):
        return headers, rows
    return tuple(headers[j] for j in keep), [[row[j] for j in keep] for row in rows]


def _decimal_mark(table: Table) -> str:
    """ "," when cells such as `1,5` stand in a file that separates by something else; refuses files that mix both."""
    if table.separator == ",":
        return "."
    comma: tuple[int, int] | None = None
    point: tuple[int, int] | None = None
    for i, row in enumerate(table.rows):
        for j, text in enumerate(row):
            if comma is None and "," in text and cells.has_decimal_comma(text):
                comma = (i, j)
            elif point is None and "." in text and cells.has_decimal_point(text):
                point = (i, j)
    if comma and point:
        (i, j), (k, m) = comma, point
        raise data_error(
            "E0626",
            f"{table.where(table.lines[i], table.names[j])}: `{table.rows[i][j]}` has a decimal comma, "
            f"`{table.rows[k][m]}` in line {table.lines[k]} a decimal point",
            "use one decimal mark in the whole file",
            table.place(table.lines[i], table.headers[j].position),
        )
    return "," if comma else "."


def _from_frame(frame: pd.DataFrame, name: str) -> Table:
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1:
        raise data_error(
            "E0621", f"the {name} has several levels of columns or rows", "call reset_index() and join the column levels"
        )
    if frame.index.name is not None:
        frame = frame.reset_index()
    headers = tuple(header(str(c), j) for j, c in enumerate(frame.columns))
    if not headers:
        raise data_error("E0622", f"the {name} is empty", "give it columns: the time and what is observed")
    if len(frame) == 0:
        raise data_error("E0622", f"the {name} has columns but no rows", "give it one row per time")
    texts = [[_cell_text(v) for v in frame.iloc[:, j]] for j in range(len(headers))]
    return Table(name, headers, tuple(zip(*texts, strict=True)), tuple(range(1, len(frame) + 1)))


def _cell_text(value: object) -> str:
    """Texts that read back as the same value; whatever pandas calls missing is empty."""
    if value is None or value != value or str(value) in ("<NA>", "NaT"):
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "1" if value else "0"
    return repr(float(value)) if isinstance(value, float) else str(value).strip()
