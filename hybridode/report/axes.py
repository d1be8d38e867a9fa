"""Axes: where ticks stand, how their numbers are written, and where a value lies in a drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_LEAST, _MOST = 1e-300, 1e300  # what can be drawn: differences and ratios stay finite
RAISED = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """A range of values with its label; `log`: drawn in decades. `ticks`: names at given places instead of numbers."""

    label: str
    low: float
    high: float
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    whole: bool = False  # ticks at whole numbers only: counts, ranks, entries

    @property
    def _decades(self) -> float:
        return math.log10(self.high) - math.log10(self.low)

    def place(self, values: Any) -> np.ndarray:
        """Where values lie: 0 at `low`, 1 at `high`; NaN for what cannot be drawn."""
        x = np.asarray(values, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.log:
                return (np.log10(np.where(x > 0, x, np.nan)) - math.log10(self.low)) / self._decades
            return (x - self.low) / (self.high - self.low)

    def marks(self, most: int) -> list[tuple[float, str]]:
        """At most about `most` ticks: (value, text)."""
        if self.ticks:
            return list(self.ticks)
        if self.log and self._decades >= 1.5:
            return _decades(self.low, self.high, most)
        return [(value, tick_text(value, step)) for value, step in _round_values(self.low, self.high, most, self.whole)]


def axis(label: str, *values: Any, log: bool = False, room: float = 0.0, within: tuple[float, float] | None = None) -> Axis:
    """The range of all finite values and `room` (a share of it) on both sides. `within`: what must be seen as well."""
    everything = [np.asarray(v, float).ravel() for v in values] + ([np.asarray(within, float)] if within else [])
    found = np.concatenate(everything) if everything else np.zeros(0)
    found = np.clip(found[np.isfinite(found) & ((found > 0) | (not log))], _LEAST if log else -_MOST, _MOST)
    if not found.size:
        return Axis(label, 0.1 if log else 0.0, 1.0, log)
    low, high = float(found.min()), float(found.max())
    if log:
        width = math.log10(high) - math.log10(low)
        more = room * width + max(0.0, 0.35 - width / 2)  # nearly equal values are not blown up
        return Axis(label, max(low * 10**-more, _LEAST), min(high * 10**more, _MOST), True)
    if high == low:
        width = abs(low) or 1.0
        return Axis(label, low - 0.5 * width, high + 0.5 * width)
    width = high - low
    return Axis(label, low - room * width, high + room * width)


def _round_values(low: float, high: float, most: int, whole: bool = False) -> list[tuple[float, float]]:
    """Multiples of 1, 2 or 5 times a power of ten within the range, with the step."""
    raw = (high - low) / max(most, 1)
    if not raw > 0 or not math.isfinite(raw):
        return []
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(k * base for k in (1, 2, 5, 10) if k * base >= 0.7 * raw)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, step) for k in range(first, last + 1)]


def _decades(low: float, high: float, most: int) -> list[tuple[float, str]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / max(most, 1)))
    return [(10.0**k, power_text(k)) for k in range(first, last + 1) if (k - first) % every == 0]


def power_text(k: int) -> str:
    """A power of ten as it is read: 0.01, 1, 100, 10⁻⁶."""
    return f"{10.0**k:g}" if -2 <= k <= 3 else f"10{str(k).translate(RAISED)}"


def tick_text(value: float, step: float) -> str:
    """A number with as many decimals as the step has; a power of ten where it is far from 1."""
    if abs(value) < 1e-9 * step:
        return "0"
    size = math.floor(math.log10(max(abs(value), step)) + 1e-12)
    if size >= 6 or math.log10(step) < -4.5:
        shown = f"{value / 10.0**size:.{max(0, size - math.floor(math.log10(step) + 1e-9))}f}"
        return f"{shown}×10{str(size).translate(RAISED)}".replace("-", "−")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{decimals}f}".replace("-", "−")
