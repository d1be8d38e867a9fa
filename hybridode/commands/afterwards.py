"""What `hybridode fit` finds out by itself once the fit is written down: one row of AFTERWARDS for each kind of finding.

Each is bounded in time; Ctrl-C skips the rest. Whatever happens here, the fit stays what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.output import Output
from hybridode.errors import HybridodeError
from hybridode.files import write_whole

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

SHARE, LEAST = 0.2, 5.0  # of the fit's time that each may take, and seconds that it may take in any case


@dataclass(frozen=True)
class Found:
    """What one of them found: the content of the finding, what stands beside it by ending, and lines for the user to see now."""

    content: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    tell: Sequence[str] = ()
    others: Mapping[str, Found] = field(default_factory=dict)  # kinds that were found by the way


Find = Callable[["FitRun", float], Found | None]  # the fit, seconds -> what was found, None where there is nothing to look for


def _residual_tests(run: FitRun, seconds: float) -> Found | None:
    from hybridode.fit.criticism.residual_tests import residual_tests

    assert run.finished is not None, "there is a fit"
    tests = residual_tests(run.finished.prepared, run.finished.theta, seconds)
    return Found(tests.content(), tell=tests.wrong)


def _profiles(run: FitRun, seconds: float) -> Found | None:
    from hybridode.commands.uncertainty import after_fit

    return after_fit(run, seconds)


AFTERWARDS: tuple[tuple[str, Find], ...] = (("profiles", _profiles), ("residual_tests", _residual_tests))


@dataclass(frozen=True)
class Told:
    """The sentences by kind of finding, and lines for the user to see below the result."""

    sentences: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def afterwards(run: FitRun, directory: Path, command: str | None, output: Output) -> Told:
    """Runs the rows of AFTERWARDS on a fit that has been written to `directory`."""
    if run.finished is None or run.cut_short:
        return Told()
    seconds = max(SHARE * float(run.result["timing"]["total"]), LEAST)
    told = Told()
    for kind, find in AFTERWARDS:
        began = time.perf_counter()
        try:
            found = find(run, seconds)
        except KeyboardInterrupt:
            output.note("the fit is complete; what comes after it was left out")
            break
        except HybridodeError as error:
            output.note(f"{kind}: {error.diagnostics[0].message}")
            continue
        if found is None:
            continue
        told.sentences.update(keep(directory, kind, found, command, time.perf_counter() - began))
        told.lines.extend(found.tell)
    return told


def keep(directory: Path, kind: str, found: Found, command: str | None, seconds: float) -> dict[str, Any]:
    """Writes what was found, and what was found by the way; the sentences by kind."""
    from hybridode.report.findings import FOLDER, write_finding

    told: dict[str, Any] = {}
    for name, one in {kind: found, **found.others}.items():
        write_finding(directory, name, {"command": command, "seconds": seconds, **one.content})
        for ending, data in one.files.items():
            write_whole(directory / FOLDER / f"{name}.{ending}", data)
        told[name] = list(one.content.get("sentences", ()))
    return told
