"""The command line: arguments only. What the commands do is in `hybridode/commands/`, imported when a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridode.cli_options import (
    At,
    Atol,
    Checkpoints,
    Column,
    Conditions,
    Data,
    Engine,
    Groups,
    Json,
    MaxSeconds,
    Method,
    Model,
    OnlyFit,
    OutputFile,
    OwnEngine,
    OwnMethod,
    Plot,
    Points,
    Quiet,
    Rtol,
    Set,
    SettingsFile,
    Sources,
    To,
    Verbose,
    typed,
)
from hybridode.cli_runs import RUN_COMMANDS
from hybridode.commands.output import Output
from hybridode.version import __version__

if TYPE_CHECKING:
    from hybridode.commands.simulate import SimulateOptions

app = typer.Typer(
    name="hybridode",
    help="Differential equations in a text file: known physics, learnable terms, fitted to data.",
    epilog="Start with `hybridode new mymodel`. Each command explains itself: `hybridode fit --help`.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hybridode {__version__}")
        raise typer.Exit


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _solved(
    to: float | None, points: int | None, at: str | None, set_: list[str] | None, data: str | None, source: list[str] | None,
    output: str | None, plot: str | None, series: str | None, group: list[str] | None, **settings: Any,
) -> SimulateOptions:  # fmt: skip
    """The options that commands which solve a model have in common."""
    from hybridode.commands.simulate import SimulateOptions

    return SimulateOptions(
        to, points, at, tuple(set_ or ()), data, tuple(source or ()), output, plot, series, tuple(group or ()),
        settings=_given(**settings),
    )  # fmt: skip


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Differential equations in a text file: known physics, learnable terms, fitted to data."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's name; NAME.ode is written.")],
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented model to start from.

    \b
    Example:
      hybridode new growth
    """
    from hybridode.commands.new import new as run

    run(name, Output(json, verbose, quiet))


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="MODEL... [DATA...]", help="Model files (.ode), then data files.")],
    column: Column = None,
    source: Sources = None,
    conditions: Conditions = None,
    settings_file: SettingsFile = None,
    identifiability: Annotated[
        bool, typer.Option("--identifiability", help="Say which parameters could be known from perfect data.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Report every error and warning of a model without running it, and what it reads of a data file.

    \b
    Examples:
      hybridode check examples/lynx_hare/lynx_hare.ode
      hybridode check examples/lynx_hare/lynx_hare.ode examples/lynx_hare/pelts.csv
      hybridode check examples/lynx_hare/lynx_hare.ode --identifiability
      hybridode check --json models/*.ode
    """
    from hybridode.commands.check import CheckOptions
    from hybridode.commands.check import check as run

    return run(
        files,
        CheckOptions(tuple(column or ()), tuple(source or ()), settings_file, conditions, identifiability),
        Output(json, verbose, quiet),
    )


@app.command()
def show(
    model: Model,
    stage: Annotated[
        str, typer.Option("--stage", metavar="NAME", help="tree, model, equations, jacobian, tape or jax.")
    ] = "model",
    latex: Annotated[bool, typer.Option("--latex", help="As LaTeX, for papers (model, equations, jacobian).")] = False,
    simplify: Annotated[bool, typer.Option("--simplify", help="Let SymPy simplify what is shown (equations).")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Print what was understood, and each stage of the compiler.

    \b
    Examples:
      hybridode show examples/lynx_hare/lynx_hare.ode
      hybridode show examples/lynx_hare/lynx_hare.ode --stage jacobian
      hybridode show examples/lynx_hare/lynx_hare.ode --latex
    """
    from hybridode.commands.show import show as run

    run(model, stage, latex, simplify, Output(json, verbose, quiet))


@app.command()
def simulate(
    model: Model,
    to: To = None,
    points: Points = None,
    at: At = None,
    set_: Set = None,
    data: Data = None,
    source: Sources = None,
    series: Annotated[str | None, typer.Option("--series", metavar="NAME", help="Which series of the data.")] = None,
    group: Groups = None,
    engine: Engine = "auto",
    method: Method = "auto",
    rtol: Rtol = None,
    atol: Atol = None,
    output: OutputFile = None,
    plot: Plot = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Integrate a model as it stands.

    \b
    Examples:
      hybridode simulate examples/decay/decay.ode --to 10
      hybridode simulate examples/decay/decay.ode --to 10 --points 200 --set k=0.5 -o out.csv --plot out.svg
      hybridode simulate examples/decay/decay.ode --at 1,2,5 --method kvaerno5 --rtol 1e-9
    """
    from hybridode.commands.simulate import simulate as run

    options = _solved(
        to, points, at, set_, data, source, output, plot, series, group, engine=engine, method=method, rtol=rtol, atol=atol
    )
    return run(model, options, Output(json, verbose, quiet))


@app.command()
def fit(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="A model file (.ode).", show_default=False)] = None,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="A data file (.csv).", show_default=False)] = None,
    starts: Annotated[
        int | None, typer.Option("--starts", metavar="N", help="Begin at N points and keep the best (24; with networks 1).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Seed of the starts and of the networks' weights (0).")
    ] = None,
    hold_out: Annotated[
        str | None, typer.Option("--hold-out", metavar="last:N", help="Keep the last N times, or series:NAME, from the fit.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option("--loss", metavar="NAME", help="Against outliers: huber, soft_l1 or cauchy.")
    ] = None,
    set_: Set = None,
    fix: Annotated[list[str] | None, typer.Option("--fix", metavar="NAME[=VALUE]", help="Do not learn this parameter.")] = None,
    column: Column = None,
    source: Sources = None,
    conditions: Conditions = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="The run directory (MODEL.runs/001, 002, ...).")] = None,
    max_seconds: MaxSeconds = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, metavar="N", help="Evaluate starts in N processes; the same result.")
    ] = 1,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="DIR", help="Go on with a run that was cut off; MODEL and DATA are known.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it would cost; write nothing.")
    ] = False,
    only_fit: OnlyFit = False,
    settings: SettingsFile = None,
    engine: OwnEngine = None,
    method: OwnMethod = None,
    rtol: Rtol = None,
    atol: Atol = None,
    checkpoints: Checkpoints = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Fit parameters, starts and networks to data.

    \b
    Examples:
      hybridode fit examples/lynx_hare/lynx_hare.ode examples/lynx_hare/pelts.csv
      hybridode fit model.ode data.csv --starts 10 --seed 1 --hold-out last:5
      hybridode fit model.ode data.csv --set K=8 --fix K --column prey=Hare --out best
      hybridode fit model.ode data.csv --dry-run
      hybridode fit --resume model.runs/003
    """
    from hybridode.commands.fit import FitOptions
    from hybridode.commands.fit import fit as run

    options = FitOptions(
        starts=starts,
        seed=seed,
        hold_out=hold_out,
        loss=loss,
        set=tuple(set_ or ()),
        fix=tuple(fix or ()),
        columns=tuple(column or ()),
        sources=tuple(source or ()),
        conditions=conditions,
        out=out,
        max_seconds=max_seconds,
        workers=workers,
        resume=resume,
        dry_run=dry_run,
        only_fit=only_fit,
        settings_file=settings,
        settings=_given(engine=engine, method=method, rtol=rtol, atol=atol, checkpoints=checkpoints),
    )
    return run(model, data, options, typed(context), Output(json, verbose, quiet))


@app.command()
def watch(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The directory of a run, running or ended.")],
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port (a free one).")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Show a fit in the browser while it runs. The page is served to this machine only.

    \b
    Example:
      hybridode watch model.runs/003 --open
    """
    from hybridode.commands.watch import watch as go

    return go(run, port, open_, Output(json, verbose, quiet))


@app.command()
def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory that `hybridode fit` wrote.")],
    to: To = None,
    points: Points = None,
    at: At = None,
    set_: Set = None,
    data: Data = None,
    source: Sources = None,
    series: Annotated[
        str | None, typer.Option("--series", metavar="NAME", help="Which series of the fit (or of --data): its start and values.")
    ] = None,
    group: Groups = None,
    method: Method = "auto",
    rtol: Rtol = None,
    atol: Atol = None,
    output: OutputFile = None,
    plot: Plot = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Continue a fitted model.

    \b
    Example:
      hybridode predict examples/lynx_hare/lynx_hare.runs/001 --to 1930 -o forecast.csv
    """
    from hybridode.commands.predict import predict as go

    options = _solved(
        to, points, at, set_, data, source, output, plot, series, group, engine="auto", method=method, rtol=rtol, atol=atol
    )
    return go(run, options, Output(json, verbose, quiet))


for _command in RUN_COMMANDS:
    app.command()(_command)


@app.command()
def explain(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="A code such as E0203; without one, all are listed.")] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Explain the code of an error or a warning, with an example.

    \b
    Example:
      hybridode explain E0203
    """
    from hybridode.commands.explain import explain as run

    run(code, Output(json, verbose, quiet))


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete the files.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Show or clear the compiled models kept on disk.

    \b
    Example:
      hybridode cache --clear
    """
    from hybridode.commands.cache import cache as run

    run(clear, Output(json, verbose, quiet))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code.

    0 done, 1 model or data wrong, 2 wrong usage, 3 computation failed, 70 a bug of ours, 130 interrupted.
    """
    from hybridode.commands.run import INTERRUPTED, run_command

    code = run_command(app, list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None and code == INTERRUPTED:
        # A computation may still run in a thread of XLA; taking the interpreter apart under it crashes. All files are closed.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
