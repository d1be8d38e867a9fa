"""Points of a search evaluated by other processes or threads: any `concurrent.futures.Executor`.

The optimisers stay where the fit runs; what travels is a `Problem` (the model's text, the data, options: plain data) once per
process, then vectors there and numbers back. A block of points has the same program everywhere, so results are those of one
process to the last bit.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context, parent_process
from typing import Any

import jax
import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.declarations import Declarations, Observation, Parameter
from hybridode.expr import Symbol, sym
from hybridode.fit.memory import hash_of
from hybridode.fit.objective.objective import Evaluation
from hybridode.fit.objective.robust import Loss
from hybridode.fit.prepare import Options, Prepared, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.search.ask import View
from hybridode.fit.search.lanes import Blocks, Lanes
from hybridode.kernels.programs import keep_programs
from hybridode.language.check import declare
from hybridode.solve.settings import Settings

KEPT = 2  # problems that a process keeps ready


@dataclass(frozen=True, eq=False)
class Problem:
    """What a process needs to evaluate points of a fit. `observations`: those that were inferred from the data, as (column,
    distribution, ((argument, symbol), …))."""

    dataset: Dataset  # its declarations but for their source left out
    parameters: tuple[Parameter, ...]
    observations: tuple[tuple[str, str, tuple[tuple[str, tuple[str, str, int]], ...]], ...]
    values: Mapping[str, Any]
    fixed: frozenset[str]
    hold_out: str | None
    weights: Mapping[str, Mapping[str, np.ndarray]]
    settings: Settings  # engine and method filled in
    loss: Loss | None
    constraints: Mapping[str, Mapping[str, float]]
    implicit: str | None
    most_steps: int


def spreading(executor: Executor) -> Any:
    """What `fit` takes as `spread`: evaluates the blocks of a fit with an executor."""

    def spread(prepared: Prepared, options: Options) -> Blocks:
        if isinstance(executor, ThreadPoolExecutor):
            return _in_threads(executor, prepared.lanes)
        return _in_processes(executor, problem_of(prepared, options))

    return spread


@contextmanager
def worker_processes(count: int) -> Iterator[Any]:
    """`spreading` over so many new processes; None for one, which is this one."""
    if count <= 1:
        yield None
        return
    executor = ProcessPoolExecutor(count, get_context("spawn"), initializer=_deaf)  # a fork would copy JAX's threads' locks
    try:
        yield spreading(executor)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _deaf() -> None:
    """Ctrl-C is the fit's to hear: it ends its workers. A fit that is killed takes them along. XLA's programs are kept."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_programs()
    threading.Thread(target=_until_alone, daemon=True).start()


def _until_alone() -> None:
    """Ends this process when the fit's has ended, however that did."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def problem_of(prepared: Prepared, options: Options) -> Problem:
    """The plain data of a fit that is ready to search."""
    dataset, objective, lanes = prepared.dataset, prepared.objective, prepared.lanes
    d = dataset.declarations
    inferred = () if declare(d.source).observations else d.observations
    bare = replace(dataset, declarations=Declarations(d.source, d.name), notes=(), warnings=(), summary=None, reading={})
    return Problem(
        bare, d.parameters, tuple(_plain(o) for o in inferred), dict(options.values), options.fixed, options.hold_out,
        objective.weights, replace(objective.settings, method=objective.method), options.loss, options.constraints,
        lanes.implicit, lanes.most_steps,
    )  # fmt: skip


def _plain(o: Observation) -> tuple[str, str, tuple[tuple[str, tuple[str, str, int]], ...]]:
    assert all(e.op == "sym" for _, e in o.arguments), "what was inferred reads states and parameters only"
    return o.column, o.distribution, tuple((name, (*e.data,)) for name, e in o.arguments)


def _observation(plain: tuple[str, str, tuple[tuple[str, tuple[str, str, int]], ...]]) -> Observation:
    column, distribution, arguments = plain
    return Observation(column, distribution, tuple((name, sym(*Symbol(*symbol))) for name, symbol in arguments))


def lanes_of(problem: Problem) -> Lanes:
    """The evaluator of a problem in this process."""
    d = declare(problem.dataset.declarations.source)
    found = d.observations or tuple(_observation(o) for o in problem.observations)
    dataset = replace(problem.dataset, declarations=replace(d, parameters=problem.parameters, observations=found))
    options = Options(problem.values, problem.fixed, 1, 0, problem.hold_out, problem.settings, problem.weights,
                      loss=problem.loss, constraints=problem.constraints)  # fmt: skip
    prepared = prepare(dataset, options, Recorder())
    return Lanes(prepared.objective, prepared.fitted, problem.implicit, problem.most_steps)


# ---- where the fit runs -------------------------------------------------------------------------------------------------
def _in_threads(executor: Executor, lanes: Lanes) -> Blocks:
    """Threads of this process share its programs."""

    def blocks(parts: list[np.ndarray], view: View, stiff: bool) -> list[Evaluation]:
        return list(executor.map(lambda thetas: _computed(lanes, thetas, view, stiff), parts))

    return blocks


def _in_processes(executor: Executor, problem: Problem) -> Blocks:
    """A process that does not know the problem says so and is sent it."""
    key = hash_of(problem).hex()

    def blocks(parts: list[np.ndarray], view: View, stiff: bool) -> list[Evaluation]:
        asked = [executor.submit(answer, key, None, thetas, view.horizon, stiff) for thetas in parts]
        found = [future.result() for future in asked]
        again = {
            i: executor.submit(answer, key, problem, parts[i], view.horizon, stiff) for i, e in enumerate(found) if e is None
        }
        whole = [again[i].result() if i in again else e for i, e in enumerate(found)]
        return [Evaluation(**e) for e in whole if e is not None]

    return blocks


# ---- where points are evaluated --------------------------------------------------------------------------------------------
@cache
def _ready() -> dict[str, Lanes]:
    """The problems that this process knows."""
    return {}


def answer(key: str, problem: Problem | None, thetas: np.ndarray, horizon: float, stiff: bool) -> dict[str, Any] | None:
    """Evaluations at thetas (B, d) as plain arrays; None where the problem is not known here and was not sent."""
    ready = _ready()
    with jax.enable_x64(True):
        if key not in ready:
            if problem is None:
                return None
            ready[key] = lanes_of(problem)
            while len(ready) > KEPT:
                ready.pop(next(iter(ready)))
        return _computed(ready[key], thetas, View(horizon), stiff)._asdict()


def _computed(lanes: Lanes, thetas: np.ndarray, view: View, stiff: bool) -> Evaluation:
    with jax.enable_x64(True):
        return (lanes.other if stiff else lanes).block(thetas, view)
