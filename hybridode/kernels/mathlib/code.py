"""Formulas that write LLVM IR: values with Python's operators, so that a function reads like its mathematics.

`Code` is the body of one function; every operation appends one line of IR text and gives the `Value` it names. Nothing is
reassociated or contracted: what is written is what is computed (double-double arithmetic depends on it). `fma` is exact
everywhere (LLVM calls the C function where a processor lacks the instruction); `muladd` may be fused or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib.formats import Format, format_of

Kind = Literal["real", "bits", "mask"]


@dataclass(frozen=True)
class Value:
    """A register or constant: real lanes, their bits as integers of the same size, or a mask of booleans."""

    code: Code
    name: str
    kind: Kind

    def _two(self, instruction: str, other: Any, swap: bool = False) -> Value:
        other = self.code.value(other, self.kind)
        a, b = (other, self) if swap else (self, other)
        return self.code.line(f"{instruction} {self.code.type_of(self.kind)} {a.name}, {b.name}", self.kind)

    def _arithmetic(self, name: str, other: Any, swap: bool = False) -> Value:
        assert self.kind != "mask", f"{name} of a mask"
        return self._two(("f" if self.kind == "real" else "") + name, other, swap)

    def __add__(self, other: Any) -> Value:
        return self._arithmetic("add", other)

    def __radd__(self, other: Any) -> Value:
        return self._arithmetic("add", other, True)

    def __sub__(self, other: Any) -> Value:
        return self._arithmetic("sub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._arithmetic("sub", other, True)

    def __mul__(self, other: Any) -> Value:
        return self._arithmetic("mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._arithmetic("mul", other, True)

    def __truediv__(self, other: Any) -> Value:
        return self._arithmetic("div", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._arithmetic("div", other, True)

    def __neg__(self) -> Value:
        assert self.kind == "real"
        return self.code.line(f"fneg {self.code.lanes.real} {self.name}", "real")

    def __and__(self, other: Any) -> Value:
        return self._two("and", other)

    def __or__(self, other: Any) -> Value:
        return self._two("or", other)

    def __xor__(self, other: Any) -> Value:
        return self._two("xor", other)

    def __invert__(self) -> Value:
        return self._two("xor", True if self.kind == "mask" else -1)

    def __lshift__(self, places: int) -> Value:
        return self._two("shl", places)

    def __rshift__(self, places: int) -> Value:
        """Logical: zeros come in."""
        return self._two("lshr", places)

    def _compare(self, of_reals: str, of_bits: str, other: Any) -> Value:
        other = self.code.value(other, self.kind)
        instruction = f"fcmp {of_reals}" if self.kind == "real" else f"icmp {of_bits}"
        return self.code.line(f"{instruction} {self.code.type_of(self.kind)} {self.name}, {other.name}", "mask")

    def __lt__(self, other: Any) -> Value:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Any) -> Value:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Any) -> Value:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Any) -> Value:
        return self._compare("oge", "sge", other)

    def equals(self, other: Any) -> Value:
        return self._compare("oeq", "eq", other)

    def differs(self, other: Any) -> Value:
        """True also where one of the reals is NaN."""
        return self._compare("une", "ne", other)

    def is_nan(self) -> Value:
        return self._compare("uno", "", self)

    def where(self, a: Any, b: Any) -> Value:
        """`a` in the lanes where this mask is true, else `b`."""
        assert self.kind == "mask"
        kind: Kind = a.kind if isinstance(a, Value) else b.kind if isinstance(b, Value) else "real"
        a, b = self.code.value(a, kind), self.code.value(b, kind)
        t = self.code.type_of(kind)
        return self.code.line(f"select {self.code.lanes.mask} {self.name}, {t} {a.name}, {t} {b.name}", kind)

    def __abs__(self) -> Value:
        return self.code.intrinsic("fabs", self)

    def bits(self) -> Value:
        return self.code.line(f"bitcast {self.code.lanes.real} {self.name} to {self.code.type_of('bits')}", "bits")

    def real(self) -> Value:
        """The bits as reals."""
        return self.code.line(f"bitcast {self.code.type_of('bits')} {self.name} to {self.code.lanes.real}", "real")


@dataclass
class Code:
    """The growing body of a function. `declarations` and `needs` are what its module must hold beside it."""

    lanes: Lanes
    lines: list[str] = field(default_factory=list)
    declarations: dict[str, None] = field(default_factory=dict)
    needs: dict[str, Definition] = field(default_factory=dict)
    block: str = "entry"
    _known: dict[str, Value] = field(default_factory=dict)
    _count: int = 0

    @property
    def format(self) -> Format:
        return format_of(self.lanes)

    def type_of(self, kind: Kind) -> str:
        if kind == "bits":
            one = f"i{self.format.bits}"
            return one if self.lanes.width == 1 else f"<{self.lanes.width} x {one}>"
        return self.lanes.real if kind == "real" else self.lanes.mask

    def value(self, x: Any, kind: Kind = "real") -> Value:
        """A Python number as a constant in every lane."""
        if isinstance(x, Value):
            assert x.kind == kind, f"a {x.kind} where a {kind} is wanted"
            return x
        if kind == "real":
            return Value(self, self.lanes.const(float(x)), kind)
        if kind == "mask":
            return Value(self, self.lanes.const(bool(x)), kind)
        bits, width = self.format.bits, self.lanes.width
        one = str(x - (1 << bits) if x >> (bits - 1) == 1 else x)
        return Value(self, one if width == 1 else "<" + ", ".join([f"i{bits} {one}"] * width) + ">", kind)

    def line(self, text: str, kind: Kind) -> Value:
        """`%v7 = text`; the same text twice is one value."""
        known = self._known.get(text)
        if known is None:
            self._count += 1
            known = self._known[text] = Value(self, f"%v{self._count}", kind)
            self.lines.append(f"  {known.name} = {text}")
        return known

    def intrinsic(self, name: str, *args: Any) -> Value:
        """A call of `llvm.NAME` on reals."""
        t = self.lanes.real
        function = f"@llvm.{name}.{self.lanes.suffix}"
        self.declarations[f"declare {t} {function}({', '.join([t] * len(args))})"] = None
        return self.line(f"call {t} {function}({', '.join(f'{t} {self.value(a).name}' for a in args)})", "real")

    def fma(self, a: Any, b: Any, c: Any) -> Value:
        """a·b + c rounded once."""
        return self.intrinsic("fma", a, b, c)

    def muladd(self, a: Any, b: Any, c: Any) -> Value:
        """a·b + c rounded once or twice, as is fastest."""
        return self.intrinsic("fmuladd", a, b, c)

    def any(self, mask: Value) -> str:
        """An i1: true if some lane is."""
        if self.lanes.width == 1:
            return mask.name
        width, t = self.lanes.width, self.lanes.mask
        function = f"@llvm.vector.reduce.or.v{width}i1"
        self.declarations[f"declare i1 {function}({t})"] = None
        return self.line(f"call i1 {function}({t} {mask.name})", "mask").name

    def where_any(self, mask: Value, usual: Sequence[Value], rare: Callable[[], Sequence[Value]]) -> list[Value]:
        """`usual`, or what `rare` computes in the lanes where the mask is true: the only branch there is, hardly ever taken."""
        condition, before, known = self.any(mask), self.block, self._known
        self._count += 1
        slow, after = f"rare{self._count}", f"after{self._count}"
        self.lines += [f"  br i1 {condition}, label %{slow}, label %{after}", f"{slow}:"]
        self.block, self._known = slow, dict(known)
        others = [mask.where(b, a) for a, b in zip(usual, rare(), strict=True)]
        last = self.block
        self.lines += [f"  br label %{after}", f"{after}:"]
        self.block, self._known = after, known
        merged = []
        for a, b in zip(usual, others, strict=True):
            phi = f"phi {self.type_of(a.kind)} [ {a.name}, %{before} ], [ {b.name}, %{last} ]"
            merged.append(self.line(phi, a.kind))
        return merged

    def outside(self, name: str, emit: Callable[..., Value], *operands: Value) -> Value:
        """A call of a function of these lanes that is hardly ever needed, so that its instructions stand elsewhere."""
        inner, real = Code(self.lanes), self.lanes.real
        own = [Value(inner, f"%x{k}", "real") for k in range(len(operands))]
        result = emit(inner, *own)
        function = f"@hode_{name}_{self.lanes.suffix}"
        signature = f"{real} {function}({', '.join(f'{real} {x.name}' for x in own)})"
        self.requires(finish(function, inner, signature, f"{real} {result.name}", "noinline cold nounwind"))
        return self.line(f"call {real} {function}({', '.join(f'{real} {x.name}' for x in operands)})", "real")

    def requires(self, definition: Definition) -> None:
        self.needs[definition.name] = definition


@dataclass(frozen=True)
class Definition:
    """A function as IR text, with the declarations and the other definitions that its module must hold."""

    name: str  # with its @
    text: str
    declarations: tuple[str, ...] = ()
    needs: tuple[Definition, ...] = ()


def finish(name: str, code: Code, signature: str, result: str, attributes: str) -> Definition:
    """The definition whose body `code` is; `result` is the text after `ret`."""
    lines = [f"define internal {signature} {attributes} {{", "entry:", *code.lines, f"  ret {result}", "}"]
    return Definition(name, "\n".join(lines), tuple(code.declarations), tuple(code.needs.values()))
