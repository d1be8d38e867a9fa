"""Native calls of every kind, for what watches memory: `python -m tests.kernels.memory.calls FOLDER` records them there.

Models: explicit and Rosenbrock methods, networks, input signals, single precision, `at` statements, one state, no parameters.
Calls: one trajectory, full and ragged groups of lanes, shared and own operands, tangents and adjoints with and without seeds,
records that are long enough, too short and absent, solves that fail, points at the start and repeated. Each runs between
forbidden pages (`guarded`), in this processor's widest code; what is recorded is run again by `memcheck.c` under valgrind.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hybridode.kernels.cache import loaded
from hybridode.kernels.ffi.primitives import solve_p
from hybridode.kernels.ffi.program import Program, api_version
from hybridode.kernels.llvm.machine import host_lanes
from hybridode.kernels.llvm.unpacking import unpacking_module
from hybridode.solve import native
from hybridode.solve.events import plan_events
from hybridode.solve.problem import Compiled
from hybridode.solve.settings import Settings
from tests.kernels.memory import fence, guarded
from tests.problems import chain, problems
from tests.solve.native_models import BLOW_UP, DECAY, FORCED, ROBER, compiled
from tests.solve.spiking import Network
from tests.solve.test_native_events import DOSES
from tests.solve.test_native_networks import MODEL as NETWORKS
from tests.solve.test_native_pivoting import COUPLED
from tests.solve.test_native_signals import arguments, model

KICKED = "model k\nparam m = 9\nstate x = 1\nstate y = 0\nx' = y\ny' = -m*x\nevent kick when x < 0 { y := 0.8*y }\n"
# Other tableaux, models, numbers of lanes and formats in code that other cases run through as well: with ALL only.
LONG = frozenset({"bosh3, one", "bosh3, ragged", "rodas5p, one", "rosenbrock23, one", "20 states", "networks 4, one",
                  "networks 4, ragged", "networks 13, 5, own weights", "signals akima, one", "signals akima, ragged",
                  "single precision, signals", "single precision, networks", "single precision, rolled", "parts, networks",
                  "parts, signals", "dop853, one", "networks, implicit", "signals previous, one", "rolled tsit5, one",
                  "parts 0, ragged", "parts 3, one", "single precision, records too short"})  # fmt: skip
ALL = "all"
CONSTANT = "model still\ntime t\nstate x = 1\nx' = -1\n"
TS = np.array([0.0, 0.3, 0.3, 1.0, 1.7])


class Case:
    """A model's solve as a function of everything that is differentiated: p, w, s, y0."""

    def __init__(self, made: Compiled | str, method: str, ts: Any = TS, share: int = 1, max_steps: int = 4000, args: Any = None,
                 dtype: str = "float64", kept: int | None = None) -> None:  # fmt: skip
        made = compiled(made) if isinstance(made, str) else made
        args = made.arguments() if args is None else args
        args = jax.tree_util.tree_map(np.asarray, args).at_start(0.0)
        self.program: Program = replace(native.program_of(made, method, dtype=dtype), share=share, in_parts=kept is not None)
        start = made.numbers("start", 0.0, np.zeros(0), args)
        vectors = (
            native.parameter_vector(args, np),
            native.weight_vector(self.program, args, np),
            native.signal_vector(made, args, np),
            start,
        )
        self.point = tuple(jnp.asarray(v, dtype) for v in vectors)
        self.ts, self.t0 = jnp.asarray(ts, dtype), jnp.zeros((), dtype)
        rtol, atol = (1e-6, 1e-9) if dtype == "float64" else (1e-4, 1e-5)
        self.options = jnp.asarray(self.program.options(rtol, atol, max_steps, checkpoints=kept or 0), dtype)

    def solve(self, *given: Any, ts: Any = None) -> Any:
        ts = self.ts if ts is None else ts
        return solve_p.bind(*given, self.t0, ts, self.options, program=self.program, capacity=0)[0]

    def batch(self, count: int, own_weights: bool = False) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The point for several trajectories with parameters and starts of their own, and vmap's in_axes."""
        factors = jnp.linspace(0.8, 1.2, count, dtype=self.ts.dtype)[:, None]
        p, w, s, y0 = self.point
        return (p * factors, w * factors if own_weights else w, s, y0 * factors), (0, 0 if own_weights else None, None, 0)

    def one(self) -> None:
        """A solve, its tangent and its adjoint, without seeds and with."""
        ys, back = jax.vjp(self.solve, *self.point)
        back(jnp.ones_like(ys))
        jax.jvp(self.solve, self.point, tuple(jnp.ones_like(v) for v in self.point))
        jax.vmap(back)(jnp.ones((3, *ys.shape), ys.dtype))
        jax.jacfwd(self.solve, argnums=3)(*self.point)

    def many(self, count: int, own_weights: bool = False) -> None:
        """The same of a batch: lanes, groups that are not full, seeds of many trajectories."""
        given, axes = self.batch(count, own_weights)
        solve = jax.vmap(self.solve, in_axes=axes)
        ys, back = jax.vjp(solve, *given)
        back(jnp.ones_like(ys))
        jax.jvp(solve, given, tuple(jnp.ones_like(v) for v in given))
        jax.vmap(back)(jnp.ones((2, *ys.shape), ys.dtype))

    def own_times(self, count: int) -> None:
        """Save points of each trajectory's own; one of them ends where it starts."""
        given, _ = self.batch(count)
        ts = self.ts * jnp.linspace(0, 1, count, dtype=self.ts.dtype)[:, None]
        solve = jax.vmap(lambda p, y0, ts: self.solve(p, *self.point[1:3], y0, ts=ts))
        ys, back = jax.vjp(lambda p, y0: solve(p, y0, ts), given[0], given[3])
        back(jnp.ones_like(ys))


