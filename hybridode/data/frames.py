"""DataFrames as tables of texts that read back as the same numbers, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybridode.data.table import Header, Table, data_error, header

if TYPE_CHECKING:
    import pandas as pd

_MISSING = ("<NA>", "NaT")


def frame_table(frame: pd.DataFrame, name: str) -> Table:
    """A table from a DataFrame; its rows count from 1. An index that is no plain count is a column, called `time` when it has
    no name. Durations become seconds. Raises DataError E0621, E0622."""
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1:
        raise data_error(
            "E0621", f"the {name} has several levels of columns or rows", "call reset_index() and join the column levels"
        )
    if frame.index.name is not None or frame.index.dtype.kind in "fMm":
        frame = frame.rename_axis(frame.index.name or "time").reset_index()
    if not len(frame.columns):
        raise data_error("E0622", f"the {name} is empty", "give it columns: the time and what is observed")
    if len(frame) == 0:
        raise data_error("E0622", f"the {name} has columns but no rows", "give it one row per time")
    headers, texts = [], []
    for j, column in enumerate(frame.columns):
        values = frame.iloc[:, j]
        headers.append(header(str(column), j))
        if values.dtype.kind == "m":
            headers[-1] = Header(headers[-1].name, "s", j)
            texts.append([_seconds(v) for v in values])
        else:
            texts.append([_text(v) for v in values])
    return Table(name, tuple(headers), tuple(zip(*texts, strict=True)), tuple(range(1, len(frame) + 1)))


def _text(value: Any) -> str:
    """The shortest text that reads back as the same value; whatever pandas calls missing is empty."""
    if isinstance(value, float):
        return "" if value != value else repr(float(value))
    if value is None or str(value) in _MISSING or value != value:
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "1" if value else "0"
    if hasattr(value, "dtype") and value.dtype.kind == "f":
        return repr(float(value))
    return str(value).strip()


def _seconds(value: Any) -> str:
    """A duration in seconds, to the nanosecond."""
    if str(value) in _MISSING or value != value:
        return ""
    whole, rest = divmod(int(value.value), 10**9)
    return f"{whole}.{rest:09d}" if whole >= 0 or not rest else f"-{-whole - 1}.{10**9 - rest:09d}"
