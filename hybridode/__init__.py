"""Differential equations in a text file: known physics, learnable terms, fitted to data.

    import hybridode as ho
    model = ho.load("model.ode")
    sol = model.simulate(to=20)
    run = ho.fit(model, "data.csv")

Importing this changes no setting of JAX and imports nothing heavy: each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hybridode.version import __version__

if TYPE_CHECKING:
    from hybridode.api import Model, Run, fit, load, open_run, parse
    from hybridode.errors import DataError, Diagnostic, HybridodeError, ModelError, NumericsError, UsageError
    from hybridode.report.candidates import compare
    from hybridode.solve.results import RESULTS
    from hybridode.solve.settings import Settings
    from hybridode.solve.solution import Solution

_HOMES = {
    "Model": "api", "Run": "api", "compare": "report.candidates", "load": "api", "open_run": "api", "parse": "api",
    "DataError": "errors", "Diagnostic": "errors", "HybridodeError": "errors", "ModelError": "errors",
    "NumericsError": "errors", "UsageError": "errors",
    "RESULTS": "solve.results", "Settings": "solve.settings", "Solution": "solve.solution",
}  # fmt: skip

__all__ = [
    "RESULTS", "DataError", "Diagnostic", "HybridodeError", "Model", "ModelError", "NumericsError", "Run", "Settings",
    "Solution", "UsageError", "__version__", "compare", "fit", "load", "open_run", "parse",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "fit":
        return import_module("hybridode.fit")  # a room that can be called
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hybridode' has no attribute {name!r}")
    return getattr(import_module(f"hybridode.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
