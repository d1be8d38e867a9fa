"""What a chart shows, in words made from its numbers, for those who do not see it."""

from __future__ import annotations

import numpy as np

from hybridode.report.saved import Rows, names_in
from hybridode.report.words import brief, counted


def span_words(x: np.ndarray, y: np.ndarray, label: str) -> str:
    """Over which x, and between which values with where they are reached."""
    keep = np.isfinite(x) & np.isfinite(y)
    if not keep.any():
        return "without a number that could be drawn"
    x, y = x[keep], y[keep]
    least, most = int(np.argmin(y)), int(np.argmax(y))
    return (
        f"over {label} from {brief(x.min(), 5)} to {brief(x.max(), 5)}: "
        f"least {brief(y[least])} at {brief(x[least], 5)}, greatest {brief(y[most])} at {brief(x[most], 5)}"
    )


def turns(y: np.ndarray) -> int:
    """Maxima and minima of a curve, ripples below a thousandth of its range left out."""
    y = y[np.isfinite(y)]
    if len(y) < 3:
        return 0
    wide = 1e-3 * (y.max() - y.min())
    found, direction, extreme = 0, 0, y[0]
    for value in y:
        if (direction >= 0 and value > extreme) or (direction <= 0 and value < extreme):
            if direction == 0 and abs(value - extreme) > wide:
                direction = 1 if value > extreme else -1
            if direction:
                extreme = value
        elif direction and abs(value - extreme) > wide:
            found, direction, extreme = found + 1, -direction, value
    return found


def fit_words(column: str, seen: Rows, curve: Rows, time_label: str) -> str:
    """Data and fit of one column."""
    names = names_in(seen, "series")
    series = f" in {counted(len(names), 'series', 'series')}" if len(names) > 1 else ""
    inside = _within(seen)
    one = curve["location"][curve["series"] == names[0]]
    shape = f" The fitted curve turns {counted(turns(one), 'time')}." if len(names) == 1 and len(one) else ""
    held = int((seen["used"] == "hold_out").sum())
    tail = f" {held} of them were held out." if held else ""
    data = f"{counted(len(seen['time']), 'observation')} of {column}{series}"
    return f"{data} {span_words(seen['time'], seen['observed'], time_label)}.{shape}{inside}{tail}"


def _within(seen: Rows) -> str:
    z = seen["residual"][np.isfinite(seen["residual"])]
    return f" {int((np.abs(z) <= 1.96).sum())} of {len(z)} lie in the band that should hold 95 %." if len(z) else ""


def residual_words(column: str, seen: Rows, time_label: str) -> str:
    """Residuals of one column."""
    z = seen["residual"]
    runs = 1 + int((np.diff(np.sign(z)) != 0).sum())
    return (
        f"{counted(len(z), 'standardised residual')} of {column} {span_words(seen['time'], z, time_label)}; "
        f"{int((np.abs(z) > 1.96).sum())} outside ±1.96, {runs} runs of one sign."
    )
