"""mod(a, b) = a - b·floor(a/b), with the sign of b and without rounding error (as Python's and NumPy's)."""

from __future__ import annotations

import math
from functools import cache

from hybridode.kernels.mathlib.arithmetic import flip_sign, sign_bits
from hybridode.kernels.mathlib.code import Code, Definition, Value

SCALAR = "@hode_long_division"


def mod(c: Code, a: Value, b: Value) -> Value:
    """Up to quotients of 2^mantissa by one fused multiply-add, which is exact; beyond by long division, lane by lane."""
    q = a / b
    r = c.fma(-c.intrinsic("floor", q), b, a)
    r = abs(b).equals(math.inf).where(a, r)
    (r,) = c.where_any(abs(q) >= 2.0**c.format.mantissa, [r], lambda: [flip_sign(_each_lane(c, abs(a), abs(b)), sign_bits(a))])
    r = (r.differs(0.0) & ((r < 0.0) ^ (b < 0.0))).where(r + b, r)
    r = r.equals(0.0).where(c.intrinsic("copysign", 0.0, b), r)
    # NaN where an operand is, where a is infinite, where b is 0
    return (b.equals(0.0) | ~(abs(a) < math.inf) | b.is_nan()).where(math.nan, r)


def _each_lane(c: Code, a: Value, b: Value) -> Value:
    """float32 goes through float64: the remainder of two float32 is one."""
    c.requires(_scalar())
    lanes, real, single = c.lanes, c.lanes.real, c.lanes.scalar
    result = "poison"
    for k in range(lanes.width):
        x = [v.name for v in (a, b)]
        if lanes.width > 1:
            x = [c.line(f"extractelement {real} {v}, i32 {k}", "real").name for v in x]
        if single == "float":
            x = [c.line(f"fpext float {v} to double", "real").name for v in x]
        one = c.line(f"call double {SCALAR}(double {x[0]}, double {x[1]})", "real").name
        if single == "float":
            one = c.line(f"fptrunc double {one} to float", "real").name
        if lanes.width == 1:
            return Value(c, one, "real")
        result = c.line(f"insertelement {real} {result}, {single} {one}, i32 {k}", "real").name
    return Value(c, result, "real")


@cache
def _scalar() -> Definition:
    """The remainder of a/b for finite a >= b > 0 (anything for others), eleven binary digits a turn."""
    text = f"""define internal double {SCALAR}(double %a, double %b) noinline cold {{
entry:
  %abits = bitcast double %a to i64
  %bbits = bitcast double %b to i64
  %ae = lshr i64 %abits, 52
  %be = lshr i64 %bbits, 52
  %af = and i64 %abits, 4503599627370495
  %bf = and i64 %bbits, 4503599627370495
  %an = or i64 %af, 4503599627370496
  %bn = or i64 %bf, 4503599627370496
  %asub = icmp eq i64 %ae, 0
  %bsub = icmp eq i64 %be, 0
  %ma = select i1 %asub, i64 %af, i64 %an
  %mb0 = select i1 %bsub, i64 %bf, i64 %bn
  %bzero = icmp eq i64 %mb0, 0
  %mb = select i1 %bzero, i64 1, i64 %mb0
  %ea = select i1 %asub, i64 1, i64 %ae
  %eb = select i1 %bsub, i64 1, i64 %be
  %n0 = sub i64 %ea, %eb
  %r0 = urem i64 %ma, %mb
  br label %test
test:
  %n = phi i64 [ %n0, %entry ], [ %nnext, %turn ]
  %r = phi i64 [ %r0, %entry ], [ %rnext, %turn ]
  %more = icmp sgt i64 %n, 0
  br i1 %more, label %turn, label %done
turn:
  %few = icmp slt i64 %n, 11
  %digits = select i1 %few, i64 %n, i64 11
  %shifted = shl i64 %r, %digits
  %rnext = urem i64 %shifted, %mb
  %nnext = sub i64 %n, %digits
  br label %test
done:
  %whole = sitofp i64 %r to double
  %unit = fmul double %whole, 0x3CB0000000000000
  %scalebits = shl i64 %eb, 52
  %scale = bitcast i64 %scalebits to double
  %result = fmul double %unit, %scale
  ret double %result
}}"""
    return Definition(SCALAR, text)
