"""Arguments of sin, cos and tan: x = n·π/2 + r, |r| <= π/4, to full accuracy for every finite x.

Up to `LIMIT` by Cody & Waite's method with fused multiply-adds: n·P is exact in the first step whatever n is, since the
difference is a multiple of P's last place and small. Beyond, a branch that is hardly ever taken: Payne & Hanek's method
(ACM SIGNUM Newsletter 18, 1983) in integers, one lane after the other; 192 digits of x·2/π behind the multiples of 4 leave
the 62 that can cancel (Muller, Elementary Functions, 3rd ed., 11.2) and 75 more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib.arithmetic import Pair, fast_two_sum, two_product, two_sum
from hybridode.kernels.mathlib.code import Code, Definition, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, TWO_OVER_PI_WORDS

LIMIT = {"float64": 2.0**40, "float32": 2.0**16}
SCALAR = "@hode_reduce_half_pi"


@dataclass(frozen=True)
class Quadrant:
    """n (its two lowest bits matter) and r, `low` its rounding error (None if not asked for)."""

    n: Value
    r: Value
    low: Value | None


def quadrant(c: Code, a: Value, pair: bool = False) -> Quadrant:
    """Of a >= 0, infinite (r is NaN) or NaN."""
    dtype = c.lanes.dtype
    parts = CONSTANTS["HALF_PI"][dtype]
    shifted = c.muladd(a, CONSTANTS["TWO_OVER_PI"][dtype][0], c.value(c.format.round_shift))
    n = shifted - c.format.round_shift
    usual = [shifted.bits(), *(_pair(c, n, a, parts) if pair else (_single(c, n, a, parts),))]
    merged = c.where_any(a > LIMIT[dtype], usual, lambda: _rare(c, a)[: len(usual)])
    return Quadrant(merged[0], merged[1], merged[2] if pair else None)


def _single(c: Code, n: Value, a: Value, parts: tuple[float, ...]) -> Value:
    r = a
    for part in parts[:3]:
        r = c.fma(n, -part, r)
    return r


def _pair(c: Code, n: Value, a: Value, parts: tuple[float, ...]) -> Pair:
    p, p_low = two_product(c, n, c.value(parts[1]))
    r, e = two_sum(c.fma(n, -parts[0], a), -p)
    return fast_two_sum(r, e - c.muladd(n, parts[2], p_low))


def _rare(c: Code, a: Value) -> list[Value]:
    lanes = c.lanes
    c.requires(_all_lanes(lanes.width, lanes.scalar, lanes.suffix, c.format.bits))
    real, bits = lanes.real, c.type_of("bits")
    both = c.line(f"call {{ {bits}, {real}, {real} }} {SCALAR}_{lanes.suffix}({real} {a.name})", "real").name
    n = c.line(f"extractvalue {{ {bits}, {real}, {real} }} {both}, 0", "bits")
    return [n, *[c.line(f"extractvalue {{ {bits}, {real}, {real} }} {both}, {k}", "real") for k in (1, 2)]]


@cache
def _all_lanes(width: int, scalar: str, suffix: str, bits: int) -> Definition:
    """The scalar reduction for one lane after the other; float32 goes through float64, of which it is a subset."""
    real, integer = (scalar, f"i{bits}") if width == 1 else (f"<{width} x {scalar}>", f"<{width} x i{bits}>")
    one, lines = "{ i64, double, double }", []
    results = {"n": (f"i{bits}", integer), "r": (scalar, real), "l": (scalar, real)}
    before = dict.fromkeys(results, "poison")
    for k in range(width):
        x = f"%x{k}" if width > 1 else "%x"
        if width > 1:
            lines.append(f"{x} = extractelement {real} %x, i32 {k}")
        if bits == 32:
            lines.append(f"%wide{k} = fpext float {x} to double")
            x = f"%wide{k}"
        lines.append(f"%q{k} = call {one} {SCALAR}(double {x})")
        lines += [f"%{name}q{k} = extractvalue {one} %q{k}, {j}" for j, name in enumerate("nrl")]
        if bits == 32:
            lines += [f"%nt{k} = trunc i64 %nq{k} to i32", f"%rt{k} = fptrunc double %rq{k} to float"]
            lines += [f"%back{k} = fpext float %rt{k} to double", f"%rest{k} = fsub double %rq{k}, %back{k}"]
            lines.append(f"%lt{k} = fptrunc double %rest{k} to float")
        for name, (element, whole) in results.items():
            value = f"%{name}{'t' if bits == 32 else 'q'}{k}"
            if width > 1:
                lines.append(f"%{name}v{k} = insertelement {whole} {before[name]}, {element} {value}, i32 {k}")
                value = f"%{name}v{k}"
            before[name] = value
    result = f"{{ {integer}, {real}, {real} }}"
    for j, (name, (_, whole)) in enumerate(results.items()):
        lines.append(f"%s{j} = insertvalue {result} {f'%s{j - 1}' if j else 'poison'}, {whole} {before[name]}, {j}")
    body = "\n".join(f"  {line}" for line in lines)
    text = f"define internal {result} {SCALAR}_{suffix}({real} %x) noinline cold {{\nentry:\n{body}\n  ret {result} %s2\n}}"
    return Definition(f"{SCALAR}_{suffix}", text, (), (_scalar(),))


# { n mod 4, r, low } of one x >= 2^16 (NaN for infinity), with Payne and Hanek's method. x = m·2^e with an integer m; of 2/π
# only the digits from 2^(1-e) on count (those before give multiples of 4), the first of which stands at `position` = e + 62 of
# the table. Three words of them times m, modulo 2^192, are x·2/π mod 4 with 190 digits after the point.
_SCALAR_TEXT = """\
WORDS = internal unnamed_addr constant [COUNT x i64] [DIGITS]
define internal { i64, double, double } SCALAR(double %x) noinline cold nounwind {
entry:
  %bits = bitcast double %x to i64
  %exponent = lshr i64 %bits, 52
  %below = icmp ult i64 %exponent, 1013 ; lanes that do not matter
  %biased = select i1 %below, i64 1013, i64 %exponent
  %fraction = and i64 %bits, 4503599627370495
  %m64 = or i64 %fraction, 4503599627370496
  %position = sub i64 %biased, 1013
  %word = lshr i64 %position, 6
  %shift = and i64 %position, 63
  %p0 = getelementptr i64, ptr WORDS, i64 %word
  %w0 = load i64, ptr %p0, align 8
  %p1 = getelementptr i64, ptr %p0, i64 1
  %w1 = load i64, ptr %p1, align 8
  %p2 = getelementptr i64, ptr %p0, i64 2
  %w2 = load i64, ptr %p2, align 8
  %p3 = getelementptr i64, ptr %p0, i64 3
  %w3 = load i64, ptr %p3, align 8
  %a64 = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %shift)
  %b64 = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %shift)
  %c64 = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %shift)
  %m = zext i64 %m64 to i128
  %a = zext i64 %a64 to i128
  %b = zext i64 %b64 to i128
  %c = zext i64 %c64 to i128
  %ma = mul i128 %m, %a
  %top = shl i128 %ma, 64
  %mb = mul i128 %m, %b
  %mc = mul i128 %m, %c
  %carried = lshr i128 %mc, 64
  %sum = add i128 %top, %mb
  %product = add i128 %sum, %carried ; 2 digits before the point, 126 after
  %whole = lshr i128 %product, 126
  %half = lshr i128 %product, 125
  %up = and i128 %half, 1
  %rounded = add i128 %whole, %up
  %n128 = and i128 %rounded, 3
  %n = trunc i128 %n128 to i64
  %signed = shl i128 %product, 2 ; r/(π/2) in units of 2^-128, from -1/2 to 1/2
  %negative = icmp slt i128 %signed, 0
  %minus = sub i128 0, %signed
  %magnitude = select i1 %negative, i128 %minus, i128 %signed
  %zeros = call i128 @llvm.ctlz.i128(i128 %magnitude, i1 false)
  %normal = shl i128 %magnitude, %zeros
  %first128 = lshr i128 %normal, 75
  %first = trunc i128 %first128 to i64
  %second128 = lshr i128 %normal, 12
  %second64 = trunc i128 %second128 to i64
  %second = and i64 %second64, 9223372036854775807
  %first_real = sitofp i64 %first to double
  %second_real = sitofp i64 %second to double
  %h = fmul double %first_real, 0x3CA0000000000000 ; 2^-53
  %l = fmul double %second_real, 0x38B0000000000000 ; 2^-116
  %r0 = fmul double %h, HALF_PI_HIGH
  %minus_r0 = fneg double %r0
  %e0 = call double @llvm.fma.f64(double %h, double HALF_PI_HIGH, double %minus_r0)
  %e1 = fmul double %h, HALF_PI_LOW
  %e2 = fmul double %l, HALF_PI_HIGH
  %e3 = fadd double %e1, %e2
  %e = fadd double %e0, %e3
  %s = fadd double %r0, %e
  %taken = fsub double %s, %r0
  %rest = fsub double %e, %taken
  %places = trunc i128 %zeros to i64
  %scale_exponent = sub i64 1023, %places
  %scale_bits = shl i64 %scale_exponent, 52
  %sign = select i1 %negative, i64 -9223372036854775808, i64 0
  %factor_bits = or i64 %scale_bits, %sign
  %factor = bitcast i64 %factor_bits to double
  %infinite = icmp eq i64 %biased, 2047
  %scale = select i1 %infinite, double 0x7FF8000000000000, double %factor
  %r = fmul double %s, %scale
  %low = fmul double %rest, %scale
  %result0 = insertvalue { i64, double, double } poison, i64 %n, 0
  %result1 = insertvalue { i64, double, double } %result0, double %r, 1
  %result2 = insertvalue { i64, double, double } %result1, double %low, 2
  ret { i64, double, double } %result2
}"""


@cache
def _scalar() -> Definition:
    wide = Lanes()
    high, low = CONSTANTS["HALF_PI"]["float64"][:2]
    replacements = {
        "SCALAR": SCALAR,
        "WORDS": "@hode_two_over_pi",
        "COUNT": str(len(TWO_OVER_PI_WORDS)),
        "DIGITS": ", ".join(f"i64 {w - (1 << 64) if w >> 63 else w}" for w in TWO_OVER_PI_WORDS),
        "HALF_PI_HIGH": wide.number(high),
        "HALF_PI_LOW": wide.number(low),
    }
    text = _SCALAR_TEXT
    for name, value in replacements.items():
        text = text.replace(name, value)
    declarations = (
        "declare i64 @llvm.fshl.i64(i64, i64, i64)",
        "declare i128 @llvm.ctlz.i128(i128, i1)",
        "declare double @llvm.fma.f64(double, double, double)",
    )
    return Definition(SCALAR, text, declarations)
