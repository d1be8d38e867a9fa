"""Records that a fit does not see: `last:5` or `fraction:0.2` of the times of each series."""

from __future__ import annotations

import math
import re

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.data.table import data_error
from hybridode.errors import Diagnostic, UsageError

_SPEC = re.compile(r"(last|fraction):(.+)\Z")


def parse_hold_out(text: str) -> tuple[str, float]:
    """("last", 5) or ("fraction", 0.2). Raises UsageError E0852."""
    match = _SPEC.match(str(text).strip())
    try:
        value = float(match[2]) if match else math.nan
    except ValueError:
        value = math.nan
    kind = match[1] if match else ""
    right = (
        value >= 1 and value == int(value)
        if kind == "last" and math.isfinite(value)
        else 0 < value < 1
        if kind == "fraction"
        else False
    )
    if not right:
        raise UsageError(Diagnostic("E0852", f"hold-out `{text}` is not understood",
                                    hint="write `last:5` (times of each series) or `fraction:0.2`"))  # fmt: skip
    return kind, value


def held_out(dataset: Dataset, spec: str | None) -> list[np.ndarray]:
    """Per series a mask over its records: True where it is held out. Raises E0852; E0636 when nothing would be left."""
    if spec is None:
        return [np.zeros(len(s.records.time), bool) for s in dataset.series]
    kind, value = parse_hold_out(spec)
    masks = []
    for s in dataset.series:
        times = np.unique(s.records.time[np.isfinite(s.records.time)])
        count = int(value) if kind == "last" else math.ceil(value * len(times))
        if count >= len(times):
            which = f"series `{s.name}`" if s.name else "the series"
            raise data_error("E0636", f"hold-out `{spec}` leaves no time of {which}, which has {len(times)}", "hold out fewer")
        masks.append((s.records.time > times[len(times) - count - 1]) & np.isfinite(s.records.time))
    return masks