def _events() -> None:
    """Stretches from firing to firing, with their gradients."""
    made = compiled(DOSES)
    args = made.arguments()
    plan = plan_events(made, args, 0.0, 12.0)

    def loss(p: Any) -> Any:
        moved = eqx.tree_at(lambda a: a.parameters, args, p)
        return jnp.sum(native.integrate(made, moved, 0.0, np.linspace(0, 12, 5), "tsit5", Settings(), events=plan).ys)

    jax.grad(loss)(jnp.asarray(args.parameters))


def _unpacking() -> None:
    """The handler that takes a vector apart."""
    for kind in (np.float64, np.float32):
        module = unpacking_module(api_version(), np.dtype(kind).itemsize)
        handler = loaded(module).function(module.handler, ctypes.c_void_p, ctypes.c_void_p)
        shapes = [((), kind), ((0, 3), kind), ((2, 3), kind), ((5,), kind)]
        found = guarded.run(handler, [np.arange(12, dtype=kind)], shapes)
        np.testing.assert_array_equal(np.concatenate([f.ravel() for f in found]), np.arange(12))


def _numbers() -> None:
    """What fails: a blow-up, a start that is no number, too few steps; all beside a neighbour that succeeds."""
    p = jnp.array([[0.1], [10.0], [np.nan], [0.2], [1e300], [0.0], [0.3], [0.4], [0.5]])
    for settings in ({}, {"max_steps": 3}, {"share": 256}):
        case = Case(compiled(BLOW_UP), "tsit5", **settings)
        ys, back = jax.vjp(jax.vmap(lambda q, case=case: case.solve(q, *case.point[1:])), p)
        back(jnp.ones_like(ys))


def _one(*given: Any, **more: Any) -> None:
    Case(*given, **more).one()


def _many(count: int, *given: Any, own: bool = False, **more: Any) -> None:
    Case(*given, **more).many(count, own)


