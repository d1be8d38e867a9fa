"""What the rolled loops share: vectors of states in memory from the heap, rows of arrays read into them and written from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence

from hybridode.kernels.llvm.lane_loop import Inputs, LaneLoop, Row
from hybridode.kernels.llvm.rolled.emitter import RolledEmitter
from hybridode.kernels.llvm.signals import SignalReader
from hybridode.kernels.llvm.wide_values import NARROW, Buffer, Value
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method
from hybridode.tape.tape import Tape


class RolledLoop(LaneLoop):
    """A loop whose vectors are buffers."""

    def __init__(self, method: Method, lanes: Lanes, inputs: Inputs, name: str) -> None:
        super().__init__(method, lanes, inputs, name)
        self.emitter: RolledEmitter = RolledEmitter(self.w, inputs.vector)

    # ---- the function -----------------------------------------------------------------------------------------------------
    def finish(self) -> Writer:
        w = super().finish()
        w.data = self.emitter.tables.data()
        if w.data:
            w.lines.insert(self.top, "  %tables = load ptr, ptr @tables, align 8")
        return w

    def evaluate(self, tape: Tape, given: Mapping[str, Value], lazily: Container[str] = ()) -> dict[str, Value]:
        known = {**self.known, **self.completed(tape, given)}
        return self.emitter.emit(tape, {i.name: known[i.name] for i in tape.inputs}, lazily)

    def completed(self, tape: Tape, given: Mapping[str, Value]) -> dict[str, Value]:
        """As in `LaneLoop`; parameters may lie in memory."""
        found = dict(given)
        if self.signals is not None:
            own = self.inputs.parameters - self.inputs.starts
            for dot in ("", ".dot"):
                if f"p{dot}" in given:
                    p = given[f"p{dot}"]
                    found[f"p{dot}"], found[f"u0{dot}"] = self.part(p, 0, own), self.part(p, own, self.inputs.starts)
            time, h = found["t"], found.get("h")
            assert isinstance(time, list) and (h is None or isinstance(h, list)), "times are registers"
            found |= self.signals.inputs(tape, time[0], None if h is None else h[0])
        return found

    def part(self, x: Value, first: int, count: int) -> Value:
        """Some elements of a value, in registers where they are few."""
        if isinstance(x, list):
            return x[first : first + count]
        view = self.emitter.view(self.emitter.in_memory(x), first, count)
        return view if count > NARROW else self.emitter.registers(view)

    # ---- what is read -----------------------------------------------------------------------------------------------------
    def load_inputs(self, trajectories: Sequence[str]) -> None:
        self.p: Value = self.vector(self.rows("p", trajectories, self.slot("p_stride")), self.inputs.parameters)
        if self.inputs.weights:
            self.load_weights(trajectories)
        if self.inputs.signals:
            self.signals = SignalReader(self, trajectories)

    def vector(self, rows: Row, count: int) -> Value:
        """The first elements of every lane's row: registers where they are few, else memory."""
        if count <= NARROW:
            return self.reads(rows, count)
        return self.load_rows(rows, self.emitter.keep(count))

    def load_rows(self, rows: Row, out: Buffer) -> Buffer:
        """Every lane's row into memory."""
        if self.lanes.width == 1:
            self.memory_copy(out.pointer, rows[0], out.count)
        else:
            self.emitter.repeat(out.count, lambda k: self.w.store(self.read(rows, k), out.pointer, k, align=self.align))
        return out

    def store_rows(self, rows: Row, x: Buffer) -> None:
        """Memory into every lane's row."""
        if self.lanes.width == 1:
            self.memory_copy(rows[0], x.pointer, x.count)
        else:
            self.emitter.repeat(x.count, lambda k: self.write_at(rows, k, self.emitter.element(x, k)))

    def memory_copy(self, to: str, source: str, count: int) -> None:
        self.w.needs["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"] = None
        self.w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {count * self.align}, i1 false)")

    def beyond(self, rows: Row, count: int) -> list[str]:
        """The rows from their element `count` on."""
        return [self.w.address(row, str(count), self.lanes.scalar) for row in rows]

    # ---- vectors ----------------------------------------------------------------------------------------------------------
    def each(self, count: int, out: Buffer, value: Callable[[str], str]) -> None:
        """out[k] = value(k) for all k, in chunks: `value` gives a chunk from its first place."""
        self.emitter.chunks(count, lambda at: self.emitter.write(value(at), out, at))

    def zero(self, *vectors: Buffer) -> None:
        zero = self.emitter.chunk.lanes.const(0.0)
        for x in vectors:
            self.each(x.count, x, lambda at: zero)

    def finite_row(self, rows: Row, x: Buffer, alive: str) -> None:
        """Memory into rows, NaN in dead lanes. What is in memory afterwards is not used again."""
        e, nan = self.emitter, self.emitter.chunk.lanes.const(math.nan)
        self.each(x.count, x, lambda at: e.choose(alive, e.read(x, at), nan))
        self.store_rows(rows, x)

    def dense_into(self, out: Buffer, weights: Sequence[str], theta: str, old: Buffer, new: Buffer, rows: Buffer,
                   part: tuple[int, int] | None = None) -> Buffer:  # fmt: skip
        """The dense output with these weights: of all states, or of a `part` (first, how many)."""
        e, m = self.emitter, self.m
        c, n = e.chunk, m.n
        first, count = part or (0, n)
        parts = [e.view(rows, r * n + first, count) for r in range(len(weights))]
        factors, along = [e.splat(x) for x in weights], e.splat(theta)
        old, new, within = (e.view(x, first, count) if first else x for x in (old, new, out))

        def value(at: str) -> str:
            start = e.read(old, at)
            total = c.add(start, c.mul(along, c.sub(e.read(new, at), start))) if m.ends else start
            for factor, part in zip(factors, parts, strict=True):
                total = c.add(c.mul(factor, e.read(part, at)), total)
            return total

        self.each(count, within, value)
        return out
