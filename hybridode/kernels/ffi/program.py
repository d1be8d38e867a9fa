"""A method on a model as native code: compiled when it is first needed, in the lane count that the batch is worth."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.kernels.cache import index, indexed, loaded, loaded_together
from hybridode.kernels.ffi.work import Work
from hybridode.kernels.llvm.machine import Machine, host_lanes
from hybridode.kernels.llvm.parts import Inputs, Module
from hybridode.store import of_sources
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape
from hybridode.types import FloatArray

if TYPE_CHECKING:
    from hybridode.methods.ready import Method

RECORD_BYTES = 1 << 22  # of the steps that one trajectory keeps for its derivatives; longer solves are solved again for them
MOST_RECORDED, LEAST_RECORDED = 4096, 16
MOST_OWN_WEIGHTS = 1500  # of networks that are solved in lanes with arrays of their own
CALLS = {"tangent": "solve", "adjoint": "solve", "tangent_parts": "solve_parts", "adjoint_parts": "solve_parts"}


@cache
def api_version() -> tuple[int, int]:
    """The version of XLA's FFI that the installed jaxlib speaks, from its header."""
    import re

    import jax.ffi

    path = os.path.join(jax.ffi.include_dir(), "xla", "ffi", "api", "c_api.h")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", text) for part in ("MAJOR", "MINOR")]
    assert all(found), f"{path} does not say which version it is"
    major, minor = (int(match.group(1)) for match in found if match)
    return major, minor


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without Python's garbage collector, which goes through all that JAX holds whenever many objects have been made. Hardly any
    of those that writing a module makes need it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, eq=False)
