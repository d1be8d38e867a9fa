"""Input signals as piecewise cubic polynomials of time.

Every interpolation of the language becomes the same data: per signal its own knots and, per piece, four
coefficients in the powers of (t - left knot). So one evaluation serves all of them, signals of different
lengths and kinds lie side by side, and experiments are stacked by padding the knots with infinity. A signal
is held at its first and last value outside its records, and is right-continuous at jumps.

Natural cubic splines: de Boor, A Practical Guide to Splines, ch. IV. Akima: H. Akima, J. ACM 17 (1970) 589.
Backward Hermite: Morrill, Kidger, Yang, Lyons, arXiv:2106.11028 (the slope at a knot is that of the piece before).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import DataError, Diagnostic, UsageError
from hybridode.solve.pytree import is_traced, pytree
from hybridode.types import AnyArray, FloatArray

_SEARCH_FROM = 64  # knots from which a binary search beats comparing with every knot


@pytree
class Signals:
    """k signals. A pytree of floats only: it can be stacked over experiments and mapped by `vmap`.

    knots (k, K): ascending, padded with +inf. coefficients (k, K + 1, 4): piece j of signal i holds between
    knots j - 1 and j (piece 0: before the first knot), lowest power first, powers of t - knots[i, max(j - 1, 0)].
    """

    knots: AnyArray
    coefficients: AnyArray

    def __call__(self, t: Any) -> tuple[AnyArray, AnyArray]:
        """Values and rates (k,), (k,) at one time; limits from the right at knots. JAX or NumPy, as the arrays are."""
        xp: Any = jnp if isinstance(self.knots, jax.Array) or isinstance(t, jax.Array) else np
        knots, coefficients = xp.asarray(self.knots), xp.asarray(self.coefficients)
        k, count = knots.shape
        if k == 0:
            return knots[:, 0] if count else xp.zeros((0,), knots.dtype), xp.zeros((0,), knots.dtype)
        if count > _SEARCH_FROM and xp is jnp:
            piece = jax.vmap(lambda row: jnp.searchsorted(row, t, side="right"))(knots)
        else:
            piece = xp.sum(knots <= t, axis=1)
        rows = xp.arange(k)
        s = t - knots[rows, xp.maximum(piece - 1, 0)]
        c0, c1, c2, c3 = xp.moveaxis(coefficients[rows, piece], 1, 0)
        return c0 + s * (c1 + s * (c2 + s * c3)), c1 + s * (2 * c2 + s * (3 * c3))

    @property
    def count(self) -> int:
        """Number of signals."""
        return self.knots.shape[-2]


# ---- one signal: coefficients of its inner pieces, (K - 1, 4), K >= 2 -----------------------------------------------
def _previous(x: FloatArray, y: FloatArray) -> FloatArray:
    return _columns(y[:-1], 0.0, 0.0, 0.0)


def _next(x: FloatArray, y: FloatArray) -> FloatArray:
    return _columns(y[1:], 0.0, 0.0, 0.0)


def _linear(x: FloatArray, y: FloatArray) -> FloatArray:
    return _columns(y[:-1], np.diff(y) / np.diff(x), 0.0, 0.0)


def _cubic(x: FloatArray, y: FloatArray) -> FloatArray:
    """Natural spline: second derivative 0 at both ends."""
    if len(x) == 2:
        return _linear(x, y)
    from scipy.linalg import solve_banded

    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    bands = np.zeros((3, len(x)))
    bands[1] = 1.0
    bands[1, 1:-1] = 2 * (h[:-1] + h[1:])
    bands[0, 2:], bands[2, :-2] = h[1:], h[:-1]
    bend = solve_banded((1, 1), bands, np.concatenate([[0.0], 6 * np.diff(slope), [0.0]]))
    return _columns(y[:-1], slope - h * (2 * bend[:-1] + bend[1:]) / 6, bend[:-1] / 2, np.diff(bend) / (6 * h))


def _hermite(x: FloatArray, y: FloatArray) -> FloatArray:
    slope = np.diff(y) / np.diff(x)
    return _from_slopes(x, y, np.concatenate([slope[:1], slope]))


def _akima(x: FloatArray, y: FloatArray) -> FloatArray:
    if len(x) == 2:
        return _linear(x, y)
    inner = np.diff(y) / np.diff(x)
    before, after = 2 * inner[0] - inner[1], 2 * inner[-1] - inner[-2]
    m = np.concatenate([[2 * before - inner[0], before], inner, [after, 2 * after - inner[-1]]])
    right, left = np.abs(m[3:] - m[2:-1]), np.abs(m[1:-2] - m[:-3])
    total = right + left
    # Both sides straight: the weights are 0/0 and Akima's rule is the mean (same threshold as SciPy).
    even = total <= 1e-9 * np.max(total, initial=0.0)
    weighted = (right * m[1:-2] + left * m[2:-1]) / np.where(even, 1.0, total)
    return _from_slopes(x, y, np.where(even, (m[1:-2] + m[2:-1]) / 2, weighted))


def _from_slopes(x: FloatArray, y: FloatArray, d: FloatArray) -> FloatArray:
    """Cubic Hermite pieces from values and slopes at the knots."""
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    return _columns(y[:-1], d[:-1], (3 * slope - 2 * d[:-1] - d[1:]) / h, (d[:-1] + d[1:] - 2 * slope) / h**2)


def _columns(*columns: FloatArray | float) -> FloatArray:
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


INTERPOLATIONS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "previous": _previous, "next": _next, "linear": _linear, "cubic": _cubic, "hermite": _hermite, "akima": _akima,
}  # fmt: skip


def _padded(x: FloatArray, y: FloatArray, interpolation: str, count: int) -> tuple[FloatArray, FloatArray]:
    """Knots (count,) and coefficients (count + 1, 4) of one signal, with the held ends."""
    inner = INTERPOLATIONS[interpolation](x, y) if len(x) > 1 else np.zeros((0, 4))
    held = np.zeros((count + 1 - len(inner), 4))
    held[:, 0] = y[-1]
    # "next" holds y[0] up to and including the first knot, everything else starts there with y[0] too.
    first = np.array([[y[0], 0.0, 0.0, 0.0]])
    return np.concatenate([x, np.full(count - len(x), np.inf)]), np.concatenate([first, inner, held[1:]])


def build_signals(names: Sequence[str], interpolations: Sequence[str], records: Mapping[str, tuple[Any, Any]]) -> Signals:
    """Signals from records: per name its times and values (NaN values are missing and left out).

    Values may be traced by JAX, so that derivatives go to them; then there is one for every time. Raises `DataError` E0610 when a
    signal has no record, E0611 when its times are not strictly increasing, `UsageError` E0834 for what cannot be traced.
    """
    if any(is_traced(x) for name in names for x in records[name]):
        return _traced_signals(names, interpolations, records)
    cleaned = [_clean(name, *records[name]) for name in names]
    count = max((len(x) for x, _ in cleaned), default=0)
    rows = [_padded(x, y, kind, count) for (x, y), kind in zip(cleaned, interpolations, strict=True)]
    if not rows:
        return no_signals()
    return Signals(np.stack([k for k, _ in rows]), np.stack([c for _, c in rows]))


def _traced_signals(names: Sequence[str], interpolations: Sequence[str], records: Mapping[str, tuple[Any, Any]]) -> Signals:
    """Coefficients depend linearly on the values: each is a matrix, made of the signals of unit vectors, times them."""
    cleaned = []
    for name, kind in zip(names, interpolations, strict=True):
        times, values = records[name]
        if is_traced(times):
            what, hint = "times", "only its values may be traced: give times as a NumPy array"
            raise UsageError(Diagnostic("E0834", f"the {what} of input `{name}` are traced by JAX", hint=hint))
        if kind == "akima" and is_traced(values):
            message = f"the values of input `{name}` are traced by JAX, and `interp=akima` does not depend on them smoothly"
            raise UsageError(Diagnostic("E0834", message, hint="use `interp=cubic`, `linear` or `hermite`"))
        y = values if is_traced(values) else np.asarray(values, np.float64)
        cleaned.append((*_clean(name, times, np.zeros(y.shape) if is_traced(y) else y)[:1], y))
    count = max(len(x) for x, _ in cleaned)
    knots, coefficients = [], []
    for (x, y), kind in zip(cleaned, interpolations, strict=True):
        if is_traced(y):
            units = [_padded(x, unit, kind, count) for unit in np.eye(len(x))]
            coefficients.append(jnp.stack([c for _, c in units], axis=-1) @ jnp.ravel(y))
        else:
            coefficients.append(_padded(x, y[np.isfinite(y)].ravel(), kind, count)[1])
        knots.append(_padded(x, np.zeros(len(x)), kind, count)[0])
    return Signals(np.stack(knots), jnp.stack(coefficients))


def no_signals(dtype: Any = np.float64) -> Signals:
    """The signals of a model without inputs."""
    return Signals(np.zeros((0, 0), dtype), np.zeros((0, 1, 4), dtype))


def _clean(name: str, times: Any, values: Any) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(times, np.float64).ravel(), np.asarray(values, np.float64).ravel()
    if x.shape != y.shape:
        raise DataError(Diagnostic("E0611", f"input `{name}` has {len(x)} times and {len(y)} values"))
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if not len(x):
        raise DataError(Diagnostic("E0610", f"input `{name}` has no record", hint="give at least one value"))
    if not np.all(np.isfinite(x)) or np.any(np.diff(x) <= 0):
        i = int(np.argmax(~(np.diff(x) > 0)))
        message = f"the times of input `{name}` do not increase: {x[i]:g} is followed by {x[min(i + 1, len(x) - 1)]:g}"
        raise DataError(Diagnostic("E0611", message, hint="sort the rows and keep one row per time"))
    return x, y


def stack_signals(each: Sequence[Signals]) -> Signals:
    """Signals of several experiments as one pytree with a leading axis, padded to the longest."""
    count = max(s.knots.shape[1] for s in each)

    def padded(s: Signals) -> tuple[FloatArray, FloatArray]:
        more = count - s.knots.shape[1]
        knots, coefficients = np.asarray(s.knots), np.asarray(s.coefficients)
        return (
            np.pad(knots, ((0, 0), (0, more)), constant_values=np.inf),
            np.concatenate([coefficients, np.repeat(coefficients[:, -1:], more, axis=1)], axis=1),
        )

    pairs = [padded(s) for s in each]
    return Signals(np.stack([k for k, _ in pairs]), np.stack([c for _, c in pairs]))


# Which knots the integrator must land on: where the value jumps; where only the slope jumps, if a rate reads the slope.
_JUMPS_IN_VALUE = frozenset({"previous", "next"})


def jump_columns(interpolations: Sequence[str], reads_rate: Sequence[bool]) -> tuple[int, ...]:
    """The signals with knots that the integrator has to land on (see `jump_times`)."""
    return tuple(
        i for i, (kind, rate) in enumerate(zip(interpolations, reads_rate, strict=True)) if kind in _JUMPS_IN_VALUE or rate
    )


def jump_times(signals: Signals, columns: tuple[int, ...]) -> AnyArray | None:
    """All knots of these signals in one vector padded with +inf, or None when there are none."""
    if not columns or signals.knots.shape[-1] == 0:
        return None
    return signals.knots[np.array(columns), :].reshape(-1)
