"""Clean-up of a whole tape: folding, common subexpressions and dead code (by building it anew), and dead elements.

Dead elements: where of a vector's elements only some are read in the end, only these are computed.
"""

from __future__ import annotations

import numpy as np

from hybridode.tape.ops import OPS
from hybridode.tape.shapes import size
from hybridode.tape.tape import Instruction, Tape, TapeBuilder
from hybridode.tape.verify import verify

Node = int
Live = np.ndarray  # boolean, flat: which elements are read


def optimise(tape: Tape) -> Tape:
    """The same outputs from fewer instructions; values change by nothing."""
    return verify(rebuilt(_narrowed(rebuilt(tape))))


def rebuilt(tape: Tape) -> Tape:
    """Folded, each value once, and only what the outputs need."""
    b = TapeBuilder()
    for i in tape.inputs:
        b.input(i.name, i.shape)
    nodes = b.inline(tape)
    return b.finish({name: nodes[value] for name, value in tape.outputs})


def _live(tape: Tape) -> list[Live]:
    """Which elements of each value are read, directly or not, by an output."""
    k = len(tape.inputs)
    shapes = [i.shape for i in (*tape.inputs, *tape.instructions)]
    live = [np.zeros(size(s), bool) for s in shapes]
    for _, value in tape.outputs:
        live[value][:] = True
    for n in range(len(shapes) - 1, k - 1, -1):
        i = tape.instructions[n - k]
        if not live[n].any():
            continue
        if i.op == "gather":
            live[i.args[0]][np.array(i.attrs)[live[n]] if _shrinkable(i) else np.array(i.attrs)] = True
        elif not _shrinkable(i):
            for a in i.args:
                live[a][:] = True
        elif i.op == "concat":
            start = 0
            for a in i.args:
                live[a] |= live[n][start : start + len(live[a])]
                start += len(live[a])
        else:
            for a in i.args:
                live[a] |= live[n] if len(live[a]) == len(live[n]) else True
    return live


def _shrinkable(i: Instruction) -> bool:
    """Can the instruction be made for some elements only?"""
    return len(i.shape) == 1 and (OPS[i.op].elementwise or i.op in ("gather", "concat", "const", "broadcast"))


def _narrowed(tape: Tape) -> Tape:
    """Vectors that are made elementwise, gathered or concatenated shrink to their live elements."""
    live = _live(tape)
    k = len(tape.inputs)
    shrinks = [False] * k + [_shrinkable(i) and not alive.all() for i, alive in zip(tape.instructions, live[k:], strict=True)]
    if not any(shrinks):
        return tape
    b = TapeBuilder()
    new: list[Node] = [b.input(i.name, i.shape) for i in tape.inputs]
    for n, i in enumerate(tape.instructions, k):
        make = _shrunk if shrinks[n] else _whole
        new.append(make(b, i, live[n], new, live, shrinks) if live[n].any() else -1)
    return b.finish({name: new[value] for name, value in tape.outputs})


def _places(places: np.ndarray, source: Node, live: list[Live], shrinks: list[bool]) -> list[int]:
    """Flat places of a value, in its shrunk form if it has one."""
    return (np.cumsum(live[source]) - 1)[places].tolist() if shrinks[source] else places.tolist()


def _whole(b: TapeBuilder, i: Instruction, alive: Live, new: list[Node], live: list[Live], shrinks: list[bool]) -> Node:
    if i.op == "gather":
        return b.gather(new[i.args[0]], _places(np.array(i.attrs), i.args[0], live, shrinks), i.shape)
    # Whatever else reads all of a result reads all of its operands, so none of them is shrunk.
    return b.make(i.op, *[new[a] for a in i.args], attrs=i.attrs, shape=i.shape if OPS[i.op].free_shape else None)


def _shrunk(b: TapeBuilder, i: Instruction, alive: Live, new: list[Node], live: list[Live], shrinks: list[bool]) -> Node:
    """The live elements of a value (there is at least one)."""
    kept = np.flatnonzero(alive)
    if i.op == "const":
        return b.constant(np.array(i.attrs)[kept])
    if i.op == "broadcast":
        return b.broadcast(new[i.args[0]], (len(kept),))
    if i.op == "gather":
        return b.gather(new[i.args[0]], _places(np.array(i.attrs)[kept], i.args[0], live, shrinks))
    if i.op == "concat":
        parts, start = [], 0
        for a in i.args:
            inside = kept[(kept >= start) & (kept < start + len(live[a]))] - start
            if len(inside):
                parts.append(new[a] if b.shape(new[a]) == () else b.gather(new[a], _places(inside, a, live, shrinks)))
            start += len(live[a])
        return b.concat(parts)
    operands = [new[a] if b.shape(new[a]) == () else b.gather(new[a], _places(kept, a, live, shrinks)) for a in i.args]
    result = b.make(i.op, *operands, attrs=i.attrs)
    return b.broadcast(result, (len(kept),))
