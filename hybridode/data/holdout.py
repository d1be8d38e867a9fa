"""Records that a fit does not see: `last:5` or `fraction:0.2` of the times of each series, or whole series, `series:A,B`."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.data.hints import listed, near_names
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
                                    hint="write `last:5` (times of each series), `fraction:0.2` or `series:NAME`"))  # fmt: skip
    return kind, value


def held_series(dataset: Dataset, spec: str | None) -> frozenset[str]:
    """The series that `series:A,B` names; none for another kind. Raises E0852 for a name that is none, E0636 if none is left."""
    if spec is None or not spec.strip().startswith("series:"):
        return frozenset()
    known = [s.name for s in dataset.series]
    names = {name.strip() for name in spec.strip().removeprefix("series:").split(",")}
    for name in sorted(names):
        if name not in known:
            hint = near_names(name, known) or (f"there are {listed(known)}" if len(known) > 1 else "there is only one series")
            raise UsageError(Diagnostic("E0852", f"hold-out `{spec}`: there is no series `{name}`", hint=hint))
    if names >= set(known):
        raise data_error("E0636", f"hold-out `{spec}` leaves no series", "hold out fewer")
    return frozenset(names)


def with_held_last(dataset: Dataset, spec: str | None) -> tuple[Dataset, int]:
    """The dataset with whole series that are held out behind the others, and how many others there are, which a search sees."""
    names = held_series(dataset, spec)
    series = sorted(dataset.series, key=lambda s: s.name in names)
    return (replace(dataset, series=tuple(series)) if names else dataset), sum(s.name not in names for s in series)


def held_out(dataset: Dataset, spec: str | None) -> list[np.ndarray]:
    """Per series a mask over its records: True where it is held out. Raises E0852; E0636 when nothing would be left."""
    if spec is None:
        return [np.zeros(len(s.records.time), bool) for s in dataset.series]
    names = held_series(dataset, spec)
    if names:
        return [np.full(len(s.records.time), s.name in names) for s in dataset.series]
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
