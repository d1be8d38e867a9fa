"""Pantelides' algorithm: which equations are differentiated, and how often, until they determine the highest derivatives.

C. C. Pantelides, "The consistent initialization of differential-algebraic systems", SIAM J. Sci. Stat. Comput. 9 (1988) 213-231.
Equations and unknowns are numbers; nothing here knows what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybridode.matching import maximum_matching

NONE = -1


@dataclass
class Structure:
    """A system as Pantelides' algorithm leaves it.

    `rows[e]`: the unknowns that equation e reads. `derivative[v]`: the unknown that is the derivative of v, -1: none (v is a
    highest derivative). `differentiated[e]`: the equation that is the derivative of e, -1: none. `matched[e]`: for equations
    that were not differentiated, the highest derivative that each may determine.
    """

    rows: list[list[int]]
    derivative: list[int]
    differentiated: list[int]
    matched: list[int]

    @property
    def top(self) -> list[int]:
        """The equations that determine the highest derivatives."""
        return [e for e, d in enumerate(self.differentiated) if d == NONE]


def pantelides(rows: Sequence[Sequence[int]], derivative: Sequence[int]) -> Structure:
    """The structure after all differentiations; new unknowns and equations are numbered on.

    The system must be structurally regular when derivatives count as their unknowns: else the algorithm does not end.
    """
    n = len(derivative)
    eligible = [[v for v in row if derivative[v] == NONE] for row in rows]
    matched = maximum_matching(eligible, n)
    owner = [NONE] * n
    for e, v in enumerate(matched):
        if v != NONE:
            owner[v] = e
    s = _Search(Structure([list(r) for r in rows], list(derivative), [NONE] * len(rows), matched), owner)
    for e in range(len(rows)):
        if matched[e] == NONE and s.structure.differentiated[e] == NONE:
            s.match(e)
    return s.structure


class _Search:
    """One run. `owner`: equation that an unknown is matched to."""

    def __init__(self, structure: Structure, owner: list[int]) -> None:
        self.structure = structure
        self.owner = owner

    def match(self, e: int) -> None:
        """Matches an equation, differentiating what stands in the way."""
        while True:
            equations, unknowns = self._augment(e)
            if not equations:
                return
            self._differentiate(equations, unknowns)
            e = self.structure.differentiated[e]

    def _augment(self, start: int) -> tuple[list[int], list[int]]:
        """Looks for an alternating way to a free highest derivative and turns it over; what was met if there is none."""
        s, owner = self.structure, self.owner
        path, taken, ways = [start], [], [iter(s.rows[start])]
        equations, seen = [start], dict[int, None]()
        while path:
            v = next((v for v in ways[-1] if s.derivative[v] == NONE and v not in seen), NONE)
            if v == NONE:
                path.pop()
                ways.pop()
                if taken:
                    taken.pop()
                continue
            seen[v] = None
            taken.append(v)
            if owner[v] == NONE:
                for e, w in zip(path, taken, strict=True):
                    s.matched[e], owner[w] = w, e
                return [], []
            equations.append(owner[v])
            path.append(owner[v])
            ways.append(iter(s.rows[owner[v]]))
        return equations, list(seen)

    def _differentiate(self, equations: list[int], unknowns: list[int]) -> None:
        s = self.structure
        for v in unknowns:
            s.derivative[v] = len(s.derivative)
            s.derivative.append(NONE)
            self.owner.append(NONE)
        for e in equations:
            s.differentiated[e] = len(s.rows)
            row = s.rows[e]
            s.rows.append(list(dict.fromkeys([*row, *(s.derivative[v] for v in row)])))
            s.differentiated.append(NONE)
            s.matched.append(NONE)
        for v in unknowns:
            e = self.owner[v]
            new = s.differentiated[e]
            s.matched[e], s.matched[new] = NONE, s.derivative[v]
            self.owner[s.derivative[v]] = new
