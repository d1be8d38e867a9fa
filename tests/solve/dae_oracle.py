"""An independent integrator for differential-algebraic systems of index 1: SUNDIALS' IDA with residuals in NumPy.

A residual is F(t, y, y', p) = 0, n equations for n unknowns; it takes complex numbers too, so that derivatives by complex steps
are exact. Sensitivities are solved beside the unknowns: F_y s + F_y' s' + F_p dp = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sksundae.ida import IDA

from tests.problems.dae.residuals import WRITTEN

Residual = Callable[[float, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
TINY = 1e-30


@dataclass(frozen=True)
class Dae:
    """`differential[i]`: the derivative of unknown i occurs. `given[i]`: its start is (`start`), the others' are guesses.

    `starts(p)`: the starts, where they depend on parameters.
    """

    residual: Residual
    differential: np.ndarray
    given: np.ndarray
    start: Callable[[np.ndarray], np.ndarray]


def _slope(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """The Jacobian of f at z by complex steps, a column each."""
    columns = [f(z + 1j * TINY * e).imag / TINY for e in np.eye(len(z))]
    return np.stack(columns, axis=1)


def _put(unknown: np.ndarray, z: np.ndarray, y: np.ndarray, yp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y, y') with the entries of z at the places of `unknown` among both."""
    both = np.concatenate([y, yp]).astype(np.result_type(z, y, yp))
    both[unknown] = z
    return both[: len(y)], both[len(y) :]


def _change(dae: Dae, at: tuple[float, np.ndarray, np.ndarray, np.ndarray], known: np.ndarray,
            by: tuple[float, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The change of (y, y') at (t, p, y, y') when (t, p, the known y) change by `by`: the implicit function theorem."""
    (t, p, y, yp), (dt, dp, dy) = at, by
    unknown, given = np.concatenate([~known, dae.differential]), dy * known
    z = np.concatenate([y, yp])[unknown]
    slope = _slope(lambda z: dae.residual(t, *_put(unknown, z, y, yp), p), z)
    moved = dae.residual(t + 1j * TINY * dt, y + 1j * TINY * given, yp + 0j, p + 1j * TINY * dp).imag / TINY
    return _put(unknown, np.linalg.lstsq(slope, -moved, rcond=1e-13)[0], given, np.zeros(len(y)))


def consistent(dae: Dae, t0: float, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y, y') at t0 with F = 0, by damped Newton steps of least length from the guesses; asserts that it was found."""
    y, yp = np.array(dae.start(p), float), np.zeros(len(dae.given))
    unknown = np.concatenate([~dae.given, dae.differential])
    z = np.concatenate([y, yp])[unknown]

    def f(z: np.ndarray) -> np.ndarray:
        return dae.residual(t0, *_put(unknown, z, y, yp), p)

    for _ in range(200):
        value = f(z)
        step = np.linalg.lstsq(_slope(f, z), value, rcond=1e-13)[0]
        if np.max(np.abs(step) / (1 + np.abs(z)), initial=0.0) < 1e-14:
            break
        share = 1.0
        while share > 1e-6 and not np.linalg.norm(f(z - share * step)) < np.linalg.norm(value):
            share /= 2
        z = z - share * step
    assert np.max(np.abs(f(z))) < 1e-8, f(z)
    y, yp = _put(unknown, z, y, yp)
    return y, np.where(dae.differential, yp, _algebraic_slope(dae, t0, p, y, yp))


def _algebraic_slope(dae: Dae, t: float, p: np.ndarray, y: np.ndarray, yp: np.ndarray) -> np.ndarray:
    """dy/dt where no derivative occurs in the equations: IDA's first steps need it."""
    return _change(dae, (t, p, y, yp), dae.differential, (1.0, np.zeros_like(p), yp))[0]


def _start_sensitivity(dae: Dae, t0: float, p: np.ndarray, dp: np.ndarray, y: np.ndarray, yp: np.ndarray):
    """(s, s') at t0 of a direction dp of the parameters; slopes of what is algebraic by differences."""
    ds = np.array(dae.start(p + 1j * TINY * dp)).imag / TINY
    s, sp = _change(dae, (t0, p, y, yp * dae.differential), dae.given, (0.0, dp, ds))
    step = 1e-5
    first, second = (_algebraic_slope(dae, t0, p + e * dp, y + e * s, yp * dae.differential + e * sp) for e in (-step, step))
    return s, np.where(dae.differential, sp, (second - first) / (2 * step))


def integrate(dae: Dae, p: np.ndarray, ts: np.ndarray, direction: np.ndarray | None = None, t0: float = 0.0,
              rtol: float = 1e-10, atol: float = 1e-12) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """(unknowns (times, n), their derivatives by a direction of the parameters (times, n) or None)."""
    n = len(dae.given)
    y, yp = consistent(dae, t0, p)
    start, slope = y, yp
    if direction is not None:
        s, sp = _start_sensitivity(dae, t0, p, direction, y, yp)
        start, slope = np.concatenate([y, s]), np.concatenate([yp, sp])

    def residual(t: float, z: np.ndarray, zp: np.ndarray, out: np.ndarray) -> None:
        if direction is None:
            out[:] = dae.residual(t, z, zp, p)
            return
        both = dae.residual(t, z[:n] + 1j * TINY * z[n:], zp[:n] + 1j * TINY * zp[n:], p + 1j * TINY * direction)
        out[:n], out[n:] = both.real, both.imag / TINY

    algebraic = np.flatnonzero(~np.tile(dae.differential, 1 if direction is None else 2)).tolist() or None
    solver = IDA(residual, rtol=rtol, atol=atol, algebraic_idx=algebraic, max_num_steps=20_000)
    # The midpoint is asked for because two times would mean all steps between them.
    found = solver.solve(np.concatenate([[t0, (t0 + ts[0]) / 2], ts]), start, slope)
    assert found.success, found.message
    values = np.asarray(found.y)[2:]
    return values[:, :n], None if direction is None else values[:, n:]


def of_problem(name: str) -> Dae:
    """A problem of tests/problems/dae in its form for IDA."""
    written, n = WRITTEN[name], len(WRITTEN[name].names)
    differential, given = np.ones(n, bool), np.zeros(n, bool)
    differential[list(written.algebraic)] = False
    given[list(written.given)] = True

    def residual(t: float, y: np.ndarray, yp: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.array(written.residual(t, y, yp))

    return Dae(residual, differential, given, lambda p: np.array(written.start, float))
