"""Data files of any kind as tables: text in any of its habits, Parquet, DataFrames; compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hybridode.data.delimited import parse_table
from hybridode.data.frames import frame_table
from hybridode.data.table import Table, data_error
from hybridode.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 512 * 1024 * 1024  # bytes of a data file, unpacked
_SPREADSHEETS = (b"PK", b"\xd0\xcf\x11\xe0")
_PARQUET = b"PAR1"
_PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}  # how such files begin
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)


def read_table(data: str | Path | pd.DataFrame, name: str = "") -> Table:
    """Reads a text file of columns (CSV, TSV, …) or a Parquet file, or takes a DataFrame. Files may be packed (gzip, bzip2, xz).

    What a file is, is seen from its content: separators `,`, `;`, `|`, tab or blanks from the header; lines that start with `#`
    and empty lines are skipped; a byte order mark is dropped. Raises DataError (E0621, E0622, E0623) with file, line and remedy.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        raw = _read_bytes(path)
        if raw[:4] == _PARQUET and raw[-4:] == _PARQUET:
            return frame_table(_parquet(path, raw), name or path.name)
        return parse_table(_text(path, raw), name or path.name)
    frame: Any = data
    if hasattr(frame, "to_pandas"):  # Polars, Arrow
        frame = frame.to_pandas()
    if isinstance(frame, Mapping):
        frame = _frame_of(frame)
    if not (hasattr(frame, "columns") and hasattr(frame, "iloc")):
        what = f"the data are a {type(frame).__name__}, which is no table"
        raise data_error("E0621", what, "give the path of a file, a DataFrame, or a dictionary of columns")
    return frame_table(frame, name or "data frame")


def _frame_of(columns: Mapping[Any, Any]) -> Any:
    """A DataFrame of a dictionary of columns."""
    import pandas as pd

    try:
        return pd.DataFrame(dict(columns))
    except ValueError as e:
        raise data_error("E0621", f"the dictionary is no table: {e}", "give a list of the same length for each column") from e


def _refusal(path: Path, why: str, remedy: str) -> DataError:
    return data_error("E0621", f"the data file {path} {why}", remedy)


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise _refusal(path, "does not exist", "check the path; it is taken relative to the current directory")
    if path.is_dir():
        raise _refusal(path, "is a directory", "give the path of a CSV file")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise _refusal(path, f"has {size} bytes; at most {LARGEST} are read", "thin the data or split the file")
        return _unpacked(path, path.read_bytes())
    except OSError as e:
        raise _refusal(path, f"cannot be read: {e.strerror or e}", "check the file and its permissions") from e


def _unpacked(path: Path, raw: bytes) -> bytes:
    """The content of a packed file (at most LARGEST bytes); any other file as it is."""
    opened = next((opened for magic, opened in _PACKED.items() if raw.startswith(magic)), None)
    if opened is None:
        return raw
    file: IO[bytes]
    try:
        with opened(io.BytesIO(raw)) as file:
            content = file.read(LARGEST + 1)
    except _DAMAGED as e:
        raise _refusal(path, f"cannot be unpacked: {e}", "it is damaged or incomplete: copy it again") from e
    if len(content) > LARGEST:
        raise _refusal(path, f"has more than {LARGEST} bytes when it is unpacked", "thin the data or split the file")
    return content


def _text(path: Path, raw: bytes) -> str:
    if raw.startswith(_SPREADSHEETS):
        remedy = "save the sheet as CSV (in Excel: `CSV UTF-8`), or unpack the archive"
        raise _refusal(path, "is a spreadsheet or a zip archive, not text", remedy)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        remedy = "save it as UTF-8 (in Excel: `CSV UTF-8`)"
        raise _refusal(path, f"is not text in UTF-8 (line {line}, byte {e.start})", remedy) from e
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        why = f"holds a null byte in line {line}"
        raise _refusal(path, why, "it is no text file, or it is damaged: save it as CSV in UTF-8")
    return text


def _parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        import pyarrow
    except ImportError as e:
        why = "is a Parquet file, and pyarrow, which reads them, is not installed"
        raise _refusal(path, why, "install it with `pip install 'hybridode[parquet]'`, or save the table as CSV") from e
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError) as e:
        raise _refusal(path, f"cannot be read as Parquet: {str(e).splitlines()[0]}", "write it again") from e
