"""Which elements of an output depend on which elements of an input, and the Jacobian with few sweeps (column colouring).

Columns of a Jacobian that share no row are found by one tangent sweep together (Curtis, Powell and Reid, J. Inst. Math.
Appl. 13, 1974, 117): a tridiagonal Jacobian of any size takes three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hybridode.tape import rules
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
    row, total = OPS[i.op], size(i.shape)
    if row.partials is rules.zero:
        return None
    if row.elementwise:
        return _united([p if p.shape[0] == total else _spread(total) @ p for p in parts if p is not None])
    if i.op == "gather":
        return None if parts[0] is None else sparse.csr_array(parts[0][np.array(i.attrs)])
    if i.op == "concat":
        n = next(p.shape[1] for p in parts if p is not None)
        full = [sparse.csr_array((size(s), n)) if p is None else p for s, p in zip(shapes, parts, strict=True)]
        return sparse.csr_array(sparse.vstack(full, format="csr"))
    return _united([m @ p for m, p in zip(_MAPS[i.op](i, shapes), parts, strict=True) if p is not None])


def _eye(n: int) -> Pattern:
    return sparse.eye_array(n, format="csr")


def _spread(n: int) -> Pattern:
    return _full(n, 1)


def _full(rows: int, columns: int) -> Pattern:
    return sparse.csr_array(np.ones((rows, columns)))


def _kron(a: Pattern, b: Pattern) -> Pattern:
    return sparse.csr_array(sparse.kron(a, b))


def _scatter(i: Instruction, shapes: list[tuple[int, ...]]) -> list[Pattern]:
    k = len(i.attrs)
    return [sparse.csr_array((np.ones(k), (np.array(i.attrs), np.arange(k))), (size(i.shape), k))]


def _broadcast(i: Instruction, shapes: list[tuple[int, ...]]) -> list[Pattern]:
    if i.attrs is None:
        return [_spread(size(i.shape))]
    rows, columns = i.shape
    return [_kron(_eye(rows), _spread(columns)) if i.attrs == 1 else _kron(_spread(rows), _eye(columns))]


def _sum(i: Instruction, shapes: list[tuple[int, ...]]) -> list[Pattern]:
    if i.attrs is None:
        return [_full(1, size(shapes[0]))]
    rows, columns = shapes[0]
    return [_kron(_eye(rows), _full(1, columns)) if i.attrs == 1 else _kron(_full(1, rows), _eye(columns))]


def _matmul(i: Instruction, shapes: list[tuple[int, ...]]) -> list[Pattern]:
    """Element (r, c) of a product depends on row r of the left and on column c of the right operand."""
    (rows, columns), (left, right) = i.shape, i.attrs
    inner = shapes[0][0] if left else shapes[0][1]
    by_row, by_column = _kron(_eye(rows), _full(1, inner)), _kron(_full(1, inner), _eye(columns))
    if left:
        by_row = _kron(_full(1, inner), _eye(rows))
    if right:
        by_column = _kron(_eye(columns), _full(1, inner))
    return [_kron(_eye(rows), _spread(columns)) @ by_row, _kron(_spread(rows), _eye(columns)) @ by_column]


# Which elements of each operand each element of the result depends on: (elements of the result, elements of the operand).
_MAPS: dict[str, Callable[[Instruction, list[tuple[int, ...]]], list[Pattern]]] = {
    "scatter_add": _scatter,
    "broadcast": _broadcast,
    "sum": _sum,
    "matvec": lambda i, s: [_kron(_eye(s[0][0]), _full(1, s[0][1])), _full(*s[0])],
    "matvec_transposed": lambda i, s: [_kron(_full(1, s[0][0]), _eye(s[0][1])), _full(s[0][1], s[0][0])],
    "outer": lambda i, s: [_kron(_eye(i.shape[0]), _spread(i.shape[1])), _kron(_spread(i.shape[0]), _eye(i.shape[1]))],
    "matmul": _matmul,
}


def _united(parts: list[Pattern]) -> Pattern:
    total = sparse.csr_array(sum(parts[1:], parts[0]))
    total.data[:] = 1.0
    return total


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
        if tangent is None:  # what the structure names cancels: x - x
            parts.append(b.broadcast(b.const(0.0), (len(entries),)))
        else:
            parts.append(b.gather(tangent, [rows[k] for k in entries]))
        place.update({k: start + j for j, k in enumerate(entries)})
        start += len(entries)
    assert parts, f"{output} does not depend on {wrt}"
    entries = b.gather(b.concat(parts), [place[k] for k in range(len(rows))])
    return SparseJacobian(b.finish({"jacobian": entries}), tuple(rows), tuple(columns), count)
