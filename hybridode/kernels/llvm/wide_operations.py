"""The structural operations of the tape on wide values (see `wide`): one row each in OPERATIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hybridode.kernels.llvm.wide_products import products
from hybridode.kernels.llvm.wide_values import NARROW, UNROLLED, Buffer, Lazy, Value
from hybridode.tape.shapes import Shape, size

if TYPE_CHECKING:
    from hybridode.kernels.llvm.wide import WideEmitter


def _matvec(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    matrix, x = e.in_memory(operands[0]), e.in_memory(operands[1])
    rows, columns = shapes[0]
    if rows <= NARROW:
        return e.rows_times(matrix, columns, x, "0", rows)
    out, block = e.buffer(rows), 4
    whole = rows // block

    def some(k: str) -> None:
        first = e.w.value(f"mul i64 {k}, {block}")
        for r, value in enumerate(e.rows_times(matrix, columns, x, first, block)):
            e.w.store(value, out.pointer, e.w.value(f"add i64 {first}, {r}"), align=e.number)

    e.repeat(whole, some)
    for r, value in enumerate(e.rows_times(matrix, columns, x, str(whole * block), rows % block)):
        e.w.store(value, out.pointer, str(whole * block + r), align=e.number)
    return out


def _matvec_transposed(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    """Sum over rows of g_i times row i: the rows are contiguous, so chunks of the result stay in registers."""
    matrix, g = e.in_memory(operands[0]), e.in_memory(operands[1])
    rows, columns = shapes[0]
    out = e.buffer(columns)
    w, c, most = e.w, e.chunk, 4
    pieces = -(-columns // e.step)

    def block(first: str, count: int) -> None:
        starts = [w.value(f"mul i64 {w.value(f'add i64 {first}, {r}')}, {e.step}") for r in range(count)]

        def row(i: str, sums: list[str]) -> list[str]:
            factor = e.element(g, i) if e.step == 1 else c.splat(w.load(g.pointer, i, w.lanes.scalar, e.number))
            base = w.value(f"mul i64 {i}, {columns}")
            cells = [e.read(matrix, w.value(f"add i64 {base}, {s}")) for s in starts]
            return [c.add(c.mul(cell, factor), total) for cell, total in zip(cells, sums, strict=True)]

        for s, total in zip(starts, e.fold(rows, [c.lanes.const(0.0)] * count, row, c.lanes.real), strict=True):
            e.write(total, out, s)

    e.repeat(pieces // most, lambda k: block(w.value(f"mul i64 {k}, {most}"), most))
    if pieces % most:
        block(str(pieces // most * most), pieces % most)
    return e.registers(out) if columns <= NARROW else out


def _matmul(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    """Entry by entry: used for the few columns of a network's Jacobian."""
    a, b = e.in_memory(operands[0]), e.in_memory(operands[1])
    (flip_a, flip_b), w = attrs, e.w
    (rows, columns), inner = shape, shapes[0][0] if flip_a else shapes[0][1]
    out = e.buffer(rows * columns)

    def entry(i: str, j: str) -> None:
        def term(k: str, total: list[str]) -> list[str]:
            left = w.value(f"add i64 {w.value(f'mul i64 {k if flip_a else i}, {shapes[0][1]}')}, {i if flip_a else k}")
            right = w.value(f"add i64 {w.value(f'mul i64 {j if flip_b else k}, {shapes[1][1]}')}, {k if flip_b else j}")
            return [w.add(w.mul(e.element(a, left), e.element(b, right)), total[0])]

        (total,) = e.fold(inner, [w.lanes.const(0.0)], term, w.lanes.real)
        w.store(total, out.pointer, w.value(f"add i64 {w.value(f'mul i64 {i}, {columns}')}, {j}"), align=e.number)

    e.repeat(rows, lambda i: e.repeat(columns, lambda j: entry(i, j)))
    return e.registers(out) if rows * columns <= NARROW else out


