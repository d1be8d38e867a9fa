"""`hybridode sample`: draws from the posterior of a run by NUTS, into its `findings/`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep, write_beside
from hybridode.commands.interrupt import Interruption
from hybridode.commands.output import Output
from hybridode.commands.run import INTERRUPTED
from hybridode.errors import DataError, Diagnostic

if TYPE_CHECKING:
    from hybridode.fit.inference.explored import Explored
    from hybridode.fit.inference.sample import Sample
    from hybridode.fit.inference.sampling import Sampler, Stop

KIND = "posterior"
KEPT = f"{KIND}.npz"  # what a longer run goes on from
EVERY = 5.0  # seconds between plain lines
WRITTEN_EVERY = 8.0  # seconds after which the draws so far are written down
_PAUSE = "written down"  # why the sampler stops for it


@dataclass(frozen=True)
class SampleOptions:
    """The options of `hybridode sample`."""

    draws: int = 1000
    chains: int = 4
    warmup: int = 500
    seed: int = 0
    accept: float = 0.8
    max_seconds: float | None = None
    resume: bool = False

    @property
    def lasting(self) -> dict[str, float]:
        """Those that a longer run must share."""
        return {"chains": self.chains, "warmup": self.warmup, "seed": self.seed, "accept": self.accept}


def sample(run: str, options: SampleOptions, command: str, output: Output) -> int:
    """Samples the posterior of the run in a directory. Raises DataError E0807, E0811 (no run that can be opened), E0789 (nothing
    to resume), UsageError E0780 to E0782, E0787, NumericsError E0788."""
    began = time.perf_counter()
    from hybridode.fit.inference.sampling import Sampler, check_installed
    from hybridode.report.findings import FOLDER
    from hybridode.report.opened import open_run
    from hybridode.report.run_directory import read_run

    check_installed()
    folder = read_run(run).directory / FOLDER
    progress = _Progress(output)
    with Interruption(output.note) as interruption:
        progress.say("opening the run")
        fitted = open_run(run)[1]
        if fitted.finished is None:
            raise DataError(Diagnostic("E0781", "there is no posterior: the fit failed, or its solution is in pieces"))
        sampler = Sampler(fitted.finished.prepared, fitted.finished.theta, options.chains, options.accept)
        for line in sampler.priors:
            output.note(line)

        def stop(done: int, all_: int) -> str:
            progress.draws(done, all_, options)
            late = options.max_seconds is not None and time.perf_counter() - began > options.max_seconds
            return "interrupted" if interruption.asked else "out of time" if late else ""

        interruption.phase = lambda: "sampling"
        drawn = _drawn(sampler, fitted.finished.rivals, options, folder / KEPT, stop)
        interruption.phase = lambda: "finishing"
        progress.say("checking what the draws predict")
        explored, found = _explored(sampler, drawn, options, folder)
        seconds = time.perf_counter() - began
        keep(folder.parent, KIND, found, command, seconds)
    output.data({"ok": True, "directory": str(folder.parent), "seconds": seconds, **found.content})
    output.result(summary(explored, folder, seconds))
    return INTERRUPTED if drawn.early == "interrupted" else 0


def _drawn(sampler: Sampler, others: Sequence[Any], options: SampleOptions, kept: Path, stop: Stop) -> Sample:
    """The sample: anew, or the one that was kept with as many draws more as are missing. Written down now and then, so that a
    process that is killed loses no more than the draws since."""
    written = time.perf_counter()

    def stops(done: int, all_: int) -> str:
        return stop(done, all_) or (_PAUSE if done > options.warmup and time.perf_counter() - written > WRITTEN_EVERY else "")

    sample = _begun(sampler, others, options, kept, stops)
    while sample.early == _PAUSE:
        _write(kept, sample, options)
        written = time.perf_counter()
        assert sample.chains is not None, "a sample knows where its chains stand"
        missing = options.draws - sample.energy.shape[1]
        sample = sample.joined(sampler.more(sample.chains, missing, stops, options.warmup + options.draws))
    return sample


def _begun(sampler: Sampler, others: Sequence[Any], options: SampleOptions, kept: Path, stop: Stop) -> Sample:
    """Up to the first time that it is written down."""
    if not options.resume:
        return sampler.draw(options.draws, options.seed, options.warmup, stop, others=others)
    from hybridode.fit.inference.draws_file import read_kept
    from hybridode.fit.inference.sampling import MOST_DEPTH

    before, lasting = read_kept(kept, MOST_DEPTH, tuple(sampler.priors))
    other = [f"--{name} {lasting[name]:g}" for name, value in options.lasting.items() if lasting.get(name) != value]
    if other or before.names != sampler.objective.space.names:
        reason = f"they were made with {', '.join(other)}" if other else "they are of other parameters"
        raise DataError(Diagnostic("E0789", f"these draws cannot be gone on from: {reason}",
                                   hint="give the same options, or sample without `--resume`"))  # fmt: skip
    missing = options.draws - before.energy.shape[1]
    assert before.chains is not None, "what was kept knows where its chains stand"
    total = options.warmup + options.draws
    return before if missing <= 0 else before.joined(sampler.more(before.chains, missing, stop, total))


def _explored(sampler: Sampler, drawn: Sample, options: SampleOptions, folder: Path) -> tuple[Explored, Found]:
    """What the draws say, and what is kept of it; the draws themselves are written first."""
    from hybridode.fit.inference.draws_file import netcdf_bytes, netcdf_possible
    from hybridode.fit.inference.explored import explored
    from hybridode.report.run_directory import table_text

    _write(folder / KEPT, drawn, options)
    found = explored(sampler.prepared, drawn, options.seed)
    files = {ending: table_text(table).encode() for ending, table in found.tables().items()}
    files |= {"nc": netcdf_bytes(found, options.seed)} if netcdf_possible() else {}
    return found, Found(found.content(), files)


def _write(path: Path, drawn: Sample, options: SampleOptions) -> None:
    """What a longer run goes on from. Raises UsageError E0809 when it cannot be written."""
    from hybridode.fit.inference.draws_file import kept_bytes

    write_beside(path, kept_bytes(drawn, options.lasting))


def summary(explored: Explored, folder: Path, seconds: float) -> str:
    """What the command ends with."""
    s = explored.sample
    table = s.table.drop(columns="mcse").to_string(index=False, float_format="{:.4g}".format)
    lines = [*explored.mixing.sentences, *explored.checks.sentences(), *explored.loo.sentences()]
    head = f"{s.energy.shape[0]} chains of {s.energy.shape[1]} draws in {seconds:.0f} s"
    return "\n".join([head, "", table, "", *lines, "", f"draws: {folder / KIND}.csv" + (
        f" and {KIND}.nc (ArviZ)" if (folder / f"{KIND}.nc").exists() else "")])  # fmt: skip


class _Progress:
    """Plain lines to standard error now and then; one line that is written over on a terminal."""

    def __init__(self, output: Output) -> None:
        self._silent, self._terminal = output.quiet or output.json, sys.stderr.isatty()
        self._began, self._shown = time.perf_counter(), 0.0
        self._first: tuple[float, int] | None = None

    def say(self, words: str) -> None:
        self._print(words)

    def draws(self, done: int, all_: int, options: SampleOptions) -> None:
        """How far all chains are."""
        if self._first is None:  # everything is compiled now
            self._first = time.perf_counter(), done
        now = time.perf_counter() - self._began
        if now - self._shown < (0.2 if self._terminal else EVERY) and done < all_:
            return
        self._shown = now
        what = "warm-up" if done <= options.warmup else "draws"
        since, from_ = self._first
        each = (time.perf_counter() - since) / (done - from_) if done > from_ else 0.0
        left = f", about {(all_ - done) * each:.0f} s left" if each and done < all_ else ""
        self._print(f"{what}: {done} of {all_} steps of each chain, {now:.0f} s{left}")

    def _print(self, words: str) -> None:
        if not self._silent:
            print(
                f"\r\x1b[2K{words}" if self._terminal else words, end="" if self._terminal else "\n", file=sys.stderr, flush=True
            )
