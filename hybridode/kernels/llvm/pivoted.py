"""A Rosenbrock step, its reverse and its tangent once more, with partial pivoting: loops in memory, of one trajectory.

The step's own elimination has its order of pivots from the compiler. Where the numbers make that a bad one (`watched` in
`loop`), the lanes concerned are worked on here. A function has one argument, the frame: inputs and outputs of the tape that it
stands for, and room for what lies between. It is small (each of the model's tapes once, not once a stage) and rarely called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hybridode.kernels.llvm.dense_lu import Loops, dense_lu
from hybridode.kernels.llvm.evaluate import evaluation
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.constraints import PER_STAGE, differential, projection
from hybridode.methods.rosenbrock import StiffField
from hybridode.methods.tableau import RosenbrockTableau
from hybridode.tape.derive import forward, reverse
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape

Row = Sequence[float]


class Pivoted:
    """The functions of one module (`parts`) and the constants that they read (`tables`), once one of `FUNCTIONS` was written."""

    def __init__(self, method: RosenbrockTableau, model: StiffField, n: int, prefix: str = "") -> None:
        self.prefix = prefix
        self.method, self.model, self.n, self.s = method, model, n, method.stages
        self.used = method.stages  # how many of them are computed
        self.w = Loops()
        self.parts: list[Writer] = [] if prefix else [dense_lu(n)]
        self.tables: list[str] = []
        self.places: dict[str, int] = {}  # of the regions in the frame
        self.total = self.head = 0
        fields = {"rates": model.rates, "jacobian": model.jacobian if model.pattern else None, "slope": model.time_slope}
        fields["projection"] = None if model.invariants is None else projection(model.invariants, n)
        self.fields = {name: tape for name, tape in fields.items() if tape is not None}
        self.shapes: dict[str, Shape] = {i.name: i.shape for tape in self.fields.values() for i in tape.inputs}
        self.read = [name for name in self.shapes if name not in ("t", "y")]

    # ---- the frame --------------------------------------------------------------------------------------------------------
    def room(self, name: str, count: int) -> None:
        self.places[name] = self.total
        self.total += count

    def region(self, name: str, row: str | int = 0, length: int = 0) -> str:
        """Address of a region of the frame, or of a row of it."""
        start = self.w.address("%frame", str(self.places[name]))
        return start if row == 0 else self.w.address(start, self.w.whole("mul", row, length))

    def signal(self, name: str, suffix: str, stage: str | int) -> str:
        return self.region(f"{name}@0{suffix}", stage, size(self.shapes[name]))

    def inputs(self, suffix: str = "") -> None:
        """Regions for what the field reads (with the suffix of its derivatives), signals for all stages."""
        for name in self.read:
            for stage in range(self.s) if name in PER_STAGE else (None,):
                key = name if stage is None else f"{name}@{stage}"
                self.room(f"{key}{suffix}", size(self.shapes[name]))

    def table(self, values: Row, kind: str = "double") -> str:
        """A constant array."""
        name = f"@{self.prefix}pivoted_{len(self.tables)}"
        words = ", ".join(f"{kind} {Lanes().number(v) if kind == 'double' else int(v)}" for v in (values or (0,)))
        self.tables.append(f"{name} = internal constant [{max(1, len(values))} x {kind}] [{words}]")
        return name

    def square(self, rows: Sequence[Row]) -> str:
        """A table of rows, filled up to as many columns as there are stages."""
        return self.table([x for row in rows for x in (*row, *[0.0] * (self.s - len(row)))])

    # ---- tapes ------------------------------------------------------------------------------------------------------------
    def define(self, name: str, tape: Tape) -> None:
        """A function of pointers that evaluates a tape."""
        w = evaluation(tape, Lanes(), f"{self.prefix}pivoted_{name}")
        w.lines[0] = w.lines[0].replace("define void", "define internal void").replace(") {", ") noinline cold {")
        self.parts.append(w)

    def call(self, name: str, tape: Tape, given: Mapping[str, str], stage: str | int, out: Mapping[str, str]) -> None:
        """Evaluates a tape: inputs that are not given stand in their regions."""

        def pointer(key: str) -> str:
            if key in given:
                return given[key]
            own, _, dot = key.partition(".")
            suffix = f".{dot}" if dot else ""
            return self.signal(own, suffix, stage) if own in PER_STAGE else self.region(key)

        arguments = [pointer(i.name) for i in tape.inputs] + [out[key] for key, _ in tape.outputs]
        self.w.line(f"call void @{self.prefix}pivoted_{name}({', '.join(f'ptr {a}' for a in arguments)})")

    # ---- pieces of a step -------------------------------------------------------------------------------------------------
    def scale(self, target: str, factor: str, source: str) -> None:
        """target += factor source, vectors of states."""
        w = self.w
        w.each(0, self.n, lambda k: w.increase(target, k, w.mul(factor, w.load(source, k))))

    def copy(self, target: str, source: str | None, count: int) -> None:
        """The source, or zeros."""
        w = self.w
        w.each(0, count, lambda k: w.store(w.lanes.const(0.0) if source is None else w.load(source, k), target, k))

    def weighted(self, target: str, table: str, row: str | int, until: str | int, vectors: str, factor: str = "") -> None:
        """target += factor sum_j table[row, j] vectors[j]"""
        w = self.w

        def one(j: str) -> None:
            weight = w.load(table, w.at(row, self.s, j))
            self.scale(target, w.mul(weight, factor) if factor else weight, self.region(vectors, j, self.n))

        w.each(0, until, one)

    def over_differential(self, act: Callable[[str], None]) -> None:
        """act(k) for every state that is no algebraic unknown."""
        w, places = self.w, differential(self.n, self.model.algebraic)
        if len(places) == self.n:
            w.each(0, self.n, act)
            return
        table = self.table(places, "i64")
        w.each(0, len(places), lambda k: act(w.load(table, k, "i64")))

    def scale_differential(self, target: str, factor: str, source: str) -> None:
        """target += factor M source"""
        w = self.w
        self.over_differential(lambda k: w.increase(target, k, w.mul(factor, w.load(source, k))))

    def remember(self, target: str, i: str, vectors: str) -> None:
        """target += M sum_j C[i, j] vectors[j] / h"""
        w = self.w
        if not self.model.algebraic:
            self.weighted(target, self.c, i, i, vectors, self.per_h)
            return

        def one(j: str) -> None:
            factor = w.mul(w.load(self.c, w.at(i, self.s, j)), self.per_h)
            self.scale_differential(target, factor, self.region(vectors, j, self.n))

        w.each(0, i, one)

    def ended(self) -> None:
        """Fills `new` with the new state, before it is projected, and `time` with its time."""
        w = self.w
        self.sums({"new": self.method.b}, "u")
        self.scale(self.region("new"), w.lanes.const(1.0), self.region("y"))
        w.store(w.add(self.t, self.h), self.region("time"))

    def at_end(self) -> dict[str, str]:
        return {"t": self.region("time"), "y": self.region("new")}

    def over_pattern(self, act: Callable[[str, str, str], None]) -> None:
        """act(entry, its row, its column)"""
        w = self.w
        rows, columns = (self.table([e[k] for e in self.model.pattern], "i64") for k in (0, 1))
        w.each(0, len(self.model.pattern), lambda e: act(e, w.load(rows, e, "i64"), w.load(columns, e, "i64")))

    def begin(self, name: str) -> None:
        n, s = self.n, self.s
        self.head = self.total  # inputs and outputs end here
        for region, count in (("time", 1), ("matrix", n * n), ("swaps", n), ("jacobian", len(self.model.pattern)), ("slope", n),
                              ("stages", s * n), ("u", s * n)):  # fmt: skip
            self.room(region, max(count, 1))
        for key, tape in self.fields.items():
            self.define(key, tape)
        self.w.function(f"{self.prefix}{name}", "ptr %frame")
        self.a, self.c = self.square(self.method.a), self.square(self.method.C)
        self.nodes, self.d = self.table(self.method.c), self.table(self.method.d)
        self.t, self.h = self.w.load(self.region("t")), self.w.load(self.region("h"))
        self.per_h = self.w.div(self.w.lanes.const(1.0), self.h)

    def stage_time(self, i: str) -> None:
        w = self.w
        w.store(w.add(self.t, w.mul(w.load(self.nodes, i), self.h)), self.region("time"))

    def step(self) -> None:
        """The factors, the stages and their solutions."""
        w, n, model = self.w, self.n, self.model
        start = {"t": self.region("t"), "y": self.region("y")}
        for key in ("jacobian", "slope"):
            if key in self.fields:
                self.call(key, self.fields[key], start, 0, {self.fields[key].outputs[0][0]: self.region(key)})
        matrix, swaps = self.region("matrix"), self.region("swaps")
        self.copy(matrix, None, n * n)
        self.over_differential(lambda i: w.store(w.mul(w.lanes.const(1 / self.method.gamma), self.per_h), matrix, w.at(i, n, i)))
        if model.pattern:
            entries = self.region("jacobian")
            self.over_pattern(lambda e, i, j: w.increase(matrix, w.at(i, n, j), w.neg(w.load(entries, e))))
        w.line(f"call void @dense_factor(ptr {matrix}, ptr {swaps})")

        def stage(i: str) -> None:
            at, u = self.region("stages", i, n), self.region("u", i, n)
            self.copy(at, self.region("y"), n)
            self.weighted(at, self.a, i, i, "u")
            self.stage_time(i)
            self.call("rates", model.rates, {"t": self.region("time"), "y": at}, i, {model.rates.outputs[0][0]: u})
            self.remember(u, i, "u")
            if "slope" in self.fields:
                self.scale(u, w.mul(w.load(self.d, i), self.h), self.region("slope"))
            w.line(f"call void @dense_solve(ptr {matrix}, ptr {swaps}, ptr {u})")

        w.each(0, self.used, stage)

    def without_error(self) -> None:
        """Leaves out the last stages if only the error reads them: nothing is known of the signals there."""
        rows = (self.method.b, *self.method.dense)
        self.used = max(i + 1 for i in range(self.s) if any(row[i] for row in rows))

    def sums(self, rows: Mapping[str, Row], vectors: str) -> None:
        """Fills regions with weighted sums."""
        for name, row in rows.items():
            self.copy(self.region(name), None, self.n)
            self.weighted(self.region(name), self.table(row), 0, self.used, vectors)

    # ---- the functions ----------------------------------------------------------------------------------------------------
    def end(self) -> None:
        self.w.end()
        self.parts.append(self.w)


def pivoted_step(p: Pivoted) -> None:
    """As `rosenbrock_step`: the outputs y, error and dense (one region a row)."""
    for name, count in (("t", 1), ("h", 1), ("y", p.n)):
        p.room(name, count)
    p.inputs()
    rows = {"error": p.method.error, **{f"dense{r}": row for r, row in enumerate(p.method.dense)}}
    for name in ("new", *rows):
        p.room(name, p.n)
    p.begin("pivoted")
    p.step()
    p.sums({"new": p.method.b, **rows}, "u")
    p.scale(p.region("new"), p.w.lanes.const(1.0), p.region("y"))
    if "projection" in p.fields:
        p.ended()
        p.call("projection", p.fields["projection"], p.at_end(), p.s - 1, {"end": p.region("new")})
    p.end()


def pivoted_reverse(p: Pivoted) -> None:
    """As `rosenbrock_step_reverse`: from y.bar and u.bar to `old.bar` (the state's) and `NAME.bar` of all that is read."""
    n, s, w, model = p.n, p.s, p.w, p.model
    p.without_error()
    sizes = {"t": 1, "h": 1, "y": n, "y.bar": n, "u.bar": s * n, "old.bar": n, "part": n, "v": n, "slope.bar": n,
             "jacobian.bar": max(1, len(model.pattern))}  # fmt: skip
    sizes |= {"new": n} if "projection" in p.fields else {}
    for name, count in sizes.items():
        p.room(name, count)
    p.inputs()
    first = p.total
    p.inputs(".bar")
    read, parts = p.total - first, p.total  # the same regions once more, for what one reverse gives
    p.total += read
    pulled = {key: reverse(tape, ["y", *p.read]) for key, tape in p.fields.items()}
    for key, tape in pulled.items():
        p.define(f"{key}_reverse", tape)
    p.begin("pivoted")
    p.step()

    def spread() -> None:
        b = p.table(p.method.b)
        w.each(0, s, lambda i: p.scale(p.region("u.bar", i, n), w.load(b, i), p.region("y.bar")))
        p.copy(p.region("old.bar"), p.region("y.bar"), n)

    if "projection" not in p.fields:
        spread()
    p.copy(p.region("slope.bar"), None, n)
    p.copy(p.region("jacobian.bar"), None, len(model.pattern))
    p.copy(w.address("%frame", str(first)), None, read)

    def through(key: str, given: Mapping[str, str], stage: str | int, bar: str) -> None:
        """The part of y, and what everything else gets, added up."""
        source = p.fields[key].outputs[0][0]
        out = {"y.bar": p.region("part")}
        for name in p.read:
            total = p.signal(name, ".bar", stage) if name in PER_STAGE else p.region(f"{name}.bar")
            out[f"{name}.bar"] = w.address(total, str(parts - first))
        p.copy(p.region("part"), None, n)
        p.call(f"{key}_reverse", pulled[key], {**given, f"{source}.bar": bar}, stage, out)
        for name in p.read:
            if any(name == i.name for i in p.fields[key].inputs):
                more = out[f"{name}.bar"]
                total = p.signal(name, ".bar", stage) if name in PER_STAGE else p.region(f"{name}.bar")
                w.each(0, size(p.shapes[name]), lambda k, more=more, total=total: w.increase(total, k, w.load(more, k)))

    if "projection" in p.fields:
        p.ended()
        through("projection", p.at_end(), p.s - 1, p.region("y.bar"))
        p.copy(p.region("y.bar"), p.region("part"), n)
        spread()

    def stage(i: str) -> None:
        v = p.region("v")
        p.copy(v, p.region("u.bar", i, n), n)
        w.line(f"call void @dense_solve_transposed(ptr {p.region('matrix')}, ptr {p.region('swaps')}, ptr {v})")
        u, entries = p.region("u", i, n), p.region("jacobian.bar")
        if model.pattern:
            p.over_pattern(lambda e, row, column: w.increase(entries, e, w.mul(w.load(v, row), w.load(u, column))))
        if "slope" in p.fields:
            p.scale(p.region("slope.bar"), w.mul(w.load(p.d, i), p.h), v)
        p.stage_time(i)
        through("rates", {"t": p.region("time"), "y": p.region("stages", i, n)}, i, v)
        p.scale(p.region("old.bar"), w.lanes.const(1.0), p.region("part"))

        def earlier(j: str) -> None:
            bar = p.region("u.bar", j, n)
            p.scale_differential(bar, w.mul(w.load(p.c, w.at(i, s, j)), p.per_h), v)
            p.scale(bar, w.load(p.a, w.at(i, s, j)), p.region("part"))

        w.each(0, i, earlier)

    w.backwards(p.used, stage)
    start = {"t": p.region("t"), "y": p.region("y")}
    for key in ("jacobian", "slope"):
        if key in p.fields:
            through(key, start, 0, p.region(f"{key}.bar"))
            p.scale(p.region("old.bar"), w.lanes.const(1.0), p.region("part"))
    p.end()


def pivoted_tangent(p: Pivoted) -> None:
    """As `rosenbrock_step_tangent`: from y.dot and `NAME.dot` to `new.dot` and `dense0.dot` …"""
    n, s, w, model = p.n, p.s, p.w, p.model
    p.without_error()
    rows = {f"dense{r}.dot": row for r, row in enumerate(p.method.dense)}
    sizes = {"t": 1, "h": 1, "y": n, "y.dot": n, "new.dot": n, "at.dot": n, "slope.dot": n, "u_dots": s * n,
             "jacobian.dot": max(1, len(model.pattern)), **dict.fromkeys(rows, n)}  # fmt: skip
    sizes |= {"new": n} if "projection" in p.fields else {}
    for name, count in sizes.items():
        p.room(name, count)
    p.inputs()
    p.inputs(".dot")
    moved = {key: forward(tape, ["y", *p.read], values=False) for key, tape in p.fields.items()}
    for key, tape in moved.items():
        p.define(f"{key}_tangent", tape)
    p.begin("pivoted")
    p.step()
    start = {"t": p.region("t"), "y": p.region("y"), "y.dot": p.region("y.dot")}
    for key in ("jacobian", "slope"):
        if key in p.fields:
            p.call(f"{key}_tangent", moved[key], start, 0, {moved[key].outputs[0][0]: p.region(f"{key}.dot")})

    def stage(i: str) -> None:
        at, u_dot, u = p.region("at.dot"), p.region("u_dots", i, n), p.region("u", i, n)
        p.copy(at, p.region("y.dot"), n)
        p.weighted(at, p.a, i, i, "u_dots")
        p.stage_time(i)
        given = {"t": p.region("time"), "y": p.region("stages", i, n), "y.dot": at}
        p.call("rates_tangent", moved["rates"], given, i, {moved["rates"].outputs[0][0]: u_dot})
        p.remember(u_dot, i, "u_dots")
        if "slope" in p.fields:
            p.scale(u_dot, w.mul(w.load(p.d, i), p.h), p.region("slope.dot"))
        if model.pattern:
            entries = p.region("jacobian.dot")
            p.over_pattern(lambda e, row, column: w.increase(u_dot, row, w.mul(w.load(entries, e), w.load(u, column))))
        w.line(f"call void @dense_solve(ptr {p.region('matrix')}, ptr {p.region('swaps')}, ptr {u_dot})")

    w.each(0, p.used, stage)
    p.sums({"new.dot": p.method.b, **rows}, "u_dots")
    p.scale(p.region("new.dot"), w.lanes.const(1.0), p.region("y.dot"))
    if "projection" in p.fields:
        p.ended()
        given = {**p.at_end(), "y.dot": p.region("new.dot")}
        p.call("projection_tangent", moved["projection"], given, p.s - 1, {"end.dot": p.region("new.dot")})
    p.end()


FUNCTIONS: dict[str, Callable[[Pivoted], None]] = {
    "step": pivoted_step,
    "reverse": pivoted_reverse,
    "tangent": pivoted_tangent,
}
