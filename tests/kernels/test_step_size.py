"""Rough logarithms and powers of the step-size control, and powers that are roots, against NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import pytest

from hybridode.kernels.llvm import step_size
from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.machine import compile_ir, host_lanes
from hybridode.kernels.llvm.straight import ELEMENTWISE
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.control import pi_controller

LANES = [Lanes(1), Lanes(host_lanes()), Lanes(1, "float32"), Lanes(host_lanes("float32"), "float32")]


def applied(lanes: Lanes, body: Callable[[Writer, str], str], x: np.ndarray) -> np.ndarray:
    """A function of registers, compiled and applied to an array."""
    w = Writer(lanes)
    x = np.ascontiguousarray(x.reshape(-1, lanes.width), lanes.dtype)
    out = np.empty_like(x)
    result = body(w, w.load("%x"))
    text = "\n".join([*w.needs, "define void @f(ptr %x, ptr %y) {", *w.lines, f"  store {lanes.real} {result}, ptr %y, align 4",
                      "  ret void", "}"])  # fmt: skip
    machine = compile_ir(text)
    f = machine.function("f", None, ctypes.c_void_p, ctypes.c_void_p)
    for a, b in zip(x, out, strict=True):
        f(a.ctypes.data, b.ctypes.data)
    return out.ravel()


class _Bare(LaneLoop):
    """A loop that never runs."""

    def give_up(self) -> None:
        raise AssertionError


def loop_of(w: Writer) -> LaneLoop:
    """What step_size needs of a loop."""
    loop = object.__new__(_Bare)
    loop.w, loop.lanes = w, w.lanes
    return loop


@pytest.mark.parametrize("lanes", LANES, ids=lambda lanes: lanes.suffix)
def test_rough_functions(lanes: Lanes) -> None:
    rng = np.random.default_rng(0)
    most = 300 if lanes.dtype == "float64" else 37
    x = np.concatenate([10.0 ** rng.uniform(-most, most, 792), [1.0, 0.5, 2.0, np.nextafter(2.0, 1.0), 1e-30, 1e4, 3.0, 1.0]])
    found = applied(lanes, lambda w, v: step_size.log2(loop_of(w), v), x)
    np.testing.assert_allclose(found, np.log2(x), atol=0.0431 if lanes.dtype == "float64" else 0.0434)
    for exponent in (1 / 3, 1 / 8):
        found = applied(lanes, lambda w, v, e=exponent: step_size.power(loop_of(w), v, e), x)
        np.testing.assert_allclose(found, x**exponent, rtol=0.1)
    ends = applied(lanes, lambda w, v: step_size.log2(loop_of(w), v), np.array([0.0, np.inf, np.nan, -np.nan] * 4)).reshape(4, 4)
    last = np.finfo(lanes.dtype).maxexp - 1
    assert np.all(ends[:, 0] < 0.1 - last) and np.all(ends[:, 1:] > last)
    powers = np.linspace(step_size.LOWEST, step_size.HIGHEST, 800)
    powers[0], powers[400] = step_size.LOWEST, 0.0
    found = applied(lanes, lambda w, v: step_size.exp2(loop_of(w), v), powers)
    np.testing.assert_allclose(found, 2.0**powers, rtol=1.8e-3)
    assert found[400] == 1.0


@pytest.mark.parametrize("lanes", LANES, ids=lambda lanes: lanes.suffix)
@pytest.mark.parametrize("error_order, stiff", [(4, False), (7, False), (3, True)])
def test_factors(lanes: Lanes, error_order: int, stiff: bool) -> None:
    """The controller's rule within a few percent; NaN and infinity give the least factor, an error of 0 the greatest."""
    c = pi_controller(error_order, stiff)
    squares = np.concatenate([10.0 ** np.linspace(-12, 12, 396), [0.0, np.inf, np.nan, 1.0]])

    def factor(w: Writer, square: str) -> str:
        good = w.compare("ole", square, w.lanes.const(1.0))
        return step_size.next_factor(loop_of(w), c, square, good, w.lanes.const(-3.0))[0]

    found = applied(lanes, factor, squares)
    with np.errstate(all="ignore"):
        grown = c.safety * squares ** (-c.alpha / 2) * 2.0 ** (-3 * c.beta / 2)
        shrunk = np.minimum(c.safety * squares ** (-c.rejected / 2), 1.0)
        expected = np.where(squares <= 1, np.minimum(grown, c.most), np.maximum(shrunk, c.least))
    expected[-3:-1] = c.least
    np.testing.assert_allclose(found, expected, rtol=0.01)


@pytest.mark.parametrize("exponent", [k / 2 for k in range(-7, 8, 2)])
def test_powers_that_are_roots(exponent: float) -> None:
    lanes = Lanes(host_lanes())
    x = np.concatenate(
        [10.0 ** np.random.default_rng(1).uniform(-60, 60, 792), [0.0, np.inf, 1.0, 4.0, -1.0, np.nan, 1e-300, 1e80]]
    )
    with np.errstate(all="ignore"):
        exact = x**exponent
    found = applied(lanes, lambda w, v: ELEMENTWISE["pow"](w, v, lanes.const(exponent)), x)
    np.testing.assert_allclose(found, exact, rtol=6e-16)
