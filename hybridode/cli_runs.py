"""The arguments of the commands that look at a finished fit."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Annotated

import typer

from hybridode.cli_options import Json, Quiet, RunDirectory, Verbose
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
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0.0, metavar="S", help="Stop after S seconds.")
    ] = None,
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

    command = shlex.join(["hybridode", *context.obj])
    return go(run, parameters or [], levels, max_seconds, command, Output(json, verbose, quiet))


def bootstrap(
    context: typer.Context,
    run: RunDirectory,
    samples: Annotated[int, typer.Option("--samples", metavar="N", min=1, help="How many replicates (200).")] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the replicates (0).")] = 0,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0.0, metavar="S", help="Stop after S seconds, keep what is done.")
    ] = None,
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

    return go(run, samples, seed, max_seconds, shlex.join(["hybridode", *context.obj]), Output(json, verbose, quiet))


RUN_COMMANDS: tuple[Callable[..., int], ...] = (profile, bootstrap)
