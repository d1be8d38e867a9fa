"""`hybridode ensemble`: the networks of a run trained again from other first weights, and the bands that follow from it."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep, write_beside
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED

if TYPE_CHECKING:
    from hybridode.fit.inference.ensemble import Ensemble, Member
    from hybridode.fit.run import FitRun

KIND = "ensemble"
COLUMNS = ("member", "objective", "status", "kept", "reason")


def ensemble(directory: str, members: int, max_seconds: float | None, command: str, output: Output) -> int:
    """Writes the finding `ensemble`, which a later call with more members goes on from, and those of bands, profiles and learnt
    functions anew; what is done at Ctrl-C is kept.

    Raises DataError E0807, E0811 (no run that can be opened), UsageError E0781 (no optimum), E0792 (no network)."""
    from hybridode.fit.inference.ensemble import ensemble as trained
    from hybridode.fit.outcome.members import FILE, members_bytes
    from hybridode.fit.progress import Recorder
    from hybridode.report.findings import FOLDER, read_findings
    from hybridode.report.opened import open_run

    began, place = time.perf_counter(), Path(directory)
    _, run = open_run(directory)
    own = hashlib.sha256(run.finished.theta.tobytes()).hexdigest()[:16] if run.finished else ""
    before = read_findings(place).get(KIND)
    done = _done(place / FOLDER / f"{KIND}.npy", before, own)
    others = _of_the_fit(run, done)

    def write(found: Ensemble) -> None:
        write_beside(place / FILE, members_bytes([*others, *(m.theta for m in found.kept)]))
        _keep(place, found, members, own, command, began)

    with ProgressDisplay(output.quiet, None, output.json) as shown:
        found = trained(run, members, Recorder(shown, max_seconds), done, write)
    write(found)
    told: dict[str, Any] = {}
    if found.early != "interrupted" and run.finished is not None:
        whole = replace(run.finished, members=(*others, *(m.theta for m in found.kept)))
        told = _follows(place, replace(run, finished=whole), command)
    output.result("\n".join([*found.sentences(), *told.get("bands", [])]))
    output.data({"ok": True, "directory": directory, "findings": {k: read_findings(place)[k] for k in (KIND, *told)}})
    return INTERRUPTED if found.early == "interrupted" else 0


def _keep(place: Path, found: Ensemble, asked: int, own: str, command: str, began: float) -> None:
    from hybridode.fit.outcome.members import members_bytes

    kept = {m.number for m in found.kept}
    rows = [[m.number, m.objective, m.status, m.number in kept, m.reason] for m in found.trained]
    content = {
        "sentences": found.sentences(), "asked": asked, "trained": len(rows), "kept": len(kept), "fit": own,
        "objective": found.objective, "early": found.early, "members": {"columns": list(COLUMNS), "rows": rows},
    }  # fmt: skip
    files = {"npy": members_bytes([m.theta for m in found.trained])} if rows else {}
    keep(place, KIND, Found(content, files), command, time.perf_counter() - began, report=False)


def _done(path: Path, before: dict[str, Any] | None, own: str) -> list[Member]:
    """The members that an earlier call trained for the same fit."""
    import numpy as np

    from hybridode.fit.inference.ensemble import Member

    if before is None or before["fit"] != own or not path.is_file():
        return []
    vectors = np.load(path, allow_pickle=False)
    rows = [dict(zip(before["members"]["columns"], row, strict=True)) for row in before["members"]["rows"]]
    if len(vectors) != len(rows):
        return []
    return [Member(int(r["member"]), v, np.inf if r["objective"] is None else float(r["objective"]), r["status"], r["reason"])
            for r, v in zip(rows, vectors, strict=True)]  # fmt: skip


def _of_the_fit(run: FitRun, done: list[Member]) -> list[Any]:
    """Members that the fit itself found, with `--starts`."""
    import numpy as np

    members = () if run.finished is None else run.finished.members
    return [m for m in members if not any(np.array_equal(m, other.theta) for other in done)]


def _follows(place: Path, run: FitRun, command: str) -> dict[str, Any]:
    """Bands and learnt functions with the ensemble, and the report; their sentences by kind."""
    from hybridode.commands.afterwards import LEAST, SHARE, of_learnt
    from hybridode.commands.uncertainty import found_of

    began = time.perf_counter()
    seconds = max(SHARE * float(run.result["timing"]["total"]), 2 * LEAST)
    told = keep(place, "profiles", found_of(run, seconds), command, time.perf_counter() - began, report=False)
    learnt, began = of_learnt(run), time.perf_counter()
    return told if learnt is None else told | keep(place, "learnt", learnt, command, time.perf_counter() - began)