def _own_times(count: int, *given: Any) -> None:
    Case(*given).own_times(count)


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    """Names and what to run: nothing is made before it runs."""
    w = host_lanes()
    for method in ("tsit5", "bosh3", "dop853"):
        yield f"{method}, one", partial(_one, FORCED, method)
        yield f"{method}, ragged", partial(_many, w + 1, FORCED, method)
    yield "threads", partial(_many, 12 * w + 3, FORCED, "tsit5")
    for method in ("rodas4", "rodas5p", "rosenbrock23"):
        yield f"{method}, one", partial(_one, ROBER, method)
    yield "rodas4, ragged", partial(_many, w - 1, ROBER, "rodas4")
    yield "20 states", partial(_one, problems()["pollu"].text, "rodas4", np.array([0.0, 2.0]))
    yield "records too short", partial(_one, FORCED, "tsit5", share=256)
    yield "records too short, ragged", partial(_many, w + 3, FORCED, "tsit5", share=256)
    yield "own times", partial(_own_times, w + 2, FORCED, "tsit5")
    yield "nothing to integrate", partial(_one, DECAY, "tsit5", np.zeros(2))
    yield "one state", partial(_many, 2, DECAY, "rodas4")
    yield "no parameters", partial(_one, CONSTANT, "tsit5")
    for hidden in ("4", "13, 5"):
        made = compiled(NETWORKS.replace("HIDDEN", hidden))
        yield f"networks {hidden}, one", partial(_one, made, "tsit5")
        yield f"networks {hidden}, ragged", partial(_many, w + 1, made, "tsit5")
        yield f"networks {hidden}, own weights", partial(_many, 3, made, "tsit5", own=True)
    yield "networks, implicit", partial(_one, NETWORKS.replace("HIDDEN", "3"), "rodas5p")
    for interpolation, more, method in (("previous", "", "tsit5"), ("linear", "+ 0.1*u'", "rodas5p"), ("akima", "", "tsit5")):
        made = model(interpolation, more)
        yield f"signals {interpolation}, one", partial(_one, made, method, args=arguments(made))
        yield f"signals {interpolation}, ragged", partial(_many, w + 1, made, method, args=arguments(made))
    yield "pivots exchanged, one", partial(_one, COUPLED, "rodas4")
    yield "pivots exchanged, ragged", partial(_many, w + 1, COUPLED, "rodas4")
    for method in ("tsit5", "rodas4"):
        yield f"rolled {method}, one", partial(_one, chain(120), method, np.array([0.0, 0.1]))
        yield f"rolled {method}, ragged", partial(_many, w + 1, chain(120), method, np.array([0.0, 0.1]))
    yield "unpacking", _unpacking
    single: dict[str, Any] = {"dtype": "float32"}
    for method, text in (("tsit5", FORCED), ("rodas4", ROBER)):
        yield f"single precision, {method}, one", partial(_one, text, method, **single)
    yield "single precision, ragged", partial(_many, 2 * w + 1, FORCED, "tsit5", **single)
    yield "single precision, records too short", partial(_one, FORCED, "tsit5", share=256, **single)
    made = model("previous", "")
    yield "single precision, signals", partial(_one, made, "tsit5", args=arguments(made), **single)
    yield "single precision, networks", partial(_one, NETWORKS.replace("HIDDEN", "13, 5"), "tsit5", **single)
    yield "single precision, rolled", partial(_one, chain(120), "rodas4", np.array([0.0, 0.1]), **single)
    for kept in (0, 3):  # 0: by the square root of the steps
        yield f"parts {kept}, one", partial(_one, FORCED, "tsit5", kept=kept)
        yield f"parts {kept}, ragged", partial(_many, w + 3, ROBER, "rodas4", kept=kept)
    yield "parts, threads", partial(_many, 12 * w + 3, FORCED, "dop853", kept=5)
    yield "parts, networks", partial(_many, w + 1, NETWORKS.replace("HIDDEN", "13, 5"), "tsit5", kept=4)
    made = model("previous", "")
    yield "parts, signals", partial(_one, made, "tsit5", args=arguments(made), kept=4)
    yield "parts, events", partial(_many, 3, KICKED, "tsit5", np.array([0.0, 2.0, 3.0]), kept=4)
    yield "parts, rolled", partial(_one, chain(120), "rodas4", np.array([0.0, 0.1]), kept=4)
    yield "parts, single precision", partial(_many, 3, FORCED, "tsit5", kept=4, **single)
    spikes = compiled(Network(n=11).text)
    yield "rolled, events", partial(_one, spikes, "tsit5", np.array([0.0, 4.0, 8.0]))
    yield "rolled, events, lanes", partial(_many, w + 1, spikes, "tsit5", np.array([0.0, 4.0, 8.0]))
    yield "parts, rolled, events", partial(_one, spikes, "tsit5", np.array([0.0, 4.0, 8.0]), kept=4)
    yield "at statements", _events
    yield "failures", _numbers


def run(chosen: str = "") -> None:
    """Runs the cases whose names contain `chosen`, with ALL also those of LONG."""
    left_out = LONG if not chosen else frozenset[str]()
    for name, act in cases():
        if chosen in (name, ALL) or (chosen in name and name not in left_out):
            print(name, flush=True)
            act()
    jax.effects_barrier()


if __name__ == "__main__":
    fence.install(Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else None)
    run(sys.argv[2] if len(sys.argv) > 2 else "")
    print("fenced calls:", fence.CALLS)
