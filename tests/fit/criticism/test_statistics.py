"""Ranks against SciPy's."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from hybridode.fit.criticism.statistics import ranked


def test_ranks_are_scipys_with_and_without_equal_numbers():
    rng = np.random.default_rng(0)
    hole = rng.normal(size=(3, 6))
    hole[1, 2] = np.nan
    for z in (rng.normal(size=(7, 30)), rng.integers(0, 5, (9, 40)).astype(float), np.zeros((2, 5)), np.ones((3, 1)), hole):
        np.testing.assert_array_equal(ranked(z), rankdata(z, axis=1))
