"""Derivatives of tapes: forward (Jacobian times vector) and reverse (vector times Jacobian), from the rows of `ops`.

`tangents` and `cotangents` work on nodes of a builder, `forward` and `reverse` on tapes. Both are one sweep over the part of
the graph between what is differentiated and what it is differentiated by. No zero that is known becomes an instruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hybridode.tape.guard import guard
from hybridode.tape.linear import plus
from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Indices, indices
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify

Node = int
# Folding reads through these to their operands, so a derivative by such a node would miss what was read past it.
_TRANSPARENT = frozenset({"const", "concat", "broadcast", "gather", "scatter_add", "neg", "select"})


# ---- on nodes -------------------------------------------------------------------------------------------------------
def tangents(b: TapeBuilder, seeds: Mapping[Node, Node], outputs: Sequence[Node]) -> list[Node | None]:
    """Tangents of the outputs when the nodes `seeds` have the given tangents (of their shapes); None where zero.

    Seeds are inputs, or nodes that folding does not read through.
    """
    _check_opaque(b, seeds)
    found: dict[Node, Node | None] = dict(seeds)
    for n in sorted(_between(b, seeds, outputs)):
        i = b.instructions[n]
        row = OPS[i.op]
        if row.forward is None:
            continue
        args = [found.get(a) for a in i.args]
        if any(t is not None for t in args):
            tangent = row.forward(b, n, args)
            found[n] = None if tangent is None else b.broadcast(tangent, i.shape)
    return [found.get(n) for n in outputs]


def cotangents(b: TapeBuilder, seeds: Mapping[Node, Node], wrt: Sequence[Node]) -> list[Node | None]:
    """Cotangents of the nodes `wrt` when the nodes `seeds` have the given cotangents; None where zero.

    `wrt` are inputs, or nodes that folding does not read through.
    """
    _check_opaque(b, wrt)
    dense: dict[Node, Node | None] = dict(seeds)
    # Elements read by gathers are collected and put back at once: a thousand scalars read from one vector are one scatter.
    pieces: dict[Node, list[tuple[Indices, Node]]] = {}
    stop = frozenset(wrt)
    for n in sorted(_between(b, stop, seeds), reverse=True):
        cotangent = _settled(b, n, dense, pieces)
        i = b.instructions[n]
        if cotangent is None:
            continue
        dense[n] = cotangent
        if i.op == "gather":
            pieces.setdefault(i.args[0], []).append((i.attrs, cotangent))
            continue
        reverse = OPS[i.op].reverse
        if reverse is not None:
            for a, share in zip(i.args, reverse(b, n, cotangent), strict=True):
                dense[a] = plus(b, dense.get(a), share)
    return [_settled(b, n, dense, pieces) for n in wrt]


def _check_opaque(b: TapeBuilder, nodes: Iterable[Node]) -> None:
    """Differentiate by inputs, or by nodes of operations that no fold reads through."""
    for n in nodes:
        op = b.instructions[n].op
        assert op not in _TRANSPARENT, f"a derivative by a node that folding reads through ({op}): make it an input of a tape"


def _settled(
    b: TapeBuilder, n: Node, dense: Mapping[Node, Node | None], pieces: Mapping[Node, list[tuple[Indices, Node]]]
) -> Node | None:
    """All of a node's cotangent, the collected elements put in their places."""
    total = dense.get(n)
    gathered = pieces.get(n)
    if gathered:
        at = gathered[0][0] if len(gathered) == 1 else indices(k for places, _ in gathered for k in places)
        parts = [c for _, c in gathered]
        values = parts[0] if len(parts) == 1 else b.concat(parts)
        total = plus(b, total, b.scatter_add(values, at, b.shape(n)))
    return total


def _between(b: TapeBuilder, sources: Iterable[Node], sinks: Iterable[Node]) -> list[Node]:
    """The nodes that the sinks read and that read the sources, without the sources themselves."""
    stop = set(sources)
    seen: set[Node] = set()
    stack = list(sinks)
    while stack:
        n = stack.pop()
        if n not in seen and n not in stop:
            seen.add(n)
            stack.extend(b.instructions[n].args)
    reached, between = stop, []
    for n in sorted(seen):
        if any(a in reached for a in b.instructions[n].args):
            reached.add(n)
            between.append(n)
    return between


# ---- on tapes -------------------------------------------------------------------------------------------------------
def forward(tape: Tape, wrt: Sequence[str], outputs: Sequence[str] | None = None, values: bool = True) -> Tape:
    """Jacobian times vector. Inputs: the tape's and `NAME.dot` for each name in `wrt` (of its shape). Outputs: `NAME.dot`
    for each of `outputs` (all unless given), and the outputs themselves if `values`."""
    b = TapeBuilder()
    tape = guard(tape)
    nodes = b.inline(tape)
    seeds = {nodes[k]: b.input(f"{i.name}.dot", i.shape) for k, i in enumerate(tape.inputs) if i.name in wrt}
    chosen = [name for name, _ in tape.outputs if outputs is None or name in outputs]
    sinks = [nodes[tape.output(name)] for name in chosen]
    results = {name: n for name, n in zip(chosen, sinks, strict=True) if values}
    for name, n, tangent in zip(chosen, sinks, tangents(b, seeds, sinks), strict=True):
        results[f"{name}.dot"] = _or_zero(b, tangent, n)
    return verify(b.finish(results))


def reverse(tape: Tape, wrt: Sequence[str], outputs: Sequence[str] | None = None, values: bool = False) -> Tape:
    """Vector times Jacobian. Inputs: the tape's and `NAME.bar` for each of `outputs` (all unless given). Outputs: `NAME.bar`
    for each name in `wrt` that is an input of the tape, and the outputs themselves if `values`."""
    b = TapeBuilder()
    tape = guard(tape)
    nodes = b.inline(tape)
    results: dict[str, Node] = {}
    seeds: dict[Node, Node] = {}
    for name, value in tape.outputs:
        if outputs is None or name in outputs:
            n = nodes[value]
            bar = b.input(f"{name}.bar", b.shape(n))
            seeds[n] = b.add(seeds[n], bar) if n in seeds else bar
            if values:
                results[name] = n
    sources = [(i.name, nodes[k]) for k, i in enumerate(tape.inputs) if i.name in wrt]
    for (name, n), cotangent in zip(sources, cotangents(b, seeds, [n for _, n in sources]), strict=True):
        results[f"{name}.bar"] = _or_zero(b, cotangent, n)
    return verify(b.finish(results))


def _or_zero(b: TapeBuilder, x: Node | None, like: Node) -> Node:
    return b.broadcast(b.const(0.0), b.shape(like)) if x is None else x
