"""`hybridode check`: every error and warning of a model, without running it. Imports nothing heavy for an ODE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hybridode.commands.output import Output
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, ModelError
from hybridode.language.check import declare
from hybridode.language.reader import load


def check(models: Sequence[str], output: Output) -> int:
    """Checks each file and returns 1 when any has an error, else 0."""
    found = [_check_one(name) for name in models]
    good = all(declarations is not None for declarations, _ in found)
    files = [_as_data(name, *one) for name, one in zip(models, found, strict=True)]
    output.data({"ok": good, "files": files})
    for name, (declarations, diagnostics) in zip(models, found, strict=True):
        output.diagnostics(diagnostics)
        if declarations is not None:
            output.result(f"{name}: {description(declarations)}")
        elif not output.json:
            errors = sum(d.severity == "error" for d in diagnostics)
            output.note(f"{name}: {errors} error{'s' if errors != 1 else ''}")
    return 0 if good else 1


def _check_one(name: str) -> tuple[Declarations | None, Sequence[Diagnostic]]:
    try:
        declarations = declare(load(name))
        if declarations.equations:
            from hybridode.equations.dae.reduce import require_determined  # brings NumPy along

            require_determined(declarations)
    except ModelError as error:
        return None, error.diagnostics
    return declarations, declarations.warnings


def _as_data(name: str, declarations: Declarations | None, diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    found: dict[str, Any] = {"file": name, "ok": declarations is not None, "diagnostics": [d.as_dict() for d in diagnostics]}
    if declarations is not None:
        found["model"] = {
            "name": declarations.name,
            "states": [s.name for s in declarations.states],
            "algebraic": [a.name for a in declarations.algebraics],
            "parameters": [p.name for p in declarations.parameters],
            "networks": [n.name for n in declarations.networks],
            "inputs": [i.name for i in declarations.inputs],
            "observed": [o.column for o in declarations.observations],
        }
    return found


def description(declarations: Declarations) -> str:
    """The model in one line: `lynx_hare is fine: 2 states, 8 parameters, 2 observed columns`."""
    counts = (
        (len(declarations.states), "state"),
        (len(declarations.algebraics), "algebraic unknown"),
        (len(declarations.parameters), "parameter"),
        (len(declarations.networks), "network"),
        (len(declarations.inputs), "input"),
        (len(declarations.observations), "observed column"),
    )
    words = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n]
    return f"{declarations.name} is fine: {', '.join(words)}"
