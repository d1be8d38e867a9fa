"""The records of a fit one by one: what was observed, what the model says of it, and the residual of any noise model.

Residuals are quantile residuals (P. K. Dunn, G. K. Smyth, J. Comput. Graph. Stat. 5 (1996) 236): z = Phi^-1(F(y)), standard
normal where the model is right, whatever its noise. Where F jumps, for counts, and where only a limit is known, u is drawn
evenly between the two ends (with a fixed seed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from scipy.special import ndtri, ndtri_exp

from hybridode.data.cells import ABOVE, BELOW, BETWEEN
from hybridode.fit.objective.noise import Noise
from hybridode.fit.outcome.tables import Curves, arguments_along
from hybridode.fit.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Rows:
    """Records of one observation in one series (their places), by time: `line` in the file, times, values (with `upper` ends),
    `censored` as in the data, `used`: "fit", "hold_out" or "left_out"; the `arguments` of the noise, each (R,)."""

    series: int
    column: int
    noise: Noise
    line: np.ndarray
    time: np.ndarray
    value: np.ndarray
    upper: np.ndarray
    censored: np.ndarray
    used: np.ndarray
    arguments: tuple[np.ndarray, ...]

    @property
    def location(self) -> np.ndarray:
        """What the noise is centred on (R,)."""
        return np.asarray(self.noise.location(*self.arguments), float)

    def seen(self, used: str = "fit") -> Rows:
        """Those with this use."""
        return self.where(self.used == used)

    def where(self, mask: np.ndarray) -> Rows:
        """Some of them."""
        cut = {n: getattr(self, n)[mask] for n in ("line", "time", "value", "upper", "censored", "used")}
        return Rows(self.series, self.column, self.noise, arguments=tuple(a[mask] for a in self.arguments), **cut)


def rows_of(prepared: Prepared, curves: Curves, held: Sequence[np.ndarray] | None = None) -> list[Rows]:
    """All records of a fit with what `curves` predict of them. held: another mask than the fit's, per series."""
    objective, dataset = prepared.objective, prepared.dataset
    held = prepared.held if held is None else held
    out = []
    for row, series in enumerate(dataset.series):
        r = series.records
        use = np.select([held[row], r.weight == 0], ["hold_out", "left_out"], "fit")
        for k in range(len(dataset.columns)):
            mine = np.flatnonzero(r.column == k)
            if len(mine):
                arguments = arguments_along(objective, curves, k, row, r.time[mine])
                found = (np.asarray(a, float) for a in arguments)
                out.append(Rows(row, k, objective.rows[k], r.line[mine], r.time[mine], r.value[mine], r.upper[mine],
                                r.censored[mine], use[mine], tuple(found)))  # fmt: skip
    return out


def tested(rows: Sequence[Rows]) -> list[Rows]:
    """The fitted records whose noise has an order (categories have none)."""
    seen = [r.seen() for r in rows if not r.noise.classes]
    return [r for r in seen if len(r.time)]


def quantile_residuals(rows: Rows, random: np.random.Generator) -> np.ndarray:
    """z (R,) of the records; NaN where the model has no prediction, infinite where it excludes the record."""
    noise = rows.noise
    low_end = np.where(np.isin(rows.censored, (ABOVE, BETWEEN)), rows.value, -np.inf)
    high_end = np.where(rows.censored == BELOW, rows.value, np.where(rows.censored == BETWEEN, rows.upper, np.inf))
    exact = rows.censored == 0
    if noise.counts:  # between the sums before and with the value; limits are open
        low = np.where(exact, rows.value - 1, np.floor(low_end))
        high = np.where(exact, rows.value, np.ceil(high_end) - 1)
    else:
        low, high = np.where(exact, rows.value, low_end), np.where(exact, rows.value, high_end)
    below, with_it = _sides(noise, low, rows.arguments), _sides(noise, high, rows.arguments)
    point = exact & (not noise.counts)
    u = random.random(len(rows.value))
    with np.errstate(all="ignore"):
        z = np.where(point, _normal_of(*below), _between(below, with_it, u))
        predicted = np.isfinite(rows.location)
    return np.where(predicted, z, np.nan)


# One program: outside jit every operation would be compiled by itself.
_log_sides = partial(jax.jit, static_argnums=0)(lambda noise, x, *arguments: noise.log_sides(x, *arguments))


def _sides(noise: Noise, x: np.ndarray, arguments: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(log F, log (1 - F)) at x (R,), which may be infinite."""
    finite = np.isfinite(x)
    with np.errstate(all="ignore"), jax.enable_x64(True):
        lower, upper = (np.asarray(side, float) for side in _log_sides(noise, np.where(finite, x, 1.0), *arguments))
    none, all_ = np.full(len(x), -np.inf), np.zeros(len(x))
    return np.where(finite, lower, np.where(x > 0, all_, none)), np.where(finite, upper, np.where(x > 0, none, all_))


def _normal_of(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The standard normal quantile of F, from the lesser side: far tails keep their digits."""
    return np.where(lower < upper, ndtri_exp(lower), -ndtri_exp(upper))


def _between(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], u: np.ndarray) -> np.ndarray:
    """The quantile of F(a) + u (F(b) - F(a)), computed on the side where that is small."""
    left = np.exp(a[0]) + u * (np.exp(b[0]) - np.exp(a[0]))
    right = np.exp(b[1]) + (1 - u) * (np.exp(a[1]) - np.exp(b[1]))
    return np.where(left < 0.5, ndtri(left), -ndtri(right))


def standardised(noise: Noise, location: np.ndarray, arguments: Sequence[np.ndarray]) -> np.ndarray:
    """How far a record at `location` is from the prediction, in standard deviations: what moves when parameters do."""
    if noise.arguments == ("logit",):
        p = noise.location(*arguments)
        return (location - p) / np.sqrt(np.maximum(p * (1 - p), 1e-300))
    with np.errstate(all="ignore"):
        return np.asarray(noise.residual(location, *arguments), float)
