"""`prior k ~ …` bound to the entries of the parameter vector. A prior is a density of the natural value (rules F4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from hybridode.data.columns import symbols_of_constants
from hybridode.data.evaluate import constant_value
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, ModelError
from hybridode.fit.objective.noise import PRIORS, PriorDensity
from hybridode.fit.parameters import ParameterSpace
from hybridode.types import Array

BOUNDED = frozenset({"uniform", "beta", "gamma", "halfnormal", "exponential", "lognormal"})  # density 0 somewhere


@dataclass(frozen=True)
class BoundPrior:
    """One density for some entries of the trainable vector."""

    density: PriorDensity
    arguments: tuple[float, ...]
    entries: tuple[int, ...]

    def quantile(self, probability: Any) -> Any:
        """Natural values at probabilities (NumPy)."""
        return self.density.frozen(*self.arguments).ppf(probability)


def bind_priors(declarations: Declarations, space: ParameterSpace) -> tuple[BoundPrior, ...]:
    """The priors of what is trained; those of fixed parameters are constants and left out. Raises ModelError E0751."""
    known = symbols_of_constants(declarations)
    out = []
    for prior in declarations.priors:
        entries = tuple(i for i, e in enumerate(space.entries) if e.parameter == prior.parameter and prior.entry in (-1, e.place))
        if not entries:
            continue
        density = PRIORS[prior.distribution]
        named = {n: constant_value(e, known) for n, e in prior.arguments}
        values = [named.get(n) for n in density.arguments]
        if any(v is None for v in values):
            raise ModelError(Diagnostic("E0751", f"an argument of the prior of `{prior.parameter}` is no number", prior.span,
                                        "write numbers or consts"))  # fmt: skip
        out.append(BoundPrior(density, tuple(float(v) for v in values if v is not None), entries))
    return tuple(out)


def prior_loss(priors: Sequence[BoundPrior], space: ParameterSpace, z: Array) -> Array:
    """Negative log-density of all priors at unconstrained z (k,), a scalar."""
    total = jnp.zeros(())
    if not priors:
        return total
    x = space.vector(z, jnp)
    for prior in priors:
        arguments = [jnp.asarray(a) for a in prior.arguments]
        total = total - jnp.sum(prior.density.log_density(x[np.array(prior.entries)], *arguments))
    return total
