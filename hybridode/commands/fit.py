"""`hybridode fit`: model and data in, a run directory and a table of parameters out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.afterwards import Told, afterwards
from hybridode.commands.data_summary import summary_text
from hybridode.commands.dry_run import dry_run
from hybridode.commands.interrupt import Interruption
from hybridode.commands.kept import kept
from hybridode.commands.options import numbers_by_name, pairs
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.resume import check_unchanged, continued, origin
from hybridode.commands.run import INTERRUPTED
from hybridode.errors import Diagnostic, NumericsError, UsageError
from hybridode.language.check import declare
from hybridode.language.reader import load

if TYPE_CHECKING:
    from hybridode.data.fit_file import FitFile
    from hybridode.fit.run import FitRun


@dataclass(frozen=True)
class FitOptions:
    """The options of `hybridode fit` as given; None where nothing was said, so that `fit.toml` may say it."""

    starts: int | None = None
    seed: int | None = None
    hold_out: str | None = None
    loss: str | None = None
    set: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    conditions: str | None = None
    out: str | None = None
    max_seconds: float | None = None
    workers: int = 1
    resume: str | None = None
    dry_run: bool = False
    only_fit: bool = False  # without what comes afterwards
    settings_file: str | None = None  # "none": not even the one beside the model
    settings: dict[str, Any] = field(default_factory=dict)  # engine, method, rtol, atol

    def keywords(self) -> dict[str, Any]:
        """As keywords of `hybridode.fit`. Raises UsageError E0804 for what is no pair or no number."""
        return {
            "starts": self.starts,
            "seed": self.seed,
            "hold_out": self.hold_out,
            "loss": self.loss,
            "max_seconds": self.max_seconds,
            "set": numbers_by_name("--set", self.set),
            "fix": {
                **dict.fromkeys(name for name in self.fix if "=" not in name),
                **numbers_by_name("--fix", [text for text in self.fix if "=" in text]),
            },
            "columns": pairs("--column", self.columns),
            "sources": pairs("--source", self.sources),
            "conditions": self.conditions,
            "settings": self.settings,
        }


def fit(model: str | None, data: str | None, options: FitOptions, command: str, output: Output) -> int:
    """Fits, writes the run directory and returns the exit code: 0, 3 when no fit was found, 130 when interrupted."""
    stored: dict[str, Any] | None = None
    if options.resume is not None:
        from hybridode.fit.checkpoint import read_state

        stored = read_state(Path(options.resume))
        options = continued(stored["run"], options)
        model, data = model or stored["run"]["model"], data or stored["run"]["data"]
    if model is None or data is None:
        raise UsageError(Diagnostic("E0801", "a fit needs a model and data", hint="write `hybridode fit MODEL DATA`"))
    if Path(model).suffix.lower() != ".ode" and Path(data).suffix.lower() == ".ode":
        hint = f"write `hybridode fit {data} {model}`"
        raise UsageError(Diagnostic("E0801", f"the model comes first: `{data}` is given as the data", hint=hint))
    given = options.keywords()
    declarations = declare(load(model))
    output.diagnostics(declarations.warnings)
    from hybridode.data.experiments import experiments
    from hybridode.data.fit_file import READING, check_names_of, merged
    from hybridode.fit.run import fit as run_fit
    from hybridode.fit.workers import worker_processes
    from hybridode.report.ending import ending_text
    from hybridode.report.run_directory import new_directory, write_run
    from hybridode.solve.settings import Settings

    file = settings_file(model, options.settings_file)
    if file is not None:
        output.result(f"settings from {file.path}")
    run = origin(model, data, options, declarations, None if file is None else file.path)
    if stored is not None:
        check_unchanged(stored["run"], run, Path(str(options.resume)))
    chosen = merged(file, given)
    chosen["settings"] = Settings(**chosen.get("settings", {}))
    reading = {ours: chosen.pop(theirs) for theirs, ours in READING.items() if theirs in chosen}
    dataset = experiments(declarations, data, folder=Path(model).parent, **reading)
    if file is not None:
        check_names_of(file, dataset.declarations, dataset.groups)
    if dataset.summary is not None:
        output.result(summary_text(dataset.summary) + "\n")
    output.diagnostics(dataset.warnings)
    if options.dry_run:
        place = options.resume or options.out or f"the next folder in {Path(model).with_suffix('.runs')}"
        return dry_run(declarations, dataset, chosen, place, output)
    if options.resume is not None:
        directory = Path(options.resume)
    else:
        directory = new_directory(Path(model), Path(options.out) if options.out is not None else None)
    with (
        Interruption(output.note) as interruption,
        kept(directory, run, stored, chosen.get("max_seconds"), interruption, output) as keeper,
        ProgressDisplay(output.quiet, keeper.left, output.json) as progress,
        worker_processes(options.workers) as spread,
    ):
        found = run_fit(declarations, dataset, progress=progress, keeper=keeper, spread=spread, **chosen)
        found.log.extend(keeper.log)
        try:
            write_run(found, directory, command)
        except NumericsError:  # a full disk: what was found is shown at least, and the checkpoint stays
            output.result(f"{ending_text(found)}\n")
            raise
        keeper.close(complete=not found.cut_short, written=True)
    read = None if dataset.summary is None else dataset.summary.as_dict()
    ok = found.result["status"] != "failed"
    told = Told() if options.only_fit else afterwards(found, directory, command, output)
    output.result("\n\n".join([summary(found, directory), *told.lines]))
    for line in found.log:
        if line.startswith("warning "):
            output.note(line)
    output.data({"ok": ok, "directory": str(directory), "data": read, "result": found.result, "findings": told.sentences})
    return {"failed": 3, "interrupted": INTERRUPTED}.get(found.result["status"], 0)


def settings_file(model: str, given: str | None) -> FitFile | None:
    """The file of `--settings`, else the `fit.toml` beside the model."""
    from hybridode.data.fit_file import beside, read_fit_file

    path = None if given == "none" else given if given is not None else beside(model)
    if path is None:
        return None
    return read_fit_file(path)


def summary(run: FitRun, directory: Path) -> str:
    """What a fit ends with: the parameters, the statistics, where everything is."""
    places = f"report: {directory / 'report.html'}\nmodel:  {directory / 'fitted.ode'}"
    if run.cut_short:
        places += f"\ngo on:  hybridode fit --resume {directory}"
    from hybridode.report.ending import ending_text
    from hybridode.report.findings import read_findings

    return f"{ending_text(run, read_findings(directory).get('profiles'))}\n\n{places}"
