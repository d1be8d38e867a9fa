"""What can be believed of a fit: profiles with verdicts, spectrum of the information, bands of the curves, what to measure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.inference.bands import Bands, bands, points_of_profiles
from hybridode.fit.inference.curves import MOST_BYTES, Sensitivities, bytes_of, sensitivities_of
from hybridode.fit.inference.design import Advice, next_measurements
from hybridode.fit.inference.laplace import covariance
from hybridode.fit.inference.profiled import Profiled, profiled
from hybridode.fit.inference.profiles import RISE
from hybridode.fit.inference.spectrum import Spectrum, spectrum
from hybridode.fit.outcome.ending import SE_MOST
from hybridode.fit.outcome.tables import Curves, grid_of
from hybridode.fit.prepare import Prepared
from hybridode.fit.progress import Recorder
from hybridode.fit.search.ask import Point
from hybridode.fit.search.lanes import FISHER_MOST

FOR_PROFILES = 0.6  # of the time
_BEYOND, _TIMES = 0.5, 40  # part of the data's length beyond them where measurements are looked at, and how many times
_LEAST = 1.0  # seconds without which bands are not begun


@dataclass(frozen=True, eq=False)
class Believed:
    """What was left out, and why, is in `left_out`. Fits with large networks have no profiles, larger ones no spectrum."""

    profiled: Profiled
    spectrum: Spectrum | None
    bands: Bands | None
    advice: tuple[Advice, ...]
    left_out: tuple[str, ...]


def believed(
    prepared: Prepared,
    theta: np.ndarray,
    seconds: float | None = None,
    names: Sequence[str] | None = None,
    rise: float = RISE,
    members: Sequence[np.ndarray] = (),
    recorder: Recorder | None = None,
) -> Believed:
    """Round the optimum theta (d,). seconds: how long it may take, None: as long as it takes. names: of which parameters.
    members: an ensemble, see `bands`. Raises UsageError E0781, E0783, see `profiled`."""
    began = time.perf_counter()
    listener = None if recorder is None else recorder.listener
    mine = Recorder(listener, None if seconds is None else FOR_PROFILES * seconds)
    with jax.enable_x64(True):
        found = profiled(prepared.lanes, theta, mine, names, rise) if len(theta) <= FISHER_MOST else _without(prepared, theta)
        space = prepared.objective.space
        known = spectrum(space, theta[: space.size], found.best.fisher) if len(found.best.fisher) else None
        left = [f"profiles of {', '.join(f'`{n}`' for n in found.left)}: {found.early}"] * bool(found.left)
        if found.early == "interrupted":
            return Believed(found, known, None, (), (*left, "bands: interrupted"))
        if seconds is not None and seconds - (time.perf_counter() - began) < _LEAST:
            return Believed(found, known, None, (), (*left, "bands: out of time"))
        try:
            curves, advice = bands_of(prepared, theta, found, members, None if seconds is None else began + seconds)
        except UsageError as error:
            return Believed(found, known, None, (), (*left, f"bands: {error.diagnostics[0].message}"))
    return Believed(found, known, curves, tuple(advice), tuple(left))


def _without(prepared: Prepared, theta: np.ndarray) -> Profiled:
    """No profiles, but the Fisher matrix, of fits of more numbers than profiles are made for."""
    objective = prepared.objective
    if len(theta) <= SE_MOST:
        e = objective.with_fisher(theta, prepared.lanes.batch)
        best = Point(theta, float(e.value), np.asarray(e.gradient, float), np.asarray(e.fisher, float))
    else:
        best = Point(theta, np.nan, np.zeros(len(theta)))
    why = f"{len(theta)} numbers are learnt, and profiles are made of up to {FISHER_MOST}"
    return Profiled(objective.space, best, (), {}, why, objective.space.names, None)


def bands_of(
    prepared: Prepared, theta: np.ndarray, found: Profiled, members: Sequence[np.ndarray], until: float | None
) -> tuple[Bands, list[Advice]]:
    """The bands and what to measure next. Raises UsageError E0784 where there are none."""
    objective, dataset = prepared.objective, prepared.dataset
    if any(s.has_steady for s in dataset.series):
        raise UsageError(Diagnostic("E0784", "there are no bands of fits with steady states"))
    grid = grid_of(dataset)
    much = bytes_of(objective, grid.shape[1] + _TIMES, len(grid), len(theta)) > MOST_BYTES
    if (much or not len(found.best.fisher)) and not members:
        raise UsageError(Diagnostic("E0784", f"there are no derivatives of the curves by {len(theta)} numbers, and no ensemble",
                                    hint="fit with `--starts 5`: other starts make an ensemble"))  # fmt: skip
    if much or not len(found.best.fisher):
        plain = prepared.solve_curves(theta)
        by_states, by_observed = (np.zeros((*a.shape, 1)) for a in (plain.states, plain.observed))
        curves = Sensitivities(plain.ts, plain.states, plain.observed, by_states, by_observed, plain.results == 0)
        spread, advice = np.zeros((1, 1)), []
    else:
        curves, spread = _sensitivities(prepared, theta, grid), covariance(objective.space, _fisher(prepared, theta, found))
        if not np.all(curves.solved):
            raise UsageError(Diagnostic("E0784", "the curves with their derivatives could not be solved"))
        advice = next_measurements(objective, dataset, curves, spread, found.verdicts)
    band = bands(objective, dataset, curves, spread, _solved(prepared, points_of_profiles(found.profiles), until),
                 _solved(prepared, members, until))  # fmt: skip
    return band, advice


def _fisher(prepared: Prepared, theta: np.ndarray, found: Profiled) -> np.ndarray:
    """At theta itself: profiles of trained networks begin where what was left to gain has been gained."""
    return found.best.fisher if np.array_equal(theta, found.best.theta) else prepared.lanes.point(theta).fisher


def _sensitivities(prepared: Prepared, theta: np.ndarray, grid: np.ndarray) -> Sensitivities:
    """On the grid and at times beyond it; on the grid only where what lies beyond cannot be solved, or inputs are not known."""
    objective, dataset = prepared.objective, prepared.dataset
    solve = sensitivities_of(objective, prepared.batch)
    ends = np.array([s.end for s in dataset.series])
    steps = np.linspace(0, _BEYOND, _TIMES + 1)[1:]
    beyond = ends[:, None] + steps * (ends - np.array([s.start for s in dataset.series]))[:, None]
    if objective.plan is None and not dataset.declarations.inputs:
        curves = solve(theta, np.concatenate([grid, beyond], axis=1))
        if np.all(curves.solved):
            return curves
    return solve(theta, np.concatenate([grid, np.repeat(grid[:, -1:], _TIMES, axis=1)], axis=1))


def _solved(prepared: Prepared, points: Sequence[np.ndarray], until: float | None) -> list[Curves]:
    """The curves at some points, as many as there is time for."""
    found = []
    for point in points:
        if until is not None and time.perf_counter() > until:
            break
        found.append(prepared.solve_curves(point))
    return found
