"""Input signals inside the loops: piecewise cubics of time, looked up at the times of a step's stages.

A row of the slot `s` holds k signals of K knots: knots (k, K) ascending, padded with infinity; coefficients (k, K + 1, 4), piece
j between the knots j - 1 and j, powers of t - knot[max(j - 1, 0)]; then, if any signal is `landing`, the knots of these
signals in one sorted list that ends with infinity. Steps end on the landing knots, and all stages of a step read the
piece of such a signal that the step begins in: at the knot itself the last stage still sees what was before the jump.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridode.methods.constraints import PER_STAGE
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop


def piece_function(scalar: str, align: int) -> str:
    """`i64 piece(x, count, t)`: how many of the ascending numbers are not after t."""
    return f"""define internal i64 @piece(ptr %x, i64 %count, {scalar} %t) {{
entry:
  br label %loop
loop:
  %low = phi i64 [ 0, %entry ], [ %new_low, %one ]
  %high = phi i64 [ %count, %entry ], [ %new_high, %one ]
  %open = icmp slt i64 %low, %high
  br i1 %open, label %one, label %done
one:
  %both = add i64 %low, %high
  %middle = lshr i64 %both, 1
  %at = getelementptr {scalar}, ptr %x, i64 %middle
  %knot = load {scalar}, ptr %at, align {align}
  %past = fcmp ole {scalar} %knot, %t
  %above = add i64 %middle, 1
  %new_low = select i1 %past, i64 %above, i64 %low
  %new_high = select i1 %past, i64 %high, i64 %middle
  br label %loop
done:
  ret i64 %low
}}"""


@dataclass(frozen=True)
class Piece:
    """A piece of a signal: per lane the places of its coefficients and of the knot before it in a row; what stands there."""

    coefficients: Sequence[str]
    knots: Sequence[str]
    knot: str
    powers: Sequence[str]


@dataclass(frozen=True)
class Point:
    """A signal at a time: its piece, the time since the knot before it, and the derivatives from the value to the third."""

    piece: Piece
    since: str
    values: tuple[str, str, str, str]


class SignalReader:
    """The signals of the lanes of one function."""

    def __init__(self, loop: LaneLoop, trajectories: Sequence[str]) -> None:
        self.loop, self.w, self.lanes = loop, loop.w, loop.lanes
        self.k, self.landing = loop.inputs.signals, loop.inputs.landing
        w = self.w
        w.needs[piece_function(self.lanes.scalar, self.lanes.number_bytes)] = None
        known = loop.known_times
        count = loop.slot("s_count") if known is None else known.first
        fixed, each = 4 * self.k + bool(self.landing), 5 * self.k + len(self.landing)
        self.K = w.value(f"udiv i64 {w.value(f'sub i64 {count}, {fixed}')}, {each}")
        self.row = loop.rows("s", trajectories, loop.slot("s_stride"))
        self.first = w.value(f"mul i64 {self.K}, {self.k}")  # where the coefficients begin
        pieces = w.value(f"mul i64 {w.value(f'add i64 {self.K}, 1')}, {4 * self.k}")
        self.jumps = [w.address(r, w.value(f"add i64 {self.first}, {pieces}"), self.lanes.scalar) for r in self.row]
        self.jump_count = w.value(f"mul i64 {self.K}, {len(self.landing)}")
        self.points: dict[tuple[int, str, str, str], Point] = {}
        self.pieces: dict[tuple[int, str], Piece] = {}

    # ---- values -----------------------------------------------------------------------------------------------------------
    def inputs(self, tape: Tape, t: str, h: str | None, begin: str = "") -> dict[str, list[str]]:
        """What a tape reads of the signals: `u`, `du`, `ddu` at t, or `u@3` at the time of a stage of the step from t. `begin`:
        where the step begins in which t lies, whose pieces of landing signals hold then."""
        found = {}
        for i in tape.inputs:
            kind, _, stage = i.name.partition("@")
            if kind in PER_STAGE and not stage.endswith(".dot"):
                found[i.name] = [self.point(k, stage, t, h, begin).values[PER_STAGE.index(kind)] for k in range(self.k)]
        return found

    def prepare(self, names: Iterable[str], t: str, h: str) -> None:
        """Looks up what the inputs `u@3`, … among these names stand for."""
        for kind, _, stage in (name.partition("@") for name in names):
            if kind in PER_STAGE:
                for k in range(self.k):
                    self.point(k, stage, t, h)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What is looked up inside is known only there: in code that the program may go past."""
        points, pieces = dict(self.points), dict(self.pieces)
        yield
        self.points, self.pieces = points, pieces

    @contextmanager
    def within(self, begin: str, time: str) -> Iterator[None]:
        """Inside, the signals at this time are those of the step that begins at `begin`: of its piece where they may jump."""
        with self.inside():
            for k in range(self.k):
                piece = self.piece(k, begin if k in self.landing else time)
                since = self.w.sub(time, piece.knot)
                self.points[k, "", time, ""] = Point(piece, since, self.derivatives(piece.powers, since))
            yield

    def point(self, k: int, stage: str, t: str, h: str | None, begin: str = "") -> Point:
        """Signal k at a stage of the step from t (or at t, in the step from `begin`)."""
        key = (k, stage, t, h or begin)
        if key in self.points:
            return self.points[key]
        w, loop = self.w, self.loop
        c = loop.m.nodes[int(stage)] if stage else 0.0
        time = t if c == 0.0 or h is None else w.add(t, w.mul(loop.const(c), h))
        piece = self.piece(k, (begin or t) if k in self.landing else time)
        since = w.sub(time, piece.knot)
        self.points[key] = Point(piece, since, self.derivatives(piece.powers, since))
        return self.points[key]

    def piece(self, k: int, time: str) -> Piece:
        """The piece of signal k that holds at a time."""
        if (k, time) in self.pieces:
            return self.pieces[k, time]
        w, loop, scalar = self.w, self.loop, self.lanes.scalar
        coefficients, knots = [], []
        for lane, row in enumerate(self.row):
            start = w.value(f"mul i64 {self.K}, {k}")
            own = w.address(row, start, scalar)
            piece = w.value(f"call i64 @piece(ptr {own}, i64 {self.K}, {scalar} {loop.lane(time, lane)})")
            later = w.value(f"icmp sgt i64 {piece}, 0")
            before = w.value(f"sub i64 {piece}, {w.value(f'zext i1 {later} to i64')}")
            knots.append(w.value(f"add i64 {start}, {before}"))
            at = w.value(f"add i64 {w.value(f'add i64 {start}, {k}')}, {piece}")  # k (K + 1) + piece
            coefficients.append(w.value(f"add i64 {self.first}, {w.value(f'shl i64 {at}, 2')}"))
        powers = [self.gathered(self.row, coefficients, power) for power in range(4)]
        self.pieces[k, time] = Piece(coefficients, knots, self.gathered(self.row, knots, 0), powers)
        return self.pieces[k, time]

    def gathered(self, rows: Sequence[str], places: Sequence[str], further: int) -> str:
        """Every lane's number at its place (and so many further) in its row."""
        w, loop = self.w, self.loop
        found = []
        for row, place in zip(rows, places, strict=True):
            at = w.address(row, place, self.lanes.scalar)
            found.append(w.load(at, str(further), self.lanes.scalar, loop.align))
        return w.join(found)

    def derivatives(self, c: Sequence[str], s: str) -> tuple[str, str, str, str]:
        """Value, first, second and third derivative of c0 + c1 s + c2 s^2 + c3 s^3."""
        w, const = self.w, self.loop.const
        value = w.add(c[0], w.mul(s, w.add(c[1], w.mul(s, w.add(c[2], w.mul(s, c[3]))))))
        rate = w.add(c[1], w.mul(s, w.add(w.mul(const(2.0), c[2]), w.mul(s, w.mul(const(3.0), c[3])))))
        second = w.add(w.mul(const(2.0), c[2]), w.mul(s, w.mul(const(6.0), c[3])))
        return value, rate, second, w.mul(const(6.0), c[3])

    def next_jump(self, t: str) -> str:
        """The first landing knot after t, or infinity."""
        w, loop, scalar = self.w, self.loop, self.lanes.scalar
        if not self.landing:
            return loop.const(math.inf)
        found = []
        for lane, jumps in enumerate(self.jumps):
            passed = w.value(f"call i64 @piece(ptr {jumps}, i64 {self.jump_count}, {scalar} {loop.lane(t, lane)})")
            found.append(w.load(w.address(jumps, passed, scalar), "0", scalar, loop.align))
        return w.join(found)

    # ---- derivatives --------------------------------------------------------------------------------------------------------
    def tangents(self, tape: Tape, rows: Sequence[str], t: str, h: str) -> dict[str, list[str]]:
        """The inputs `u@3.dot`, … of a tape from the tangents of the rows."""
        w, found = self.w, {}
        for i in tape.inputs:
            name, _, dot = i.name.rpartition(".")
            kind, _, stage = name.partition("@")
            if dot != "dot" or kind not in PER_STAGE:
                continue
            order, values = PER_STAGE.index(kind), []
            for k in range(self.k):
                p = self.point(k, stage, t, h)
                moved = [self.gathered(rows, p.piece.coefficients, power) for power in range(4)]
                knot = self.gathered(rows, p.piece.knots, 0)
                values.append(w.sub(self.derivatives(moved, p.since)[order], w.mul(p.values[order + 1], knot)))
            found[i.name] = values
        return found

    def collect(self, name: str, bar: Sequence[str], rows: Sequence[str], masks: Sequence[str], t: str, h: str) -> None:
        """Adds what the cotangent of the input `name` gives to the rows of cotangents, in the lanes of the masks (i1 each)."""
        w, const = self.w, self.loop.const
        kind, _, stage = name.partition("@")
        order = PER_STAGE.index(kind)
        for k in range(self.k):
            p = self.point(k, stage, t, h)
            power = bar[k]  # times d^order/ds^order of s^j
            for j in range(4):
                if j < order:
                    continue
                factor = math.factorial(j) / math.factorial(j - order)
                self.add_to(rows, p.piece.coefficients, j, power if factor == 1 else w.mul(const(factor), power), masks)
                power = w.mul(power, p.since)
            self.add_to(rows, p.piece.knots, 0, w.neg(w.mul(bar[k], p.values[order + 1])), masks)

    def add_to(self, rows: Sequence[str], places: Sequence[str], further: int, value: str, masks: Sequence[str]) -> None:
        w, loop, scalar = self.w, self.loop, self.lanes.scalar
        for lane, (row, place, mask) in enumerate(zip(rows, places, masks, strict=True)):
            at = w.address(row, place, scalar)
            own = loop.lane(value, lane)
            more = w.value(f"select i1 {mask}, {scalar} {own}, {scalar} {self.lanes.number(0.0)}")
            total = w.value(f"fadd {scalar} {w.load(at, str(further), scalar, loop.align)}, {more}")
            w.store(total, at, str(further), scalar, loop.align)
