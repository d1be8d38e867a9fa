"""pyproject.toml names what the package imports, and nothing that it does not."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = {"arviz", "arviz_stats", "blackjax", "xarray", "pyarrow", "pysindy", "pysr"}
BEHIND = {"h5netcdf"}  # what xarray writes NetCDF with  # imported where an extra is asked for


def imported() -> set[str]:
    names: set[str] = set()
    for path in (ROOT / "hybridode").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"hybridode"}


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[ ;]", r, maxsplit=1)[0].replace("-", "_").lower() for r in requirements}


def test_every_import_is_declared() -> None:
    assert imported() - OPTIONAL == declared(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    asked = set().union(*(declared(extras[name]) for name in ("xarray", "parquet", "sampling", "discovery", "symbolic")))
    assert asked - BEHIND == OPTIONAL


def test_every_python_is_named() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert sum("Python :: 3." in c for c in PROJECT["classifiers"]) == 3