def _sum(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    x, w = e.in_memory(operands[0]), e.w
    if attrs is None:

        def one(k: str, total: list[str]) -> list[str]:
            return [w.add(e.element(x, k), total[0])]

        return e.fold(x.count, [w.lanes.const(0.0)], one, w.lanes.real)
    rows, columns = shapes[0]
    inner, outer = (rows, columns) if attrs == 0 else (columns, rows)
    out = e.buffer(outer)

    def line(o: str) -> None:
        def term(k: str, total: list[str]) -> list[str]:
            i, j = (k, o) if attrs == 0 else (o, k)
            return [w.add(e.element(x, w.value(f"add i64 {w.value(f'mul i64 {i}, {columns}')}, {j}")), total[0])]

        (total,) = e.fold(inner, [w.lanes.const(0.0)], term, w.lanes.real)
        w.store(total, out.pointer, o, align=e.number)

    e.repeat(outer, line)
    return e.registers(out) if outer <= NARROW else out


def _outer(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    return Lazy("outer", tuple(e.in_memory(x) for x in operands), shape, 1)


def _outer_at(e: WideEmitter, x: Lazy, i: str, j: str) -> str:
    total = None
    for left, right in products(x):
        factor = e.element(left, i) if e.step == 1 else e.chunk.splat(e.w.load(left.pointer, i, e.w.lanes.scalar, e.number))
        product = e.chunk.mul(factor, e.read(right, j) if right.count > 1 else e.at(right, i, j, j))
        total = product if total is None else e.chunk.add(product, total)
    assert total is not None
    return total


def _broadcast(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    x = operands[0]
    if attrs is None:
        return Lazy("spread", (e.registers(x),), shape, 1)
    return Lazy(f"along{attrs}", (e.in_memory(x),), shape, 1)


def _along(e: WideEmitter, x: Lazy, i: str, j: str) -> str:
    (vector,) = x.operands
    if x.op == "along0":
        return e.read(vector, j)
    return e.element(vector, i) if e.step == 1 else e.chunk.splat(e.w.load(vector.pointer, i, e.w.lanes.scalar, e.number))


def _gather(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    x = operands[0]
    if isinstance(x, list):
        return e.store_registers([x[k] for k in attrs])
    x = e.in_memory(x)
    if isinstance(attrs, range) and (attrs.step == 1 or len(attrs) == 1) and len(attrs) > NARROW:
        return _copy(
            e, Buffer(e.w.address(x.pointer, str(attrs[0]), e.w.lanes.scalar if x.uniform else None), len(attrs), x.uniform)
        )
    taken = [e.element(x, str(k)) for k in attrs]
    return taken if len(taken) <= NARROW else e.store_registers(taken)


def _copy(e: WideEmitter, x: Buffer, out: Buffer | None = None) -> Buffer:
    out = out or e.buffer(x.count)
    for k in range(x.count) if x.count <= UNROLLED else ():
        e.w.store(e.element(x, str(k)), out.pointer, str(k), align=e.number)
    if x.count > UNROLLED:
        e.repeat(x.count, lambda k: e.w.store(e.element(x, k), out.pointer, k, align=e.number))
    return out


def _concat(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    out, at = e.buffer(size(shape)), 0
    for part in operands:
        if isinstance(part, list):
            for value in part:
                e.w.store(value, out.pointer, str(at), align=e.number)
                at += 1
        else:
            x = e.in_memory(part)
            _copy(e, x, Buffer(e.w.address(out.pointer, str(at)), x.count))
            at += x.count
    return out


def _scatter_add(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    out, zero = e.buffer(size(shape)), e.w.lanes.const(0.0)
    e.repeat(size(shape), lambda k: e.w.store(zero, out.pointer, k, align=e.number))
    x = operands[0]
    source = x if isinstance(x, list) else e.in_memory(x)
    for k, place in enumerate(attrs):
        value = source[k] if isinstance(source, list) else e.element(source, str(k))
        e.w.store(e.w.add(e.element(out, str(place)), value), out.pointer, str(place), align=e.number)
    return out


def _constant(e: WideEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    numbers = e.store_registers([e.w.lanes.const(float(value)) for value in attrs])
    return Lazy("ne", (numbers, [e.w.lanes.const(0.0)]), shape, 1) if isinstance(attrs[0], bool) else numbers


OPERATIONS: dict[str, Callable[..., Value]] = {
    "matvec": _matvec,
    "matvec_transposed": _matvec_transposed,
    "matmul": _matmul,
    "sum": _sum,
    "outer": _outer,
    "broadcast": _broadcast,
    "gather": _gather,
    "concat": _concat,
    "scatter_add": _scatter_add,
    "const": _constant,
}
PLACED: dict[str, Callable[[WideEmitter, Lazy, str, str], str]] = {
    "outer": _outer_at,
    "spread": lambda e, x, i, j: e.at(x.operands[0], i, j, j),
    "along0": _along,
    "along1": _along,
}
