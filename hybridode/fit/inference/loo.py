"""Leave-one-out cross-validation from the draws of one posterior: PSIS-LOO (A. Vehtari, A. Gelman, J. Gabry, Statistics and
Computing 27 (2017) 1413; A. Vehtari et al., JMLR 25 (2024) 72, for the limit of Pareto's k)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridode.fit.inference.drawn import Drawn, log_likelihoods

_SAME = 1e-10  # log density that a record's may move over the draws and still be the same


@dataclass(frozen=True, eq=False)
class Loo:
    """elpd (expected log density of new records, in natural logarithms, over all of them), its standard error, `p` the effective
    number of parameters. `pointwise`: series, row, time, column, elpd, pareto_k. `limit` of k: above it a record's elpd is not
    to be trusted."""

    elpd: float
    se: float
    p: float
    limit: float
    pointwise: pd.DataFrame

    @property
    def unsure(self) -> pd.DataFrame:
        """Records whose value cannot be had from these draws: they move the posterior too much."""
        return self.pointwise.loc[np.asarray(self.pointwise["pareto_k"], float) > self.limit]

    def sentences(self) -> list[str]:
        """For the report."""
        n, unsure = len(self.pointwise), self.unsure
        lines = [
            f"leaving out one record at a time, the model expects new records with a log density of "
            f"{self.elpd:.1f} ± {self.se:.1f} in all ({n} records; PSIS-LOO), with {self.p:.1f} effective parameters"
        ]
        if len(unsure):
            first = unsure.sort_values("pareto_k", ascending=False).iloc[0]
            place = f"first `{first['column']}` at {first['time']:g}, row {first['row']}"
            lines.append(
                f"{len(unsure)} of them move the posterior so much that this is not to be trusted there (Pareto k up to "
                f"{first['pareto_k']:.2f}, above {self.limit:.2g}; {place}): use hold-outs, or refit without them"
            )
        return lines


def loo(found: Drawn, names: list[str], densities: list[np.ndarray] | None = None) -> Loo:
    """From what `drawn` found and the names of the series. densities: `log_likelihoods` of each column, if they are there."""
    from arviz_stats.base.array import array_stats as statistics

    chains = len(found.picked)
    frames = []
    for k, column in enumerate(found.observed):
        density = (log_likelihoods(column) if densities is None else densities[k])[:, column.fitted]
        density = np.where(found.solved[:, None], density, -np.inf)[found.solved]
        if not density.size:
            continue
        elpd, pareto, p = np.array(density[0]), np.zeros(density.shape[1]), np.zeros(density.shape[1])
        moves = np.ptp(density, axis=0) > _SAME  # others say nothing of the parameters, as records before the event that has them
        if moves.any():
            share = _relative_efficiency(density[:, moves], chains if found.solved.all() else 1)
            elpd[moves], pareto[moves], p[moves] = statistics.loo(density[None, :, moves], chain_axis=0, draw_axis=1, r_eff=share)
        frames.append(pd.DataFrame({
            "series": [names[i] for i in column.series[column.fitted]], "row": column.line[column.fitted],
            "time": column.time[column.fitted], "column": column.column, "elpd": elpd, "pareto_k": pareto, "p": p,
        }))  # fmt: skip
    table = pd.concat(frames, ignore_index=True)
    n = len(table)
    limit = min(1 - 1 / np.log10(max(float(np.sum(found.solved)), 12.0)), 0.7)
    elpd, p = np.asarray(table["elpd"], float), np.asarray(table["p"], float)
    se = float(np.sqrt(n * np.var(elpd)))
    return Loo(float(elpd.sum()), se, float(p.sum()), float(limit), table.drop(columns="p"))


def _relative_efficiency(density: np.ndarray, chains: int) -> float:
    """Effective over actual draws of the likelihoods, the mean over (at most 50) records."""
    from arviz_stats.base.array import array_stats as statistics

    n, r = density.shape
    if n // chains < 8:
        return 1.0
    some = np.exp(density - density.max(axis=0))[:, :: max(r // 50, 1)].reshape(chains, -1, len(range(0, r, max(r // 50, 1))))
    found = [float(np.asarray(statistics.ess(x, chain_axis=0, draw_axis=1, method="mean"))) for x in np.moveaxis(some, -1, 0)
             if np.ptp(x) > 0]  # fmt: skip
    return float(np.clip(np.mean(found) / n, 0.01, 1.0)) if found else 1.0
