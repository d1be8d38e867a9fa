"""Which terms the data support: proposals of the regression refitted in the whole model, then their neighbours.

Each of the best supports is expanded once: every term that it has is left out, the terms that a score test favours are added.
That goes on until none of the best has a better neighbour, so that the support is one that no single term improves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Protocol

import numpy as np

from hybridode.discover.regression import Proposal
from hybridode.discover.slots import Slot
from hybridode.discover.whole import Refit, Support

_EACH, _JOINT = 12, 36  # proposals of one slot; combinations over all slots that are refitted first
_BEAM, _ADDED, _DROPPED = 4, 4, 8
MOST_REFITS = 400


class Searched(Protocol):
    """What is searched: the whole model of one run, or those of several."""

    @property
    def slots(self) -> tuple[Slot, ...]: ...

    @property
    def owners(self) -> tuple[int, ...]: ...

    @property
    def early(self) -> str: ...

    def start(self, coefficients: Mapping[int, float]) -> Any: ...

    def refit(self, starts: Sequence[tuple[Support, Any]]) -> Sequence[Any]: ...

    def moved(self, refit: Any, support: Support) -> Any: ...

    def worth(self, refit: Any) -> dict[int, float]: ...

    def gains(self, refit: Any) -> dict[int, float]: ...


def search(whole: Searched, proposals: Sequence[Sequence[Proposal]]) -> list[Refit]:
    """All supports that were refitted, the shortest description first."""
    fits: dict[Support, Refit] = {}
    _add(whole, fits, _beginnings(whole, proposals))
    expanded: set[Support] = set()
    while len(fits) < MOST_REFITS and not whole.early:
        best = [f for f in ranked(fits.values())[:_BEAM] if not f.failed and f.support not in expanded]
        if not best:
            break
        asked: dict[Support, Any] = {}
        for refit in best:
            expanded.add(refit.support)
            for support, theta in _neighbours(whole, refit):
                if support not in fits:
                    asked.setdefault(support, theta)
        if asked:
            _add(whole, fits, list(asked.items()))
    return ranked(fits.values())


def ranked(fits: Iterable[Refit]) -> list[Refit]:
    """By description length."""
    return sorted(fits, key=lambda f: (f.dl, len(f.support), sorted(f.support)))


def _add(whole: Searched, fits: dict[Support, Refit], starts: list[tuple[Support, Any]]) -> None:
    for refit in whole.refit(starts):
        fits[refit.support] = refit


def _beginnings(whole: Searched, proposals: Sequence[Sequence[Proposal]]) -> list[tuple[Support, Any]]:
    """Combinations of the slots' proposals, those first that leave least with few terms."""
    offsets = [whole.owners.index(k) if k in whole.owners else 0 for k in range(len(whole.slots))]
    graded = [_graded(list(mine))[:_EACH] for mine in proposals]
    combined = sorted(product(*(range(len(g)) for g in graded)), key=lambda places: (sum(places), max(places)))
    starts: dict[Support, Any] = {frozenset(): whole.start({})}
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


def _neighbours(whole: Searched, refit: Refit) -> list[tuple[Support, Any]]:
    worth, gains = whole.worth(refit), whole.gains(refit)
    dropped = [refit.support - {i} for i in sorted(worth, key=lambda i: worth[i])[:_DROPPED]]
    added = [refit.support | {i} for i in sorted(gains, key=lambda i: -gains[i])[:_ADDED]]
    return [(support, whole.moved(refit, support)) for support in (*dropped, *added)]
