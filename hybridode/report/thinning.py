"""Thousands of points thinned for drawing, so that what the eye sees stays: extremes, ends, gaps."""

from __future__ import annotations

import numpy as np


def keep_line(y: np.ndarray, most: int) -> np.ndarray:
    """Indices of a curve's points: the first, lowest, highest and last of each of `most`/4 stretches (M4: U. Jugel et al.,
    PVLDB 7 (2014) 797, which draws the same pixels)."""
    n = len(y)
    if n <= most:
        return np.arange(n)
    kept = []
    for part in np.array_split(np.arange(n), max(1, most // 4)):
        values = y[part]
        finite = np.isfinite(values)
        if not finite.all():
            kept += [part[0], part[-1]]
        if finite.any():
            kept += [part[0], part[int(np.nanargmin(values))], part[int(np.nanargmax(values))], part[-1]]
    return np.unique(np.array(kept))


def keep_points(x: np.ndarray, y: np.ndarray, most: int, cells: int = 160) -> np.ndarray:
    """Indices of a cloud's points: one for each of `cells` x `cells` places first (so that outliers stay), then evenly."""
    n = len(x)
    if n <= most:
        return np.arange(n)

    def cell(v: np.ndarray) -> np.ndarray:
        low, high = np.nanmin(v), np.nanmax(v)
        return np.zeros(n, int) if not high > low else np.nan_to_num((v - low) / (high - low) * (cells - 1)).astype(int)

    _, first = np.unique(cell(x) * cells + cell(y), return_index=True)
    if len(first) > most:
        ends = [int(np.nanargmin(y)), int(np.nanargmax(y)), 0, n - 1]
        first = np.unique(np.concatenate([np.sort(first)[:: max(1, len(first) // most)], ends]))
    return first
