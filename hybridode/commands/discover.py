"""`hybridode discover`: a formula in the place of a network."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED
from hybridode.language.check import declare
from hybridode.language.reader import load

if TYPE_CHECKING:
    from hybridode.discover.discovery import Discovery

_ROWS = 5  # of the ranking that is printed


@dataclass(frozen=True)
class DiscoverOptions:
    """The options of `hybridode discover`."""

    seed: int = 0
    max_seconds: float | None = None


def discover(run: str, options: DiscoverOptions, command: str, output: Output) -> int:
    """Looks for formulas, writes `discovered.ode` and the findings, and returns the exit code: 0, 130 when interrupted."""
    from hybridode.discover.discovery import discover as look
    from hybridode.discover.found import MODEL, discovery_content, learnt_content
    from hybridode.report.opened import open_run
    from hybridode.report.run_directory import model_text, read_run, write_atomically

    began = time.perf_counter()
    saved = read_run(run)
    declarations = declare(load(saved.model))
    _, fitted = open_run(saved.directory)
    with ProgressDisplay(output.quiet, lines=output.json) as progress:
        found = look(fitted, declarations, seed=options.seed, progress=progress, max_seconds=options.max_seconds)
    model = saved.directory / MODEL
    if found.fit is not None:
        write_atomically(model, model_text(found.fit).encode())
    content = discovery_content(found)
    kept = Found(content, others={"learnt": Found(learnt_content(found.slots, found.samples, found.winner))})
    keep(saved.directory, "discovery", kept, command, time.perf_counter() - began)
    output.data({"ok": True, "directory": str(saved.directory), "discovery": content})
    output.result(_shown(found, content, model))
    return INTERRUPTED if found.early == "interrupted" else 0


def _shown(found: Discovery, content: dict[str, Any], model: Path) -> str:
    """The verdict, the numbers with their intervals, the best of the ranking."""
    lines = list(found.sentences)
    rows = content["numbers"]["rows"]
    if rows:
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
        lines += ["", f"model: {model}"]
    return "\n".join(lines)


def _number_row(row: list[Any]) -> list[str]:
    name, value, _, low, high, unit = row
    interval = "–" if low is None or high is None else f"{low:.4g} … {high:.4g}"
    return [name, f"{value:.4g}", interval, unit or ""]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]]
