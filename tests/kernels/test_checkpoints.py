"""Derivatives that keep few states of a solve: the numbers of those that keep all, bit for bit, in memory that does not grow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode import store
from hybridode.kernels import cache as code_cache
from hybridode.kernels.ffi.numbers import run
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.checkpoints import SPLIT
from hybridode.kernels.llvm.handler import OPTIONS
from hybridode.kernels.llvm.job import INFO, SLOT, SLOTS
from hybridode.kernels.llvm.machine import compile_ir, define_symbol, host_lanes
from hybridode.solve import native
from tests.kernels.memory.calls import NETWORKS, Case, arguments, model
from tests.problems import chain
from tests.solve.native_models import DECAY, FORCED, VAN_DER_POL, compiled
from tests.solve.test_native_pivoting import COUPLED

KEPT = ("sqrt", 2, 5, 40)
LANES = host_lanes()
BOUNCING = """model b
param g = 9.8
param e = 0.9
state h = 5
state v = 0
state n = 0
h' = v
v' = -g*(1 + 0.1*sin(h))
n' = 0
event hit when h < 0 { v := -e*v; h := 0; n := n + 1 }
event stop when n > 6 { stop }
"""
SPIKING = """model spiking
param k = 0.8
state x[110]
discrete hits = 0
x[i](0) = 0.02*i for i in 1..110
x[i]' = 1 + 0.01*i - k*x[i] for i in 1..110
event spike[i] when x[i] > 1.2 + 0.01*i { x[i] := k*x[i]; hits := hits + 1 } for i in 1..110
event stop when hits > 60 { stop }
"""
AFTER = np.array([0.0, 0.5, 3.0, 9.0])


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def with_kept(case: Case, kept: str | int) -> Case:
    """The case with its derivatives made like that: one program, so one compilation, for all numbers of states."""
    if case.program.in_parts != (kept != "all"):
        case.program = replace(case.program, in_parts=kept != "all")
    place = OPTIONS.index("checkpoints")
    case.options = case.options.at[place].set(kept if isinstance(kept, int) else 0)
    return case


def derivatives(case: Case, count: int, own: bool) -> list[np.ndarray]:
    """Values, adjoint, seeds of it, tangent."""
    given, solve = case.point, case.solve
    if count:
        given, axes = case.batch(count, own)
        solve = jax.vmap(case.solve, in_axes=axes)
    ys, back = jax.vjp(solve, *given)
    bar = jnp.cos(jnp.arange(ys.size, dtype=ys.dtype)).reshape(ys.shape)
    _, moved = jax.jvp(solve, given, tuple(jnp.cos(1 + v) for v in given))
    seeds = jax.vmap(back)(jnp.stack([bar, -bar, 2 * bar]))
    return [np.asarray(x) for x in (ys, *back(bar), *seeds, moved)]


def signals(interpolation: str, method: str, more: str = "") -> Case:
    made = model(interpolation, more)
    return Case(made, method, args=arguments(made))


CASES: dict[str, tuple[Callable[[], Case], int, bool]] = {
    "explicit": (lambda: Case(compiled(FORCED), "tsit5", AFTER), 0, False),
    "explicit, ragged": (lambda: Case(compiled(VAN_DER_POL), "dop853", AFTER), LANES + 3, False),
    "stiff": (lambda: Case(compiled(VAN_DER_POL), "rodas5p", AFTER), 0, False),
    "stiff, ragged": (lambda: Case(compiled(VAN_DER_POL), "rodas4", AFTER), LANES + 3, False),
    "single precision, ragged": (lambda: Case(compiled(VAN_DER_POL), "rodas4", AFTER, dtype="float32"), LANES + 3, False),
    "pivoted": (lambda: Case(compiled(COUPLED), "rodas4"), 2, False),
    "events": (lambda: Case(compiled(BOUNCING), "tsit5", AFTER), 0, False),
    "events, stiff, ragged": (lambda: Case(compiled(BOUNCING), "rodas4", AFTER), LANES + 1, False),
    "networks": (lambda: Case(compiled(NETWORKS.replace("HIDDEN", "13, 5")), "tsit5"), 0, False),
    "networks, ragged": (lambda: Case(compiled(NETWORKS.replace("HIDDEN", "13, 5")), "tsit5"), LANES + 1, False),
    "networks, own weights": (lambda: Case(compiled(NETWORKS.replace("HIDDEN", "4")), "tsit5"), 3, True),
    "inputs that jump": (lambda: signals("previous", "tsit5"), 0, False),
    "inputs, stiff, ragged": (lambda: signals("linear", "rodas5p", "+ 0.1*u'"), LANES + 1, False),
    "rolled": (lambda: Case(compiled(chain(120)), "tsit5", np.array([0.0, 0.1])), 0, False),
    "rolled, events, ragged": (lambda: Case(compiled(SPIKING), "tsit5", np.array([0.0, 0.3, 4.0])), 2, False),
    "rolled, stiff, ragged": (lambda: Case(compiled(chain(120)), "rodas4", np.array([0.0, 0.1])), 2, False),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers(name: str) -> None:
    """Bit for bit those of a record of all steps."""
    make, count, own = CASES[name]
    case = make()
    expected = derivatives(case, count, own)
    assert all(np.isfinite(x).all() for x in expected[1:]) and np.isfinite(expected[0][..., 0, :]).all()
    for kept in KEPT:
        for x, y in zip(derivatives(with_kept(case, kept), count, own), expected, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=f"{kept} kept")


def test_failures_stay_alone() -> None:
    """A trajectory that fails gives NaN, its neighbours what they give without it; in two threads, lanes in any order."""
    case = with_kept(Case(compiled(VAN_DER_POL), "rodas4", AFTER), 7)
    mu = np.random.default_rng(0).permutation(10 ** np.linspace(0, 2, 9 * LANES + 3))
    failing = 5
    mu[failing] = np.nan
    p = jnp.stack([jnp.asarray(mu), jnp.ones(len(mu))], axis=1)
    solve = jax.vmap(lambda p: case.solve(p, *case.point[1:]))
    case.options = case.options.at[OPTIONS.index("threads")].set(2)
    ys, back = jax.vjp(solve, p)
    found = np.asarray(back(jnp.ones_like(ys))[0])
    assert np.isnan(found[failing]).all()
    well = np.arange(len(mu)) != failing
    ys, back = jax.vjp(solve, p[well])
    np.testing.assert_array_equal(found[well], back(jnp.ones_like(ys))[0])


# ---- the schedule ---------------------------------------------------------------------------------------------------
@cache
def fewest(pieces: int, states: int) -> int:
    """The fewest pieces that must be passed to reach the beginnings of all of them backwards, by trying all schedules."""
    if pieces == 1:
        return 0
    if states == 1:
        return pieces * (pieces - 1) // 2
    return min(m + fewest(pieces - m, states - 1) + fewest(m, states) for m in range(1, pieces))


def test_the_schedule_is_the_best_there_is() -> None:
    code = compile_ir(SPLIT.replace("internal ", ""))
    split = code.function("split", ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

    def passed(pieces: int, states: int) -> int:
        if pieces == 1:
            return 0
        if states == 1:
            return pieces * (pieces - 1) // 2
        m = split(pieces, states)
        assert 1 <= m < pieces
        return m + passed(pieces - m, states - 1) + passed(m, states)

    for states in range(1, 9):
        for pieces in (*range(1, 40), 75):
            assert passed(pieces, states) == fewest(pieces, states), (pieces, states)
    assert 1 <= split(1 << 40, 2) < 1 << 40


# ---- memory ---------------------------------------------------------------------------------------------------------
class Heap:
    """What code took from the heap at most: `malloc` and `free` of code that is compiled while it watches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.most = 0
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]
        sizes: dict[int, int] = {}

        def malloc(size: int) -> int:
            place = libc.malloc(size)
            sizes[place] = size
            self.now += size
            self.most = max(self.most, self.now)
            return place

        def free(place: int | None) -> None:
            if place:
                self.now -= sizes.pop(place)
                libc.free(place)

        self.kept = (
            ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(malloc),
            ctypes.CFUNCTYPE(None, ctypes.c_void_p)(free),
        )
        for name, function in zip(("watched_malloc", "watched_free"), self.kept, strict=True):
            address = ctypes.cast(function, ctypes.c_void_p).value
            assert address is not None
            define_symbol(f"{name}_{id(self)}", address)
        real = code_cache.object_code

        def watched(text: str) -> bytes:
            for name in ("malloc", "free"):
                text = text.replace(f"@{name}(", f"@watched_{name}_{id(self)}(")
            return real(text)

        monkeypatch.setattr(code_cache, "object_code", watched)
        monkeypatch.setattr(code_cache, "_LOADED", {})
        monkeypatch.setattr(store, "read", lambda name: None)
        monkeypatch.setattr(store, "write", lambda name, data: None)


