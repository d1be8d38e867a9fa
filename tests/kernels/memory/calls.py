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
# Other tableaux, models and number formats in code that other cases run through as well: with ALL only.
LONG = frozenset({"bosh3, one", "bosh3, ragged", "rodas5p, one", "rosenbrock23, one", "20 states", "networks 4, one",
                  "networks 4, ragged", "networks 13, 5, own weights", "signals akima, one", "signals akima, ragged",
                  "single precision, signals", "single precision, networks", "single precision, rolled", "parts, networks",
                  "parts, signals"})  # fmt: skip
ALL = "all"
CONSTANT = "model still\ntime t\nstate x = 1\nx' = -1\n"
TS = np.array([0.0, 0.3, 0.3, 1.0, 1.7])


class Case:
    """A model's solve as a function of everything that is differentiated: p, w, s, y0."""

    def __init__(self, made: Compiled, method: str, ts: Any = TS, share: int = 1, max_steps: int = 4000, args: Any = None,
                 dtype: str = "float64", kept: int | None = None) -> None:  # fmt: skip
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


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    """Names and what to run."""
    w = host_lanes()
    for method in ("tsit5", "bosh3", "dop853"):
        yield f"{method}, one", Case(compiled(FORCED), method).one
        yield f"{method}, ragged", partial(Case(compiled(FORCED), method).many, w + 1)
    yield "threads", partial(Case(compiled(FORCED), "tsit5").many, 12 * w + 3)
    for method in ("rodas4", "rodas5p", "rosenbrock23"):
        yield f"{method}, one", Case(compiled(ROBER), method).one
    yield "rodas4, ragged", partial(Case(compiled(ROBER), "rodas4").many, w - 1)
    yield "20 states", Case(compiled(problems()["pollu"].text), "rodas4", np.array([0.0, 2.0])).one
    yield "records too short", Case(compiled(FORCED), "tsit5", share=256).one
    yield "records too short, ragged", partial(Case(compiled(FORCED), "tsit5", share=256).many, w + 3)
    yield "own times", partial(Case(compiled(FORCED), "tsit5").own_times, w + 2)
    yield "nothing to integrate", Case(compiled(DECAY), "tsit5", np.zeros(2)).one
    yield "one state", partial(Case(compiled(DECAY), "rodas4").many, 2)
    yield "no parameters", Case(compiled(CONSTANT), "tsit5").one
    for hidden in ("4", "13, 5"):
        made = compiled(NETWORKS.replace("HIDDEN", hidden))
        yield f"networks {hidden}, one", Case(made, "tsit5").one
        yield f"networks {hidden}, ragged", partial(Case(made, "tsit5").many, w + 1)
        yield f"networks {hidden}, own weights", partial(Case(made, "tsit5").many, 3, True)
    yield "networks, implicit", Case(compiled(NETWORKS.replace("HIDDEN", "3")), "rodas5p").one
    for interpolation, more, method in (("previous", "", "tsit5"), ("linear", "+ 0.1*u'", "rodas5p"), ("akima", "", "tsit5")):
        made = model(interpolation, more)
        case = Case(made, method, args=arguments(made))
        yield f"signals {interpolation}, one", case.one
        yield f"signals {interpolation}, ragged", partial(case.many, w + 1)
    yield "pivots exchanged, one", Case(compiled(COUPLED), "rodas4").one
    yield "pivots exchanged, ragged", partial(Case(compiled(COUPLED), "rodas4").many, w + 1)
    for method in ("tsit5", "rodas4"):
        large = Case(compiled(chain(120)), method, np.array([0.0, 0.1]))
        yield f"rolled {method}, one", large.one
        yield f"rolled {method}, ragged", partial(large.many, w + 1)
    yield "unpacking", _unpacking
    single: dict[str, Any] = {"dtype": "float32"}
    for method, text in (("tsit5", FORCED), ("rodas4", ROBER)):
        yield f"single precision, {method}, one", Case(compiled(text), method, **single).one
    yield "single precision, ragged", partial(Case(compiled(FORCED), "tsit5", **single).many, 2 * w + 1)
    yield "single precision, records too short", Case(compiled(FORCED), "tsit5", share=256, **single).one
    made = model("previous", "")
    yield "single precision, signals", Case(made, "tsit5", args=arguments(made), **single).one
    yield "single precision, networks", Case(compiled(NETWORKS.replace("HIDDEN", "13, 5")), "tsit5", **single).one
    yield "single precision, rolled", Case(compiled(chain(120)), "rodas4", np.array([0.0, 0.1]), **single).one
    for kept in (0, 3):  # 0: by the square root of the steps
        yield f"parts {kept}, one", Case(compiled(FORCED), "tsit5", kept=kept).one
        yield f"parts {kept}, ragged", partial(Case(compiled(ROBER), "rodas4", kept=kept).many, w + 3)
    yield "parts, threads", partial(Case(compiled(FORCED), "dop853", kept=5).many, 12 * w + 3)
    yield "parts, networks", partial(Case(compiled(NETWORKS.replace("HIDDEN", "13, 5")), "tsit5", kept=4).many, w + 1)
    made = model("previous", "")
    yield "parts, signals", Case(made, "tsit5", args=arguments(made), kept=4).one
    yield "parts, events", partial(Case(compiled(KICKED), "tsit5", np.array([0.0, 2.0, 3.0]), kept=4).many, 3)
    yield "parts, rolled", Case(compiled(chain(120)), "rodas4", np.array([0.0, 0.1]), kept=4).one
    yield "parts, single precision", partial(Case(compiled(FORCED), "tsit5", kept=4, **single).many, 3)
    spikes = compiled(Network(n=11).text)
    yield "rolled, events", Case(spikes, "tsit5", np.array([0.0, 4.0, 8.0])).one
    yield "rolled, events, lanes", partial(Case(spikes, "tsit5", np.array([0.0, 4.0, 8.0])).many, w + 1)
    yield "parts, rolled, events", Case(spikes, "tsit5", np.array([0.0, 4.0, 8.0]), kept=4).one
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
