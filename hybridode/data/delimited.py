"""Text files of columns: separators, quotes, comments, blanks and decimal marks are recognised."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from hybridode.data import cells
from hybridode.data.problems import Problems
from hybridode.data.table import Header, Table, cell_error, data_error, header
from hybridode.errors import Diagnostic, Source

_SEPARATORS = ("\t", ";", ",", "|")
_EXCEL = re.compile(r"\"?sep=.\"?", re.IGNORECASE)  # a first line by which Excel is told the separator


def parse_table(text: str, name: str) -> Table:
    """A table from the text of a CSV file."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    source = Source(name, text)
    first = next((i for i, line in enumerate(text.split("\n")) if _has_content(line)), None)
    separator = "," if first is None else _separator(text.split("\n")[first])
    _refuse_title(source, separator)
    numbered = [(n, fields) for n, fields in _records(source, separator) if any(f.strip() for f in fields)]
    if not numbered:
        raise data_error("E0622", f"{name} is empty", "give it a header line with column names and one line per time")
    header_line, fields = numbered[0]
    headers = _headers(source, header_line, fields)
    bare = Table(name, headers, (), (), separator, source=source, header_line=header_line)
    if len(numbered) == 1:
        what = f"{name} has a header but no rows"
        raise data_error("E0622", what, "write one line per time below the header", bare.place(header_line))
    lines = [line for line, _ in numbered[1:]]
    rows = _rectangular(bare, numbered[1:])
    _refuse_row_of_units(bare, rows, lines)
    headers, rows = _without_empty_unnamed(headers, rows)
    table = replace(bare, headers=headers, rows=tuple(map(tuple, rows)), lines=tuple(lines))
    return replace(table, decimal=_decimal_mark(table))


def _has_content(line: str) -> bool:
    line = line.strip()
    return bool(line) and not line.startswith("#") and not _EXCEL.fullmatch(line)


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


def _refuse_title(source: Source, separator: str) -> None:
    """Raises E0622 when the first line is a sentence above the table: it is one cell (or words), the lines below are more."""
    numbered = enumerate(source.text.split("\n"), start=1)
    lines = list(islice(((n, line) for n, line in numbered if _has_content(line)), 3))
    if len(lines) < 3:
        return
    (number, title), below = lines[0], [line for _, line in lines[1:]]
    filled = [f for f in title.split(separator) if f.strip()]
    own = _separator(below[0])
    columns = [len(line.split(own)) for line in below]
    alone = separator == " " or len(filled) == 1
    if alone and own != " " and min(columns) == max(columns) > 1 and (separator != own or len(filled) < columns[0]):
        raise data_error(
            "E0622",
            f"{source.name}, line {number}: the line is no header: it has not the {columns[0]} cells of the next",
            "if it is a title, put `#` in front of it: such lines are skipped",
            Table(source.name, (), (), (), source=source).place(number),
        )


def _refuse_row_of_units(bare: Table, rows: list[list[str]], lines: list[int]) -> None:
    """Raises E0622 when the first row holds texts where all others hold numbers: units below the names."""
    if len(rows) < 2 or not all(len(row) == len(bare.headers) for row in rows):
        return
    numeric = [j for j in range(len(bare.headers)) if _numbers_below([row[j] for row in rows])]
    if len(numeric) < 2 or not all(cells.read_cell(rows[0][j]).problem for j in numeric):
        return
    with_units = "`, `".join(f"{bare.headers[j].name} [{rows[0][j].strip('()[]')}]" for j in numeric[:4])
    raise data_error(
        "E0622",
        f"{bare.name}, line {lines[0]}: the row holds texts where the rows below hold numbers",
        f"if they are units, write them into the header, in brackets, and remove the row: `{with_units}`",
        bare.place(lines[0]),
    )


def _numbers_below(column: list[str]) -> bool:
    """Whether a column holds numbers, its first cell not looked at."""
    rest = [t for t in column[1:] if t.lower() not in cells.MISSING]
    return bool(rest) and all(map(cells.is_number, rest))


def _rectangular(bare: Table, numbered: list[tuple[int, list[str]]]) -> list[list[str]]:
    """The cells of each row, stripped, as many as the header has."""
    problems = Problems(bare)
    n = len(bare.headers)
    rows = []
    for line, fields in numbered:
        row = [f.strip() for f in fields]
        if len(row) > n:
            row = _rejoined(row) if bare.separator == "," else row
        while len(row) > n and not row[-1]:
            row.pop()
        rows.append(row)
        if len(row) != n:
            problems.add(
                Diagnostic(
                    "E0623",
                    f"{bare.name}, line {line}: the row has {len(row)} cells, the header in line {bare.header_line} has {n}",
                    bare.place(line),
                    "fill the row up; an empty cell between two separators means missing"
                    if len(row) < n
                    else "quote a cell that contains the separator, and write numbers with a decimal point",
                )
            )
    problems.raise_if_any()
    return rows


def _rejoined(row: list[str]) -> list[str]:
    """`[0.1` and `0.5]` beside each other are one interval that lacks its quotes."""
    out: list[str] = []
    for cell in row:
        if out and out[-1][:1] in ("[", "(") and out[-1][-1:] not in ("]", ")") and cell[-1:] in ("]", ")"):
            out[-1] = f"{out[-1]}, {cell}"
        else:
            out.append(cell)
    return out


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
        message = f"`{table.rows[i][j]}` has a decimal comma, `{table.rows[k][m]}` in line {table.lines[k]} a decimal point"
        raise cell_error(table, "E0626", i, j, message, "use one decimal mark in the whole file")
    return "," if comma else "."
