"""Solves ready to be called: `Solver`, a pure function of parameters for JAX, and `simulate_once`, NumPy in and out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, NumericsError, UsageError
from hybridode.solve import native
from hybridode.solve.defaults import build_inputs, with_parameters
from hybridode.solve.engines import choose, integrate
from hybridode.solve.events import EventPlan, plan_events
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.pytree import is_traced
from hybridode.solve.raw import Raw
from hybridode.solve.settings import Settings
from hybridode.solve.signals import Signals
from hybridode.solve.solution import About, Solution
from hybridode.solve.starts import plain_start, start_in_jax, start_in_numbers
from hybridode.solve.switches import TWIN, warn_of_sliding
from hybridode.types import FloatArray

Timing = tuple[tuple[str, float], ...]

_DOUBLE = 'switch on double precision with jax.config.update("jax_enable_x64", True)'
_SMALLEST_SHAPE = 64  # save points are padded to powers of two from here, so that few shapes are compiled


def program(compiled: Compiled, method: str, settings: Settings, gradient: str, plan: EventPlan | None) -> Callable[..., Raw]:
    """`integrate` as a jitted function (args, t0, ts, y0) -> Raw, kept with the model."""
    key = (method, settings, gradient, plan)
    if key not in compiled.jitted:

        def run(args: Arguments, t0: Any, ts: Any, y0: Any) -> Raw:
            return integrate(compiled, args, t0, ts, method, settings, gradient, y0, plan)

        compiled.jitted[key] = jax.jit(run)
    return compiled.jitted[key]


def solution_of(raw: Raw, ts: Any, args: Arguments, t0: Any, y0: Any, about: About) -> Solution:
    """The solution that a driver's raw numbers make."""
    return Solution(ts, raw.ys, raw.ys_left, raw.result, raw.t_end, raw.y_end, raw.stats, args, t0, y0, about)


# ---- NumPy in, NumPy out --------------------------------------------------------------------------------------------
def simulate_once(compiled: Compiled, args: Arguments, t0: float, ts: FloatArray, settings: Settings, start: Mapping[int, float],
                  check: bool = True) -> Solution:  # fmt: skip
    """One solve in float64 whatever JAX's flag; arrays of the solution are NumPy's.

    Raises NumericsError (E07) with the partial solution when the solve fails and `check` is set.
    """
    args, y0 = start_in_numbers(compiled, args, t0, start)
    choice = choose(compiled, args, t0, float(ts[-1]), settings, y0)
    solution = _simulated(compiled, args, t0, y0, ts, choice.settings, choice.reason)
    if check and not solution.successful:
        raise NumericsError(solution.diagnostic, partial=solution)
    warn_of_sliding(compiled, solution.counts["sliding"])
    return solution


def _simulated(compiled: Compiled, args: Arguments, t0: Any, y0: Any, ts: Any, settings: Settings, reason: str,
               least: int = _SMALLEST_SHAPE) -> Solution:  # fmt: skip
    ts = np.atleast_1d(np.asarray(ts, np.float64))
    run = _run_natively if settings.engine == "native" else _run_compiled
    raw, timing, least = run(compiled, args, t0, y0, ts, settings, least)

    def again(args: Arguments, t0: Any, y0: Any, ts: Any) -> Solution:
        return _simulated(compiled, args, t0, y0, ts, settings, reason, least)

    return solution_of(raw, ts, args, np.float64(t0), y0, About(compiled, settings.method, reason, settings, again, timing))


def _run_natively(compiled: Compiled, args: Arguments, t0: Any, y0: Any, ts: FloatArray, settings: Settings,
                  least: int) -> tuple[Raw, Timing, int]:  # fmt: skip
    began = time.perf_counter()
    native.prepare(compiled, settings.method, settings.dtype)
    ready = time.perf_counter()
    raw = native.solve_numbers(compiled, args, float(t0), ts, settings.method, settings, y0)
    return raw, (("compile_seconds", ready - began), ("run_seconds", time.perf_counter() - ready)), least


def _run_compiled(compiled: Compiled, args: Arguments, t0: Any, y0: Any, ts: FloatArray, settings: Settings,
                  least: int) -> tuple[Raw, Timing, int]:  # fmt: skip
    """By JAX, the times padded so that few shapes are compiled."""
    shape = max(least, 1 << (len(ts) - 1).bit_length())
    padded = np.pad(ts, (0, shape - len(ts)), mode="edge")
    with jax.enable_x64(True):
        plan = plan_events(compiled, args, t0, ts[-1])
        began = time.perf_counter()
        run = _executable(compiled, settings, plan, args, np.float64(t0), padded, y0)
        ready = time.perf_counter()
        raw = jax.tree_util.tree_map(np.asarray, run(args, np.float64(t0), padded, y0))
        done = time.perf_counter()
    raw = replace(raw, ys=raw.ys[: len(ts)], ys_left=raw.ys_left[: len(ts)])
    return raw, (("compile_seconds", ready - began), ("run_seconds", done - ready)), shape


def _executable(compiled: Compiled, settings: Settings, plan: EventPlan | None, *inputs: Any) -> Callable[..., Raw]:
    """The compiled program for inputs of these shapes, kept with the model."""
    leaves, tree = jax.tree_util.tree_flatten(inputs)
    key = ("simulate", settings, plan, tree, tuple(np.shape(leaf) for leaf in leaves))
    if key not in compiled.jitted:
        compiled.jitted[key] = program(compiled, settings.method, settings, "forward", plan).lower(*inputs).compile()
    return compiled.jitted[key]


