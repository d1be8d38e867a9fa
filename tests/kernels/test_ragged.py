"""Batches whose trajectories cost very different numbers of steps: lanes take them in the order of their costs, and nobody's
numbers depend on who stands beside it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.kernels.ffi.primitives import adjoint_p, solve_p, tangent_p
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.cost_order import cost_order
from hybridode.kernels.llvm.job import INFO, SLOT, SLOTS
from hybridode.kernels.llvm.machine import compile_ir, host_lanes
from hybridode.solve import native
from tests.solve.native_models import VAN_DER_POL, compiled

KICKED = """model kicked
param mu = 10
param c = 0.8
state x = 1
state y = 0
x' = y
y' = -mu*x
event kick when x < 0 { y := c*y }
"""
TS = np.array([0.0, 0.5, 4.0])
COUNT, SEEDS = 43, 3


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class Batch:
    """Solve, tangents and adjoints of trajectories with parameters p (B, 2), a direction and a cotangent of their own each."""

    def __init__(self, program: Program, threads: int, capacity: int) -> None:
        self.program, self.capacity = program, capacity
        self.options = program.options(1e-6, 1e-9, 20_000)
        self.options[-1] = threads

    def __call__(self, p: np.ndarray, dots: Sequence[np.ndarray], bar: np.ndarray) -> dict[str, np.ndarray]:
        """ys, info, ys_dot, p_bar, y0_bar with the trajectories as first axis."""
        dtype = self.program.dtype
        given = [jnp.asarray(x, dtype) for x in (p, (), (), (1.5, 0.0), 0.0, TS, self.options)]
        ys, info, _, record = solve_p.bind(*given, program=self.program, capacity=self.capacity)[:4]
        none = jnp.zeros((*bar.shape[:2], 0), dtype)
        p_dot, y0_dot, cotangent = (jnp.asarray(x, dtype) for x in (*dots, bar))
        more: dict[str, Any] = {"program": self.program, "summed": False}
        (ys_dot,) = tangent_p.bind(*given, info, record, p_dot, none, none, y0_dot, **more)
        p_bar, _, _, y0_bar = adjoint_p.bind(*given, info, record, cotangent, **more)
        found = {"ys": ys, "info": info}
        seeded = {"ys_dot": ys_dot, "p_bar": p_bar, "y0_bar": y0_bar}
        return {k: np.asarray(v) for k, v in found.items()} | {k: np.swapaxes(v, 0, 1) for k, v in seeded.items()}


def given(rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    p = np.stack([rng.permutation(10 ** np.linspace(0, 3, COUNT)), rng.uniform(0.5, 0.9, COUNT)], axis=1)
    dots = [rng.normal(size=(SEEDS, COUNT, 2)) for _ in range(2)]
    return p, dots, rng.normal(size=(SEEDS, COUNT, len(TS), 2))


CASES = {
    "stiff": (VAN_DER_POL, "rodas4", "float64"),
    "stiff, single": (VAN_DER_POL, "rodas4", "float32"),
    "explicit": (VAN_DER_POL, "tsit5", "float64"),
    "explicit, single": (VAN_DER_POL, "tsit5", "float32"),
    "events": (KICKED, "rodas4", "float64"),
}


@pytest.mark.parametrize("text, method, dtype", CASES.values(), ids=CASES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("capacity", [4096, 8])
def test_nobody_depends_on_its_neighbours(text: str, method: str, dtype: str, threads: int, capacity: int) -> None:
    """Bit for bit what each trajectory gives among copies of itself, with a record and solved again; one of them fails."""
    program = native.program_of(compiled(text), method, dtype=dtype)
    batch, failing = Batch(program, threads, capacity), 5
    p, dots, bar = given(np.random.default_rng(0))
    p[failing] = np.nan
    found = batch(p, dots, bar)
    well = np.arange(COUNT) != failing
    assert not found["info"][well, 0].any() and found["info"][failing, 0] != 0
    assert np.ptp(found["info"][well, 1]) > 20  # ragged indeed
    assert all(np.isfinite(found[name][well]).all() for name in found)
    assert all(np.isnan(found[name][failing]).all() for name in ("ys_dot", "p_bar", "y0_bar"))
    copies = host_lanes(dtype) + 1
    for k in (0, 1, COUNT // 2, COUNT - 1, int(np.nanargmax(p[:, 0])), failing):
        several = [np.repeat(x[:, k : k + 1], copies, axis=1) for x in (*dots, bar)]
        alone = batch(np.repeat(p[k : k + 1], copies, axis=0), several[:2], several[2])
        for name, value in alone.items():
            np.testing.assert_array_equal(found[name][k], value[0], err_msg=f"{name} of {k}")


def test_the_longest_come_first() -> None:
    """Every trajectory once, costs falling but for 1/32, those of one cost as they came; failed ones last."""
    text = "declare ptr @malloc(i64)\ndeclare void @free(ptr)\n" + cost_order(8)
    code = compile_ir(text.replace("define internal ptr", "define ptr"))
    order_of = code.function("cost_order", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    rng, first = np.random.default_rng(1), 7
    info = np.zeros((500, len(INFO)), np.int32)
    info[:, 1] = np.concatenate([[0, 1, 2**31 - 1, 1], 10 ** rng.uniform(0, 6, 496)])
    info[20:30, 0] = 1
    job = np.zeros(len(SLOTS), np.int64)
    job[SLOT["info"]] = info.ctypes.data
    assert order_of(job.ctypes.data, 0, 8) is None  # one group: nothing to be put in order
    for start, count in ((0, 500), (first, 300), (first, 9)):
        place = order_of(job.ctypes.data, start, count)
        order = np.array((ctypes.c_int64 * count).from_address(place))
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
        rows = info[start : start + count]
        cost = np.where(rows[:, 0] == 0, np.maximum(rows[:, 1], 1), 1)[order].astype(float)
        assert (cost[1:] <= cost[:-1] * (1 + 1 / 32)).all()
        same = cost[1:] == cost[:-1]
        assert (np.diff(order)[same] > 0).all()
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        free(place)
