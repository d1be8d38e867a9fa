"""The bootstrap: how the estimates of the replicates scatter, beside the estimate and its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.blocks import Figures, Fold, Heading, Section, Text
from hybridode.report.chart import Chart
from hybridode.report.figures import MOST, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.saved import Rows, Saved, read_table, where, with_unit
from hybridode.report.sections.generic import finding_blocks, records_of, table_of
from hybridode.report.spread import binned, histogram, is_wide, line_at, pair_charts
from hybridode.report.words import brief

HOW = (
    "Bars: the estimates of fits to data that the fitted model could have given. Solid line: the estimate of the data. "
    "Dashed lines: the 95 % interval that corrects for bias (basic), and the plain one, which holds the middle 95 % of the bars."
)
_OWN = frozenset({"sample", "converged", "objective"})  # columns of the table that are no parameters


def bootstrap(saved: Saved) -> Section | None:
    """Sentences, a histogram for each parameter, the pairs that hang together, the table."""
    found = saved.findings.get("bootstrap")
    if not found:
        return None
    blocks: list[Any] = finding_blocks({"sentences": found.get("sentences", ())})
    estimates, known = replicates(saved), records_of(found.get("parameters"), "name")
    units = {str(r["name"]): r["unit"] or "" for r in saved.parameter_rows()}
    charts = [_histogram(name, x, known[name], units.get(name, "")) for name, x in estimates.items() if name in known]
    if charts:
        blocks += [Text(HOW, "muted"), Figures(charts[:MOST], small=True)]
        blocks += (
            [Fold(f"{len(charts) - MOST} more parameters", [Figures(charts[MOST:], small=True)])] if len(charts) > MOST else []
        )
        at = {name: float(row["value"]) for name, row in known.items()}
        pairs = pair_charts(estimates, units, "replicates", "bootstrap_pair", at)
        blocks += [Heading("Pairs that hang together"), Figures(pairs, small=True)] if pairs else []
    if found.get("parameters", {}).get("rows"):
        blocks.append(table_of("Estimates of the replicates: standard error, bias, 95 % intervals", found["parameters"]))
    return Section("bootstrap", "Bootstrap", [*blocks, *finding_blocks({**found, "sentences": ()}, frozenset({"parameters"}))])


def replicates(saved: Saved) -> Rows:
    """The parameters of the replicates that converged, by name; nothing where the file is not there."""
    path = saved.directory / FOLDER / "bootstrap.csv"
    if not path.is_file():
        return {}
    rows = read_table(path, frozenset({"converged"}))
    rows = where(rows, rows["converged"] == "True")
    return {name: values for name, values in rows.items() if name not in _OWN and len(values) >= 2 and np.ptp(values) > 0}


def _histogram(name: str, x: np.ndarray, row: Mapping[str, Any], unit: str) -> Chart:
    log = is_wide(x)
    edges, counts = binned(x, log)
    lines = [
        *line_at((row["lower95"], row["upper95"]), 1, "95 % interval", "ends"),
        *line_at((row.get("lower95_plain"), row.get("upper95_plain")), 0, "plain", "ends"),
        *line_at(row["value"], 2, "estimate"),
    ]
    alt = (
        f"{len(x)} replicates of {name} from {brief(x.min())} to {brief(x.max())}; the estimate is {brief(row['value'])}, the "
        f"95 % interval {brief(row['lower95'])} to {brief(row['upper95'])}, the plain one {brief(row.get('lower95_plain'))} to "
        f"{brief(row.get('upper95_plain'))}."
    )
    return histogram(f"bootstrap_{file_name(name)}", name, alt, with_unit(name, unit), edges, counts, lines,
                     ("replicates", "replicates"), log)  # fmt: skip
