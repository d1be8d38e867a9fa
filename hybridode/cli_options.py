"""Options and arguments that several commands have."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from hybridode.solve.settings import ENGINES, METHODS


def _one_of(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}."


Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model file (.ode).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; show the traceback of a bug of ours.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Give a parameter or constant another value.")]
Column = Annotated[list[str] | None, typer.Option("--column", metavar="NAME=COLUMN", help="Which column is NAME.")]
SettingsFile = Annotated[
    str | None,
    typer.Option("--settings", metavar="FILE", help="Settings (fit.toml beside MODEL, if there is one); none for no file."),
]
Sources = Annotated[list[str] | None, typer.Option("--source", metavar="NAME=FILE", help="The file behind `from NAME.column`.")]
Engine = Annotated[str, typer.Option("--engine", metavar="NAME", help=_one_of(ENGINES))]
Method = Annotated[str, typer.Option("--method", metavar="NAME", help=_one_of(("auto", *METHODS)))]
OwnEngine = Annotated[str | None, typer.Option("--engine", metavar="NAME", help=_one_of(ENGINES))]
OwnMethod = Annotated[str | None, typer.Option("--method", metavar="NAME", help=_one_of(("auto", *METHODS)))]
Rtol = Annotated[float | None, typer.Option("--rtol", metavar="X", help="Relative tolerance of the solver (1e-6).")]
Atol = Annotated[float | None, typer.Option("--atol", metavar="X", help="Absolute tolerance of the solver (1e-8).")]
Checkpoints = Annotated[
    str | None,
    typer.Option("--checkpoints", metavar="K", help="What gradients keep of a solve: all steps, sqrt of them, or K states."),
]
OnlyFit = Annotated[bool, typer.Option("--only-fit", help="Leave out what comes after the fit, such as residual tests.")]
To = Annotated[float | None, typer.Option("--to", metavar="T", help="The last time.")]
Points = Annotated[int | None, typer.Option("--points", metavar="N", help="How many evenly spaced times are reported.")]
At = Annotated[str | None, typer.Option("--at", metavar="T1,T2,...", help="The times that are reported.")]
Data = Annotated[str | None, typer.Option("--data", metavar="FILE", help="Data that the inputs are read from.")]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="COLUMN=LABEL", help="Whose values to take of what has values `by COLUMN`."),
]
Conditions = Annotated[
    str | None,
    typer.Option("--conditions", metavar="FILE", help="A table of what holds in each experiment: a row for each, in columns."),
]
OutputFile = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE", help="Write all rows as CSV; - for standard output.")
]
Plot = Annotated[str | None, typer.Option("--plot", metavar="FILE", help="Draw the solution (.svg, .png or .pdf).")]
RunDirectory = Annotated[str, typer.Argument(metavar="RUN", help="A run directory that `hybridode fit` wrote.")]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", min=0.0, metavar="S", help="Stop after S seconds, keep what is done.")
]


def typed(context: typer.Context) -> str:
    """The command line as it was typed, which a run keeps."""
    return shlex.join(["hybridode", *context.obj])
