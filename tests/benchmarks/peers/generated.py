"""Right-hand sides in plain Python, as a user would write them: `rates(y, p, t) -> list`, also for arrays of JAX and torch."""

from __future__ import annotations

import importlib.util
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hybridode.expr import Symbol
from tests.benchmarks.peers.text import PYTHON, equations, lines, numbers


def source(text: str) -> str:
    """A module with one function; `functions` are the elementary functions of the arrays' library."""
    system = equations(text)

    def name(symbol: Symbol) -> str:
        index = "" if symbol.index < 0 else f"_{symbol.index}"
        return "t" if symbol.kind == "time" else f"v_{symbol.name}{index}"

    definitions, rates = lines(system, PYTHON, name)
    body = [
        "from math import pi",
        "def make(functions):",
        "    exp, sin, cos, tanh, sqrt, log = functions",
        "    def rates(y, p, t):",
        f"        {', '.join(name(s) for s in system.states)}, = y",
        f"        {', '.join(name(s) for s in system.parameters)}, = p",
        *(f"        {left} = {right}" for left, right in definitions),
        f"        return [{', '.join(rates)}]",
        "    return rates",
    ]
    return "\n".join(body) + "\n"


def function(text: str, library: Any = math) -> Callable[[Any, Any, Any], list[Any]]:
    """`rates` over the numbers of a library that has exp, sin, cos, tanh, sqrt, log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated_rates.py"
        path.write_text(source(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("generated_rates", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.make(tuple(getattr(library, name) for name in ("exp", "sin", "cos", "tanh", "sqrt", "log")))


def values(text: str) -> tuple[list[float], list[float]]:
    """(parameters, start)."""
    return numbers(equations(text))
