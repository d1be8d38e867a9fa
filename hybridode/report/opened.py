"""A run directory opened again: its files, and the fit behind them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.data.kept_files import CONDITIONS, DATA, MODEL, SOURCE, kept_sources
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic
from hybridode.language.check import declare
from hybridode.language.reader import load
from hybridode.report.fitted_model import WEIGHTS_FILE
from hybridode.report.run_directory import LOG, SavedRun, read_run

if TYPE_CHECKING:
    from pandas import DataFrame

    from hybridode.fit.run import FitRun

_TEXTS = ("series", "column", "kind", "used", "stage", "name", "unit", "reason")  # columns whose cells are texts
TABLES = ("predictions", "residuals", "trace", "parameters")  # the files that are tables with a header


def open_run(directory: str | Path) -> tuple[Declarations, FitRun]:
    """The model and the fit of a run directory.

    Raises DataError E0807 when it is no complete run, E0811 when files that the fit read are missing in it.
    """
    saved = read_run(directory)
    folder = saved.directory / SOURCE
    missing = [f"`{SOURCE}/{name}`" for name in (MODEL, DATA) if not (folder / name).is_file()]
    missing += [f"`{name}.csv`" for name in TABLES if not (saved.directory / f"{name}.csv").is_file()]
    if missing:
        message = f"the run in `{saved.directory}` has no {' and no '.join(missing)}, so it cannot be opened again"
        raise DataError(Diagnostic("E0811", message, hint="fit again: an older hybridode kept none, or they were taken out"))
    return _opened(saved, folder)


def _opened(saved: SavedRun, folder: Path) -> tuple[Declarations, FitRun]:
    import pandas as pd

    from hybridode.data.files import read_table
    from hybridode.fit.outcome.members import FILE as MEMBERS
    from hybridode.fit.outcome.members import members_in
    from hybridode.fit.outcome.rivals import FILE
    from hybridode.fit.reopen import Kept, reopened

    directory = saved.directory
    declarations = declare(load(folder / MODEL))
    exact: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) > 2 else {"float_precision": "round_trip"}  # 3 does
    tables = {name: _table(directory / f"{name}.csv", exact) for name in TABLES}
    data = saved.result["data"]
    conditions = folder / CONDITIONS
    kept = Kept(
        declarations,
        read_table(folder / DATA, data["name"]),
        read_table(conditions) if conditions.is_file() else None,
        {name: Path(path) for name, path in kept_sources(declarations, directory).items()},
        saved.result,
        dict(zip(tables["parameters"]["name"], tables["parameters"]["value"], strict=True)),
        _weights(directory / WEIGHTS_FILE),
        tables["predictions"],
        tables["residuals"],
        tables["trace"],
        tables["parameters"],
        _log(directory / LOG),
        pd.read_csv(directory / FILE, **exact) if (directory / FILE).is_file() else None,
        partial(members_in, directory / MEMBERS),
    )  # fmt: skip
    return declarations, reopened(kept)


def _table(path: Path, exact: Mapping[str, Any]) -> DataFrame:
    """As the fit had it: texts stay texts, also those that look like numbers or like nothing (a series `NA`, `007` or ``)."""
    import pandas as pd

    numbers = [name for name in pd.read_csv(path, nrows=0).columns if name not in _TEXTS]
    dtype: Any = dict.fromkeys(_TEXTS, str)
    return pd.read_csv(path, dtype=dtype, keep_default_na=False, na_values={name: [""] for name in numbers}, **exact)


def _log(path: Path) -> list[str]:
    """What the fit said, without the command."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return lines[1:] if lines and lines[0].startswith("$ ") else lines


def _weights(path: Path) -> dict[str, dict[str, Any]]:
    """The arrays of all networks, of a run that has some."""
    if not path.is_file():
        return {}
    from safetensors.numpy import load_file

    found: dict[str, dict[str, Any]] = {}
    for name, array in load_file(path).items():
        network, _, part = name.rpartition(".")
        found.setdefault(network, {})[part] = array
    return found
