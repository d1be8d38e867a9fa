"""How much of the equations that it stands in a learnt term explains.

Along the fitted solution a rate is split into what a network adds, the rate minus the rate without it, and the rest. Its share is
the part of the first in the mean squares of both: 0 where the network does nothing, 1 where it is all there is, 1/2 where it only
cancels what the physics says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybridode.fit.objective.assignment import assigned
from hybridode.fit.objective.batch import Batch, series_of
from hybridode.fit.objective.objective import Objective
from hybridode.fit.outcome.tables import Curves
from hybridode.fit.parameters import unpack
from hybridode.solve.problem import Arguments

NOTHING = 0.01  # a network with a smaller share is said to explain nothing
_TIMES = 400  # over all series


def network_shares(objective: Objective, batch: Batch, curves: Curves, theta: np.ndarray) -> dict[str, dict[str, float]]:
    """Per network: state -> its share in that state's rate, for the rates that it moves."""
    compiled = objective.compiled
    names = [n.name for n in objective.networks]
    if not names or compiled.system.unknowns or not compiled.size:
        return {}
    with_it = {name: np.zeros(compiled.size) for name in names}
    without = {name: np.zeros(compiled.size) for name in names}
    each = max(_TIMES // batch.count, 5)
    for row in range(batch.count):
        finite = np.flatnonzero(np.all(np.isfinite(curves.states[row]), axis=1))
        if not len(finite):
            continue
        places = finite[np.unique(np.linspace(0, len(finite) - 1, each).round().astype(int))]
        args: Any = _arguments(objective, series_of(batch, row), theta)
        whole = _rates(objective, args, curves, row, places)
        for name in names:
            silent = {**args.weights, name: {**args.weights[name], "out_scale": np.zeros(())}}
            rest = _rates(objective, replace(args, weights=silent), curves, row, places)
            with_it[name] += np.nansum((whole - rest) ** 2, axis=0)
            without[name] += np.nansum(rest**2, axis=0)
    states = [str(s) for s in compiled.system.states]
    return {
        name: {s: float(a / (a + b)) for s, a, b in zip(states, with_it[name], without[name], strict=True) if a > 0 and a + b > 0}
        for name in names
    }


def _arguments(objective: Objective, series: Batch, theta: np.ndarray) -> Any:
    """What `objective.numbers` gives, in NumPy: operation by operation JAX would compile each of them."""
    z, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
    p = assigned(objective.space.vector(z), objective.base, np.asarray(series.numbers), np.asarray(series.index))
    args = Arguments(p, weights, series.signals, np.zeros(series.signals.count), series.doses)  # type: ignore[arg-type]
    return args.at_start(series.t0) if series.signals.count else args


def _rates(objective: Objective, args: Any, curves: Curves, row: int, places: np.ndarray) -> np.ndarray:
    """Rates (times, n) of one series by NumPy."""
    rates = objective.compiled.along("rates", args)
    with np.errstate(all="ignore"):
        return np.array([rates(curves.ts[row, i], curves.states[row, i]) for i in places])


def share_entry(shares: Mapping[str, float] | None, failed: bool) -> dict[str, Any]:
    """`share` (the largest) and `shares` of a network in result.json."""
    if failed or shares is None:
        why = "the model could not be solved" if failed else "not computed for systems with algebraic unknowns"
        return {"share": None, "share_reason": why, "shares": {}}
    return {"share": max(shares.values(), default=0.0), "shares": dict(shares)}


def share_sentences(networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line per network of result.json: what it explains, or that it explains nothing."""
    out = []
    for name, entry in networks.items():
        share = entry.get("share")
        if share is None:
            continue
        if share < NOTHING:
            out.append(f"`{name}` explains nothing: the rates are the same without it (share {100 * share:.2g} %)")
        else:
            out.append(f"`{name}` explains " + ", ".join(_parts(entry["shares"])))
    return out


def _parts(shares: Mapping[str, float]) -> list[str]:
    """What a network explains, one part for each state, entries of a vector together."""
    vectors: dict[str, dict[str, float]] = {}
    for state, share in shares.items():
        if share >= NOTHING:
            vectors.setdefault(state.partition("[")[0], {})[state] = share
    parts = []
    for vector, entries in vectors.items():
        low, high = (f"{100 * s:.0f}" for s in (min(entries.values()), max(entries.values())))
        if len(entries) == 1:
            parts.append(f"{high} % of the rate of `{next(iter(entries))}`")
        else:
            much = f"{high} %" if low == high else f"{low} to {high} %"
            parts.append(f"{much} of the rates of {len(entries)} entries of `{vector}`")
    return parts
