"""Everything that is said of a posterior once it has been drawn from: verdict, checks, leave-one-out, bands, as one finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybridode.fit.inference.checks import Checks, predictive_checks
from hybridode.fit.inference.drawn import Drawn, Observed, drawn, log_likelihoods, simulated
from hybridode.fit.inference.loo import Loo, loo
from hybridode.fit.inference.mixing import SETTLED, Mixing, mixing
from hybridode.fit.inference.sample import Sample
from hybridode.fit.objective.bands import class_columns
from hybridode.fit.objective.classes import probabilities
from hybridode.fit.prepare import Prepared

BINS = 60  # of a marginal's histogram
_MOST_NEW = 2_000_000  # new records of a column that bands are made of


@dataclass(frozen=True, eq=False)
class Explored:
    """A sample with what it says of the data. `bands`: series, time, column, location (median), lower95, upper95 (of the curve),
    new_lower95, new_upper95 (of new records). `log_likelihood`: (N, R) for each observed column, N draws as in `drawn`."""

    sample: Sample
    mixing: Mixing
    drawn: Drawn
    log_likelihood: tuple[np.ndarray, ...]
    checks: Checks
    loo: Loo
    bands: pd.DataFrame

    def sentences(self) -> list[str]:
        """The verdict first, then what was found, then what was assumed."""
        s, table = self.sample, self.sample.table
        rows = zip(table["name"], table["mean"], table["lower95"], table["upper95"], strict=True)
        found = [f"`{n}` is {m:.4g}, with 95 % probability between {a:.4g} and {b:.4g}" for n, m, a, b in rows]
        usable = found if self.mixing.good or s.worst_rhat <= SETTLED else []
        failed = int(np.sum(~self.drawn.solved))
        notes = (
            [f"{failed} draws could not be solved on the times of the curves and are left out of the checks"] if failed else []
        )
        return [
            *self.mixing.sentences,
            *usable[:30],
            *self.checks.sentences(),
            *self.loo.sentences(),
            *s.priors,
            *notes,
        ]

    def content(self) -> dict[str, Any]:
        """The finding `posterior` (docs/run-directory.md), without `command` and `seconds`."""
        s, loo_ = self.sample, self.loo
        chains, draws = s.energy.shape
        return {
            "sentences": self.sentences(),
            "mixed": self.mixing.good,
            "problems": list(self.mixing.problems),
            "chains": chains,
            "draws": draws,
            "ended_early": s.early,
            "parameters": as_table(s.table),
            "sampler": {
                "divergences": s.divergences,
                "failed_solves": s.failures,
                "e_bfmi": s.bfmi,
                "step_size": s.step_size,
                "acceptance": s.acceptance.mean(axis=1),
                "mean_steps": float(s.steps.mean()),
                "depth": np.bincount(np.ravel(s.depth)),
                "most_depth": s.most_depth,
            },
            "priors": list(s.priors),
            "marginals": {name: _marginal(s.natural[..., i]) for i, name in enumerate(s.names)},
            "energy": _energies(s.energy),
            "checks": as_table(self.checks.table),
            "check_histograms": list(self.checks.histograms),
            "loo": {"elpd": loo_.elpd, "se": loo_.se, "p": loo_.p, "pareto_limit": loo_.limit, "unsure": len(loo_.unsure),
                    "n": len(loo_.pointwise)},
        }  # fmt: skip

    def tables(self) -> dict[str, pd.DataFrame]:
        """What stands beside it as CSV, by ending."""
        s = self.sample
        chains, draws, _ = s.natural.shape
        frame = pd.DataFrame(s.natural.reshape(chains * draws, -1), columns=list(s.names))
        frame.insert(0, "draw", np.tile(np.arange(1, draws + 1), chains))
        frame.insert(0, "chain", np.repeat(np.arange(1, chains + 1), draws))
        return {"csv": frame, "loo.csv": self.loo.pointwise, "bands.csv": self.bands}


def as_table(frame: pd.DataFrame) -> dict[str, Any]:
    """As findings hold tables."""
    return {"columns": list(frame.columns), "rows": [list(row) for row in frame.itertuples(index=False)]}


def _marginal(x: np.ndarray) -> dict[str, Any]:
    """A histogram: its edges (n + 1,), density of all chains (n,)."""
    density, edges = np.histogram(x, bins=min(BINS, max(int(np.sqrt(x.size)), 2)), density=bool(np.ptp(x) > 0))
    return {"edges": edges, "density": density}


def _energies(energy: np.ndarray) -> dict[str, Any]:
    """Histograms of the energies (centred) and of their steps from draw to draw: alike where the tails are explored well."""
    centred, steps = energy - energy.mean(axis=1, keepdims=True), np.diff(energy, axis=1)
    reach = float(np.max(np.abs(np.concatenate([np.ravel(centred), np.ravel(steps)])), initial=1e-12))
    edges = np.linspace(-reach, reach, 41)
    return {"edges": edges, "energy": np.histogram(centred, edges)[0], "steps": np.histogram(steps, edges)[0]}


def explored(prepared: Prepared, sample: Sample, seed: int = 0, tell: Callable[[int, int], None] | None = None) -> Explored:
    """Solves the model at the draws and says what they say. tell(done, all): of the solves."""
    found = drawn(prepared, sample.theta, tell)
    densities = tuple(log_likelihoods(column) for column in found.observed)
    names = [series.name for series in prepared.dataset.series]
    return Explored(sample, mixing(sample), found, densities, predictive_checks(found, seed),
                    loo(found, names, list(densities)), bands_of(prepared, found, seed))  # fmt: skip


def bands_of(prepared: Prepared, found: Drawn, seed: int = 0) -> pd.DataFrame:
    """Quantiles of the curves and of new records, over the draws. Of classes the probability of each, new records left out."""
    random, frames = np.random.default_rng(seed), []
    for k, column in enumerate(found.observed):
        for name, curves, new in _curves_of(column, found, k, prepared.dataset.classes.get(column.column, ()), random):
            for row, series in enumerate(prepared.dataset.series):
                times, keep = np.unique(found.ts[row], return_index=True)
                times, keep = times[times <= series.end], keep[times <= series.end]
                with np.errstate(all="ignore"):
                    low, middle, high = np.nanquantile(curves[:, row, keep], (0.025, 0.5, 0.975), axis=0)
                    new_low, new_high = np.full((2, len(keep)), np.nan)
                    if new is not None:
                        new_low, new_high = np.nanquantile(new[:, row, keep], (0.025, 0.975), axis=0)
                values = {"location": middle, "lower95": low, "upper95": high, "new_lower95": new_low, "new_upper95": new_high}
                frames.append(pd.DataFrame({"series": series.name, "time": times, "column": name, **values}))
    return pd.concat(frames, ignore_index=True)


def _curves_of(
    column: Observed, found: Drawn, k: int, labels: Sequence[str], random: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Names, curves (n, S, T) and new records (n, S, T) of an observed column; of classes each has its own."""
    eta = tuple(np.moveaxis(found.arguments[k], -1, 0))
    if not column.noise.classes:
        many = int(np.clip(_MOST_NEW / max(eta[0].size, 1), 1, 10))  # several of each draw: quantiles without noise
        new = simulated(column.noise, tuple(np.tile(a, (many, 1, 1)) for a in eta), random)
        yield column.column, found.curves[..., k], new
        return
    each = np.moveaxis(probabilities(*eta), -1, 0)
    for name, p in zip(class_columns(column.column, column.noise.classes, labels), each, strict=True):
        yield name, p, None
