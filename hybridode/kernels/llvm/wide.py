"""A tape with wide values (networks, large vectors): registers for what is small, memory and loops for what is not.

A value is one of
    registers   a list of names, one per element (as in `straight`)
    Buffer      elements in memory, one after the other; each holds all lanes, unless it is `uniform` (the same in every lane: a
                network's weights), when an element is one number
    Lazy        an elementwise operation that is computed where it is read, so that chains become one loop

Loops run over elements in chunks: with one lane, a chunk is a vector of neighbouring elements; with several lanes it is one
element of all lanes. Every buffer ends with room for one more chunk, so that the last chunk may reach beyond the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from hybridode.kernels.llvm.straight import CALLED, ELEMENTWISE, Registers, element
from hybridode.kernels.llvm.wide_operations import OPERATIONS, PLACED
from hybridode.kernels.llvm.wide_products import add_products, merged
from hybridode.kernels.llvm.wide_values import BOOLEAN, DEEP, NARROW, UNROLLED, Buffer, Lazy, Value, buffers
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.tape.ops import OPS
from hybridode.tape.scalars import STRUCTURAL
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape


class WideEmitter:
    """Emits tapes into a writer. `frame` is the scratch memory (bytes) that the function must provide as `%frame`."""

    def __init__(self, w: Writer, vector: int) -> None:
        """`vector`: how many numbers the widest register of the target holds."""
        self.w = w
        self.chunk = w if w.lanes.width > 1 else w.beside(Lanes(vector, w.lanes.dtype))
        self.step = 1 if w.lanes.width > 1 else vector  # elements per chunk
        self.unit = w.lanes.bytes  # bytes of one element of a lane buffer
        self.number = w.lanes.bytes // w.lanes.width
        self.accumulators = 16 if vector * self.number >= 64 else 8  # half of the registers there are
        self.frame = 0
        self._free: dict[int, list[int]] = {}
        self._offsets: dict[str, tuple[int, int]] = {}

    # ---- a tape -----------------------------------------------------------------------------------------------------------
    def emit(self, tape: Tape, inputs: Mapping[str, Value], lazily: Container[str] = ()) -> dict[str, Value]:
        """Registers or buffers of all outputs; those named in `lazily` may come as they are computed."""
        values: list[Value] = [inputs[i.name] for i in tape.inputs]
        shapes: list[Shape] = [i.shape for i in tape.inputs]
        first = len(values)
        self._boolean = [False] * first
        reads = Counter(a for i in tape.instructions for a in i.args)
        last: dict[int, int] = {a: k for k, i in enumerate(tape.instructions) for a in i.args}
        results = {value for _, value in tape.outputs}
        finished = {value for name, value in tape.outputs if name not in lazily}
        held: dict[str, int] = {}  # buffer -> position of its last reader, lazies included
        for k, (op, args, attrs, shape) in enumerate(tape.instructions):
            operands = [self.number_of(values[a]) if op == "broadcast" and self._boolean[a] else values[a] for a in args]
            value = self.instruction(op, operands, [shapes[a] for a in args], attrs, shape)
            number = first + k
            if op == "broadcast" and self._boolean[args[0]]:
                value = Lazy("ne", (value, [self.w.lanes.const(0.0)]), shape, 2)
            elif (
                isinstance(value, Lazy)
                and (reads[number] > 1 or value.depth > DEEP or number in finished)
                and value.op not in BOOLEAN
            ):
                value = self.store(value)
            values.append(value)
            shapes.append(shape)
            gives = OPS[op].gives
            like = self._boolean[args[0]] if args else isinstance(attrs[0], bool) if op == "const" else False
            self._boolean.append(gives == "b" or (gives == "=" and like))
            end = 10**9 if number in results else last.get(number, k)
            for name in buffers(value):
                if name in self._offsets:
                    held[name] = max(held.get(name, 0), end)
            for name in [name for name, at in held.items() if at <= k]:
                self.release(name)
                del held[name]
        return {name: values[value] for name, value in tape.outputs}

    def instruction(self, op: str, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
        if op in ELEMENTWISE:
            return self.elementwise(op, operands, shape, attrs)
        condition = any(isinstance(x, Lazy) and x.op in BOOLEAN for x in operands)
        if op in OPERATIONS and not condition and (any(not isinstance(x, list) for x in operands) or size(shape) > NARROW):
            return OPERATIONS[op](self, operands, shapes, attrs, shape)
        narrow = [self.registers(x) for x in operands]
        return list(STRUCTURAL[op](Registers(self.w), narrow, shapes, attrs, shape))

    def elementwise(self, op: str, operands: Sequence[Value], shape: Shape, attrs: Any) -> Value:
        n = size(shape)
        if n <= NARROW:
            narrow = [self.registers(x) for x in operands]
            elements = [[x[k] if len(x) > 1 or n == 1 else x[0] for x in narrow] for k in range(n)]
            if self.step > 1 and op in CALLED and n > 2:
                return self.together(op, elements, attrs)
            return [element(self.w, op, one, attrs) for one in elements]
        takes = OPS[op].takes
        if "b" in takes and any(isinstance(x, list) and len(x) > 1 for x in operands):  # conditions in registers
            narrow = [self.registers(x) for x in operands]
            return [element(self.w, op, [x[k] if len(x) > 1 else x[0] for x in narrow], attrs) for k in range(n)]
        sums = [x for x in operands if isinstance(x, Lazy) and x.op == "outer"]
        if op == "add" and len(sums) == 2:
            return merged(*sums)
        kept = tuple(x if not isinstance(x, list) or len(x) == 1 else self.store_registers(x) for x in operands)
        depth = 1 + max((x.depth for x in kept if isinstance(x, Lazy)), default=0)
        return Lazy(op, kept, shape, depth, attrs)

    def together(self, op: str, elements: Sequence[Sequence[str]], attrs: Any) -> list[str]:
        """A function of several single numbers by calls on vectors of them, the last repeated where there is room."""
        out: list[str] = []
        while len(out) < len(elements):
            some = elements[len(out) : len(out) + self.step]
            width = next(k for k in (4, 8, 16) if k >= min(len(some), self.step))
            c = self.w.beside(Lanes(width, self.w.lanes.dtype))
            full = [*some, *[some[-1]] * (width - len(some))]
            packed = [c.join(x) for x in zip(*full, strict=True)]
            result = element(c, op, packed, attrs)
            out += [c.value(f"extractelement {c.lanes.real} {result}, i32 {k}") for k in range(len(some))]
        return out

    def number_of(self, condition: Value) -> Value:
        """Conditions as 0 and 1."""
        one, zero = self.w.lanes.const(1.0), self.w.lanes.const(0.0)
        return [self.w.select(c, one, zero) for c in self.registers(condition)]

    # ---- memory -----------------------------------------------------------------------------------------------------------
    def buffer(self, count: int) -> Buffer:
        """Scratch for `count` elements and one more chunk."""
        bytes_ = (count + self.step) * self.unit
        free = self._free.get(bytes_)
        offset = free.pop() if free else self.reserve(bytes_)
        pointer = self.w.value(f"getelementptr i8, ptr %frame, i64 {offset}", "b")
        self._offsets[pointer] = (offset, bytes_)
        return Buffer(pointer, count)

    def reserve(self, bytes_: int) -> int:
        """Where in the frame so many bytes are kept."""
        self.frame += (bytes_ + 63) // 64 * 64
        return self.frame - (bytes_ + 63) // 64 * 64

    def release(self, pointer: str) -> None:
        offset, bytes_ = self._offsets.pop(pointer)
        self._free.setdefault(bytes_, []).append(offset)

    def registers(self, x: Value) -> list[str]:
        """All elements of a value in registers."""
        if isinstance(x, list):
            return x
        if isinstance(x, Lazy) and x.op in BOOLEAN:  # conditions have no form in memory
            operands = [self.registers(a) for a in x.operands]
            return [element(self.w, x.op, [a[k] if len(a) > 1 else a[0] for a in operands]) for k in range(x.count)]
        if isinstance(x, Lazy):
            x = self.store(x)
        return [self.element(x, str(k)) for k in range(x.count)]

    def element(self, x: Buffer, index: str) -> str:
        """One element in all lanes."""
        w = self.w
        if x.uniform and w.lanes.width > 1:
            return w.splat(w.load(x.pointer, index, w.lanes.scalar, self.number))
        return w.load(x.pointer, index, align=self.number)

    def store_registers(self, x: Sequence[str]) -> Buffer:
        out = self.buffer(len(x))
        for k, value in enumerate(x):
            self.w.store(value, out.pointer, str(k), align=self.number)
        return out

    def in_memory(self, x: Value) -> Buffer:
        if isinstance(x, Buffer):
            return x
        return self.store(x) if isinstance(x, Lazy) else self.store_registers(x)

    def store(self, x: Lazy) -> Buffer:
        """A lazy value computed into a buffer. Rows of a matrix are stored in rising order, so that what the last chunk of
        a row writes beyond its end is overwritten by the next row."""
        out = self.buffer(x.count)
        if x.op == "outer":
            add_products(self, x, out, add=False)
            return out
        rows, columns = x.shape if len(x.shape) == 2 else (1, x.count)

        def row(i: str) -> None:
            base = "0" if rows == 1 else self.w.value(f"mul i64 {i}, {columns}")

            def piece(j: str) -> None:
                at = j if rows == 1 else self.w.value(f"add i64 {base}, {j}")
                self.write(self.at(x, i, j, at), out, at)

            self.chunks(columns, piece)

        self.repeat(rows, row)
        return out

    def add_to(self, total: Buffer, value: Value, mask: str | None) -> None:
        """total += value, in the lanes of the mask only."""
        if isinstance(value, Lazy) and value.op == "outer":
            return add_products(self, value, total, add=True, mask=mask)
        x = value if isinstance(value, Lazy) and len(value.shape) == 1 else self.in_memory(value)

        def piece(k: str) -> None:
            before = self.read(total, k)
            after = self.chunk.add(before, self.at(x, "0", k, k))
            self.write(after if mask is None else self.w.select(mask, after, before), total, k)

        return self.chunks(total.count, piece)

    def write(self, value: str, out: Buffer, at: str) -> None:
        place = self.w.value(f"getelementptr {self.w.lanes.real}, ptr {out.pointer}, i64 {at}", "a")
        self.w.line(f"store {self.chunk.lanes.real} {value}, ptr {place}, align {self.number}")

    def at(self, x: Value, i: str, j: str, at: str, boolean: bool = False) -> str:
        """The chunk of a value at row i, column j, flat place `at`; a value of one element is the same everywhere."""
        if isinstance(x, list):
            return x[0] if self.step == 1 else self.chunk.splat(x[0], "i1" if boolean else None)
        if isinstance(x, Lazy):
            if x.op in PLACED:
                return PLACED[x.op](self, x, i, j)
            takes = OPS[x.op].takes
            kinds = takes + takes[-1] * len(x.operands)
            operands = [self.at(a, i, j, at, kind == "b") for a, kind in zip(x.operands, kinds, strict=False)]
            return element(self.chunk, x.op, operands, x.attrs)
        return self.read(x, at)

    def read(self, x: Buffer, at: str) -> str:
        if x.count == 1:
            return (
                self.chunk.splat(self.w.load(x.pointer, "0", self.w.lanes.scalar, self.number))
                if self.step > 1
                else self.element(x, "0")
            )
        if self.step == 1:
            return self.element(x, at)
        place = self.w.value(f"getelementptr {self.w.lanes.real}, ptr {x.pointer}, i64 {at}", "a")
        return self.w.value(f"load {self.chunk.lanes.real}, ptr {place}, align {self.number}")

    # ---- loops ------------------------------------------------------------------------------------------------------------
    def chunks(self, count: int, body: Callable[[str], None]) -> None:
        """body(first element) for every chunk of `count` elements."""
        self.repeat(-(-count // self.step), lambda c: body(self.w.value(f"mul i64 {c}, {self.step}") if self.step > 1 else c))

    def repeat(self, rounds: int, body: Callable[[str], None]) -> None:
        self.fold(rounds, [], lambda k, _: (body(k), [])[1], self.w.lanes.real)

    def fold(self, rounds: int, start: Sequence[str], body: Callable[[str, list[str]], list[str]], kind: str) -> list[str]:
        """`carried = body(k, carried)` for k = 0 … rounds - 1; the carried registers have the type `kind`."""
        carried = list(start)
        if rounds <= UNROLLED:
            for k in range(rounds):
                carried = body(str(k), carried)
            return carried
        w = self.w
        enter, loop, leave = (w.fresh(name)[1:] for name in ("enter", "each", "leave"))
        w.line(f"br label %{enter}")
        w.label(enter)
        w.line(f"br label %{loop}")
        w.label(loop)
        place = len(w.lines)
        k, names = w.fresh("k"), [w.fresh("c") for _ in carried]
        new = body(k, list(names))
        following = w.value(f"add i64 {k}, 1")
        back = w.fresh("back")[1:]
        more = w.value(f"icmp ult i64 {following}, {rounds}")
        w.line(f"br label %{back}")
        w.label(back)
        w.line(f"br i1 {more}, label %{loop}, label %{leave}")
        phis = [f"  {k} = phi i64 [ 0, %{enter} ], [ {following}, %{back} ]"]
        phis += [f"  {a} = phi {kind} [ {s}, %{enter} ], [ {b}, %{back} ]" for a, s, b in zip(names, carried, new, strict=True)]
        w.lines[place:place] = phis
        w.label(leave)
        return new

    # ---- sums of products ---------------------------------------------------------------------------------------------------
    def rows_times(self, matrix: Buffer, columns: int, x: Buffer, first: str, rows: int) -> list[str]:
        """Entries first … first + rows - 1 of matrix @ x, in registers of all lanes."""
        w, c = self.w, self.chunk
        starts = [w.value(f"mul i64 {w.value(f'add i64 {first}, {r}')}, {columns}") for r in range(rows)]
        if self.step == 1:

            def one(j: str, sums: list[str]) -> list[str]:
                value = self.element(x, j)
                cells = [self.element(matrix, w.value(f"add i64 {s}, {j}")) for s in starts]
                return [w.add(w.mul(cell, value), total) for cell, total in zip(cells, sums, strict=True)]

            return self.fold(columns, [w.lanes.const(0.0)] * rows, one, w.lanes.real)
        whole, rest = columns // self.step, columns % self.step

        def several(k: str, sums: list[str]) -> list[str]:
            j = w.value(f"mul i64 {k}, {self.step}")
            value = self.read(x, j) if x.count > 1 else self.read(x, "0")
            cells = [self.read(matrix, w.value(f"add i64 {s}, {j}")) for s in starts]
            return [c.add(c.mul(cell, value), total) for cell, total in zip(cells, sums, strict=True)]

        sums = self.fold(whole, [c.lanes.const(0.0)] * rows, several, c.lanes.real) if whole else None
        totals = [self.horizontal(s) for s in sums] if sums else [w.lanes.const(0.0)] * rows
        for j in range(whole * self.step, whole * self.step + rest):
            value = self.element(x, str(j))
            cells = [self.element(matrix, w.value(f"add i64 {s}, {j}")) for s in starts]
            totals = [w.add(w.mul(cell, value), total) for cell, total in zip(cells, totals, strict=True)]
        return totals

    def horizontal(self, v: str) -> str:
        """The sum of a chunk's elements, in a fixed order of pairs."""
        lanes, w = self.chunk.lanes, self.w
        name = f"@llvm.vector.reduce.fadd.v{lanes.width}f{64 if lanes.dtype == 'float64' else 32}"
        w.needs[f"declare {lanes.scalar} {name}({lanes.scalar}, {lanes.real})"] = None
        return w.value(f"call reassoc {lanes.scalar} {name}({lanes.scalar} {lanes.number(-0.0)}, {lanes.real} {v})")
