"""hybridode by its public interface: `model.solver(...)` under jax.jit, parameters in, states at the end out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import hybridode as ho
from hybridode.solve.settings import METHODS
from tests.benchmarks.peers.peer import At, Peer, Runner
from tests.problems import Problem

FAMILY = "hybridode"


def parameter_names(model: ho.Model) -> list[str]:
    """The scalar parameters in the order of the file."""
    return [p.name for p in model.declarations.parameters]


def solver(
    model: ho.Model, end: float, rtol: float, atol: float, method: str = "auto", engine: str = "native", **options: Any
) -> Any:
    """The product's solver, without a bound on steps that a benchmark could reach."""
    return model.solver(at=[end], rtol=rtol, atol=atol, method=method, engine=engine, max_steps=2_000_000, **options)


def prepare(problem: Problem, method: str = "auto", engine: str = "native") -> At:
    """Solves with one method."""
    import jax

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    names = parameter_names(model)
    values = jax.numpy.array([p.values[0] for p in model.declarations.parameters])

    def at(rtol: float, atol: float) -> Runner:
        solve = solver(model, problem.end, rtol, atol, method, engine)

        run = jax.jit(lambda p: solve(dict(zip(names, p, strict=True))).states[-1])  # NaN where a solve failed
        return lambda: np.asarray(run(values))

    return at


def peers(stiff: bool) -> list[Peer]:
    """A solver per native method of a kind, and the choice that the product makes by itself."""
    names = [name for name, m in METHODS.items() if "native" in m.engines and m.implicit == stiff]
    own = [Peer(f"hybridode {METHODS[name].title}", FAMILY, "hybridode", partial(prepare, method=name)) for name in names]
    return [Peer("hybridode auto", FAMILY, "hybridode", prepare), *own]
