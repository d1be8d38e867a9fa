"""From a command's exception to its exit code. No error of a user ever shows a traceback."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence

import typer

from hybridode.commands.output import Output
from hybridode.errors import Diagnostic, HybridodeError

# Typer before 0.20 takes these from click, later ones bring their own; both derive BadParameter from them.
_TyperUsageError, _TyperError = typer.BadParameter.__mro__[1:3]

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE, as other programs end
OUR_BUG = 70  # sysexits.h EX_SOFTWARE


def run_command(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Runs `hybridode ARGUMENTS` and returns the exit code; every exception ends here."""
    output = Output(json="--json" in arguments)
    for stream in (sys.stdout, sys.stderr):  # a name in Greek must not end a command on a terminal without Greek
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    verbose = "-v" in arguments or "--verbose" in arguments
    try:
        # Not through `app()`, which answers interruptions and closed pipes in its own way.
        command = typer.main.get_command(app)
        with command.make_context("hybridode", list(arguments), obj=list(arguments)) as context, warnings.catch_warnings():
            if not verbose:  # what a program computes on the way, nobody who calls a command can mend
                warnings.simplefilter("ignore", RuntimeWarning)
            code = command.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except HybridodeError as error:
        _report(error.diagnostics, output)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`); nobody is left to tell, and Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except typer.Exit as exit_:
        return exit_.exit_code
    except Exception as error:  # the last stop: told as a bug of ours, with its own exit code
        return _report_other(error, output, verbose)


def _report(diagnostics: Sequence[Diagnostic], output: Output) -> None:
    output.data({"ok": False, "diagnostics": [d.as_dict() for d in diagnostics]})
    output.diagnostics(diagnostics)


_WORDS = (  # how Typer says what an option takes (two generations of it), and how we do
    (r"Invalid value for '([^']*)'.*: (?:Input should be a valid integer|'?.*is not a valid int).*", r"\1 takes a whole number"),
    (r"Invalid value for '([^']*)'.*: (?:Input should be a valid number|'?.*is not a valid float).*", r"\1 takes a number"),
    (r"Invalid value for '([^']*)'.*: Input should be greater than or equal to (\S+)", r"\1 takes a number of at least \2"),
    (r"Invalid value for '([^']*)'.*: Input should be less than or equal to (\S+)", r"\1 takes a number of at most \2"),
    (r"Invalid value for '([^']*)'.*: .*is not in the range [x>]=*(\S+)\.?", r"\1 takes a number of at least \2"),
    (r"Option '([^']*)' requires an argument\.?", r"\1 needs a value behind it"),
    (r"Got unexpected extra arguments? \((.*)\)", r"there is no place for `\1` in this command"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"there is no place for `\1` in this command"),
)


def _in_words(message: str) -> str:
    for pattern, words in _WORDS:
        match = re.fullmatch(pattern, message.strip(), re.DOTALL)
        if match:
            return match.expand(words)
    return message


def _report_other(error: Exception, output: Output, verbose: bool) -> int:
    if isinstance(error, _TyperError):
        context = getattr(error, "ctx", None)
        message = _in_words(error.format_message())  # pyright: ignore[reportAttributeAccessIssue]
        command = context.command_path if context is not None else "hybridode"
        _report([Diagnostic("E0801", message.rstrip("."), hint=f"`{command} --help` shows what it takes")], output)
        return 2
    if verbose:
        traceback.print_exception(error)
    name = type(error).__name__
    text = str(error).strip().partition("\n")[0]
    print(f"hybridode failed inside ({name}: {text}).", file=sys.stderr)
    print(
        "This is a bug of ours, not of your model. Please report it with the output of the same command and -v.", file=sys.stderr
    )
    return OUR_BUG
