"""What is wrong with a data file, collected so that one run reports it all, each with file, line and column."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hybridode.data.table import Table
from hybridode.errors import DataError, Diagnostic

_MOST = 20  # problems reported from one file


@dataclass
class Problems:
    """Collects problems of one table; `raise_if_any` ends with the first 20 and the number of the others."""

    table: Table
    found: list[Diagnostic] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Diagnostic) -> None:
        self.count += 1
        if len(self.found) < _MOST:
            self.found.append(problem)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """What a stage raises is kept, and reading goes on with the next."""
        try:
            yield
        except DataError as error:
            for problem in error.diagnostics:
                self.add(problem)

    def cell(self, code: str, row: int, j: int, message: str, remedy: str) -> None:
        """A problem of the cell in row `row` under header `j` (both places in the table)."""
        self.add(self.table.problem(code, row, j, message, remedy))

    def raise_if_any(self) -> None:
        """Raises DataError with what was collected."""
        if self.count > len(self.found):
            more = self.count - len(self.found)
            self.found.append(Diagnostic(self.found[-1].code, f"{self.table.name}: {more} more such problems"))
        if self.found:
            raise DataError(self.found)


def short(text: str) -> str:
    """A cell's text as it is shown in messages."""
    return text if len(text) <= 40 else text[:37] + "…"
