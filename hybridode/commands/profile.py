"""`hybridode profile`: profile likelihoods, bands and the spectrum of a run, as finely as wanted."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED
from hybridode.commands.uncertainty import Detail, found_of
from hybridode.errors import Diagnostic, UsageError


def profile(
    directory: str, names: Sequence[str], levels: int, max_seconds: float | None, command: str, output: Output
) -> int:  # fmt: skip
    """Writes the findings `profiles`, `spectrum` and `bands` of a run. Raises DataError E0807, E0811 (no run that can be opened),
    UsageError E0781 (no optimum), E0783 (a name that is not learnt)."""
    from hybridode.fit.progress import Recorder
    from hybridode.report.ending import doubts_text, parameter_table
    from hybridode.report.findings import read_findings
    from hybridode.report.opened import open_run

    began = time.perf_counter()
    _, run = open_run(directory)
    if run.finished is None:
        reason = "the fit failed" if run.status == "failed" else "its solution is in pieces"
        raise UsageError(Diagnostic("E0781", f"there are no profiles of `{directory}`: {reason}"))
    if run.status != "converged":
        output.note(f"note: this fit is not converged but {run.status}: a profile may meet a better point")
    with ProgressDisplay(output.quiet, None, output.json) as shown:
        found = found_of(run, max_seconds, Detail(tuple(names) or None, levels), Recorder(shown))
    place = Path(directory)
    if names:
        found = _beside_others(place, found)
    told = keep(place, "profiles", found, command, time.perf_counter() - began)
    content = read_findings(place)["profiles"]
    parts = [parameter_table(run, content), doubts_text(content), *told.get("spectrum", []), *told.get("bands", []), *found.tell]
    output.result("\n\n".join(part for part in parts if part))
    output.data({"ok": True, "directory": directory, "findings": {kind: read_findings(place)[kind] for kind in told}})
    return INTERRUPTED if found.content["early"] == "interrupted" else 0


def _beside_others(place: Path, found: Found) -> Found:
    """Profiles of some parameters beside those that the run has of others; bands, which are made of all, stay as they are."""
    import pandas as pd

    from hybridode.report.findings import FOLDER, read_findings

    others = {kind: one for kind, one in found.others.items() if kind != "bands"}
    before, path = read_findings(place).get("profiles"), place / FOLDER / "profiles.csv"
    if before is None or not path.is_file():
        return replace(found, others=others)
    new = found.content["parameters"]
    told = [s for s in before["sentences"] if not any(s.startswith(f"`{name}`:") for name in new)]
    content = {**found.content, "parameters": {**before["parameters"], **new},
               "sentences": [*told, *(s for s in found.content["sentences"] if s not in told)]}  # fmt: skip
    advised = {a["parameter"] for a in found.content["next_measurements"]}
    content["next_measurements"] = [
        *(a for a in before["next_measurements"] if a["parameter"] not in advised), *found.content["next_measurements"]
    ]  # fmt: skip
    old = pd.read_csv(path)
    rows = pd.concat([old[~old["profile"].isin(list(new))], pd.read_csv(io.BytesIO(found.files["csv"]))], ignore_index=True)
    return replace(found, content=content, files={"csv": rows.to_csv(index=False, lineterminator="\n").encode()}, others=others)
