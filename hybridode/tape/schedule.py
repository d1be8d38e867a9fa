"""Orders in which to compute a graph of scalars. The compiler keeps the order it is given (`machine` switches its own off).

Thousands of instructions without a loop are limited by two things: by how many values are kept at once, for what does not fit
into registers goes through memory and makes the code longer than the processor's cache of it; and by chains in which each
waits for the one before. `demand_order` is best for the first, `interleaved` trades some of that for the second.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from hybridode.tape.scalars import Node, ScalarGraph

WINDOW = 500  # how far an instruction may be moved
ISSUED = 2  # arithmetic instructions begun in a cycle
FREE = frozenset({"input", "const"})
LATENCY = {"add": 4, "sub": 4, "mul": 4, "neg": 1, "div": 13, "sqrt": 20}
OTHER = 10  # of functions, comparisons and what follows from them


def demand_order(g: ScalarGraph, wanted: Sequence[Node]) -> list[Node]:
    """The nodes that are needed, each as late as it can stand: right before its first reader. Few values are then kept long."""
    order: list[Node] = []
    entered, left = bytearray(len(g.nodes)), bytearray(len(g.nodes))
    for root in wanted:
        stack = [root]
        while stack:
            n = stack[-1]
            if not entered[n]:
                entered[n] = 1
                stack.extend([a for a in reversed(g.nodes[n].args) if not entered[a]])
                continue
            stack.pop()
            if not left[n]:
                left[n] = 1
                order.append(n)
    return order


def interleaved(g: ScalarGraph, order: Sequence[Node]) -> list[Node]:
    """List scheduling (critical path first) of an order, looking ahead at most WINDOW instructions."""
    place = {n: k for k, n in enumerate(order)}
    fused = _fused(g, order)
    latency = [0 if n in fused or g.nodes[n].op in FREE else LATENCY.get(g.nodes[n].op, OTHER) for n in order]
    readers: list[list[int]] = [[] for _ in order]
    missing = [0] * len(order)
    for k, n in enumerate(order):
        for a in set(g.nodes[n].args):
            readers[place[a]].append(k)
            missing[k] += 1
    path = [0] * len(order)  # the longest way from the beginning of an instruction to the end
    for k in range(len(order) - 1, -1, -1):
        path[k] = latency[k] + max([path[r] for r in readers[k]], default=0)
    ready_at = [0] * len(order)
    beyond = [k for k, m in enumerate(missing) if m == 0]  # known operands, by place; perhaps too far away
    waiting: list[tuple[int, int]] = []  # near enough, by the time when the operands are there
    ready: list[tuple[int, int]] = []  # could begin now, longest way first
    done, head, cycle, begun = bytearray(len(order)), 0, 0, 0
    out: list[Node] = []
    while len(out) < len(order):
        while beyond and beyond[0] < head + WINDOW:
            k = heapq.heappop(beyond)
            heapq.heappush(waiting, (ready_at[k], k))
        while waiting and waiting[0][0] <= cycle:
            k = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (-path[k], k))
        if not ready:
            cycle, begun = waiting[0][0], 0
            continue
        k = heapq.heappop(ready)[1]
        out.append(order[k])
        done[k] = 1
        while head < len(order) and done[head]:
            head += 1
        end = (ready_at[k] if latency[k] == 0 else cycle) + latency[k]
        for r in readers[k]:
            missing[r] -= 1
            ready_at[r] = max(ready_at[r], end)
            if missing[r] == 0:
                heapq.heappush(beyond, r)
        begun += latency[k] > 0
        if begun == ISSUED:
            cycle, begun = cycle + 1, 0
    return out


def _fused(g: ScalarGraph, order: Sequence[Node]) -> set[Node]:
    """Products that become part of the sum that alone reads them."""
    uses = dict.fromkeys(order, 0)
    for n in order:
        for a in g.nodes[n].args:
            uses[a] += 1
    found = set()
    for n in order:
        op, args, _ = g.nodes[n]
        if op in ("add", "sub"):
            found.update([a for a in reversed(args) if g.nodes[a].op == "mul" and uses[a] == 1][:1])
    return found
