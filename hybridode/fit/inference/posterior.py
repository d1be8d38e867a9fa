"""The density that is sampled: of the natural values, with log|dx/dz| for the change of variables.

A prior is a density of the natural value. What has none is flat between its bounds on its declared scale (in its logarithm for
`log`). The weights and biases of a network have the prior that its regulariser means: exp(-reg_l1 |w| - reg_l2 w^2).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import ParameterSpace, unpack
from hybridode.fit.search.lanes import FISHER_MOST
from hybridode.types import Array

LogDensity = Callable[[Array, Batch], Array]


def log_jacobian(space: ParameterSpace, z: Array) -> Array:
    """log |dx/dz| of all entries, a scalar."""
    slopes = jax.jvp(lambda v: space.vector(v, jnp), (z,), (jnp.ones_like(z),))[1]  # each x depends on its own z only
    return jnp.sum(jnp.log(jnp.abs(slopes)))


def correction(objective: Objective) -> Callable[[Array], Array]:
    """What the log-posterior of theta (d,) has besides minus the objective: the change of variables, and the biases' prior."""
    space, k = objective.space, objective.n_parameters
    flat = np.array([e.log and not any(i in p.entries for p in objective.priors) for i, e in enumerate(space.entries)], bool)

    def of(theta: Array) -> Array:
        z, weights = unpack(theta, k, objective.networks, objective.weights)
        total = log_jacobian(space, z) - jnp.sum(jnp.where(flat, jnp.log(jnp.abs(space.vector(z, jnp))), 0.0))
        for network in objective.networks:
            if not network.freeze:
                biases = [array for name, array in weights[network.name].items() if name.startswith("b")]
                for b in biases:
                    total = total - network.reg_l1 * jnp.sum(jnp.abs(b)) - network.reg_l2 * jnp.sum(jnp.asarray(b) ** 2)
        return total

    return of


def log_posterior(objective: Objective) -> LogDensity:
    """The log-density of theta (d,) given the records of a batch, a scalar; -inf where the model cannot be evaluated. One
    evaluation gives value and slope."""
    extra_of = correction(objective)

    @jax.custom_vjp
    def density(theta: Array, batch: Batch) -> Array:
        return forward(theta, batch)[0]

    @jax.jit  # loops within loops are traced several times: then this is at hand
    def forward(theta: Array, batch: Batch) -> tuple[Array, Array]:
        e = objective.value_and_gradient(theta, batch)
        extra, slope = jax.value_and_grad(extra_of)(theta)
        ok = jnp.isfinite(e.value) & jnp.isfinite(extra)
        return jnp.where(ok, extra - e.value, -jnp.inf), jnp.where(ok, slope - e.gradient, 0.0)

    density.defvjp(forward, lambda slope, g: (g * slope, None))
    return density


def check_proper(objective: Objective) -> list[str]:
    """A sentence on each number without a prior of its own. Raises UsageError E0780 where the posterior is improper (neither a
    prior nor bounds, or a network without regulariser), E0787 with more numbers than the Fisher matrix is computed for."""
    with_prior = {i for p in objective.priors for i in p.entries}
    lines, improper = [], []
    for i, e in enumerate(objective.space.entries):
        if i in with_prior:
            continue
        bounded = np.isfinite(e.upper) and (e.lower > 0 if e.log else np.isfinite(e.lower))
        improper += [e] * (not bounded)
        scale = "its logarithm" if e.log else "its value"
        lines.append(f"`{e.name}` has no prior: it is flat in {scale} between its bounds {e.lower:g} and {e.upper:g}")
    if improper:
        names = ", ".join(f"`{e.name}`" for e in improper)
        have, it = ("has", "it has") if len(improper) == 1 else ("have", "they have")
        hint = f"write `prior {improper[0].parameter} ~ …`, or bounds: `in (…, …)`"
        raise UsageError(Diagnostic("E0780", f"{names} {have} neither a prior nor bounds on both sides: {it} no posterior",
                                    hint=hint))  # fmt: skip
    return [*lines, *_networks_priors(objective)]


def _networks_priors(objective: Objective) -> list[str]:
    lines = []
    for n in objective.networks:
        if n.freeze:
            continue
        if not (n.reg_l1 or n.reg_l2):
            message = f"the weights of `{n.name}` have neither a regulariser nor a prior: they have no posterior"
            raise UsageError(
                Diagnostic("E0780", message, hint=f"give `{n.name}` a regulariser, `reg=l2(1e-2)`: it is their prior")
            )
        parts = [f"normal with standard deviation {(2 * n.reg_l2) ** -0.5:.3g}"] if n.reg_l2 else []
        parts += [f"Laplace with scale {1 / n.reg_l1:.3g}"] if n.reg_l1 else []
        lines.append(f"the prior of the weights and biases of `{n.name}` is what its regulariser means: {' times '.join(parts)}")
    count = len(objective.theta(objective.space.unconstrain()))
    if count > FISHER_MOST:
        hint = "make the networks smaller, or freeze them (`freeze`) and sample the parameters only"
        raise UsageError(Diagnostic("E0787", f"{count} numbers are learnt: sampling is for up to {FISHER_MOST}", hint=hint))
    return lines
