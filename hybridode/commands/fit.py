"""`hybridode fit`: model and data in, a run directory and a table of parameters out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.numbers import short, table
from hybridode.commands.options import numbers_by_name, pairs
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED
from hybridode.language.check import declare
from hybridode.language.reader import load

if TYPE_CHECKING:
    from hybridode.data.fit_file import FitFile
    from hybridode.declarations import Declarations
    from hybridode.fit.run import FitRun

# What concerns the data file, not the search: keyword of `hybridode.fit` -> of `experiments`.
READING = {"columns": "columns_map", "sources": "sources"}


@dataclass(frozen=True)
class FitOptions:
    """The options of `hybridode fit` as given; None where nothing was said, so that `fit.toml` may say it."""

    starts: int | None = None
    seed: int | None = None
    hold_out: str | None = None
    set: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    out: str | None = None
    max_seconds: float | None = None
    settings_file: str | None = None  # "none": not even the one beside the model
    settings: dict[str, Any] = field(default_factory=dict)  # engine, method, rtol, atol

    def keywords(self) -> dict[str, Any]:
        """As keywords of `hybridode.fit`. Raises UsageError E0804 for what is no pair or no number."""
        return {
            "starts": self.starts,
            "seed": self.seed,
            "hold_out": self.hold_out,
            "max_seconds": self.max_seconds,
            "set": numbers_by_name("--set", self.set),
            "fix": dict.fromkeys(self.fix),
            "columns": pairs("--column", self.columns),
            "sources": pairs("--source", self.sources),
            "settings": self.settings,
        }


def fit(model: str, data: str, options: FitOptions, command: str, output: Output) -> int:
    """Fits, writes the run directory and returns the exit code: 0, 3 when no fit was found, 130 when interrupted."""
    given = options.keywords()
    declarations = declare(load(model))
    output.diagnostics(declarations.warnings)
    from hybridode.data.experiments import experiments
    from hybridode.data.fit_file import merged
    from hybridode.fit.run import fit as run_fit
    from hybridode.report.run_directory import new_directory, remove_if_empty, write_run
    from hybridode.solve.settings import Settings

    file = settings_file(model, options.settings_file, declarations)
    if file is not None:
        output.result(f"settings from {file.path}")
    chosen = merged(file, given)
    chosen["settings"] = Settings(**chosen.get("settings", {}))
    reading = {ours: chosen.pop(theirs) for theirs, ours in READING.items() if theirs in chosen}
    dataset = experiments(declarations, data, folder=Path(model).parent, **reading)
    output.result("\n".join(dataset.notes) + "\n")
    directory = new_directory(Path(model), Path(options.out) if options.out is not None else None)
    try:
        with ProgressDisplay(output.quiet or output.json) as progress:
            run = run_fit(declarations, dataset, progress=progress, **chosen)
        write_run(run, directory, command)
    finally:
        remove_if_empty(directory)
    output.data({"ok": run.result["status"] != "failed", "directory": str(directory), "result": run.result})
    output.result(summary(run, directory))
    return {"failed": 3, "interrupted": INTERRUPTED}.get(run.result["status"], 0)


def settings_file(model: str, given: str | None, declarations: Declarations) -> FitFile | None:
    """The file of `--settings`, else the `fit.toml` beside the model, checked against the model."""
    from hybridode.data.fit_file import beside, check_names_of, read_fit_file

    path = None if given == "none" else given if given is not None else beside(model)
    if path is None:
        return None
    file = read_fit_file(path)
    check_names_of(file, declarations)
    return file


def summary(run: FitRun, directory: Path) -> str:
    """What a fit ends with: the parameters, the statistics, where everything is."""
    places = f"report: {directory / 'report.html'}\nmodel:  {directory / 'fitted.ode'}"
    return "\n\n".join([parameter_table(run), statistics_text(run), places])


def parameter_table(run: FitRun) -> str:
    """Name, value, standard error, 95 % interval, unit and remarks of every parameter."""
    rows = []
    for row in run.parameters_table.to_dict("records"):
        interval = f"{short(row['lower95'], 4)} … {short(row['upper95'], 4)}" if short(row["lower95"]) != "–" else "–"
        remark = row["reason"] or ("fixed" if row["fixed"] else "at its bound" if row["at_bound"] else "")
        rows.append([str(row["name"]), short(row["value"]), short(row["se"], 2), interval, row["unit"], remark])
    return table(["parameter", "value", "std. error", "95 % interval", "unit", ""], rows, frozenset({1, 2, 3}))


def statistics_text(run: FitRun) -> str:
    """Likelihood, information criteria, status, hold-out and time."""
    result = run.result
    objective = result["objective"]
    lines = [
        f"{result['status']}: negative log-likelihood {short(objective['nll'], 7)} over {objective['n_data']} observations"
        f" · AIC {short(objective['aic'], 6)} · BIC {short(objective['bic'], 6)}"
    ]
    if result["status"] != "converged":
        lines.append(str(result["status_reason"]))
    if result.get("hold_out"):
        score = result["hold_out"]
        lines.append(f"held out: rmse {short(score['rmse'])} · log score {short(score['log_score'])} per observation")
    timing = result["timing"]
    lines.append(f"time: compile {timing['compile']:.1f} s · fit {timing['fit']:.1f} s · total {timing['total']:.1f} s")
    return "\n".join(lines)
