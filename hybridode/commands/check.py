"""`hybridode check`: every error and warning of a model, without running it, and what it reads of a data file.

Imports nothing heavy for an ODE, and NumPy for data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.options import pairs
from hybridode.commands.output import Output
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic, ModelError
from hybridode.language.check import declare
from hybridode.language.reader import load

if TYPE_CHECKING:
    from hybridode.data.summary import Summary


@dataclass(frozen=True)
class CheckOptions:
    """The options of `hybridode check` as given: they concern the data files."""

    columns: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    settings_file: str | None = None
    conditions: str | None = None
    identifiability: bool = False


def check(files: Sequence[str], options: CheckOptions, output: Output) -> int:
    """Checks each model, and reads each data file as each model would; returns 1 when anything has an error, else 0.

    Data files are those that do not end in `.ode`, after a model.
    """
    models = [name for i, name in enumerate(files) if not (i and _is_data(name))]
    data = [name for i, name in enumerate(files) if i and _is_data(name)]
    found = [_check_one(name) for name in models]
    read = [
        [_read(name, d, file, options, output) for file in data] if d is not None else []
        for name, (d, _) in zip(models, found, strict=True)
    ]
    good = all(declarations is not None for declarations, _ in found) and all(r.summary is not None for rs in read for r in rs)
    shown = [_as_data(name, *one, rs) for name, one, rs in zip(models, found, read, strict=True)]
    if options.identifiability:
        for data_of, (declarations, _), datasets in zip(shown, found, read, strict=True):
            data_of |= {} if declarations is None else {"identifiability": _structure(declarations, datasets)}
    output.data({"ok": good, "files": shown})
    for name, (declarations, diagnostics), datasets, said in zip(models, found, read, shown, strict=True):
        output.diagnostics(diagnostics)
        if declarations is not None:
            output.result(f"{name}: {description(declarations)}")
        elif not output.json:
            _count_errors(name, diagnostics, output)
        for one in datasets:
            _show(one, output)
        if "identifiability" in said:
            output.result("\n" + "\n".join(said["identifiability"]["sentences"]))
    return 0 if good else 1


def _is_data(name: str) -> bool:
    return not name.lower().endswith(".ode")


@dataclass(frozen=True)
class _Read:
    """A data file as one model reads it: a summary, or what is wrong."""

    file: str
    summary: Summary | None
    diagnostics: Sequence[Diagnostic]
    declarations: Declarations | None = None  # with what the data infer
    given: frozenset[str] = frozenset()  # entries that the data set

    def as_dict(self) -> dict[str, Any]:
        summary = None if self.summary is None else self.summary.as_dict()
        return {
            "file": self.file,
            "ok": summary is not None,
            "summary": summary,
            "diagnostics": [d.as_dict() for d in self.diagnostics],
        }


def _read(model: str, declarations: Declarations, file: str, options: CheckOptions, output: Output) -> _Read:
    from hybridode.commands.fit import settings_file
    from hybridode.data.experiments import experiments
    from hybridode.data.fit_file import READING, check_names_of, merged

    settings = settings_file(model, options.settings_file)
    given = {"columns": pairs("--column", options.columns), "sources": pairs("--source", options.sources)}
    given |= {} if options.conditions is None else {"conditions": options.conditions}
    chosen = merged(settings, given)
    reading = {ours: chosen[theirs] for theirs, ours in READING.items() if theirs in chosen}
    try:
        dataset = experiments(declarations, file, folder=Path(model).parent, **reading)
        if settings is not None:
            check_names_of(settings, dataset.declarations, dataset.groups)
    except DataError as error:
        return _Read(file, None, error.diagnostics)
    assert dataset.summary is not None, "reading makes the summary"
    return _Read(file, dataset.summary, dataset.warnings, dataset.declarations, frozenset(dataset.given))


def _structure(declarations: Declarations, datasets: Sequence[_Read]) -> dict[str, Any]:
    """Which parameters could be known from perfect data, with what the first data file sets."""
    from hybridode.commands.structural import structure

    read = datasets[0] if datasets and datasets[0].declarations is not None else None
    return structure(declarations) if read is None or read.declarations is None else structure(read.declarations, read.given)


def _show(read: _Read, output: Output) -> None:
    if read.summary is not None:
        from hybridode.commands.data_summary import summary_text

        output.result(f"\n{summary_text(read.summary)}")
    output.diagnostics(read.diagnostics)
    if read.summary is None and not output.json:
        _count_errors(read.file, read.diagnostics, output)


def _count_errors(name: str, diagnostics: Sequence[Diagnostic], output: Output) -> None:
    errors = sum(d.severity == "error" for d in diagnostics)
    output.note(f"{name}: {errors} error{'s' if errors != 1 else ''}")


def _check_one(name: str) -> tuple[Declarations | None, Sequence[Diagnostic]]:
    try:
        declarations = declare(load(name))
        if declarations.equations:
            from hybridode.equations.dae.reduce import require_determined  # brings NumPy along

            require_determined(declarations)
    except ModelError as error:
        return None, error.diagnostics
    return declarations, declarations.warnings


def _as_data(
    name: str, declarations: Declarations | None, diagnostics: Sequence[Diagnostic], data: Sequence[_Read]
) -> dict[str, Any]:
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
    if data:
        found["data"] = [one.as_dict() for one in data]
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
