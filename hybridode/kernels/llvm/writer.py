"""A writer of LLVM IR text: types of a lane count, constants, fresh names, instructions.

Only `contract` (fused multiply-add) is allowed of the fast-math flags: the others break error control and NaN tests. It is
carried out, and taken away, before LLVM sees the text (see `fused`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Index = str | int  # an i64 register, or a number


@dataclass(frozen=True)
class Lanes:
    """`width` trajectories side by side in one register; width 1 is plain scalar code. `dtype`: "float64" or "float32"."""

    width: int = 1
    dtype: str = "float64"

    @property
    def scalar(self) -> str:
        return "double" if self.dtype == "float64" else "float"

    @property
    def real(self) -> str:
        return self.scalar if self.width == 1 else f"<{self.width} x {self.scalar}>"

    @property
    def mask(self) -> str:
        return "i1" if self.width == 1 else f"<{self.width} x i1>"

    @property
    def integer(self) -> str:
        return "i64" if self.width == 1 else f"<{self.width} x i64>"

    @property
    def suffix(self) -> str:
        """As in the names of LLVM's intrinsics: f64, v4f64."""
        return ("" if self.width == 1 else f"v{self.width}") + ("f64" if self.dtype == "float64" else "f32")

    @property
    def bytes(self) -> int:
        return self.width * (8 if self.dtype == "float64" else 4)

    @property
    def number_bytes(self) -> int:
        """Of one number."""
        return self.bytes // self.width

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next number."""
        return 2.0**-52 if self.dtype == "float64" else 2.0**-23

    @property
    def tiny(self) -> float:
        """A number far below all that a solve meets, its inverse not infinite."""
        return 1e-290 if self.dtype == "float64" else 1e-30

    def number(self, value: float) -> str:
        """A scalar constant by its bits (LLVM writes a float constant as the double that equals it)."""
        if self.dtype == "float32":
            value = _single(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"

    def const(self, value: float | bool) -> str:
        """A constant in every lane."""
        if isinstance(value, bool):
            one, kind = ("true" if value else "false"), "i1"
        else:
            one, kind = self.number(value), self.scalar
        return one if self.width == 1 else "<" + ", ".join(f"{kind} {one}" for _ in range(self.width)) + ">"


def _single(value: float) -> float:
    """The nearest number of float32."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