# ---- a pure function for JAX ----------------------------------------------------------------------------------------
class Solver:
    """`solve(params, start=None, inputs=None, at=None) -> Solution`, pure: jit, vmap and the derivatives of its mode in all.

    params: natural values by name as `model.parameters()` gives them; what is left out keeps its value. start: see `start_of`.
    inputs: {name: (times, values)} or `Signals`; values may be traced: derivatives go to them. at: times, ascending. Raises
    UsageError for what does not fit.
    """

    def __init__(self, compiled: Compiled, args: Arguments, settings: Settings, t0: float, at: FloatArray | None,
                 start: Mapping[int, float], needs_inputs: bool = False) -> None:  # fmt: skip
        self.needs_inputs = needs_inputs  # the inputs in `args` only stand in for those that each call must give
        self.compiled = compiled
        self.settings = settings
        self.gradient = "reverse" if settings.gradient == "auto" else settings.gradient
        self.base = args.astype(settings.dtype)
        self.t0 = t0
        self.start = dict(start)
        self.at = None if at is None else np.asarray(at, settings.dtype)
        self.method = settings.method
        self._chosen: dict[Any, About] = {}
        if self.at is not None:
            self.about(self.at)

    def __call__(
        self, params: Mapping[str, Any] | None = None, start: Any = None, inputs: Any = None, at: Any = None
    ) -> Solution:
        ts = self.at if at is None else at
        if ts is None:
            raise UsageError(Diagnostic("E0832", "no times were given", hint="give at= when the solver is made or called"))
        about = self.about(ts)
        signals = self._signals(inputs)
        raw, ts, args, t0, y0 = self._whole(dict(params or {}), plain_start(start), signals, ts)
        if self.compiled.jitted.get(TWIN) is not None and not is_traced(raw.stats):
            warn_of_sliding(self.compiled, raw.stats["sliding"])
        return solution_of(raw, ts, args, t0, y0, about)

    @cached_property
    def _whole(self) -> Callable[..., tuple[Any, ...]]:
        """Everything of a call as one jitted function: outside a caller's jit every operation would be compiled by itself.

        (params, start, signals, times) -> (raw, times, arguments, start time, start).
        """
        about, compiled = self._chosen["about"], self.compiled
        dtype = about.settings.dtype
        run = program(compiled, about.method, about.settings, self.gradient, about.plan)

        def whole(params: Any, start: Any, signals: Any, ts: Any) -> tuple[Any, ...]:
            args = with_parameters(compiled.parameter_slices, self.base, params, native.joined(about.settings))
            args = jax.tree_util.tree_map(jnp.asarray, args)
            if signals is not None:
                args = replace(args, signals=jax.tree_util.tree_map(lambda a: jnp.asarray(a, dtype), signals))
            ts = jnp.atleast_1d(jnp.asarray(ts, dtype))
            args, t0, y0 = start_in_jax(compiled, args, self.t0, self.start, start)
            return run(args, t0, ts, y0), ts, args, t0, y0

        return jax.jit(whole)

    def _signals(self, inputs: Any) -> Signals | None:
        """The inputs given to a call, None for those of the solver. Raises UsageError E0825."""
        if inputs is None:
            if self.needs_inputs:
                message = "the model reads inputs, and none were given"
                raise UsageError(
                    Diagnostic("E0825", message, hint="give data= when the solver is made, or inputs= when it is called")
                )
            return None
        return inputs if isinstance(inputs, Signals) else build_inputs(self.compiled.system, inputs)

    def about(self, ts: Any) -> About:
        """Method, reason and event plan: measured once, at the declared values, for the times given first."""
        if "about" not in self._chosen:
            if is_traced(ts):
                if self.settings.method == "auto" or self.compiled.events is not None:
                    raise UsageError(
                        Diagnostic("E0832", "the method cannot be measured: the times are traced by JAX",
                                   hint='give at= when the solver is made, or choose: method="tsit5"')
                    )  # fmt: skip
                last = self.t0
            else:
                last = float(np.max(np.asarray(ts), initial=self.t0))
            self._chosen["about"] = self._about(last)
        return self._chosen["about"]

    def _about(self, last: float) -> About:
        args, y0 = start_in_numbers(self.compiled, jax.tree_util.tree_map(np.asarray, self.base), self.t0, self.start)
        choice = choose(self.compiled, args, self.t0, last, self.settings, y0)
        self.method = choice.method
        plan = plan_events(self.compiled, args, self.t0, last, spare=True)
        run = program(self.compiled, choice.method, choice.settings, self.gradient, plan)

        def again(args: Arguments, t0: Any, y0: Any, ts: Any) -> Solution:
            ts = jnp.atleast_1d(jnp.asarray(ts, self.settings.dtype))
            return solution_of(run(args, t0, ts, y0), ts, args, t0, y0, about)

        about = About(self.compiled, choice.method, choice.reason, choice.settings, again, plan=plan)
        return about

    def __repr__(self) -> str:
        return f"<Solver of {self.compiled.declarations.name}: {self.method}, gradient {self.gradient}>"


def check_precision(settings: Settings, dtype: str | None) -> Settings:
    """The settings in the precision that JAX's flag allows, or that was asked for. Raises UsageError E0830 when it is not to be
    had, or cannot meet the tolerance."""
    double = jax.config.read("jax_enable_x64")
    settings = replace(settings, dtype=dtype or ("float64" if double else "float32"))
    least = 1e-4 if settings.engine == "diffrax" else native.LEAST_SINGLE
    if settings.dtype == "float64" and not double:
        raise UsageError(Diagnostic("E0830", "JAX is in single precision, float64 was asked for", hint=_DOUBLE))
    if settings.dtype == "float32" and settings.rtol < least:
        message = f"single precision cannot meet rtol = {settings.rtol:g}"
        raise UsageError(Diagnostic("E0830", message, hint=f"{_DOUBLE}, or give rtol of {least:g} or more"))
    return settings
