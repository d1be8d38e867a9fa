"""What is said of chains that cannot be trusted: separate modes, a funnel, too few draws; and of chains that can."""

from __future__ import annotations

import numpy as np
import pandas as pd

import hybridode as ho
from hybridode.fit.inference.mixing import mixing
from hybridode.fit.inference.sample import Sample

TWO_MODES = """model two_modes
time t from 0
param a = 1 in (-5, 5)
state x = 0
x' = a^2
observe x ~ normal(x, 0.3)
"""
FUNNEL = """model funnel  # R. M. Neal, Annals of Statistics 31 (2003) 705, section 8, in three dimensions less
time t from 0
param s = 0 in (-inf, inf)
prior s ~ normal(0, 3)
param x1 = 0.1 in (-100, 100)
param x2 = 0.1 in (-100, 100)
param x3 = 0.1 in (-100, 100)
state x = 0
x' = 0
observe y1 ~ normal(x1 + x, exp(s/2))
observe y2 ~ normal(x2 + x, exp(s/2))
observe y3 ~ normal(x3 + x, exp(s/2))
"""


def made_up(natural: np.ndarray, diverging: np.ndarray | None = None) -> Sample:
    """A sample with these draws (chains, draws, k) and nothing else wrong."""
    chains, draws, k = natural.shape
    flat, random = np.zeros((chains, draws)), np.random.default_rng(1)
    none = np.zeros((chains, draws), bool)
    names = tuple(f"p{i}" for i in range(k))
    energy = random.standard_normal((chains, draws))
    return Sample(names, natural, natural, flat, energy, none if diverging is None else diverging, none,
                  flat.astype(int) + 3, flat.astype(int) + 7, flat + 0.8, np.ones(chains), 10)  # fmt: skip


def test_two_modes_that_the_fit_found_are_told_apart(tmp_path):
    t, random = np.linspace(0.5, 3, 8), np.random.default_rng(0)
    run = ho.fit(ho.parse(TWO_MODES), pd.DataFrame({"t": t, "x": 2 * t + 0.3 * random.standard_normal(8)}))
    assert run.status == "converged"
    verdict = mixing(run.sample(draws=200))
    assert not verdict.good
    assert "several separate modes" in verdict.problems[0] and "near -1.4" in verdict.problems[0]
    run.save(tmp_path / "run")
    again = ho.open_run(tmp_path / "run")
    assert again.fitted.finished and run.fitted.finished
    np.testing.assert_allclose(again.fitted.finished.rivals, run.fitted.finished.rivals, rtol=1e-12)


def test_a_funnel_is_reported_with_where_it_is_narrow():
    zero = [0.0]
    run = ho.fit(ho.parse(FUNNEL), pd.DataFrame({"t": zero, "y1": zero, "y2": zero, "y3": zero}), starts=2)
    assert run.status == "converged"
    sample = run.sample()
    verdict = mixing(sample)
    assert not verdict.good and sample.divergences > 10 and sample.failures == 0
    assert any("diverged, mostly where `s` is small" in line for line in verdict.problems)


def test_independent_draws_are_good():
    verdict = mixing(made_up(np.random.default_rng(0).standard_normal((4, 500, 3))))
    assert verdict.good and "the chains have mixed" in verdict.sentences[0]


def test_few_effective_draws_and_few_divergences():
    x = np.cumsum(np.random.default_rng(2).standard_normal((4, 400, 1)), axis=1)
    slow = np.random.default_rng(0).standard_normal((4, 400, 1))
    for i in range(1, 400):
        slow[:, i] = 0.9 * slow[:, i - 1] + np.sqrt(1 - 0.81) * slow[:, i]
    assert "have not mixed" in mixing(made_up(x)).problems[0]
    assert any("effective draws, 400 are wanted" in line and "--draws" in line for line in mixing(made_up(slow)).problems)
    one = np.zeros((4, 400), bool)
    one[0, 0] = True
    assert (
        "1 of 1600 trajectories diverged:"
        in mixing(made_up(np.random.default_rng(0).standard_normal((4, 400, 1)), one)).problems[0]
    )
