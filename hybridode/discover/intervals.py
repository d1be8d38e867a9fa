"""Intervals of a formula's numbers by profile likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hybridode.fit.inference.profiled import profiled
from hybridode.fit.progress import Progress, Recorder
from hybridode.fit.search.lanes import FISHER_MOST

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

SECONDS = 20.0  # that all profiles of a formula may take; numbers beyond keep Laplace's intervals
_RISE = 1.0  # of the signed root in one step: two levels on each side, and one more where the limit is crossed

Interval = tuple[float | None, float | None]


def profile_intervals(
    fit: FitRun, names: Sequence[str], listener: Callable[[Progress], None] | None, seconds: float = SECONDS
) -> dict[str, Interval]:
    """95 % intervals of the numbers named, None on a side on which the data set no limit; without those that there was no time
    for, and without any of a fit that is not converged."""
    if fit.finished is None or fit.status != "converged" or len(fit.finished.theta) > FISHER_MOST or not names:
        return {}
    prepared = fit.finished.prepared
    recorder = Recorder(listener, seconds, began=time.perf_counter())
    found = profiled(prepared.lanes, fit.finished.theta, recorder, names, _RISE)
    if found.better is not None:
        return {}
    ends = {p.name: p.interval(prepared.objective.space) for p in found.profiles}
    failed = {p.name for p in found.profiles if "failed" in (p.below.open, p.above.open)}
    done = {p.name for p in found.profiles if all(np.isfinite(s.crossing) or s.open for s in (p.below, p.above))}
    limit = lambda x: float(x) if np.isfinite(x) else None  # noqa: E731
    return {name: (limit(low), limit(high)) for name, (low, high) in ends.items() if name in done - failed}
