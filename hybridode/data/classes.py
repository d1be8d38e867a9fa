"""Cells that say a class: its number, 1 to n, or its label. The labels of a column, sorted, are the classes 1 to n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.data import cells
from hybridode.data.hints import listed
from hybridode.data.problems import Problems, short
from hybridode.data.table import Table, data_error
from hybridode.declarations import Declarations, Observation

DISTRIBUTION = "categorical"


def labels_of_classes(
    table: Table, declarations: Declarations, places: Sequence[tuple[int, int, int]]
) -> dict[str, tuple[str, ...]]:
    """Observed column -> its labels in order, of those whose cells are no numbers. `places`: (row, column, observation).

    Raises DataError E0645 where there are not as many labels as the model has classes: which is which would be a guess.
    """
    found = {}
    for k, observation in enumerate(declarations.observations):
        if observation.distribution != DISTRIBUTION:
            continue
        texts = {table.rows[i][j] for i, j, number in places if number == k}
        labels = sorted(text for text in texts if text.lower() not in cells.MISSING)
        if all(_number(text) for text in labels):
            continue
        classes = len(observation.arguments)
        if len(labels) != classes:
            count = f"{len(labels)} label{'' if len(labels) == 1 else 's'}"
            message = f"`{observation.column}` has {count}, {listed(labels)}, and the model {classes} classes"
            hint = "correct the labels, or give `logits` an entry for each"
            if len(labels) < classes:
                hint = f"which are missing cannot be known: number the classes 1 to {classes}, or give `logits` an entry for each"
            raise data_error("E0645", message, hint)
        found[observation.column] = tuple(labels)
    return found


def read_class(
    table: Table, problems: Problems, row: int, j: int, observation: Observation, labels: Mapping[str, tuple[str, ...]]
) -> cells.Cell:
    """The number of the class in a cell; a problem (E0633) is noted and gives an empty cell."""
    text = table.rows[row][j]
    if text.lower() in cells.MISSING:
        return cells.EMPTY
    if observation.column in labels:
        return cells.Cell(float(labels[observation.column].index(text) + 1))
    value, classes = float(text), len(observation.arguments)
    if not 1 <= value <= classes:
        remedy = f"number the classes 1 to {classes}, or write labels, which are sorted"
        problems.cell("E0633", row, j, f"`{short(text)}` is none of the {classes} classes that the model has", remedy)
        return cells.EMPTY
    return cells.Cell(value)


def _number(text: str) -> bool:
    """Whether a text is a whole number (`2`, `2.0`)."""
    cell = cells.read_cell(text)
    return not cell.problem and cell.censored == cells.NONE and cell.value == int(cell.value) and abs(cell.value) < 1e9
