"""`hybridode bootstrap`: a run fitted again on data that its fitted model could have given."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found, keep
from hybridode.commands.output import Output
from hybridode.commands.progress import ProgressDisplay
from hybridode.commands.run import INTERRUPTED
from hybridode.errors import Diagnostic, UsageError
from hybridode.report.plain import short, table

if TYPE_CHECKING:
    import pandas as pd

    from hybridode.fit.inference.bootstrap import Bootstrap


def bootstrap(directory: str, samples: int, seed: int, max_seconds: float | None, command: str, output: Output) -> int:
    """Writes the finding `bootstrap`, which a later call with the same seed goes on from; what is done at Ctrl-C is kept.

    Raises DataError E0807, E0811 (no run that can be opened), UsageError E0781 (no optimum), E0785 (too many numbers)."""
    from hybridode.fit.inference.bootstrap import bootstrap as replicates
    from hybridode.fit.progress import Recorder
    from hybridode.report.findings import read_findings
    from hybridode.report.opened import open_run

    began, place = time.perf_counter(), Path(directory)
    _, run = open_run(directory)
    if run.finished is None:
        raise UsageError(Diagnostic("E0781", f"there are no replicates of `{directory}`: the fit has no optimum"))
    theta = run.finished.theta
    fitted = hashlib.sha256(theta.tobytes()).hexdigest()[:16]
    before = read_findings(place).get("bootstrap")
    done = _done(place, before, seed, fitted)

    def content(found: Bootstrap) -> Found:
        inside = {"sentences": found.sentences(), "seed": seed, "samples": len(found.estimates), "converged": len(found.good),
                  "asked": samples, "fit": fitted, "level": 0.95, "parameters": _as_table(found.table)}  # fmt: skip
        return Found(inside, {"csv": found.estimates.to_csv(index=False, lineterminator="\n").encode()})

    with ProgressDisplay(output.quiet, None, output.json) as shown:
        recorder = Recorder(shown, max_seconds)
        found = replicates(run.finished.prepared.lanes, theta, samples, seed, done, recorder,
                           lambda now: _keep(place, content(now), command, began))  # fmt: skip
    _keep(place, content(found), command, began)
    output.result("\n\n".join([_text(found), *found.sentences()]))
    output.data({"ok": True, "directory": directory, "findings": {"bootstrap": read_findings(place)["bootstrap"]}})
    return INTERRUPTED if found.early == "interrupted" else 0


def _keep(place: Path, found: Found, command: str, began: float) -> None:
    keep(place, "bootstrap", found, command, time.perf_counter() - began)


def _as_table(frame: pd.DataFrame) -> dict[str, Any]:
    return {"columns": list(frame.columns), "rows": frame.to_numpy(object).tolist()}


def _done(place: Path, before: dict[str, Any] | None, seed: int, fitted: str) -> pd.DataFrame | None:
    """The replicates of an earlier call with this seed, of the same fit."""
    import pandas as pd

    path = place / "findings" / "bootstrap.csv"
    if before is None or before["seed"] != seed or before["fit"] != fitted or not path.is_file():
        return None
    return pd.read_csv(path)


def _text(found: Bootstrap) -> str:
    rows = [
        [str(r["name"]), short(r["value"]), short(r["se"], 2), short(r["bias"], 2),
         f"{short(r['lower95'], 4)} … {short(r['upper95'], 4)}"]
        for r in found.table.to_dict("records")
    ]  # fmt: skip
    return table(["parameter", "value", "std. error", "bias", "95 % interval"], rows, frozenset({1, 2, 3, 4}))
