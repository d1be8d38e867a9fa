"""Arguments of sin, cos and tan: x = n·π/2 + r, |r| <= π/4, to full accuracy for every finite x.

Up to `LIMIT` by Cody & Waite's method with fused multiply-adds: n·P is exact in the first step whatever n is, since the
difference is a multiple of P's last place and small. Beyond, a branch that is hardly ever taken: Payne & Hanek's method
(ACM SIGNUM Newsletter 18, 1983) in integers, one lane after the other; 192 digits of x·2/π behind the multiples of 4 leave
the 62 that can cancel (Muller, Elementary Functions, 3rd ed., 11.2) and 75 more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hybridode.kernels.mathlib.arithmetic import Pair, fast_two_sum, two_product, two_sum
from hybridode.kernels.mathlib.code import Code, Definition, Value
from hybridode.kernels.mathlib.coefficients import CONSTANTS, TWO_OVER_PI_WORDS

LIMIT = {"float64": 2.0**40, "float32": 2.0**16}
SCALAR = "@hode_reduce_half_pi"
_WORDS = "@hode_two_over_pi"


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


@cache
def _scalar() -> Definition:
    """{ n mod 4, r, low } of one x >= 2^16 (NaN for infinity), with Payne and Hanek's method.

    x = m·2^e with an integer m; of 2/π only the digits from 2^(1-e) on count (those before give multiples of 4). Three words
    of them times m, modulo 2^192, are x·2/π mod 4 with 190 digits after the point.
    """
    words = len(TWO_OVER_PI_WORDS)
    table = ", ".join(f"i64 {w - (1 << 64) if w >> 63 else w}" for w in TWO_OVER_PI_WORDS)
    high, low = CONSTANTS["HALF_PI"]["float64"][:2]
    half_pi = [f"0x{bits:016X}" for bits in map(_bits, (high, low))]
    t = f"[{words} x i64]"
    load = [
        line
        for k in range(4)
        for line in (
            f"%i{k} = add i64 %word, {k}",
            f"%p{k} = getelementptr {t}, ptr {_WORDS}, i64 0, i64 %i{k}",
            f"%w{k} = load i64, ptr %p{k}, align 8",
        )
    ]
    window = [f"%{x} = call i64 @llvm.fshl.i64(i64 %w{k}, i64 %w{k + 1}, i64 %shift)" for k, x in enumerate("abc")]
    body = [
        "%bits = bitcast double %x to i64",
        "%exponent0 = lshr i64 %bits, 52",
        "%below = icmp ult i64 %exponent0, 1013",  # lanes that do not matter
        "%biased = select i1 %below, i64 1013, i64 %exponent0",
        "%fraction = and i64 %bits, 4503599627370495",
        "%m = or i64 %fraction, 4503599627370496",
        "%position = sub i64 %biased, 1013",  # e + 62: where in the table the digit 2^(1-e) stands
        "%word = lshr i64 %position, 6",
        "%shift = and i64 %position, 63",
        *load,
        *window,
        *(f"%{x}x = zext i64 %{x} to i128" for x in "mabc"),
        "%ma = mul i128 %mx, %ax",
        "%top = shl i128 %ma, 64",
        "%mb = mul i128 %mx, %bx",
        "%mc = mul i128 %mx, %cx",
        "%mcs = lshr i128 %mc, 64",
        "%sum = add i128 %top, %mb",
        "%product = add i128 %sum, %mcs",  # 2 digits before the point, 126 after
        "%whole = lshr i128 %product, 126",
        "%up = lshr i128 %product, 125",
        "%up1 = and i128 %up, 1",
        "%rounded = add i128 %whole, %up1",
        "%n128 = and i128 %rounded, 3",
        "%n = trunc i128 %n128 to i64",
        "%signed = shl i128 %product, 2",  # r/(π/2) in units of 2^-128, from -1/2 to 1/2
        "%negative = icmp slt i128 %signed, 0",
        "%minus = sub i128 0, %signed",
        "%magnitude = select i1 %negative, i128 %minus, i128 %signed",
        "%zeros = call i128 @llvm.ctlz.i128(i128 %magnitude, i1 false)",
        "%normal = shl i128 %magnitude, %zeros",
        "%first = lshr i128 %normal, 75",
        "%first64 = trunc i128 %first to i64",
        "%second = lshr i128 %normal, 12",
        "%second64 = trunc i128 %second to i64",
        "%second63 = and i64 %second64, 9223372036854775807",
        "%h0 = sitofp i64 %first64 to double",
        "%l0 = sitofp i64 %second63 to double",
        "%h = fmul double %h0, 0x3CA0000000000000",  # 2^-53
        "%l = fmul double %l0, 0x38B0000000000000",  # 2^-116
        f"%rh = fmul double %h, {half_pi[0]}",
        "%rn = fneg double %rh",
        f"%e1 = call double @llvm.fma.f64(double %h, double {half_pi[0]}, double %rn)",
        f"%e2 = fmul double %h, {half_pi[1]}",
        f"%e3 = fmul double %l, {half_pi[0]}",
        "%e4 = fadd double %e2, %e3",
        "%e = fadd double %e1, %e4",
        "%z = trunc i128 %zeros to i64",
        "%exponent = sub i64 1023, %z",
        "%placed = shl i64 %exponent, 52",
        "%sign = select i1 %negative, i64 -9223372036854775808, i64 0",
        "%factorbits = or i64 %placed, %sign",
        "%factor = bitcast i64 %factorbits to double",
        "%infinite = icmp eq i64 %biased, 2047",
        "%scale = select i1 %infinite, double 0x7FF8000000000000, double %factor",
        "%s = fadd double %rh, %e",
        "%d = fsub double %s, %rh",
        "%rest = fsub double %e, %d",
        "%r = fmul double %s, %scale",
        "%low = fmul double %rest, %scale",
        "%r0 = insertvalue { i64, double, double } poison, i64 %n, 0",
        "%r1 = insertvalue { i64, double, double } %r0, double %r, 1",
        "%r2 = insertvalue { i64, double, double } %r1, double %low, 2",
    ]
    lines = "\n".join(f"  {line}" for line in body)
    text = (
        f"{_WORDS} = internal unnamed_addr constant {t} [{table}]\n"
        f"define internal {{ i64, double, double }} {SCALAR}(double %x) noinline cold {{\nentry:\n{lines}\n"
        "  ret { i64, double, double } %r2\n}"
    )
    declarations = (
        "declare i64 @llvm.fshl.i64(i64, i64, i64)",
        "declare i128 @llvm.ctlz.i128(i128, i1)",
        "declare double @llvm.fma.f64(double, double, double)",
    )
    return Definition(SCALAR, text, declarations)


def _bits(x: float) -> int:
    mantissa, exponent = x.hex().split("p")
    digits = int(mantissa.split(".")[1].ljust(13, "0"), 16)
    return ((int(exponent) + 1023) << 52) | digits
