"""The elementwise operations that need no mathematics."""

from __future__ import annotations

from hybridode.kernels.mathlib.code import Code, Value


def minimum(c: Code, a: Value, b: Value) -> Value:
    """NaN if either is (NumPy's minimum)."""
    return ((a < b) | a.is_nan()).where(a, b)


def maximum(c: Code, a: Value, b: Value) -> Value:
    return ((a > b) | a.is_nan()).where(a, b)


def relu(c: Code, x: Value) -> Value:
    return (x <= 0.0).where(0.0, x)


def sign(c: Code, x: Value) -> Value:
    """-1, 0, 1 or NaN."""
    return (x > 0.0).where(1.0, (x < 0.0).where(-1.0, x + 0.0))


def heaviside(c: Code, x: Value) -> Value:
    """0 below 0, 1 from 0 on, NaN for NaN."""
    return (x >= 0.0).where(1.0, (x < 0.0).where(0.0, x))


def absolute(c: Code, x: Value) -> Value:
    return abs(x)


def sqrt(c: Code, x: Value) -> Value:
    return c.intrinsic("sqrt", x)


def floor(c: Code, x: Value) -> Value:
    return c.intrinsic("floor", x)
