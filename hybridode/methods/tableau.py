"""What a one-step method is, as data. A method is one of these plus its citation; nothing here computes.

Notation of Hairer, Nørsett & Wanner (I, chapter II; II, section IV.7): stages i = 0 … s-1, f evaluated at t + c[i] h.
"""

from __future__ import annotations

from dataclasses import dataclass

Row = tuple[float, ...]


@dataclass(frozen=True)
class ExplicitTableau:
    """An explicit Runge–Kutta pair whose last stage is f at the new point (first same as last).

    `a[i]` has i entries; `b` and `error` (b minus the embedded weights) have one per stage. Dense output on [0, 1] is
    either `dense[i]`, the coefficients of theta, theta^2, … of b_i(theta), or (DOP853) `extra` stages and `hermite` rows.
    `error_third` is DOP853's second estimator.
    """

    name: str
    order: int
    error_order: int
    dense_order: int
    source: str
    a: tuple[Row, ...]
    b: Row
    error: Row
    c: Row
    dense: tuple[Row, ...] = ()
    error_third: Row = ()
    extra: tuple[Row, ...] = ()
    extra_c: Row = ()
    hermite: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        stages = len(self.b)
        assert len(self.a) == len(self.c) == len(self.error) == stages, f"{self.name}: rows of different length"
        assert all(len(row) == i for i, row in enumerate(self.a)), f"{self.name}: a is not strictly lower triangular"

    @property
    def stages(self) -> int:
        return len(self.b)


@dataclass(frozen=True)
class RosenbrockTableau:
    """A Rosenbrock–Wanner method in the transformed form that needs no matrix–vector product (HW II, IV.7.25).

    Stage i solves (M/(h gamma) - J) u_i = f(t + c[i] h, y + sum_j a[i][j] u_j) + M sum_j (C[i][j]/h) u_j + h d[i] df/dt.
    The new value is y + sum_i b[i] u_i, the error estimate sum_i error[i] u_i. Dense output:
    y(theta) = (1 - theta) y0 + theta (y1 + (1 - theta) (k_0 + theta k_1 + …)) with k_r = sum_i h[r][i] u_i.
    """

    name: str
    order: int
    error_order: int
    dense_order: int
    source: str
    gamma: float
    a: tuple[Row, ...]
    C: tuple[Row, ...]
    b: Row
    error: Row
    c: Row
    d: Row
    dense: tuple[Row, ...]

    def __post_init__(self) -> None:
        stages = len(self.b)
        assert len(self.a) == len(self.C) == len(self.c) == len(self.d) == len(self.error) == stages, f"{self.name}: lengths"
        assert all(len(row) == i for i, row in enumerate(self.a)), f"{self.name}: a is not strictly lower triangular"
        assert all(len(row) == i for i, row in enumerate(self.C)), f"{self.name}: C is not strictly lower triangular"

    @property
    def stages(self) -> int:
        return len(self.b)
