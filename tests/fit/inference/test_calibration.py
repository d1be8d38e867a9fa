"""Simulation-based calibration (S. Talts et al., arXiv:1804.06788): with numbers from the priors and data made from these, the
rank of the true number among the draws is uniform. One sampler serves all data sets. Slow: `pytest -m slow`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import hybridode as ho
from hybridode.fit.inference.sampling import Sampler

MODEL = """model decay
time t from 0
param k = 0.5 in (0, inf) log
param a = 2 in (0, inf) log
param s = 0.2 in (0, inf) log
prior k ~ lognormal(0.5, 0.4)
prior a ~ gamma(6, 3)
prior s ~ halfnormal(0.5)
state x = a
x' = -k*x
observe x ~ normal(x, s)
"""
T = np.linspace(0.25, 4, 10)
SETS, RANKS, THIN, BINS = 150, 60, 10, 10  # data sets; draws kept of each, every 10th; bins of the ranks


@pytest.mark.slow
def test_ranks_of_true_numbers_are_uniform():
    random = np.random.default_rng(7)
    first = ho.fit(ho.parse(MODEL), pd.DataFrame({"t": T, "x": 2 * np.exp(-0.5 * T)}))
    finished = first.fitted.finished
    assert finished is not None
    sampler, space = Sampler(finished.prepared, finished.theta), finished.prepared.objective.space
    ranks = np.zeros((SETS, 3), int)
    for i in range(SETS):
        k, a, s = 0.5 * np.exp(0.4 * random.standard_normal()), random.gamma(6, 1 / 3), abs(0.5 * random.standard_normal())
        truth = np.array([{"k": k, "a": a, "s": s}[name] for name in space.names])
        x = a * np.exp(-k * T) + s * random.standard_normal(len(T))
        batch = finished.prepared.fitted
        column = batch.columns[0]
        shape = np.shape(column.value)
        batch = replace(batch, columns=(replace(column, value=x.reshape(shape), upper=x.reshape(shape)),))
        drawn = sampler.draw(RANKS * THIN // 4, seed=i, warmup=300, theta=space.unconstrain_vector(truth), batch=batch)
        ranks[i] = np.sum(drawn.natural[:, ::THIN].reshape(-1, 3) < truth, axis=0)
    assert sampler._block._cache_size() == 1
    counts = np.stack([np.bincount(r * BINS // (RANKS + 1), minlength=BINS) for r in ranks.T])
    p = scipy.stats.chisquare(counts, axis=1).pvalue
    assert np.all(p > 1e-3), dict(zip(space.names, p, strict=True))
