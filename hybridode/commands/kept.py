"""A run that is written down while it is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.interrupt import Interruption
from hybridode.commands.output import Output

if TYPE_CHECKING:
    from hybridode.fit.keeper import Keeper


@contextmanager
def kept(
    directory: Path,
    run: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
    max_seconds: float | None,
    interruption: Interruption,
    output: Output,
) -> Iterator[Keeper]:
    """Who writes the run down while it runs, going on from its checkpoint where there is one (`stored`)."""
    from hybridode.fit.checkpoint import Checkpoint, read_memory
    from hybridode.fit.keeper import Keeper
    from hybridode.fit.memory import Memory
    from hybridode.fit.time_left import TimeLeft
    from hybridode.report.run_directory import remove_if_empty

    log: list[str] = []
    checkpoint = Checkpoint(directory, run)
    checkpoint.open()
    before = 0.0 if stored is None else float(stored["elapsed"])
    memory = Memory() if stored is None else read_memory(directory, log)
    left = TimeLeft(None if max_seconds is None else before + max_seconds)
    keeper = Keeper(directory, checkpoint, memory, before, output.note, log, left, lambda: interruption.asked)
    interruption.phase = lambda: keeper.phase
    if stored is None:
        keeper.write()  # from now on a killed run can go on
    try:
        yield keeper
    finally:
        if not keeper.closed:
            keeper.close(complete=False)
        remove_if_empty(directory)
