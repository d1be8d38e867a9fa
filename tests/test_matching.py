"""Matchings against SciPy's, and the parts left over against their definition."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from hybridode.matching import columns_in_excess, maximum_matching, rows_in_excess


def _random_rows(seed: int) -> tuple[list[list[int]], int]:
    r = random.Random(seed)
    rows, columns = r.randint(1, 30), r.randint(1, 30)
    density = r.choice([0.03, 0.1, 0.3])
    return [[c for c in range(columns) if r.random() < density] for _ in range(rows)], columns


def _size(rows: list[list[int]], columns: int) -> int:
    dense = np.zeros((len(rows), columns), dtype=int)
    for i, read in enumerate(rows):
        dense[i, read] = 1
    return int((maximum_bipartite_matching(csr_array(dense), perm_type="column") >= 0).sum())


@pytest.mark.parametrize("seed", range(60))
def test_a_largest_matching(seed: int) -> None:
    rows, columns = _random_rows(seed)
    found = maximum_matching(rows, columns)
    used = [c for c in found if c >= 0]
    assert len(set(used)) == len(used) == _size(rows, columns)
    assert all(c in rows[i] for i, c in enumerate(found) if c >= 0)
    first = [c if i % 2 else -1 for i, c in enumerate(found)]
    assert sum(c >= 0 for c in maximum_matching(rows, columns, first)) == len(used)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_left_over(seed: int) -> None:
    rows, columns = _random_rows(seed)
    found = maximum_matching(rows, columns)
    largest = len([c for c in found if c >= 0])
    for part in rows_in_excess(rows, columns, found):
        read = {c for r in part for c in rows[r]}
        assert len(read) == len(part) - 1 or any(found[r] < 0 for r in part[1:])
        for r in part:  # without any row of the part the matching is as large: each could be the one too many
            assert _size([read for i, read in enumerate(rows) if i != r], columns) == largest
    for part in columns_in_excess(rows, columns, found):
        for c in part:
            assert _size([[x for x in read if x != c] for read in rows], columns) == largest


def test_a_long_chain_is_matched() -> None:
    n = 20_000  # row i reads columns i and i - 1; the last column is read by row 0 alone
    rows = [[i - 1, i] if i else [0] for i in range(n)]
    assert maximum_matching(rows, n) == list(range(n))
    backwards = [[0], *([i - 1, i] for i in range(1, n))]
    first = [-1, *range(n - 1)]
    assert maximum_matching(backwards, n, first) == list(range(n))
