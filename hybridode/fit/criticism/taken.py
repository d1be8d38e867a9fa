"""What fitting takes from residuals: they are not independent, as many directions as there are free numbers are bent towards 0.

With J = d(predictions, in standard deviations)/d(theta) at the optimum and P the curvature of priors and penalties,

    residuals of the fit ~ (I - J (J^T J + P)^-1 J^T) residuals about the truth

to first order, so that draws from a right model can be made without fitting it again. The tests of `residual_tests` compare with
such draws: with 20 records and 8 parameters, the usual tables would be wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.fit.criticism.freedom import MOST, prior_curvature
from hybridode.fit.criticism.records import Rows, rows_of, standardised, tested
from hybridode.fit.prepare import Prepared

_STEP = 1e-3  # on the unconstrained scale, on which sizes are about 1
_SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class Taken:
    """`basis` (R, r) and `part` (r,): draws e lose basis * part (basis^T e). `free`: how many numbers' worth that is. `scaled`:
    per list of rows whether the noise's other arguments (its scale) move with what was fitted. `why` nothing is known, or ""."""

    basis: np.ndarray
    part: np.ndarray
    scaled: tuple[bool, ...]
    why: str = ""

    @property
    def free(self) -> float:
        return float(self.part.sum())

    def of(self, draws: np.ndarray) -> np.ndarray:
        """Draws (N, R) as a fit would leave them."""
        return draws - ((draws @ self.basis) * self.part) @ self.basis.T


def taken_by_fit(prepared: Prepared, theta: np.ndarray, rows: Sequence[Rows], seconds: float) -> Taken:
    """For the fitted records `rows` at theta (d,), by central differences; within so many seconds."""
    count = sum(len(r.time) for r in rows)
    nothing = np.zeros((count, 0)), np.zeros(0), (True,) * len(rows)
    if not rows:
        return Taken(*nothing)
    if len(theta) > MOST:
        return Taken(*nothing, f"{len(theta)} numbers were learnt, more than {MOST}")
    began, columns, scaled = time.perf_counter(), [], np.zeros(len(rows), bool)
    for i in range(len(theta)):
        sides = []
        for sign in (1, -1):
            moved = np.array(theta, float)
            moved[i] += sign * _STEP
            there = tested(rows_of(prepared, prepared.solve_curves(moved)))
            sides.append(
                np.concatenate([standardised(r.noise, at.location, r.arguments) for r, at in zip(there, rows, strict=True)])
            )
            scaled |= [_scale_moved(r, at) for r, at in zip(there, rows, strict=True)]
        columns.append((sides[0] - sides[1]) / (2 * _STEP))
        if (time.perf_counter() - began) * len(theta) > seconds * (i + 1) and i + 1 < len(theta) and i > 2:
            return Taken(*nothing, "what the fit takes from them would have taken too long to compute")
    jacobian = np.nan_to_num(np.stack(columns, axis=1), posinf=0.0, neginf=0.0) if columns else np.zeros((count, 0))
    return Taken(*_basis(jacobian, prior_curvature(prepared, theta)), tuple(bool(s) for s in scaled))


def _scale_moved(there: Rows, here: Rows) -> bool:
    """Whether an argument other than the location has another value."""
    pairs = zip(there.noise.arguments, there.arguments, here.arguments, strict=True)
    return any(name not in ("mean", "median", "loc", "p", "logit") and not np.array_equal(a, b) for name, a, b in pairs)


def _basis(jacobian: np.ndarray, curvature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J (J^T J + P)^-1 J^T as U diag(part) U^T."""
    total = jacobian.T @ jacobian + curvature
    weights, vectors = np.linalg.eigh(total)
    keep = weights > _SINGULAR * max(float(weights[-1]) if len(weights) else 0.0, 1e-300)
    half = (jacobian @ vectors[:, keep]) / np.sqrt(weights[keep])
    u, s, _ = np.linalg.svd(half, full_matrices=False)
    kept = s > 1e-8
    return u[:, kept], np.minimum(s[kept] ** 2, 1.0)