@dataclass
class Writer:
    """The body of a function that grows line by line. `needs` are its declarations, `calls` mathlib's functions that it calls
    (operation, lanes, attributes); both are ordered sets. `data` are tables that it reads (see `rolled/tables`)."""

    lanes: Lanes
    lines: list[str] = field(default_factory=list)
    needs: dict[str, None] = field(default_factory=dict)
    calls: dict[tuple[str, Lanes, Any], None] = field(default_factory=dict)
    data: bytes = b""
    _count: list[int] = field(default_factory=lambda: [0])

    def beside(self, lanes: Lanes) -> Writer:
        """A writer of other lanes into the same body."""
        return replace(self, lanes=lanes)

    def fresh(self, hint: str = "v") -> str:
        self._count[0] += 1
        return f"%{hint}{self._count[0]}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def value(self, text: str, hint: str = "v") -> str:
        """`%v7 = text`; returns `%v7`."""
        name = self.fresh(hint)
        self.lines.append(f"  {name} = {text}")
        return name

    # ---- arithmetic on lanes ------------------------------------------------------------------------------------------
    def binary(self, op: str, a: str, b: str) -> str:
        return self.value(f"f{op} contract {self.lanes.real} {a}, {b}")

    def add(self, a: str, b: str) -> str:
        return self.binary("add", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.binary("sub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.binary("mul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.binary("div", a, b)

    def neg(self, a: str) -> str:
        return self.value(f"fneg {self.lanes.real} {a}")

    def compare(self, condition: str, a: str, b: str) -> str:
        """An ordered or unordered comparison of LLVM: olt, ole, oeq, une, …"""
        return self.value(f"fcmp {condition} {self.lanes.real} {a}, {b}")

    def logic(self, op: str, a: str, b: str) -> str:
        return self.value(f"{op} {self.lanes.mask} {a}, {b}")

    def select(self, condition: str, a: str, b: str, kind: str | None = None) -> str:
        kind = kind or self.lanes.real
        return self.value(f"select {self.lanes.mask} {condition}, {kind} {a}, {kind} {b}")

    def intrinsic(self, name: str, *args: str) -> str:
        """A call of `llvm.NAME` on reals."""
        real = self.lanes.real
        self.needs[f"declare {real} @llvm.{name}.{self.lanes.suffix}({', '.join([real] * len(args))})"] = None
        return self.value(f"call {real} @llvm.{name}.{self.lanes.suffix}({', '.join(f'{real} {a}' for a in args)})")

    def any(self, mask: str) -> str:
        """An i1: true if the mask is true in some lane."""
        if self.lanes.width == 1:
            return mask
        kind, width = self.lanes.mask, self.lanes.width
        self.needs[f"declare i1 @llvm.vector.reduce.or.v{width}i1({kind})"] = None
        return self.value(f"call i1 @llvm.vector.reduce.or.v{width}i1({kind} {mask})")

    def join(self, scalars: Sequence[str], kind: str | None = None) -> str:
        """A vector of scalars (of this type, the lanes' own unless given)."""
        if self.lanes.width == 1:
            return scalars[0]
        kind, value = kind or self.lanes.scalar, "poison"
        for k, scalar in enumerate(scalars):
            value = self.value(f"insertelement <{self.lanes.width} x {kind}> {value}, {kind} {scalar}, i32 {k}")
        return value

    def splat(self, scalar: str, kind: str | None = None) -> str:
        """A scalar register in every lane (`kind`: its type, the lanes' scalar unless given)."""
        if self.lanes.width == 1:
            return scalar
        kind, width = kind or self.lanes.scalar, self.lanes.width
        first = self.value(f"insertelement <{width} x {kind}> poison, {kind} {scalar}, i32 0")
        return self.value(f"shufflevector <{width} x {kind}> {first}, <{width} x {kind}> poison, <{width} x i32> zeroinitializer")

    # ---- loops -----------------------------------------------------------------------------------------------------------
    def each(self, first: Index, last: Index, body: Callable[[str], None]) -> None:
        """body(k) for k = first … last - 1."""
        before, loop, inside, back, after = (self.fresh(s)[1:] for s in ("before", "each", "one", "next", "after"))
        for name in (before, loop):
            self.line(f"br label %{name}")
            self.label(name)
        place, k = len(self.lines), self.fresh("k")
        self.line(f"br i1 {self.value(f'icmp slt i64 {k}, {last}')}, label %{inside}, label %{after}")
        self.label(inside)
        body(k)
        self.line(f"br label %{back}")
        self.label(back)
        following = self.value(f"add i64 {k}, 1")
        self.line(f"br label %{loop}")
        self.lines.insert(place, f"  {k} = phi i64 [ {first}, %{before} ], [ {following}, %{back} ]")
        self.label(after)

    # ---- memory ---------------------------------------------------------------------------------------------------------
    def address(self, pointer: str, index: str, kind: str | None = None) -> str:
        """Address of element `index` (an i64 register or number) of an array of `kind` (lanes unless given)."""
        return self.value(f"getelementptr {kind or self.lanes.real}, ptr {pointer}, i64 {index}", "a")

    def load(self, pointer: str, index: str = "0", kind: str | None = None, align: int = 0) -> str:
        """Aligned to one number unless said otherwise."""
        kind, align = kind or self.lanes.real, align or self.lanes.number_bytes
        place = pointer if index == "0" else self.address(pointer, index, kind)
        return self.value(f"load {kind}, ptr {place}, align {align}")

    def store(self, value: str, pointer: str, index: str = "0", kind: str | None = None, align: int = 0) -> None:
        kind, align = kind or self.lanes.real, align or self.lanes.number_bytes
        place = pointer if index == "0" else self.address(pointer, index, kind)
        self.line(f"store {kind} {value}, ptr {place}, align {align}")

    def tree_sum(self, terms: Sequence[str], combine: Callable[[str, str], str] | None = None) -> str:
        """The sum of the terms in pairs: short dependency chains, small rounding errors."""
        combine = combine or self.add
        level = list(terms) or [self.lanes.const(0.0)]
        while len(level) > 1:
            level = [combine(level[i], level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        return level[0]
