"""Curves of a fitted model with their derivatives by everything that was learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.direct.evaluate import Direct, cannot
from hybridode.fit.objective.objective import Objective
from hybridode.solve import results

MOST_BYTES = 1 << 29  # of the derivatives of all series


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Along each series: ts (S, T), states (S, T, n), arguments of the noise (S, T, q), and both by theta, (S, T, n, d) and
    (S, T, q, d); `solved` (S,)."""

    ts: np.ndarray
    states: np.ndarray
    observed: np.ndarray
    by_states: np.ndarray
    by_observed: np.ndarray
    solved: np.ndarray


def sensitivities_of(objective: Objective, batch: Batch) -> Callable[[np.ndarray, np.ndarray], Sensitivities]:
    """A function of theta (d,) and times (S, T), ascending in each series; where JAX has to make it, compiled once for each
    number of times."""
    if cannot(objective, batch) is None:
        direct = Direct(objective)

        def along(theta: np.ndarray, ts: np.ndarray) -> Sensitivities:
            states, observed, by_states, by_observed, codes = direct.sensitivities(theta, batch, np.asarray(ts))
            return Sensitivities(np.asarray(ts), states, observed, by_states, by_observed, codes == results.SUCCESS)

        return along

    def of_series(theta: Any, series: Batch, ts: Any) -> Any:
        def curves(theta: Any) -> Any:
            states, observed, _, result = objective.along(theta, series, ts)
            return (states, observed), (states, observed, result)

        slopes, (states, observed, result) = jax.jacfwd(curves, has_aux=True)(theta)
        return states, observed, *slopes, result

    program = objective.jitted(jax.vmap(of_series, (None, 0, 0)))

    def solve(theta: np.ndarray, ts: np.ndarray) -> Sensitivities:
        found = program(jnp.asarray(theta), batch, jnp.asarray(ts))
        states, observed, by_states, by_observed, result = (np.asarray(part) for part in found)
        return Sensitivities(np.asarray(ts), states, observed, by_states, by_observed, result == results.SUCCESS)

    return solve


def bytes_of(objective: Objective, times: int, series: int, numbers: int) -> int:
    """How much room the derivatives take."""
    return 8 * series * times * numbers * (objective.compiled.size + len(objective.compiled.observable_index))
