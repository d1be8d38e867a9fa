"""The arguments of the commands that look at a finished fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from hybridode.cli_options import Json, MaxSeconds, Quiet, RunDirectory, Verbose, typed
from hybridode.commands.output import Output


def profile(
    context: typer.Context,
    run: RunDirectory,
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="[PARAMETER...]", help="Which parameters (all).", show_default=False)
    ] = None,
    levels: Annotated[
        int, typer.Option("--levels", metavar="N", min=2, max=100, help="Points between the optimum and the end of an interval.")
    ] = 8,
    max_seconds: MaxSeconds = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Profile likelihoods of a run's parameters: 95 % intervals and what can be believed of each, bands of the curves.

    \b
    Examples:
      hybridode profile model.runs/003
      hybridode profile model.runs/003 k1 k2 --levels 20
    """
    from hybridode.commands.profile import profile as go

    return go(run, parameters or [], levels, max_seconds, typed(context), Output(json, verbose, quiet))


def bootstrap(
    context: typer.Context,
    run: RunDirectory,
    samples: Annotated[int, typer.Option("--samples", metavar="N", min=1, help="How many replicates (200).")] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the replicates (0).")] = 0,
    max_seconds: MaxSeconds = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Fit again to data that the fitted model could have given: intervals and biases of its parameters.

    What is done is kept, also at Ctrl-C: the same command goes on from there.

    \b
    Example:
      hybridode bootstrap model.runs/003 --samples 1000
    """
    from hybridode.commands.bootstrap import bootstrap as go

    return go(run, samples, seed, max_seconds, typed(context), Output(json, verbose, quiet))


def ensemble(
    context: typer.Context,
    run: RunDirectory,
    members: Annotated[int, typer.Option("--members", metavar="N", min=1, max=200, help="How many networks are trained.")] = 8,
    max_seconds: MaxSeconds = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Train a run's networks again from other first weights: bands that widen where there are no data.

    What is done is kept, also at Ctrl-C: the same command goes on from there.

    \b
    Example:
      hybridode ensemble model.runs/003 --members 8
    """
    from hybridode.commands.ensemble import ensemble as go

    return go(run, members, max_seconds, typed(context), Output(json, verbose, quiet))


def report(
    run: RunDirectory,
    latex: Annotated[
        str | None, typer.Option("--latex", metavar="FILE", help="Also write the parameters as a LaTeX table (- prints it).")
    ] = None,
    notebook: Annotated[
        str | None, typer.Option("--notebook", metavar="FILE", help="Also write a notebook that opens the run again (.ipynb).")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Make the report of a run anew from what lies in its directory, findings after the fit included.

    \b
    Examples:
      hybridode report model.runs/003 --open
      hybridode report model.runs/003 --latex table.tex --notebook look.ipynb
    """
    from hybridode.commands.report import report as go

    return go(run, latex, notebook, open_, Output(json, verbose, quiet))


def discover(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run directories of one model with networks.")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the bootstrap samples (0).")] = 0,
    symbolic: Annotated[bool, typer.Option("--symbolic", help="Ask PySR for formulas of any shape too (one run).")] = False,
    max_seconds: MaxSeconds = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Find the formula that the data support in the place of a network.

    \b
    Examples:
      hybridode discover examples/lotka_volterra_ude/lotka_volterra_ude.runs/001
      hybridode discover north south
    """
    from hybridode.commands.discover import DiscoverOptions
    from hybridode.commands.discover import discover as go

    return go(runs, DiscoverOptions(seed, max_seconds, symbolic), typed(context), Output(json, verbose, quiet))


def sample(
    context: typer.Context,
    run: RunDirectory,
    draws: Annotated[int, typer.Option("--draws", metavar="N", min=1, help="Draws of each chain that are kept.")] = 1000,
    chains: Annotated[int, typer.Option("--chains", metavar="N", min=1, max=64, help="Chains.")] = 4,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", min=20, help="Draws before, that adapt the steps.")] = 500,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same draws.")] = 0,
    accept: Annotated[
        float,
        typer.Option("--accept", metavar="P", min=0.5, max=0.999, help="Smaller steps as this nears 1; against divergences."),
    ] = 0.8,
    max_seconds: MaxSeconds = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the draws that RUN has, up to --draws.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Draw from the posterior of a fitted model by NUTS (needs the extra `sampling`).

    \b
    Examples:
      hybridode sample model.runs/001
      hybridode sample model.runs/001 --draws 4000 --resume
    """
    from hybridode.commands.sample import SampleOptions
    from hybridode.commands.sample import sample as go

    options = SampleOptions(draws, chains, warmup, seed, accept, max_seconds, resume)
    return go(run, options, typed(context), Output(json, verbose, quiet))


def compare(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Directories that `hybridode fit` wrote.")],
    cross_validate: Annotated[
        str | None,
        typer.Option(
            "--cross-validate", metavar="WHAT", help="Fit again without: series, series:4, series:NAME, last:5, time:3."
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Of hybrids: the physics alone, a network alone, a constant.")
    ] = False,
    max_seconds: MaxSeconds = None,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the table as CSV.")] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Several runs side by side: AIC, BIC, likelihood ratios, hold-outs; whether a network earns its place.

    \b
    Examples:
      hybridode compare model.runs/001 model.runs/002
      hybridode compare model.runs/001 model.runs/002 --cross-validate series
      hybridode compare hybrid.runs/001 --baselines
    """
    from hybridode.commands.compare import CompareOptions
    from hybridode.commands.compare import compare as go

    options = CompareOptions(cross_validate, baselines, max_seconds, output)
    return go(runs, options, typed(context), Output(json, verbose, quiet))


RUN_COMMANDS: tuple[Callable[..., int], ...] = (report, compare, profile, bootstrap, ensemble, sample, discover)
