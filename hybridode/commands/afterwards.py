"""What `hybridode fit` finds out by itself once the fit is written down: one row of AFTERWARDS for each kind of finding.

Each is bounded in time; Ctrl-C skips the rest. Whatever happens here, the fit stays what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.errors import HybridodeError

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

SHARE, LEAST = 0.2, 5.0  # of the fit's time that each may take, and seconds that it may take in any case; baselines more
LONG = 5.0  # seconds: what takes longer than this and than the fit is said

Find = Callable[["FitRun", float], Found | None]  # the fit, seconds -> what was found, None where there is nothing to look for


def _residual_tests(run: FitRun, seconds: float) -> Found | None:
    from hybridode.fit.criticism.residual_tests import residual_tests

    assert run.finished is not None, "there is a fit"
    tests = residual_tests(run.finished.prepared, run.finished.theta, seconds)
    return Found(tests.content(), tell=tests.wrong)


def _profiles(run: FitRun, seconds: float) -> Found | None:
    from hybridode.commands.uncertainty import after_fit

    return after_fit(run, seconds)


def _baselines(run: FitRun, seconds: float) -> Found | None:
    if all(n.freeze for n in run.dataset.declarations.networks):
        return None
    from hybridode.commands.compare import baselines_found

    return baselines_found(run, seconds_of_baselines(run))


def seconds_of_baselines(run: FitRun) -> float:
    """Twice what the others have, as two models are fitted, each compiled anew."""
    return 2 * _seconds(run) + 2 * float(run.result["timing"]["compile"])


def _seconds(run: FitRun) -> float:
    return max(SHARE * float(run.result["timing"]["total"]), LEAST)


def _learnt(run: FitRun, seconds: float) -> Found | None:
    return of_learnt(run)


def of_learnt(run: FitRun) -> Found | None:
    """What the networks have learnt where the data reach; None without networks."""
    from hybridode.discover.found import learnt_content
    from hybridode.discover.samples import samples_of
    from hybridode.discover.slots import slots_of

    assert run.finished is not None, "there is a fit"
    if not run.dataset.declarations.networks:
        return None
    slots = slots_of(run.dataset.declarations)
    networks = {slot.network.name: slot.network for slot in slots}
    samples = {
        name: samples_of(run.finished.prepared, run.finished.theta, network, members=run.finished.members)
        for name, network in networks.items()
    }
    return Found(learnt_content(slots, samples))


AFTERWARDS: tuple[tuple[str, Find], ...] = (
    ("profiles", _profiles),
    ("residual_tests", _residual_tests),
    ("learnt", _learnt),
    ("baselines", _baselines),
)


@dataclass(frozen=True)
class Told:
    """The sentences by kind of finding, and lines for the user to see below the result."""

    sentences: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def afterwards(run: FitRun, directory: Path, command: str | None, output: Output) -> Told:
    """Runs the rows of AFTERWARDS on a fit that has been written to `directory`."""
    if run.finished is None or run.cut_short:
        return Told()
    seconds, started = _seconds(run), time.perf_counter()
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
        except Exception as error:  # told, and with -v shown whole: what was fitted is written and right all the same
            if output.verbose:
                raise
            text = str(error).strip().partition("\n")[0]
            output.note(f"{kind}: failed inside ({type(error).__name__}: {text}), a bug of ours. The fit is complete without it.")
            continue
        if found is None:
            continue
        told.sentences.update(keep(directory, kind, found, command, time.perf_counter() - began, report=False))
        told.lines.extend(found.tell)
        if found.interrupted:
            output.note("the fit is complete; what comes after it was cut short")
            break
    if told.sentences:
        from hybridode.report.rebuild import rebuild_report

        rebuild_report(directory)
    spent = time.perf_counter() - started
    if spent > max(float(run.result["timing"]["total"]), LONG):
        told.lines.append(f"what was looked into after the fit took {spent:.0f} s; `--only-fit` leaves it out")
    return told
