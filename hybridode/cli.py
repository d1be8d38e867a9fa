"""The command line: arguments only. What the commands do is in `hybridode/commands/`, imported when a command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hybridode.commands.output import Output
from hybridode.version import __version__

app = typer.Typer(
    name="hybridode",
    help="Differential equations in a text file: known physics, learnable terms, fitted to data.",
    epilog="Start with `hybridode new mymodel`, or see README.md. Each command explains itself: `hybridode fit --help`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model file (.ode).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; show the traceback of a bug of ours.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hybridode {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """What stands before the command."""


@app.command()
def check(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Model files (.ode), or - for standard input.")],
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Report every error and warning of a model without running it.

    \b
    Example:
      hybridode check examples/lynx_hare/lynx_hare.ode
    """
    from hybridode.commands.check import check as run

    run(models, Output(json, verbose, quiet))


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A code such as E0203; without one, all are listed.")
    ] = None,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0 done, 1 model or data wrong, 2 wrong usage, 3 computation failed, 130 interrupted."""
    from hybridode.commands.run import run_command

    return run_command(app, list(sys.argv[1:] if arguments is None else arguments))
