"""The discrete adjoint: the recorded steps run backwards through the reverse of the step tape, as one function of lanes.

`void NAME(ptr p, ptr ts, i64 T, ptr record, i64 rounds, ptr ys_bar, ptr y_bar, ptr p_bar)`
Arrays of lanes as in `loop`: p (m,), ts (T,), record (rounds, 2 + n) as written by the forward function, ys_bar (T, n);
y_bar (n,) and p_bar (m,) must hold zeros and receive the gradient by the start and the parameters. It is the exact gradient
of the numbers that were computed, with the sequence of step sizes held fixed.
"""

from __future__ import annotations

from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.straight import emit
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method


def adjoint_function(method: Method, lanes: Lanes, parameters: int, name: str = "adjoint") -> Writer:
    """The whole function as text (see the module)."""
    return _Adjoint(method, lanes, parameters, name).write()


class _Adjoint(LaneLoop):
    def __init__(self, method: Method, lanes: Lanes, parameters: int, name: str) -> None:
        super().__init__(lanes)
        self.m, self.parameters, self.name = method, parameters, name

    def write(self) -> Writer:
        w, whole, n = self.w, self.lanes.integer, self.m.n
        arguments = "ptr %p, ptr %ts, i64 %T, ptr %record, i64 %rounds, ptr %ys_bar, ptr %y_bar, ptr %p_bar"
        w.lines.append(f"define void @{self.name}({arguments}) {{")
        w.label("entry")
        p = self.loads("%p", self.parameters)
        rows = self.m.rows * n
        w.line(f"%rows_bar = alloca {self.lanes.real}, i64 {rows + 2 * n}, align 64")
        first = w.splat(w.value("sub i64 %T, 1"), "i64")
        w.line("br label %loop")
        w.label("loop")
        r, j = "%round", "%point"
        place = len(w.lines)
        w.line(f"br i1 {w.value(f'icmp sgt i64 {r}, 0')}, label %step, label %rest")
        w.label("step")
        before = w.value(f"sub i64 {r}, 1")
        base = w.address("%record", w.value(f"mul i64 {before}, {n + 2}"))
        t, h, *y = self.loads(base, n + 2)
        ok = w.compare("ogt", h, self.const(0.0))
        safe_h = w.select(ok, h, self.const(1.0))
        point, blocks = self.collect(ok, j, t, safe_h, rows)
        bars = [w.load("%rows_bar", str(k), align=self.align) for k in range(rows + 2 * n)]
        given = {
            "t": [t],
            "h": [safe_h],
            "y": y,
            "p": p,
            f"{self.m.interpolant}.bar": bars[:rows],
            "y.bar": bars[rows : rows + n],
        }
        out = emit(w, self.m.backward, {i.name: given[i.name] for i in self.m.backward.inputs})
        for k, value in enumerate(out["y.bar"]):
            old = w.load("%y_bar", str(k), align=self.align)
            w.store(w.select(ok, w.add(value, bars[rows + n + k]), old), "%y_bar", str(k), align=self.align)
        for k, value in enumerate(out.get("p.bar", ())):
            old = w.load("%p_bar", str(k), align=self.align)
            w.store(w.add(old, w.select(ok, value, self.const(0.0))), "%p_bar", str(k), align=self.align)
        w.line("br label %loop")
        w.lines[place:place] = [
            f"  {r} = phi i64 [ %rounds, %entry ], [ {before}, {blocks} ]",
            f"  {j} = phi {whole} [ {first}, %entry ], [ {point}, {blocks} ]",
        ]
        w.label("rest")
        self.points_at_start(j)
        w.line("ret void")
        w.lines.append("}")
        return w

    def collect(self, ok: str, j: str, t: str, h: str, rows: int) -> tuple[str, str]:
        """Cotangents of the rows of the dense output, of the new state and of the old one, from the step's save points."""
        w, n = self.w, self.m.n
        zero = self.const(0.0)
        for k in range(rows):
            w.store(zero, "%rows_bar", str(k), align=self.align)
        for k in range(n):
            w.store(w.load("%y_bar", str(k), align=self.align), "%rows_bar", str(rows + k), align=self.align)
            w.store(zero, "%rows_bar", str(rows + n + k), align=self.align)
        w.line("br label %points")
        w.label("points")
        point = "%point_here"
        place = len(w.lines)
        inside = w.value(f"icmp sge {self.lanes.integer} {point}, {self.integers(0)}")
        time = self.gather("%ts", point)
        due = w.logic("and", w.logic("and", inside, ok), w.compare("ogt", time, t))
        w.line(f"br i1 {w.any(due)}, label %take, label %taken")
        w.label("take")
        theta = w.div(w.sub(time, t), h)
        weights = self.weights(self.m, theta, h)
        for i in range(n):
            bar = w.select(due, self.gather_element("%ys_bar", point, n, i), zero)
            for r, weight in enumerate(weights):
                self.accumulate("%rows_bar", r * n + i, w.mul(weight, bar))
            end = w.mul(theta, bar) if self.m.ends else zero
            if self.m.ends:
                self.accumulate("%rows_bar", rows + i, end)
            self.accumulate("%rows_bar", rows + n + i, w.sub(bar, end) if self.m.ends else bar)
        following = w.value(
            f"sub {self.lanes.integer} {point}, {w.value(f'zext {self.lanes.mask} {due} to {self.lanes.integer}')}"
        )
        w.line("br label %points")
        w.lines.insert(place, f"  {point} = phi {self.lanes.integer} [ {j}, %step ], [ {following}, %take ]")
        w.label("taken")
        return point, "%taken"

    def accumulate(self, pointer: str, k: int, value: str) -> None:
        w = self.w
        w.store(w.add(w.load(pointer, str(k), align=self.align), value), pointer, str(k), align=self.align)

    def points_at_start(self, j: str) -> None:
        """Save points at the start: their cotangents belong to the start itself."""
        w, n = self.w, self.m.n
        w.line("br label %starts")
        w.label("starts")
        point = "%point_at_start"
        place = len(w.lines)
        inside = w.value(f"icmp sge {self.lanes.integer} {point}, {self.integers(0)}")
        w.line(f"br i1 {w.any(inside)}, label %start_one, label %end")
        w.label("start_one")
        for i in range(n):
            bar = w.select(inside, self.gather_element("%ys_bar", point, n, i), self.const(0.0))
            self.accumulate("%y_bar", i, bar)
        following = w.value(
            f"sub {self.lanes.integer} {point}, {w.value(f'zext {self.lanes.mask} {inside} to {self.lanes.integer}')}"
        )
        w.line("br label %starts")
        w.lines.insert(place, f"  {point} = phi {self.lanes.integer} [ {j}, %rest ], [ {following}, %start_one ]")
        w.label("end")