def adjoint_of_steps(program: Program, heap: Heap, steps: int, kept: int) -> tuple[float, int]:
    """(d x(1) / d k of the model DECAY solved in so many steps, the most memory that the adjoint took)."""
    options = program.options(1e-3, 1e-3, 1 << 30, 1 / steps, 1 / steps, checkpoints=kept)
    given = {"p": np.ones(1), "w": np.zeros(0), "s": np.zeros(0), "y0": np.ones(1), "t0": np.zeros(1), "ts": np.ones(1)}
    found = {"ys": np.zeros((1, 1, 1)), "info": np.zeros((1, len(INFO)), np.int32), "end": np.zeros((1, 2)), "options": options}
    bars = {"p_dot": np.zeros((1, 1)), "w_dot": np.zeros(0), "s_dot": np.zeros(0), "y0_dot": np.zeros((1, 1))}
    job = np.zeros(len(SLOTS), np.int64)
    numbers = {"trajectories": 1, "total": 1, "seeds": 1, "times": 1, "threads": 1, "max_steps": 1 << 30, "checkpoints": kept}
    for name, number in numbers.items():
        job[SLOT[name]] = number
    for name, array in {**given, **found}.items():
        job[SLOT[name]] = array.ctypes.data
    run(program, "solve", (1, False), job)
    assert found["info"][0, 0] == 0 and steps <= found["info"][0, 1] <= steps + 1
    for name, array in {**bars, "ys_dot": np.ones((1, 1, 1))}.items():
        bars[name] = array
        job[SLOT[name]] = array.ctypes.data
    heap.most = heap.now
    run(program, "adjoint", (1, False), job)
    assert heap.now == 0
    return float(bars["p_dot"][0, 0]), heap.most


@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_memory_does_not_grow(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixed number of states takes the same memory for 10 steps and for 100,000; a square root of them grows as it says."""
    heap = Heap(monkeypatch)
    made = native.program_of(compiled(DECAY), method)
    program = replace(made, identity="", modules={}, in_parts=True)
    exact = -np.exp(-1.0)  # of x' = -k x, x(0) = 1 by k
    most = {}
    for steps in (10, 1000, 100_000):
        slope, most[steps] = adjoint_of_steps(program, heap, steps, 64)
        np.testing.assert_allclose(slope, exact, rtol=1e-6 if steps == 10 else 1e-9)
    assert most[10] == most[1000] == most[100_000] > 64 * 8 * 3
    root = {}
    for steps in (10_000, 1_000_000):
        slope, root[steps] = adjoint_of_steps(program, heap, steps, 0)
        np.testing.assert_allclose(slope, exact, rtol=1e-9)
    assert 9 < root[1_000_000] / root[10_000] < 10.5
    _, all_steps = adjoint_of_steps(replace(program, in_parts=False), heap, 10_000, 0)
    assert all_steps > 10_000 * 8 * 3 > 10 * root[10_000]
