"""Tearing: what is solved reads only what is known, as many residuals as torn unknowns, and few of them."""

from __future__ import annotations

import random

import pytest

from hybridode.equations.dae.tearing import DEEPEST, Torn, tear


def check(reads: list[set[int]], solvable: list[set[int]], cut: Torn) -> None:
    known = set(cut.columns)
    for row, column in cut.solved:
        assert column in solvable[row] and reads[row] <= known | {column} and column not in known
        known.add(column)
    depth = dict.fromkeys(cut.columns, 0)
    for row, column in cut.solved:
        depth[column] = 1 + max((depth[c] for c in reads[row] if c != column), default=0)
    assert max(depth.values()) <= DEEPEST
    columns = set().union(*reads)
    assert known == columns and len(cut.rows) == len(reads) - len(cut.solved) == len(cut.columns)
    assert sorted([*cut.rows, *(row for row, _ in cut.solved)]) == list(range(len(reads)))


def test_pendulum() -> None:
    """x'' = -l x, y'' = -l y - g, 0 = x x'' + y y'' + …: torn at l only."""
    reads, solvable = [{0, 2}, {1, 2}, {0, 1}], [{0}, {1}, set()]
    assert tear(reads, solvable) == Torn([(0, 0), (1, 1)], [2], [2])


def test_ring() -> None:
    """A ring of n equations needs one tear, and another where the chain of solved unknowns becomes long."""
    for n in (2, DEEPEST + 1, 1000):
        reads = [{i, (i + 1) % n} for i in range(n)]
        cut = tear(reads, reads)
        check(reads, reads, cut)
        assert len(cut.columns) <= -(-n // (DEEPEST + 1)) + 1


def test_what_is_kept_to_the_last() -> None:
    n = DEEPEST + 1
    reads = [{i, (i + 1) % n} for i in range(n)]
    cut = tear(reads, reads, last=[i for i in range(n) if i != 5])
    assert cut.columns == [5]


def test_nothing_can_be_solved_for() -> None:
    reads = [{0, 1}, {0, 1}]
    cut = tear(reads, [set(), set()])
    check(reads, [set(), set()], cut)
    assert len(cut.columns) == 2


@pytest.mark.parametrize("seed", range(60))
def test_random_loops(seed: int) -> None:
    rng = random.Random(seed)
    n = rng.randint(1, 30)
    reads = [{i, *(rng.randrange(n) for _ in range(rng.randint(0, 3)))} for i in range(n)]
    solvable = [{c for c in row if rng.random() < 0.7} for row in reads]
    check(reads, solvable, tear(reads, solvable))
