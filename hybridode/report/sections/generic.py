"""Any finding as sentences and tables: what has no section of its own yet, and the words of those that have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hybridode.report.blocks import Fold, Items, Table
from hybridode.report.words import significant, with_power

_FRAME = {"schema", "kind", "command", "seconds", "sentences", "columns", "rows"}
_HEADS = {  # columns of findings as they are read
    "lower95": "lower 95 %", "upper95": "upper 95 %", "lower95_plain": "plain, lower", "upper95_plain": "plain, upper",
    "se": "std. error", "rhat": "R-hat", "ess_bulk": "ESS bulk", "ess_tail": "ESS tail", "mcse": "MC error",
    "coverage95": "in 95 %", "crps": "CRPS", "rmse": "RMSE", "aic": "AIC", "aicc": "AICc", "bic": "BIC",
    "daic": "AIC above best", "dbic": "BIC above best",
    "nll": "neg. log-likelihood", "n_data": "records", "n_free": "numbers", "n_hold_out": "held out",
}  # fmt: skip
_SHOWN, _ROWS = 6, 8  # sentences, and rows of a table, before the fold


def finding_blocks(finding: Mapping[str, Any] | None, without: frozenset[str] = frozenset(), shown: int = _SHOWN) -> list[Any]:
    """The sentences (`shown` of them before a fold) and tables of a finding; `without`: fields that are shown otherwise."""
    if not finding:
        return []
    said = [str(s) for s in finding.get("sentences", ())]
    blocks: list[Any] = [Items(said[:shown], "verdict")] if said else []
    if len(said) > shown:
        blocks.append(
            Fold("1 more sentence" if len(said) == shown + 1 else f"{len(said) - shown} more sentences", [Items(said[shown:])])
        )
    for table in _tables(finding, without):
        name = table.caption or "Table"
        blocks.append(table if len(table.rows) <= _ROWS else Fold(f"{name} ({len(table.rows)} rows)", [table]))
    return blocks


def _tables(finding: Mapping[str, Any], without: frozenset[str]) -> Iterator[Table]:
    if finding.get("columns") and finding.get("rows") and "rows" not in without:
        yield table_of("", finding)
    for name, value in finding.items():
        if name not in _FRAME | without and isinstance(value, Mapping) and value.get("columns") and value.get("rows"):
            yield table_of(name.replace("_", " "), value)


def table_of(caption: str, found: Mapping[str, Any], digits: int = 4) -> Table:
    """`{"columns", "rows"}` as a table; columns of numbers are set to the right."""
    columns = [_HEADS.get(str(c), str(c).replace("_", " ")) for c in found["columns"]]
    rows = [[_cell(v, digits) for v in row] for row in found["rows"]]
    right = frozenset(
        i
        for i in range(len(columns))
        if all(_is_number(row[i]) for row in found["rows"]) and any(row[i] is not None for row in found["rows"])
    )
    return Table(str(found.get("caption") or caption.capitalize()), columns, rows, right, frozenset({0}) - right)


def records_of(found: Mapping[str, Any] | None, key: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by what stands in its column `key`, each as name -> cell; nothing without such a table."""
    if not found or key not in found.get("columns", ()):
        return {}
    rows = (dict(zip(found["columns"], row, strict=True)) for row in found["rows"])
    return {str(row[key]): row for row in rows}


def column_of(found: Mapping[str, Any], name: str) -> np.ndarray:
    """A column of numbers of a table, NaN where there is none."""
    at = list(found["columns"]).index(name) if name in found["columns"] else -1
    return np.array([np.nan if at < 0 or row[at] is None else row[at] for row in found["rows"]], float)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: Any, digits: int) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return with_power(significant(value, digits))
    if isinstance(value, list):
        return ", ".join(str(_cell(v, digits)) for v in value)
    return value
