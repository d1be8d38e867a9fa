"""`hybridode discover`: a formula in the place of a network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED
from hybridode.errors import Diagnostic, UsageError
from hybridode.language.check import declare
from hybridode.language.reader import load

if TYPE_CHECKING:
    from hybridode.discover.discovery import Discovery
    from hybridode.report.run_directory import SavedRun

_ROWS = 5  # of the ranking that is printed


@dataclass(frozen=True)
class DiscoverOptions:
    """The options of `hybridode discover`."""

    seed: int = 0
    max_seconds: float | None = None
    symbolic: bool = False


def discover(runs: Sequence[str], options: DiscoverOptions, command: str, output: Output) -> int:
    """Looks for formulas in one run or in several together, writes `discovered.ode` and the findings of each, and returns the
    exit code: 0, 130 when interrupted. Raises UsageError E0801 for PySR with several runs."""
    from hybridode.discover.discovery import discover as look
    from hybridode.discover.together import discover_together
    from hybridode.report.opened import open_run
    from hybridode.report.run_directory import read_run

    if options.symbolic and len(runs) > 1:
        hint = "several runs are searched for sums of terms and laws with a name"
        raise UsageError(Diagnostic("E0801", "`--symbolic` takes one run", hint=hint))
    began = time.perf_counter()
    saved = [read_run(run) for run in runs]
    opened = [(open_run(s.directory)[1], declare(load(s.model))) for s in saved]
    told: dict[str, Any] = {"seed": options.seed, "max_seconds": options.max_seconds}
    with ProgressDisplay(output.quiet, lines=output.json) as progress:
        if len(runs) == 1:
            found = [look(*opened[0], symbolic=options.symbolic, progress=progress, **told)]
        else:
            found = discover_together(opened, labels=_labels(saved), progress=progress, **told)
    contents = [_kept(f, s.directory, command, time.perf_counter() - began) for f, s in zip(found, saved, strict=True)]
    data = [{"directory": str(s.directory), "discovery": c} for s, c in zip(saved, contents, strict=True)]
    output.data({"ok": True, **(data[0] if len(data) == 1 else {"runs": data})})
    output.result("\n".join(found[0].sentences))
    for one, content, s in zip(found, contents, saved, strict=True):
        output.result((f"\n{s.directory}" if len(saved) > 1 else "") + _shown(one, content, s.directory))
    return INTERRUPTED if any(f.early == "interrupted" for f in found) else 0


def _labels(saved: Sequence[SavedRun]) -> list[str]:
    """What the runs are called in a model of all: the names of their directories, numbered where these are not different."""
    names = [s.directory.resolve().name for s in saved]
    return names if len(set(names)) == len(names) else [f"{name}_{k}" for k, name in enumerate(names, 1)]


def _kept(found: Discovery, directory: Path, command: str, seconds: float) -> dict[str, Any]:
    """Writes what was found of one run; the content of its finding."""
    from hybridode.data.kept_files import table_text
    from hybridode.discover.found import MODEL, TOGETHER, discovery_content, learnt_content
    from hybridode.report.run_directory import model_text, write_atomically

    if found.fit is not None:
        write_atomically(directory / MODEL, model_text(found.fit).encode())
    if found.shared is not None:
        write_atomically(directory / TOGETHER, model_text(found.shared.fit).encode())
        write_atomically(directory / found.shared.table.name, table_text(found.shared.table).encode())
    content = discovery_content(found)
    learnt = Found(learnt_content(found.slots, found.samples, found.winner))
    keep(directory, "discovery", Found(content, others={"learnt": learnt}), command, seconds)
    return content


def _shown(found: Discovery, content: dict[str, Any], directory: Path) -> str:
    """The numbers with their intervals, the best of the ranking, where the model is."""
    lines: list[str] = []
    rows = content["numbers"]["rows"]
    if rows:
        lines += ["", *(f"{f['of']} = {f['text']}" for f in content["formulas"])]
        lines += ["", *_table(["number", "value", "95 % interval", "unit"], [_number_row(r) for r in rows])]
    ranking = [(c.text(), c.dl, c.value, c.numbers) for c in found.candidates[:_ROWS]]
    ranking += [("the network", found.network.dl, found.network.value, found.network.numbers)]
    if found.physics is not None:
        ranking.append(("the physics alone", found.physics.dl, found.physics.value, found.physics.numbers))
    ranking.sort(key=lambda row: row[1])
    cells = [[text, f"{dl:.1f}", f"{value:.1f}", f"{k:.0f}"] for text, dl, value, k in ranking]
    lines += ["", *_table(["in its place", "description length", "objective", "numbers"], cells)]
    if found.early:
        lines += ["", f"{found.early}: this is the ranking so far"]
    if found.fit is not None:
        lines += ["", f"model: {directory / 'discovered.ode'}"]
    if found.shared is not None:
        lines += [f"of all runs: {directory / content['together']['model']}, data {directory / content['together']['data']}"]
    return "\n".join(lines)


def _number_row(row: list[Any]) -> list[str]:
    name, value, _, low, high, unit, _ = row
    interval = "–" if low is None and high is None else " … ".join("?" if x is None else f"{x:.4g}" for x in (low, high))
    return [name, f"{value:.4g}", interval, unit or ""]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]]
