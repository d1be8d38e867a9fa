"""Who needs whom: an order in which everything is known before it is read, and circles spelled out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Edges = Mapping[str, Iterable[str]]


def components(nodes: Iterable[str], edges: Edges) -> list[list[str]]:
    """Strongly connected components, what is needed first (Tarjan's algorithm, iterative)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    is_open: set[str] = set()
    found: list[list[str]] = []
    for root in nodes:
        if root in number:
            continue
        work = [(root, iter(edges.get(root, ())))]
        number[root] = low[root] = len(number)
        open_.append(root)
        is_open.add(root)
        while work:
            here, rest = work[-1]
            there = next(rest, None)
            if there is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    component: list[str] = []
                    while not component or component[-1] != here:
                        component.append(open_.pop())
                        is_open.discard(component[-1])
                    found.append(component[::-1])
            elif there not in number:
                number[there] = low[there] = len(number)
                open_.append(there)
                is_open.add(there)
                work.append((there, iter(edges.get(there, ()))))
            elif there in is_open:
                low[here] = min(low[here], number[there])
    return found


def is_circle(component: list[str], edges: Edges) -> bool:
    return len(component) > 1 or component[0] in edges.get(component[0], ())


def circle(component: list[str], edges: Edges) -> list[str]:
    """A shortest way round inside a component, from its first node back to it (the last repeats the first)."""
    start, inside = component[0], set(component)
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in edges.get(here, ()):
            if there == start:
                way = [here]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [*reversed(way), start]
            if there in inside and there not in came_from:
                came_from[there] = here
                queue.append(there)
    return [start]
