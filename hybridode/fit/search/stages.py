"""What comes before the joint training of parameters and networks: whether the physics explains the data by itself.

The parameters are fitted first, the networks as they begin (near 0). Where that follows the data about as well as a smooth curve
does, there is little for a network to explain: the joint training begins there, and its result counts only if it gains more than
noise gives away. Otherwise the parameters go back to where they were: fitted without the learnt term they are as wrong as it is
large.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.progress import Track
from hybridode.fit.search.ask import Ask, Optimum, Point, Search
from hybridode.fit.search.attainable import compared
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.fit.search.training import lbfgs

_ITERATIONS = 60
_WORTH = (
    10.0  # log-likelihood that networks have to gain where the physics follows the data by itself: some ten free numbers' worth
)
_FOLLOWS = 1.2  # how much worse than a smooth curve the physics may be and count as following the data


def physics_first(lanes: Lanes, theta: np.ndarray, track: Track) -> Generator[Ask, Point, Optimum | None]:
    """Fitted parameters with the weights as they were if the physics follows the data by itself, else None."""
    objective = lanes.objective
    k = objective.n_parameters
    if not k or cannot_predict(objective, lanes.batch) is not None:
        return None
    track.begin_stage("physics alone")
    if len(theta) <= FISHER_MOST:
        end = yield from _of_first(fisher_scoring(theta, track, _ITERATIONS), theta, k)
    else:
        end = lbfgs(lanes.impatient(theta), lanes.batch, theta, track, _ITERATIONS, moving=k)
    if not np.isfinite(end.value):
        return None
    attained = compared(objective, lanes.batch, lanes.batch, locations(objective, lanes.batch, end.theta))
    worst = max(attained, key=lambda a: a.loss, default=None)
    if worst is None:
        return None
    words = f"physics alone leaves {worst.model:.3g} of `{worst.column}` (root mean square), a smooth curve {worst.curve:.3g}"
    follows = worst.ratio <= _FOLLOWS
    track.log.append(
        f"start {track.start}: {words}: "
        + ("there is little for networks to explain, training goes on from there" if follows else "the networks are needed")
    )
    return end if follows else None


def worth_it(lanes: Lanes, physics: Optimum, jointly: Optimum, track: Track) -> Optimum:
    """The joint optimum if the networks gained enough by it, else that of the physics."""
    objective = lanes.objective
    gain = _likelihood(objective, jointly) - _likelihood(objective, physics)
    words = f"training the networks too gains {gain:.3g} in log-likelihood"
    if not gain < _WORTH:
        track.log.append(f"start {track.start}: {words}")
        return jointly
    track.log.append(f"start {track.start}: {words}, less than {_WORTH:g}: they explain nothing and stay as they began")
    return replace(physics, status="converged", message=f"physics alone follows the data; {words}")


def _likelihood(objective: Objective, end: Optimum) -> float:
    """Log-likelihood: what regularisers and priors cost does not count."""
    return float(sum(objective.prior_and_regulariser(jnp.asarray(end.theta)))) - end.value


def _of_first(search: Search, theta: np.ndarray, k: int) -> Search:
    """An optimiser that sees no change by the numbers behind the first k, and whose asks hold them."""
    ask = next(search)
    while True:
        point = yield Ask(np.concatenate([ask.theta[:k], theta[k:]]), ask.view)
        gradient, fisher = np.array(point.gradient), np.array(point.fisher)
        gradient[k:], fisher[k:], fisher[:, k:] = 0.0, 0.0, 0.0
        try:
            ask = search.send(replace(point, gradient=gradient, fisher=fisher))
        except StopIteration as end:
            return end.value