class Program:
    """Static: compared and hashed by identity, so that a compiled JAX program can be kept by it."""

    make: Callable[[], Method]
    rates: Tape
    n: int
    parameters: int  # with the signals' values at the start, which stand behind them in the operand p
    weights: tuple[tuple[str, Shape], ...] = ()  # the networks' arrays that the rates read, in the order of the operand w
    signals: int = 0
    landing: tuple[int, ...] = ()  # the signals at whose knots steps end
    dtype: str = "float64"
    identity: str = ""  # what says, together with the fields above, which code it is; "" where nothing short does
    singly: bool = False  # trajectories are solved one by one: the states of one fill the vectors
    firings: int = (
        -1
    )  # of `at` statements, behind the signals in the operand s (see `llvm/known_times`); -1: there are none there
    amounts: bool = False  # every firing has an amount, that of a dose
    counts_events: bool = False  # there are located events besides the sides of `if`s: how many happened is worth reading
    share: int = 1  # how many records are kept at once of one trajectory: one per stretch between `at` statements
    in_parts: bool = False  # derivatives keep a few states of a solve and make what lies between again
    modules: dict[tuple[str, int, bool], Module] = field(default_factory=dict, repr=False)
    quickly: dict[tuple[str, int, bool], Module] = field(default_factory=dict, repr=False)  # `modules` that are not optimised
    work: Work = field(default_factory=Work, repr=False)
    expected: dict[tuple[int, bool], str] = field(default_factory=dict, repr=False)  # see `expect`

    @cached_property
    def method(self) -> Method:
        """The method's tapes: made when code has to be written."""
        return self.make()

    def inputs(self, own: bool = False) -> Inputs:
        """What the kernels read; `own`: every lane has arrays of the networks of its own."""
        known = self.firings >= 0
        return Inputs(self.parameters, self.weights, host_lanes(self.dtype), self.signals, self.landing, self.signals, own, known,
                      known and self.amounts)  # fmt: skip

    @property
    def weight_count(self) -> int:
        return sum(size(shape) for _, shape in self.weights)

    def lanes(self, count: int, own_weights: bool = False) -> tuple[int, bool]:
        """The lane count for this many trajectories (times seeds), and whether each lane has arrays of the networks of its own.

        Where every trajectory has, large networks are solved one by one: their loops fill the vectors then, and the lanes'
        arrays side by side would not fit into the nearest cache.
        """
        own = own_weights and bool(self.weights)
        alone = count <= 1 or self.singly or (own and self.weight_count > MOST_OWN_WEIGHTS)
        return (1, False) if alone else (host_lanes(self.dtype), own)

    def groups(self, count: int) -> int:
        """How many groups of lanes share the networks' arrays."""
        return -(-count // self.lanes(count)[0])

    def module(self, kind: str, width: int, own: bool = False, quick: bool = False) -> tuple[Module, Machine]:
        """The code of a kind ("solve", "tangent", "adjoint"), compiled or from the cache. `quick`: where it has to be compiled,
        without optimisation, in a third of the time. It has no entry for XLA, and computes the same bits."""
        kind = f"{kind}_parts" if self.in_parts and kind in ("tangent", "adjoint") else kind
        known, key = self.quickly if quick else self.modules, (kind, width, own)
        if key not in known:
            known[key] = self.module(*key)[0] if quick and self.has(*key) else self._made(*key, quick)
        return known[key], loaded(known[key])

    def _made(self, kind: str, width: int, own: bool, quick: bool) -> Module:
        derivative = self.expected.pop((width, own), "") if kind == "solve" else ""
        if derivative and not self.has(kind, width, own, quick):
            return self._make_both(derivative, width, own, quick)
        calls = CALLS.get(kind)
        solve = "" if calls is None else self.module(calls, width, own, quick)[0].run
        found = indexed(self._key(kind, width, own, quick)) if self.identity else None
        return self._written(kind, width, own, solve, quick) if found is None else found

    def expect(self, kind: str, width: int, own: bool) -> None:
        """Says that a derivative ("tangent", "adjoint") of a solve in so many lanes will be needed after the solve itself."""
        if not self.in_parts:
            self.expected[width, own] = kind

    def _make_both(self, kind: str, width: int, own: bool, quick: bool) -> Module:
        """The code of the solve, and that of a derivative beside it: the one's is made while the other is written and made."""
        solve = self._written("solve", width, own, "", quick)
        made = loaded_together(solve, lambda: self._written(kind, width, own, solve.run, quick))
        (self.quickly if quick else self.modules)[kind, width, own] = made
        return solve

    def _written(self, kind: str, width: int, own: bool, solve: str = "", quick: bool = False) -> Module:
        """The text of a kind; `solve` is the entry of the solve that it calls."""
        from hybridode.kernels.llvm.module import module_of  # those who find code need not know how it is written
        from hybridode.kernels.llvm.writer import Lanes

        with collector_paused():
            found = module_of(kind, self.method, Lanes(width, self.dtype), self.inputs(own), api_version(), solve, quick)
        if self.identity:
            index(self._key(kind, width, own, quick), found)
        return found

    def has(self, kind: str, width: int, own: bool = False, quick: bool = False) -> bool:
        """Whether the code of a kind is there already, in memory or on disk."""
        known = self.quickly if quick else self.modules
        return (kind, width, own) in known or bool(self.identity and indexed(self._key(kind, width, own, quick)))

    def _key(self, kind: str, width: int, own: bool, quick: bool = False) -> str:
        sources = of_sources("tape", "methods", "kernels")
        key = (self.identity, kind, width, self.dtype, self.n, self.inputs(own), api_version(), sources)
        return repr((*key, "quick") if quick else key)

    def arrays(self, w: Any) -> dict[str, Any]:
        """The networks' arrays by name out of the vector w (k,)."""
        found, at = {}, 0
        for name, shape in self.weights:
            found[name] = w[at : at + size(shape)].reshape(shape)
            at += size(shape)
        return found

    def given(self, t: Any, y: Any, p: Any, w: Any, s: Any) -> dict[str, Any]:
        """All inputs of the model's tapes at one point, traced by JAX. Signals: limits from the right (see `llvm/signals`)."""
        found = {"t": t, "y": y, "p": p[: len(p) - self.signals], "u0": p[len(p) - self.signals :], **self.arrays(w)}
        if self.signals:
            found |= dict(zip(("u", "du"), self._signals(t, s), strict=True))
        return found

    def _signals(self, t: Any, s: Any) -> tuple[Any, Any]:
        import jax.numpy as jnp

        k, s = self.signals, s[: len(s) - (2 + self.amounts) * self.firings - 1] if self.firings >= 0 else s
        count = (len(s) - 4 * k - bool(self.landing)) // (5 * k + len(self.landing))
        knots = s[: k * count].reshape(k, count)
        pieces = s[k * count : k * count + 4 * k * (count + 1)].reshape(k, count + 1, 4)
        here, rows = jnp.sum(knots <= t, axis=1), jnp.arange(k)
        since = t - knots[rows, jnp.maximum(here - 1, 0)]
        c0, c1, c2, c3 = jnp.moveaxis(pieces[rows, here], 1, 0)
        return c0 + since * (c1 + since * (c2 + since * c3)), c1 + since * (2 * c2 + since * (3 * c3))

    @property
    def capacity(self) -> int:
        """Steps of a record that is kept from a solve to its derivative."""
        if self.in_parts:
            return 0
        return max(LEAST_RECORDED, min(MOST_RECORDED, RECORD_BYTES // (8 * (self.n + 2))) // self.share)

    def options(self, rtol: float, atol: float, max_steps: int, first: float = 0.0, largest: float = np.inf,
                checkpoints: int = 0) -> FloatArray:  # fmt: skip
        """The vector of options that all calls take. `checkpoints`: how many states derivatives in parts keep, 0: by the square
        root of the number of steps."""
        return np.array([rtol, atol, first, largest, float(max_steps), float(checkpoints), float(processors())])
