"""What a network has learnt, sampled where the data reach: along the fitted trajectories of all series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Network
from hybridode.discover.information import MOST, OWN, fisher_of
from hybridode.discover.slots import network_calls
from hybridode.fit.inference.laplace import covariance
from hybridode.fit.objective.assignment import assigned
from hybridode.fit.objective.batch import Batch, series_of
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import unpack
from hybridode.fit.prepare import Prepared
from hybridode.networks.module import NetworkModule
from hybridode.solve.problem import Arguments, environment
from hybridode.solve.tapes import in_system, tape_of
from hybridode.tape.interpret import Interpreter

MOST_POINTS = 300
_TIMES = 600  # over all series
_MOST_CALLS = 64  # evaluations of one network in the model that are looked at
_DRAWS = 200


@dataclass(frozen=True, eq=False)
class Samples:
    """One network along the fitted trajectories: `points` (N, m) its arguments in natural units, spread evenly over the places
    that the trajectories visit; `counts` (N,) how many times of the trajectories are near each; `values` (N, k) its outputs; `sd`
    (N, k) their standard errors (Laplace's approximation; NaN where there is none, with the `reason`); `draws` (B, N, k) of the
    same, without rows where there is none. `doubt` (N, k): standard errors for bands, which know weights without data less well,
    as those of curves do, and hold the spread of an ensemble; None: `sd`."""

    network: Network
    points: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    sd: np.ndarray
    draws: np.ndarray
    reason: str = ""
    doubt: np.ndarray | None = None


def samples_of(
    prepared: Prepared, theta: np.ndarray, network: Network, seed: int = 0, members: Sequence[np.ndarray] = ()
) -> Samples:
    """The samples of one network at the optimum theta of its fit. members: of an ensemble."""
    with jax.enable_x64(True):
        points, counts = _spread(_arguments_along(prepared, theta, network.name))
    values, slopes, away = learnt_at(prepared, theta, network, points, members)
    with jax.enable_x64(True):
        fisher = fisher_of(prepared, theta)
    if fisher is None:
        reason = f"{len(theta)} numbers are learnt, and standard errors come from the Fisher matrix of up to {MOST}"
        reason = reason if len(theta) > MOST else "the Fisher matrix cannot be computed at the optimum"
        nothing, none = np.full(values.shape, np.nan), np.zeros((0, *values.shape))
        return Samples(network, points, counts, values, nothing, none, reason, away if members else None)
    start, stop = _places(prepared.objective, network.name)
    spread = np.einsum("nkw,wr->nkr", slopes, _root_of_covariance(fisher, prepared.objective.n_parameters)[start:stop])
    random = np.random.default_rng(seed).standard_normal((_DRAWS, spread.shape[2]))
    draws = values + np.einsum("nkr,br->bnk", spread, random)
    known = covariance(prepared.objective.space, fisher)[start:stop, start:stop]
    doubt = np.sqrt(np.maximum(np.einsum("nkv,vw,nkw->nk", slopes, known, slopes), 0.0) + away**2)
    return Samples(network, points, counts, values, np.sqrt(np.sum(spread**2, axis=-1)), draws, doubt=doubt)


def learnt_at(
    prepared: Prepared, theta: np.ndarray, network: Network, points: np.ndarray, members: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A network at points (N, m): outputs (N, k), their slopes by its weights (N, k, w) where few are learnt, and how far members
    of an ensemble are from it (N, k), root mean squares, 0 without any."""
    start, stop = _places(prepared.objective, network.name)
    with jax.enable_x64(True):
        evaluate = _evaluator(prepared.objective, network, points)
        weights = jnp.asarray(theta[start:stop])
        values = np.asarray(evaluate(weights))
        others = np.array([np.asarray(evaluate(jnp.asarray(m[start:stop]))) - values for m in members])
        few = len(theta) <= MOST
        slopes = np.asarray(jax.jacfwd(evaluate)(weights)) if few else np.zeros((*values.shape, 0))
    return values, slopes, np.sqrt(np.mean(others**2, axis=0)) if members else np.zeros(values.shape)


def _root_of_covariance(fisher: np.ndarray, parameters: int) -> np.ndarray:
    """R (d, d) with R R' the inverse of the information; weights that it leaves open count as known to their usual size."""
    floor = np.zeros(len(fisher))
    floor[parameters:] = OWN
    weights, vectors = np.linalg.eigh(fisher + np.diag(floor))
    return vectors / np.sqrt(np.maximum(weights, 1e-12 * max(float(weights[-1]), 1e-300)))


def _places(objective: Objective, name: str) -> tuple[int, int]:
    """Where the weights of a network stand in theta."""
    sizes = {n: sum(np.size(a) for k, a in arrays.items() if k[0] in "Wb") for n, arrays in objective.weights.items()}
    at = objective.n_parameters
    for network in objective.networks:
        own = 0 if network.freeze else sizes[network.name]
        if network.name == name:
            return at, at + own
        at += own
    raise AssertionError(f"the model has the network {name}")


def _evaluator(objective: Objective, network: Network, points: np.ndarray) -> Any:
    """weights (w,) -> outputs (N, k) at the points."""
    arrays = objective.weights[network.name]
    names = [f"{kind}{i}" for i in range(len(network.hidden) + 1) for kind in ("W", "b") if f"{kind}{i}" in arrays]
    fixed = {k: a for k, a in arrays.items() if k not in names}

    def evaluate(flat: Any) -> Any:
        given: dict[str, Any] = dict(fixed)
        at = 0
        for name in names:
            shape = np.shape(arrays[name])
            count = int(np.prod(shape))
            given[name] = flat[at : at + count].reshape(shape) if not network.freeze else arrays[name]
            at += 0 if network.freeze else count
        module = NetworkModule(network, weights=given, dtype=jnp.float64)
        return jax.vmap(module)(jnp.asarray(points))

    return jax.jit(evaluate)


def _arguments_along(prepared: Prepared, theta: np.ndarray, name: str) -> np.ndarray:
    """The arguments (N, m) of every evaluation of a network along the solutions of all series, up to their last records."""
    objective, batch = prepared.objective, prepared.fitted
    system = objective.compiled.system
    calls = network_calls(objective.compiled.declarations, name)
    calls = [calls[i] for i in np.unique(np.linspace(0, len(calls) - 1, _MOST_CALLS).round().astype(int))]
    exprs = in_system(system, [e for call in calls for e in call])
    run = Interpreter(tape_of(system, {"values": exprs}))
    curves = prepared.solve_curves(theta)
    each = max(_TIMES // batch.count, 20)
    found = []
    for row in range(batch.count):
        args = _arguments(objective, series_of(batch, row), theta)
        ts, states = curves.ts[row], curves.states[row]
        inside = np.flatnonzero((ts <= batch.horizon[row]) & np.all(np.isfinite(states), axis=1))
        if not len(inside):
            continue
        places = inside[np.unique(np.linspace(0, len(inside) - 1, each).round().astype(int))]
        with np.errstate(all="ignore"):
            rows = [run(environment(ts[i], states[i], args))["values"] for i in places]
        found.append(np.array(rows).reshape(-1, len(calls[0])))
    whole = np.concatenate(found)
    return whole[np.all(np.isfinite(whole), axis=1)]


def _arguments(objective: Objective, series: Batch, theta: np.ndarray) -> Any:
    z, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
    p = assigned(objective.space.vector(z), objective.base, np.asarray(series.numbers), np.asarray(series.index))
    args = Arguments(p, weights, series.signals, np.zeros(series.signals.count), series.doses)  # type: ignore[arg-type]
    return args.at_start(series.t0) if series.signals.count else args


def _spread(arguments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_POINTS of the points, spread over the places where they lie, and how many each stands for: one for each cell
    of a grid, the finest that has few enough cells in use."""
    low, high = arguments.min(axis=0), arguments.max(axis=0)
    unit = (arguments - low) / np.where(high > low, high - low, 1.0)
    for cells in (300, 200, 140, 100, 70, 50, 35, 25, 18, 12, 8, 6, 4, 3, 2, 1):
        grid = np.minimum((unit * cells).astype(int), cells - 1)
        _, first, counts = np.unique(grid, axis=0, return_index=True, return_counts=True)
        if len(first) <= MOST_POINTS:
            break
    return arguments[first], counts
