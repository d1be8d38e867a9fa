"""What the loops share: the rows of the arrays that the lanes work on, per-lane places, the weights of dense output."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext

from hybridode.kernels.llvm import memory
from hybridode.kernels.llvm.job import INFO, slot_text
from hybridode.kernels.llvm.known_times import KnownTimes
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.signals import SignalReader
from hybridode.kernels.llvm.straight import Elements, emit
from hybridode.kernels.llvm.wide import WideEmitter
from hybridode.kernels.llvm.wide_values import Buffer, Value
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method
from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape

Row = Sequence[str]  # per lane the address of its row of an array


class LaneLoop(ABC):
    """A writer with the vocabulary of the loops; the function is `void NAME(ptr job, i64 start)` (see `job`)."""

    def __init__(self, method: Method, lanes: Lanes, inputs: Inputs, name: str) -> None:
        self.m, self.lanes, self.inputs, self.name = method, lanes, inputs, name
        self.w = Writer(lanes)
        self.align = lanes.bytes // lanes.width
        self.T = ""  # the number of save points, a register
        self.ts: Row = ()
        self.info: Row = ()
        self.emitter = WideEmitter(self.w, inputs.vector) if inputs.weights else None
        self.known: dict[str, Buffer] = {}  # the networks' arrays, and their tangents
        self.signals: SignalReader | None = None
        self.known_times: KnownTimes | None = None
        self.beside: list[Writer] = []  # functions beside this one, and constants
        self.tables: list[str] = []

    @property
    def watches(self) -> bool:
        """Are pivots watched? In single precision steps are too coarse for it to matter."""
        return self.m.stiff is not None and self.lanes.dtype == "float64"

    # ---- the function and its tapes ---------------------------------------------------------------------------------------
    def begin(self) -> None:
        self.w.lines.append(f"define internal void @{self.name}(ptr %job, i64 %start) {{")
        self.w.label("entry")
        self.top = len(self.w.lines)
        if self.emitter is not None:
            self.w.line("br i1 %poor, label %no_memory, label %with_memory")
            self.w.label("no_memory")
            self.give_up()
            self.w.line("ret void")
            self.w.label("with_memory")

    @abstractmethod
    def give_up(self) -> None:
        """Writes what a call gives that gets no memory."""

    def leave(self) -> None:
        """The end of the function."""
        if self.emitter is not None:
            self.w.line("call void @free(ptr %memory)")
        self.w.line("ret void")

    def finish(self) -> Writer:
        self.w.lines.append("}")
        if self.emitter is not None:
            self.w.needs |= dict.fromkeys(memory.NEEDS)
            self.w.lines[self.top : self.top] = memory.allocated(self.emitter.frame)
        for part in self.beside:
            self.w.needs.update(part.needs)
            self.w.calls.update(part.calls)
        self.w.lines[0:0] = [*self.tables, *(line for part in self.beside for line in part.lines)]
        return self.w

    def blank_rows(self, rows: Row, count: str) -> None:
        """NaN in the first `count` (a register) elements of every lane's row."""
        self.w.needs[memory.fill_function(self.lanes)] = None
        for row in rows:
            self.w.line(f"call void @fill(ptr {row}, i64 {count}, {self.lanes.scalar} {self.lanes.number(math.nan)})")

    def evaluate(self, tape: Tape, given: Mapping[str, Elements]) -> dict[str, Elements]:
        """The tape of registers; of a model with networks through memory and loops."""
        given = self.completed(tape, given)
        if self.emitter is None:
            return emit(self.w, tape, {i.name: given[i.name] for i in tape.inputs})
        found = self.evaluate_wide(tape, given)
        return {name: self.emitter.registers(value) for name, value in found.items()}

    def completed(self, tape: Tape, given: Mapping[str, Elements]) -> dict[str, Elements]:
        """The inputs with what the tape reads of the signals; `u0` is the tail of the parameters."""
        found = dict(given)
        if self.signals is not None:
            own = self.inputs.parameters - self.inputs.starts
            for dot in ("", ".dot"):
                if f"p{dot}" in given:
                    found[f"p{dot}"], found[f"u0{dot}"] = given[f"p{dot}"][:own], given[f"p{dot}"][own:]
            begin = given["begin"][0] if "begin" in given else ""
            found |= self.signals.inputs(tape, given["t"][0], given["h"][0] if "h" in given else None, begin)
        return found

    def evaluate_wide(self, tape: Tape, given: Mapping[str, Elements], lazily: Container[str] = ()) -> dict[str, Value]:
        """The same, outputs in whatever form they come (see `WideEmitter.emit`)."""
        assert self.emitter is not None
        known = {**self.known, **{name: list(value) for name, value in given.items()}}
        return self.emitter.emit(tape, {i.name: known[i.name] for i in tape.inputs}, lazily)

    def load_inputs(self, trajectories: Sequence[str]) -> None:
        """Parameters, networks' arrays and signals."""
        self.p = self.reads(self.rows("p", trajectories, self.slot("p_stride")), self.inputs.parameters)
        if self.inputs.weights:
            self.load_weights(trajectories)
        self.known_times = KnownTimes(self, trajectories) if self.inputs.known else None
        if self.inputs.signals:
            self.signals = SignalReader(self, trajectories)

    # ---- the networks' arrays -----------------------------------------------------------------------------------------------
    def room(self, name: str, scalar: bool) -> dict[str, Buffer]:
        """Memory for all arrays, each with a chunk to spare: of numbers (the same in all lanes), or of lanes."""
        e, unit = self.emitter, self.align if scalar else self.lanes.bytes
        assert e is not None
        found = {}
        for key, shape in self.inputs.weights:
            pointer = self.w.fresh(name)
            found[key] = Buffer(pointer, size(shape), scalar and self.lanes.width > 1)
            offset = e.reserve((size(shape) + e.step + self.inputs.vector) * unit)
            self.w.lines.insert(self.top, f"  {pointer} = getelementptr i8, ptr %frame, i64 {offset}")
        return found

    def load_weights(self, trajectories: Sequence[str]) -> None:
        """Copies the arrays, which all lanes share or which stand side by side, into memory with room behind them."""
        rows = self.rows("w", trajectories, self.slot("w_stride"))
        if self.inputs.own:
            self.known |= self.room("weights", False)
            self.each_weight(self.known, lambda x, k, at: self.w.store(self.read(rows, at), x.pointer, k, align=self.align))
            return
        row = rows[0]
        self.w.needs["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"] = None
        at = 0
        for key, buffer in self.room("weights", True).items():
            source = self.w.address(row, str(at), self.lanes.scalar)
            count = buffer.count * self.align
            self.w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {buffer.pointer}, ptr {source}, i64 {count}, i1 false)")
            self.known[key] = buffer
            at += buffer.count

    def each_weight(self, buffers: Mapping[str, Buffer], act: Callable[[Buffer, str, str], None]) -> None:
        """act(buffer, place in it, place in a row of `w`) for every element of the arrays, in loops."""
        assert self.emitter is not None
        at = 0
        for buffer in buffers.values():
            start = at

            def one(k: str, buffer: Buffer = buffer, start: int = start) -> None:
                act(buffer, k, self.w.value(f"add i64 {k}, {start}"))

            self.emitter.repeat(buffer.count, one)
            at += buffer.count

    # ---- reals ----------------------------------------------------------------------------------------------------------
    def const(self, x: float) -> str:
        return self.lanes.const(x)

    def maximum(self, a: str, b: str) -> str:
        return self.w.intrinsic("maxnum", a, b)

    def minimum(self, a: str, b: str) -> str:
        return self.w.intrinsic("minnum", a, b)

    def greatest(self, a: str, b: str) -> str:
        """The larger of the two, b where one of them is NaN: a single instruction."""
        return self.w.select(self.w.compare("ogt", a, b), a, b)

    def least(self, a: str, b: str) -> str:
        """The smaller of the two, b where one of them is NaN: a single instruction."""
        return self.w.select(self.w.compare("olt", a, b), a, b)

    def larger(self, a: str, b: str) -> str:
        """The larger of the two, b where one of them is NaN: a single instruction."""
        return self.w.select(self.w.compare("ogt", a, b), a, b)

    def weights(self, method: Method, theta: str, h: str) -> list[str]:
        """The weights of the rows of dense output at theta."""
        w, weights = self.w, []
        for polynomial in method.weights:
            value = self.const(polynomial[-1])
            for coefficient in reversed(polynomial[:-1]):
                value = w.add(w.mul(value, theta), self.const(coefficient))
            weights.append(w.mul(value, h) if method.scaled_by_h else value)
        return weights

    def dense(self, method: Method, weights: Elements, theta: str, old: Elements, new: Elements, rows: Elements) -> list[str]:
        """The dense output with these weights."""
        w, n, result = self.w, method.n, []
        for i in range(n):
            value = w.add(old[i], w.mul(theta, w.sub(new[i], old[i]))) if method.ends else old[i]
            for r, weight in enumerate(weights):
                value = w.add(w.mul(weight, rows[r * n + i]), value)
            result.append(value)
        return result

    # ---- branches -----------------------------------------------------------------------------------------------------
    def branch(self, condition: str, then: Callable[[], Elements], otherwise: Elements, kind: str) -> list[str]:
        """What `then` writes and gives where the condition (one for all lanes) holds, else `otherwise`: registers of a type."""
        w = self.w
        before, inside, last, after = (w.fresh(s) for s in ("before_branch", "branch", "branch_end", "after_branch"))
        w.line(f"br label {before}")
        w.label(before[1:])
        w.line(f"br i1 {condition}, label {inside}, label {after}")
        w.label(inside[1:])
        with self.signals.inside() if self.signals is not None else nullcontext():
            found = then()
        w.line(f"br label {last}")
        w.label(last[1:])
        w.line(f"br label {after}")
        w.label(after[1:])
        return [w.value(f"phi {kind} [ {b}, {before} ], [ {a}, {last} ]") for a, b in zip(found, otherwise, strict=True)]

    def when(self, condition: str, act: Callable[[], object]) -> None:
        """What `act` writes, where the condition (one for all lanes) holds."""
        self.branch(condition, lambda: (act(), [])[1], [], self.lanes.real)

    def either(self, condition: str, then: Callable[[], dict[str, str]], otherwise: Callable[[], dict[str, str]],
               kinds: Mapping[str, str]) -> dict[str, str]:  # fmt: skip
        """What one of two ways writes and gives; `kinds` are the types of the registers."""
        w = self.w
        first, second, after = (w.fresh(s) for s in ("way", "other_way", "both_ways"))
        w.line(f"br i1 {condition}, label {first}, label {second}")
        ends = []
        for begin, act in ((first, then), (second, otherwise)):
            w.label(begin[1:])
            with self.signals.inside() if self.signals is not None else nullcontext():
                found, end = act(), w.fresh("way_end")
            w.line(f"br label {end}")
            w.label(end[1:])
            w.line(f"br label {after}")
            ends.append((found, end))
        w.label(after[1:])
        (a, from_a), (b, from_b) = ends
        return {name: w.value(f"phi {kind} [ {a[name]}, {from_a} ], [ {b[name]}, {from_b} ]") for name, kind in kinds.items()}

    def repeat(self, count: int, body: Callable[[str], None]) -> None:
        """body(k) for k = 0 … count - 1, in a loop whose state is in memory."""
        self.repeat_from("0", str(count), body)

    def repeat_from(self, begin: str, end: str, body: Callable[[str], None]) -> None:
        """body(k) for k = begin … end - 1."""

        def one(k: str) -> str:
            body(k)
            return "true"

        self._repeated(begin, end, one)

    def repeat_while(self, most: int, body: Callable[[str], str]) -> str:
        """body(k) for k = 0, 1, … while it gives true (an i1), at most so often; whether it was still true then, an i1."""
        k = self._repeated("0", str(most), body)
        return self.w.value(f"icmp eq i64 {k}, {most}")

    def _repeated(self, begin: str, end: str, body: Callable[[str], str]) -> str:
        w = self.w
        before, top, inside, last, after = (w.fresh(s) for s in ("before_loop", "loop_top", "loop_one", "loop_end", "after_loop"))
        w.line(f"br label {before}")
        w.label(before[1:])
        w.line(f"br label {top}")
        w.label(top[1:])
        k = w.fresh("k")
        place = len(w.lines)
        w.line(f"br i1 {w.value(f'icmp slt i64 {k}, {end}')}, label {inside}, label {after}")
        w.label(inside[1:])
        on = body(k)
        w.line(f"br label {last}")
        w.label(last[1:])
        following = w.value(f"add i64 {k}, 1")
        w.line(f"br i1 {on}, label {top}, label {after}")
        w.lines.insert(place, f"  {k} = phi i64 [ {begin}, {before} ], [ {following}, {last} ]")
        w.label(after[1:])
        return w.value(f"phi i64 [ {k}, {top} ], [ -1, {last} ]")

    # ---- memory of the function -----------------------------------------------------------------------------------------
    def memory(self, name: str, count: int, kind: str = "") -> str:
        """An array of lanes (of `kind` unless reals) of this function; a pointer."""
        pointer = f"%{name}"
        self.w.lines.insert(self.top, f"  {pointer} = alloca {kind or self.lanes.real}, i64 {max(count, 1)}, align 64")
        return pointer

    def integer_memory(self, name: str) -> str:
        return self.memory(name, 1, self.lanes.integer)

    def at(self, pointer: str, k: int | str) -> str:
        return self.w.load(pointer, str(k), align=self.align)

    def put(self, pointer: str, k: int | str, value: str) -> None:
        self.w.store(value, pointer, str(k), align=self.align)

    def get_integer(self, pointer: str) -> str:
        return self.w.load(pointer, "0", self.lanes.integer, 8)

    def put_integer(self, pointer: str, value: str) -> None:
        self.w.store(value, pointer, "0", self.lanes.integer, 8)

    # ---- masks and integers -----------------------------------------------------------------------------------------------
    def not_(self, mask: str) -> str:
        return self.w.logic("xor", mask, self.lanes.const(True))

    def masked(self, mask: str, a: str, b: str) -> str:
        """a in the lanes of the mask, else b, in code that runs only while there is one: with one lane that is a."""
        return a if self.lanes.width == 1 else self.w.select(mask, a, b)

    def integers(self, value: int) -> str:
        width = self.lanes.width
        return str(value) if width == 1 else "<" + ", ".join([f"i64 {value}"] * width) + ">"

    def whole(self, op: str, a: str, b: str) -> str:
        """An operation or comparison of integers: `add`, `icmp slt`, …"""
        return self.w.value(f"{op} {self.lanes.integer} {a}, {b}")

    def equal(self, a: str, value: int) -> str:
        return self.whole("icmp eq", a, self.integers(value))

    def is_second(self, j: str) -> str:
        """Whether a place of the lanes is odd."""
        return self.whole("icmp eq", self.whole("and", j, self.integers(1)), self.integers(1))

    def select_integer(self, condition: str, a: str, b: str) -> str:
        return self.w.select(condition, a, b, self.lanes.integer)

    def count(self, counter: str, mask: str, op: str = "add") -> str:
        """counter + 1 (or - 1: op "sub") in the lanes of the mask."""
        return self.whole(op, counter, self.w.value(f"zext {self.lanes.mask} {mask} to {self.lanes.integer}"))

    def lane(self, vector: str, k: int, kind: str | None = None) -> str:
        """Lane k of a vector (reals unless another vector type is given)."""
        if self.lanes.width == 1:
            return vector
        return self.w.value(f"extractelement {kind or self.lanes.real} {vector}, i32 {k}")

    # ---- the job ----------------------------------------------------------------------------------------------------------
    def slot(self, name: str, kind: str = "i64") -> str:
        place = self.w.fresh("slot")
        self.w.line(slot_text("%job", name, place))
        return self.w.value(f"load {kind}, ptr {place}, align 8")

    def numbers(self) -> list[str]:
        """Per lane its number among the job's lanes; lanes past the end repeat the last one: they compute and write the same."""
        w, block, seeds = self.w, self.slot("trajectories"), self.slot("seeds")
        last = w.value(f"sub i64 {w.value(f'mul i64 {block}, {seeds}')}, 1")
        found = []
        for k in range(self.lanes.width):
            q = w.value(f"add i64 %start, {k}")
            found.append(w.value(f"select i1 {w.value(f'icmp slt i64 {q}, {last}')}, i64 {q}, i64 {last}"))
        return found

    def whose(self) -> tuple[list[str], list[str], list[str]]:
        """Per lane: its trajectory, the trajectory's row in what a solve wrote, its row among the seeds.

        Every trajectory has its own rows whatever the job's order is: that only says which trajectories stand side by side.
        """
        w, order, own = self.w, self.slot("order", "ptr"), self.w.fresh("own_place")
        w.lines.insert(self.top, f"  {own} = alloca i64, align 8")
        unordered = w.value(f"icmp eq ptr {order}, null")
        block, first, total, base = (self.slot(s) for s in ("trajectories", "first", "total", "base"))
        trajectories, written, seeds = [], [], []
        for q in self.numbers():
            place = w.value(f"urem i64 {q}, {block}")
            w.store(place, own, kind="i64", align=8)
            source = w.value(f"select i1 {unordered}, ptr {own}, ptr {w.address(order, place, 'i64')}")
            b = w.value(f"add i64 {first}, {w.load(source, kind='i64', align=8)}")
            trajectories.append(b)
            written.append(w.value(f"sub i64 {b}, {base}"))
            before = w.value(f"mul i64 {w.value(f'udiv i64 {q}, {block}')}, {total}")
            seeds.append(w.value(f"add i64 {before}, {b}"))
        return trajectories, written, seeds

    def rows(self, name: str, places: Sequence[str], stride: str, kind: str = "") -> list[str]:
        """Per lane the address of its row of an array with this stride in elements."""
        pointer = self.slot(name, "ptr")
        return [self.w.address(pointer, self.w.value(f"mul i64 {k}, {stride}"), kind or self.lanes.scalar) for k in places]

    # ---- rows -------------------------------------------------------------------------------------------------------------
    def read(self, row: Row, k: int | str) -> str:
        """Element k of every lane's row."""
        return self.w.join([self.w.load(r, str(k), self.lanes.scalar, self.align) for r in row])

    def reads(self, row: Row, n: int) -> list[str]:
        """The first n elements of every lane's row."""
        return [self.read(row, k) for k in range(n)]

    def write_at(self, row: Row, k: str, value: str) -> None:
        """Element k of every lane's row."""
        for r, lane in zip(row, range(self.lanes.width), strict=True):
            self.w.store(self.lane(value, lane), r, k, self.lanes.scalar, self.align)

    def write_row(self, row: Row, values: Elements) -> None:
        """Every lane's row from its first element on."""
        for k, value in enumerate(values):
            self.write_at(row, str(k), value)

    def write_info(self, last: Mapping[str, str]) -> None:
        """The row of `info` of every lane, from integers by name."""
        for k, name in enumerate(INFO):
            for row, lane in zip(self.info, range(self.lanes.width), strict=True):
                number = self.w.value(f"trunc i64 {self.lane(last[name], lane, self.lanes.integer)} to i32")
                self.w.store(number, row, str(k), "i32", 4)

    def places(self, row: Row, j: str, n: int) -> list[str]:
        """Per lane the address of row j of an array (…, n) that its row holds."""
        found = []
        for k, r in enumerate(row):
            flat = self.w.value(f"mul i64 {self.lane(j, k, self.lanes.integer)}, {n}")
            found.append(self.w.address(r, flat, self.lanes.scalar))
        return found

    def chosen(self, mask: str, places: Row, otherwise: str) -> list[str]:
        """The places in the lanes of the mask, elsewhere a place where writing does no harm."""
        out = []
        for k, place in enumerate(places):
            out.append(self.w.value(f"select i1 {self.lane(mask, k, self.lanes.mask)}, ptr {place}, ptr {otherwise}"))
        return out

    def clamped(self, j: str) -> str:
        """The save point j of every lane, within 0 … T-1."""
        last = self.w.splat(self.w.value(f"sub i64 {self.T}, 1"), "i64")
        positive = self.select_integer(self.whole("icmp sgt", j, self.integers(0)), j, self.integers(0))
        return self.select_integer(self.whole("icmp slt", positive, last), positive, last)

    def time(self, j: str) -> str:
        """The time of save point j (the nearest there is) of every lane."""
        return self.read(self.places(self.ts, self.clamped(j), 1), 0)
