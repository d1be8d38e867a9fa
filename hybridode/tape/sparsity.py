"""Which elements of an output depend on which elements of an input, and the Jacobian with few sweeps (column colouring).

Columns of a Jacobian that share no row are found by one tangent sweep together (Curtis, Powell and Reid, J. Inst. Math.
Appl. 13, 1974, 117): a tridiagonal Jacobian of any size takes three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hybridode.tape.derive import tangents
from hybridode.tape.ops import OPS
from hybridode.tape.shapes import size
from hybridode.tape.tape import Instruction, Tape, TapeBuilder

Pattern = Any  # a csr_array (elements of the value, elements of the input), 1 where the derivative may not be zero


@dataclass(frozen=True)
class SparseJacobian:
    """`tape` has the one output `jacobian` (entries,): entry k is d output[rows[k]] / d input[columns[k]], row by row."""

    tape: Tape
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    colours: int


def pattern(tape: Tape, output: str, wrt: str) -> Pattern:
    """The structure of d output / d input from the structure of the tape: (elements of output, elements of input)."""
    n = next((size(i.shape) for i in tape.inputs if i.name == wrt), 0)
    found: list[Pattern | None] = [sparse.eye_array(n, format="csr") if i.name == wrt else None for i in tape.inputs]
    shapes = [i.shape for i in tape.inputs]
    for i in tape.instructions:
        row = OPS[i.op]
        parts = [found[a] for a in i.args] if row.forward is not None else []
        found.append(_passed(i, [shapes[a] for a in i.args], parts) if any(p is not None for p in parts) else None)
        shapes.append(i.shape)
    value = tape.output(output)
    result = found[value]
    return sparse.csr_array((size(shapes[value]), n)) if result is None else result


def _passed(i: Instruction, shapes: list[tuple[int, ...]], parts: list[Pattern | None]) -> Pattern | None:
    """Structure of a value from that of its operands."""
    total = size(i.shape)
    n = next(p.shape[1] for p in parts if p is not None)
    if OPS[i.op].elementwise:
        # The derivative by a condition is zero; so is that of steps, and they have no partials of their own.
        moved = [p if p.shape[0] == total else _all_rows(p, total) for p in parts if p is not None]
        return _united(moved)
    full = [sparse.csr_array((size(s), n)) if p is None else p for s, p in zip(shapes, parts, strict=True)]
    if i.op == "gather":
        return sparse.csr_array(full[0][np.array(i.attrs)])
    if i.op == "scatter_add":
        places = sparse.csr_array((np.ones(len(i.attrs)), (np.array(i.attrs), np.arange(len(i.attrs)))), (total, len(i.attrs)))
        return _united([places @ full[0]])
    if i.op == "concat":
        return sparse.csr_array(sparse.vstack(full, format="csr"))
    # A product or a sum mixes everything.
    return _all_rows(_united([sparse.csr_array(sparse.vstack(full, format="csr"))]), total)


def _united(parts: list[Pattern]) -> Pattern:
    total = sparse.csr_array(sum(parts[1:], parts[0]))
    total.data[:] = 1.0
    return total


def _all_rows(p: Pattern, rows: int) -> Pattern:
    """Every row depends on whatever any row depended on."""
    columns = np.unique(p.indices)
    indices = np.tile(columns, rows)
    return sparse.csr_array((np.ones(len(indices)), indices, np.arange(rows + 1) * len(columns)), (rows, p.shape[1]))


def colouring(p: Pattern) -> list[int]:
    """A colour for each column so that columns of one colour share no row (greedy, in order)."""
    by_column = sparse.csc_array(p)
    rows_of = [by_column.indices[by_column.indptr[c] : by_column.indptr[c + 1]] for c in range(p.shape[1])]
    used: list[set[int]] = [set() for _ in range(p.shape[0])]  # colours that meet each row
    colours = []
    for rows in rows_of:
        taken = set().union(*(used[r] for r in rows))
        colour = next(c for c in range(len(taken) + 1) if c not in taken)
        for r in rows:
            used[r].add(colour)
        colours.append(colour)
    return colours


def jacobian(tape: Tape, output: str, wrt: str) -> SparseJacobian:
    """The entries of d output / d input that are not zero by structure, as a tape."""
    p = pattern(tape, output, wrt)
    p.sort_indices()
    rows, columns = (a.tolist() for a in p.nonzero())
    order = sorted(range(len(rows)), key=lambda k: (rows[k], columns[k]))
    rows, columns = [rows[k] for k in order], [columns[k] for k in order]
    colours = colouring(p)
    count = max(colours, default=-1) + 1
    b = TapeBuilder()
    nodes = b.inline(tape)
    source = next((nodes[k] for k, i in enumerate(tape.inputs) if i.name == wrt), None)
    parts, place, start = [], {}, 0
    for colour in range(count):
        entries = [k for k in range(len(rows)) if colours[columns[k]] == colour]
        if not entries or source is None:
            continue
        seed = np.array([float(c == colour) for c in colours]).reshape(b.shape(source))
        tangent = tangents(b, {source: b.constant(seed)}, [nodes[tape.output(output)]])[0]
        assert tangent is not None, "the structure names an entry that has no derivative"
        parts.append(b.gather(tangent, [rows[k] for k in entries]))
        place.update({k: start + j for j, k in enumerate(entries)})
        start += len(entries)
    assert parts, f"{output} does not depend on {wrt}"
    entries = b.gather(b.concat(parts), [place[k] for k in range(len(rows))])
    return SparseJacobian(b.finish({"jacobian": entries}), tuple(rows), tuple(columns), count)
