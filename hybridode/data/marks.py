"""Numbers that stand for a missing value (-999, 9999) among numbers that are far from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridode.data import cells
from hybridode.data.records import Records
from hybridode.data.remarks import warning
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic

_FAR = 3.0  # in ranges of the other values


def about_marks(declarations: Declarations, records: Sequence[Records]) -> list[Diagnostic]:
    """Warnings W0647: values such as -999 that lie three ranges and more away from all others of their observation."""
    out = []
    for k, observation in enumerate(declarations.observations):
        mine = [r.kept((r.column == k) & (r.censored == cells.NONE)) for r in records]
        values = np.concatenate([r.value for r in mine]) if mine else np.zeros(0)
        lines = np.concatenate([r.line for r in mine]) if mine else np.zeros(0, int)
        suspects = np.isin(values, list(cells.MARKS))
        others = values[~suspects]
        if not suspects.any() or len(others) < 2:
            continue
        low, high = float(others.min()), float(others.max())
        reach = _FAR * max(high - low, 1e-12 * max(abs(low), abs(high)))
        suspects &= (values < low - reach) | (values > high + reach)
        for mark in np.unique(values[suspects]):
            at = lines[suspects & (values == mark)]
            where = f"line {at[0]}" + (" and others" if len(at) > 1 else "")
            often = f"{len(at)} times" if len(at) > 1 else "once"
            what = f"`{observation.column}` is {mark:g} {often} ({where}), far from its other values, {low:g} to {high:g}"
            hint = "if it marks a missing value, leave such cells empty; it is fitted as it stands"
            out.append(warning("W0647", what, hint))
    return out
