"""The times at which a solution is reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridode.errors import Diagnostic, UsageError


def times_to_report(
    t0: float, to: float | None, points: int | None, at: Sequence[float] | None, last: float | None
) -> np.ndarray:
    """The times to report, ascending from t0. Raises UsageError E0822."""
    if at is not None:
        if to is not None or points is not None:
            raise UsageError(
                Diagnostic("E0822", "`at` already says which times are reported", hint="leave out `to` and `points`")
            )
        times = np.atleast_1d(np.asarray(at, float))
    else:
        end = last if to is None else float(to)
        if end is None:
            raise UsageError(Diagnostic("E0832", "it is not said how far to simulate", hint="give to=TIME or at=[…]"))
        if points is not None and points < 1:
            raise UsageError(Diagnostic("E0822", f"points = {points} makes no sense", hint="give at least 1"))
        times = np.linspace(t0, end, 200 if points is None else points) if points != 1 and np.isfinite(end) else np.array([end])
    if not times.size:
        raise UsageError(Diagnostic("E0832", "no times were given", hint="give at least one"))
    if not np.all(np.isfinite(times)):
        raise UsageError(Diagnostic("E0822", "the times to report must be finite"))
    if times.min() < t0 or np.any(np.diff(times) < 0):
        bad = times.min() if times.min() < t0 else times[1:][np.diff(times) < 0][0]
        message = f"the solve starts at {t0:g} and runs forward: the time {bad:g} comes too late or lies before it"
        raise UsageError(
            Diagnostic("E0822", message, hint="give times in ascending order from the start; start= sets the start time")
        )
    return times
