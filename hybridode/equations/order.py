"""Orders of a dependency graph: what must come first, and what depends on itself.

Both walks keep their own stack: a chain of definitions may be 100,000 links long.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)


def dependencies_first(items: Iterable[Item], reads: Callable[[Item], Iterable[Item]]) -> list[Item]:
    """The items and all that they read, each after what it reads; otherwise in the order given.

    The front end has refused circles, so one here is our mistake: AssertionError naming it.
    """
    done: set[Item] = set()
    path: dict[Item, Iterator[Item]] = {}  # insertion order is the path from the root
    out: list[Item] = []
    for root in items:
        if root in done:
            continue
        path[root] = iter(reads(root))
        while path:
            item = next(reversed(path))
            following = next((r for r in path[item] if r not in done), None)
            if following is None:
                del path[item]
                done.add(item)
                out.append(item)
            else:
                assert following not in path, "circular definition: " + " -> ".join(map(str, [*path, following]))
                path[following] = iter(reads(following))
    return out


def components(edges: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Strongly connected components of the graph i -> edges[i], each sorted, each after those it has edges to.

    Tarjan (1972), SIAM J. Comput. 1, 146-160, with an explicit stack.
    """
    n = len(edges)
    index, low, on_stack, place = [-1] * n, [0] * n, [False] * n, [0] * n
    stack: list[int] = []
    found: list[tuple[int, ...]] = []
    count = 0
    for root in range(n):
        if index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            v, k = work.pop()
            if k == 0:
                index[v] = low[v] = count
                count += 1
                place[v] = len(stack)
                stack.append(v)
                on_stack[v] = True
            else:  # back from the k-th edge
                w = edges[v][k - 1]
                low[v] = min(low[v], low[w]) if on_stack[w] else low[v]
            while k < len(edges[v]):
                w = edges[v][k]
                k += 1
                if index[w] < 0:
                    work += [(v, k), (w, 0)]
                    break
                if on_stack[w]:
                    low[v] = min(low[v], index[w])
            else:
                if low[v] == index[v]:
                    members = stack[place[v] :]
                    del stack[place[v] :]
                    for w in members:
                        on_stack[w] = False
                    found.append(tuple(sorted(members)))
    return found
