"""Which terms the data support: proposals of the regression refitted in the whole model, then their neighbours.

Each of the best supports is expanded once: every term that it has is left out, the terms that a score test favours are added.
That goes on until none of the best has a better neighbour, so that the support is one that no single term improves.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from hybridode.discover.regression import Proposal
from hybridode.discover.whole import Refit, Support, Whole

_EACH, _JOINT = 12, 36  # proposals of one slot; combinations over all slots that are refitted first
_BEAM, _ADDED, _DROPPED = 4, 4, 8
MOST_REFITS = 400


def search(whole: Whole, proposals: Sequence[Sequence[Proposal]]) -> list[Refit]:
    """All supports that were refitted, the shortest description first."""
    fits: dict[Support, Refit] = {}
    _add(whole, fits, _beginnings(whole, proposals))
    expanded: set[Support] = set()
    while len(fits) < MOST_REFITS and not whole.early:
        best = [f for f in ranked(fits.values())[:_BEAM] if not f.failed and f.support not in expanded]
        if not best:
            break
        asked: dict[Support, np.ndarray] = {}
        for refit in best:
            expanded.add(refit.support)
            for support, theta in _neighbours(whole, refit):
                if support not in fits:
                    asked.setdefault(support, theta)
        if asked:
            _add(whole, fits, list(asked.items()))
    return ranked(fits.values())


def ranked(fits) -> list[Refit]:
    """By description length."""
    return sorted(fits, key=lambda f: (f.dl, len(f.support), sorted(f.support)))


def _add(whole: Whole, fits: dict[Support, Refit], starts: list[tuple[Support, np.ndarray]]) -> None:
    for refit in whole.refit(starts):
        fits[refit.support] = refit


def _beginnings(whole: Whole, proposals: Sequence[Sequence[Proposal]]) -> list[tuple[Support, np.ndarray]]:
    """Combinations of the slots' proposals, those first that leave least with few terms."""
    offsets = [whole.owners.index(k) if k in whole.owners else 0 for k in range(len(whole.slots))]
    graded = [_graded(list(mine))[:_EACH] for mine in proposals]
    combined = sorted(product(*(range(len(g)) for g in graded)), key=lambda places: (sum(places), max(places)))
    starts: dict[Support, np.ndarray] = {frozenset(): whole.start({})}
    for places in combined[:_JOINT]:
        coefficients: dict[int, float] = {}
        for k, place in enumerate(places):
            p = graded[k][place]
            coefficients |= {offsets[k] + i: float(c) for i, c in zip(p.support, p.coefficients, strict=True)}
        starts.setdefault(frozenset(coefficients), whole.start(coefficients))
    return list(starts.items())


def _graded(found: list[Proposal]) -> list[Proposal]:
    """The proposals in the order of what they leave, each doubling of it being worth two terms: regression cannot know how well a
    term is determined by the data, so all sizes stay near the front."""
    return sorted(found, key=lambda p: len(p.support) + 2 * np.log2(max(p.residual, 1e-6)))


def _neighbours(whole: Whole, refit: Refit) -> list[tuple[Support, np.ndarray]]:
    values, errors = whole.coefficients(refit), whole.errors(refit)
    worth = {i: abs(values[i]) / max(errors[i], 1e-300) for i in values}
    found = []
    for i in sorted(worth, key=lambda i: worth[i])[:_DROPPED]:
        kept = {k: v for k, v in values.items() if k != i}
        found.append((refit.support - {i}, whole.start(kept, refit.theta)))
    gains = whole.gains(refit)
    favoured = sorted(gains, key=lambda i: -gains[i])
    for i in favoured[:_ADDED]:
        found.append((refit.support | {i}, whole.start(values, refit.theta)))
    return found
