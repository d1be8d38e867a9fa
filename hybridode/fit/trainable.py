"""A model as an Equinox module: its trainable numbers as unconstrained leaves, its solve as its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hybridode.fit.parameters import CONSTANTS, ParameterSpace, parameter_space
from hybridode.networks.initialise import initialise
from hybridode.solve.solution import Solution
from hybridode.solve.solver import Solver
from hybridode.types import Array


class TrainableModel(eqx.Module):
    """`module(start=None, inputs=None, at=None) -> Solution`; `module.parameters()` gives natural values by name.

    Leaves: `unconstrained` (k,), one number per trainable parameter entry (see `fit/parameters.py`), and `weights`, per network
    that is not frozen W0 (out, in), b0 (out,), …. All else is static, so every array leaf may be trained.
    """

    unconstrained: Array
    weights: dict[str, dict[str, Array]]
    solver: Solver = eqx.field(static=True)
    space: ParameterSpace = eqx.field(static=True, repr=False)

    def __call__(self, start: Any = None, inputs: Any = None, at: Any = None) -> Solution:
        return self.solver(self.parameters(), start, inputs, at)

    def parameters(self) -> dict[str, Any]:
        """Trainable parameters in natural units and weights by name: what a solver takes."""
        natural = self.space.natural(self.unconstrained, jnp) if self.space.size else {}
        return {**natural, **self.weights}


def trainable(solver: Solver, seed: int | None) -> TrainableModel:
    """The module of a solver. Networks start as declared, or anew from `seed`; parameters at their declared values."""
    declarations, dtype = solver.compiled.declarations, solver.settings.dtype
    space = parameter_space(declarations.parameters)
    values = {name: np.asarray(solver.base.parameters)[place] for name, place in solver.compiled.parameter_slices.items()}
    unconstrained = space.unconstrain({name: values[name] for name, _ in space.shapes})
    weights = {}
    for network in declarations.networks:
        if not network.freeze:
            arrays: Mapping[str, Any] = solver.base.weights[network.name] if seed is None else initialise(network, seed)
            weights[network.name] = {k: jnp.asarray(a, dtype) for k, a in arrays.items() if k not in CONSTANTS}
    return TrainableModel(jnp.asarray(unconstrained, dtype), weights, solver, space)
