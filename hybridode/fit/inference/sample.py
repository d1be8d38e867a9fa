"""Draws of a posterior and what they say: table, numbers on the sampler."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hybridode.fit.inference.sampling import Chains

COLUMNS = ["name", "mean", "sd", "lower95", "median", "upper95", "rhat", "ess_bulk", "ess_tail", "mcse"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Draws of a posterior. theta (chains, draws, d) unconstrained, natural (chains, draws, k) in the order of `names`; per draw
    (chains, draws): the log-density of theta, `energy`, `diverging`, `failed` (the trajectory ended where the model could not be
    solved), `depth` of the tree, its `steps`, `acceptance`; step size of each chain, `most_depth`. `priors`: sentences on what
    has no prior; `early`: why there are fewer draws than asked for, or ""; `chains`: where they ended."""

    names: tuple[str, ...]
    theta: np.ndarray
    natural: np.ndarray
    log_density: np.ndarray
    energy: np.ndarray
    diverging: np.ndarray
    failed: np.ndarray
    depth: np.ndarray
    steps: np.ndarray
    acceptance: np.ndarray
    step_size: np.ndarray
    most_depth: int
    priors: tuple[str, ...] = ()
    early: str = ""
    chains: Chains | None = field(default=None, repr=False)

    @property
    def divergences(self) -> int:
        """Trajectories whose energy went astray though the model could be solved."""
        return int(np.sum(self.diverging & ~self.failed))

    @property
    def failures(self) -> int:
        """Trajectories that ended where the model could not be solved."""
        return int(np.sum(self.failed))

    @cached_property
    def table(self) -> pd.DataFrame:
        """name, mean, sd, lower95, median, upper95 (quantiles), rhat (rank-normalised, split), ess_bulk, ess_tail, mcse (of the
        mean): A. Vehtari et al., Bayesian Analysis 16 (2021) 667. NaN where there are too few draws."""
        return summarised(self.names, self.natural)

    def column(self, name: str) -> np.ndarray:
        """A column of the table as numbers (k,)."""
        return np.asarray(self.table[name], float)

    @property
    def worst_rhat(self) -> float:
        """The largest R-hat, NaN where none is known."""
        return float(np.nanmax(self.column("rhat"), initial=-np.inf)) if np.any(np.isfinite(self.column("rhat"))) else np.nan

    @cached_property
    def bfmi(self) -> np.ndarray:
        """(chains,) E-BFMI: M. Betancourt, arXiv:1604.00695; below 0.3 the energies are badly explored."""
        return np.sum(np.diff(self.energy, axis=1) ** 2, axis=1) / np.maximum(
            np.sum((self.energy - self.energy.mean(axis=1, keepdims=True)) ** 2, axis=1), 1e-300
        )

    def joined(self, more: Sample) -> Sample:
        """With the draws that followed."""
        both = lambda name: np.concatenate([getattr(self, name), getattr(more, name)], axis=1)  # noqa: E731
        per_draw = ("theta", "natural", "log_density", "energy", "diverging", "failed", "depth", "steps", "acceptance")
        return replace(more, **{name: both(name) for name in per_draw})

    def to_arviz(self, **groups: Any) -> Any:
        """The draws and the sampler's statistics as ArviZ's inference data."""
        import arviz

        return arviz.from_dict(posterior=self.posterior_arrays(), sample_stats=self.statistics_arrays(), **groups)

    def posterior_arrays(self) -> dict[str, np.ndarray]:
        """By name (chains, draws)."""
        return {name: self.natural[..., i] for i, name in enumerate(self.names)}

    def statistics_arrays(self) -> dict[str, np.ndarray]:
        """As ArviZ names them, each (chains, draws)."""
        return {"lp": self.log_density, "energy": self.energy, "diverging": self.diverging, "failed": self.failed,
                "tree_depth": self.depth, "n_steps": self.steps, "acceptance_rate": self.acceptance,
                "step_size": np.repeat(self.step_size[:, None], self.energy.shape[1], axis=1)}  # fmt: skip

    def __repr__(self) -> str:
        chains, draws = self.energy.shape
        return f"{chains} chains of {draws} draws\n\n{self.table.to_string(index=False, float_format='{:.4g}'.format)}"


def summarised(names: tuple[str, ...], natural: np.ndarray) -> pd.DataFrame:
    """The table of draws (chains, draws, k)."""
    from arviz_stats.base.array import array_stats as statistics

    enough = natural.shape[1] >= 4
    rows = []
    for i, name in enumerate(names):
        x = natural[..., i]
        varied = enough and np.ptp(x) > 0
        asked = {
            "rhat": lambda x=x: statistics.rhat(x, chain_axis=0, draw_axis=1),
            "bulk": lambda x=x: statistics.ess(x, chain_axis=0, draw_axis=1, method="bulk"),
            "tail": lambda x=x: statistics.ess(x, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)),
            "mcse": lambda x=x: statistics.mcse(x, chain_axis=0, draw_axis=1),
        }
        found = [float(np.asarray(of())) if varied else np.nan for of in asked.values()]
        sd = np.std(x, ddof=1) if x.size > 1 else np.nan
        rows.append((name, float(np.mean(x)), float(sd), *map(float, np.quantile(x, (0.025, 0.5, 0.975))), *found))
    return pd.DataFrame(rows, columns=COLUMNS)
