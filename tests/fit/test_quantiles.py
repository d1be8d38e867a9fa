"""Quantiles and Latin hypercubes against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from hybridode.fit.objective.quantiles import Lognormal, Normal, latin_hypercube, normal_quantile


def test_normal_quantiles() -> None:
    p = np.concatenate([np.geomspace(1e-300, 0.5, 50), 1 - np.geomspace(1e-15, 0.5, 50), [0.0, 1.0, np.nan]])
    np.testing.assert_allclose(normal_quantile(p), stats.norm.ppf(p), rtol=1e-13, atol=1e-15)
    assert normal_quantile(p.reshape(1, -1)).shape == (1, len(p))


def test_distributions() -> None:
    m, s, p = np.array([0.5, 2.0]), np.array([0.1, 3.0]), 0.975
    np.testing.assert_allclose(Normal(m, s).ppf(p), stats.norm(m, s).ppf(p), rtol=1e-14)
    np.testing.assert_allclose(Lognormal(m, s).ppf(p), stats.lognorm(s, scale=m).ppf(p), rtol=1e-14)


@pytest.mark.parametrize("seed, count, dimensions", [(0, 7, 8), (3, 1, 2), (11, 40, 3)])
def test_the_hypercube_is_scipys(seed: int, count: int, dimensions: int) -> None:
    expected = qmc.LatinHypercube(dimensions, rng=np.random.default_rng(seed)).random(count)
    np.testing.assert_array_equal(latin_hypercube(count, dimensions, np.random.default_rng(seed)), expected)
