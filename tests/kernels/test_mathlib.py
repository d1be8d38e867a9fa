"""mathlib against mpmath: accuracy over the whole range, special values, lanes, targets."""

from __future__ import annotations

import itertools
import math
import platform
import re
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest

from hybridode.kernels.llvm.machine import host
from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib import FUNCTIONS, arity_of, define, module_text
from hybridode.tape.ops import OPS
from tests.kernels.compiled import compiled, loop_text
from tests.kernels.mathlib_references import REFERENCES, errors, pairs, points, slope

DTYPES = ("float64", "float32")
ULPS = {"erf": 8.0, "gamma": 8.0, "lgamma": 8.0, "digamma": 8.0}
SAMPLES = 300
BY_THE_EMITTER = {"add", "sub", "mul", "div", "neg", "lt", "le", "eq", "ne", "and", "or", "not", "select"}


def arguments(op: str, dtype: str, count: int, seed: int = 0) -> tuple[Any, ...]:
    return pairs(op, dtype, count, seed) if arity_of(op) > 1 else (points(op, dtype, count, seed),)


def test_every_elementwise_operation_has_a_function() -> None:
    assert {op for op, row in OPS.items() if row.elementwise} - BY_THE_EMITTER == set(FUNCTIONS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", REFERENCES)
def test_against_mpmath(op: str, dtype: str) -> None:
    at = arguments(op, dtype, SAMPLES)
    got = compiled(op, Lanes(4, dtype))(*at)
    rows = errors(got, REFERENCES[op], *at)
    if op in ("lgamma", "digamma"):  # for x < 0 away from the zeros; for x > 0 everywhere
        rows = [row for row in rows if row[1][0] > 0 or abs(row[3]) > 2]
    assert len(rows) > SAMPLES // 2
    assert rows[0][0] <= ULPS.get(op, 2.0), rows[:5]


LONG = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"} | {
    "atan2": "arctan2", "pow": "power",
}  # fmt: skip


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a long double of 64 digits")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [op for op in REFERENCES if hasattr(np, LONG.get(op, op))])
def test_wide_scan(op: str, dtype: str) -> None:
    """Many more points, against the C library's long double."""
    at = arguments(op, dtype, 20_000, seed=1)
    got = compiled(op, Lanes(8, dtype))(*at)
    with np.errstate(all="ignore"):
        want = getattr(np, LONG.get(op, op))(*[x.astype(np.longdouble) for x in at])
        info = np.finfo(dtype)
        top = np.ldexp(np.longdouble(1), int(info.maxexp))
        unit = np.ldexp(np.longdouble(1), np.maximum(np.frexp(want)[1], int(info.minexp) + 1) - int(info.nmant) - 1)
        found = np.where(np.isinf(got), np.copysign(top, got), got.astype(np.longdouble))
        wrong = np.abs(found - np.clip(want, -top, top)) / unit
    worst = int(np.argmax(np.where(np.isnan(wrong), np.inf, wrong)))
    assert wrong[worst] <= 2.0, (wrong[worst], [x[worst] for x in at], got[worst], want[worst])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", FUNCTIONS)
def test_lane_counts_agree_to_the_last_bit(op: str, dtype: str) -> None:
    if op == "table":
        pytest.skip("needs attributes: test_mathlib_tables.py")
    attrs = 2 if FUNCTIONS[op].label else None
    known = arity_of(op) == 1 or op in REFERENCES
    at = arguments(op, dtype, 80) if known else pairs("atan2", dtype, 80)
    four = compiled(op, Lanes(4, dtype), attrs=attrs)(*at)
    one = compiled(op, Lanes(1, dtype), attrs=attrs)(*at)
    np.testing.assert_array_equal(one, four)
    eight = compiled(op, Lanes(8, dtype), attrs=attrs, attributes="nounwind alwaysinline", passes=True)(*at)
    np.testing.assert_array_equal(eight, four)


SPECIAL = (
    0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 5e-324, -5e-324,
    2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1e300, 1e-300, 709.0, -745.0, -746.0, 2.5, -2.5,
    1e16, 1e17, -1.5,
)  # fmt: skip
# Where SciPy differs from C99 or from the exact value, and which sign a zero of hill with K < 0 has.
EXEMPT = {("lgamma", -math.inf), ("lgamma", 5e-324), ("lgamma", -5e-324), ("exprel_slope", -math.inf)}


@pytest.mark.parametrize("op", [op for op in FUNCTIONS if op != "table"])
def test_special_values_are_those_of_numpy(op: str) -> None:
    """Infinities, NaNs, signed zeros, subnormals, the ends of the range: C99's for all that C has."""
    attrs = 1 if FUNCTIONS[op].label else None
    values = SPECIAL if arity_of(op) < 3 else (0.0, 1.0, -1.0, 2.0, 0.5, math.inf, 1e100, 1e-100)
    at = np.array([p for p in itertools.product(values, repeat=arity_of(op)) if (op, p[0]) not in EXEMPT]).T
    got = compiled(op, Lanes(4), attrs=attrs)(*at)
    with np.errstate(all="ignore"):
        want = np.asarray(OPS[op].numpy(attrs, ())(*at), float)
    if op == "hill":  # the sign of a zero, and of k/x, is lost on purpose
        usual = (at[1] >= 0) | np.isfinite(at[0])
        got, want, at = got[usual] + 0.0, want[usual] + 0.0, at[:, usual]
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=5e-324)
    signs = (got == 0) & (np.signbit(got) != np.signbit(want))
    assert not signs.any(), at[:, signs]


@pytest.mark.parametrize(
    ("op", "x", "want"),
    [
        ("exp", 709.782712893384, 1.797693134862273e308),
        ("exp", 709.7827128933841, math.inf),
        ("exp", -745.1332191019411, 5e-324),
        ("exp", -745.1332191019412, 0.0),
        ("exprel", 716.0, None),
        ("sinh", 710.4758600739439, 1.7976931348621744e308),
        ("sinh", 710.475860073944, math.inf),
        ("gamma", 171.6243769563027, 1.7976931348622299e308),
        ("gamma", 171.624376956303, math.inf),
        ("cos", 0.0, 1.0),
        ("sin", 6381956970095103 * 2.0**797, 1.0),  # the double nearest to a multiple of π/2
        ("cos", 6381956970095103 * 2.0**797, None),
        ("tan", 6381956970095103 * 2.0**797, None),
    ],
)
def test_ends_and_the_worst_argument(op: str, x: float, want: float | None) -> None:
    got = float(compiled(op, Lanes(4))(np.full(4, x))[0])
    if want is None:
        with mpmath.workdps(60):
            want = float(REFERENCES[op](mpmath.mpf(x)))
    assert got == want or got == pytest.approx(want, rel=4e-16, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "zeros"), [("lgamma", (1.0, 2.0)), ("digamma", (1.4616321449683623,))])
def test_close_to_the_positive_zeros(op: str, zeros: tuple[float, ...], dtype: str) -> None:
    rng = np.random.default_rng(6)
    spread = rng.choice([-1.0, 1.0], 100) * 2.0 ** rng.uniform(-50, -2, 100)
    x = np.concatenate([zero * (1 + spread) for zero in zeros]).astype(dtype)
    rows = errors(compiled(op, Lanes(4, dtype))(x), REFERENCES[op], x)
    assert rows[0][0] <= 8.0, rows[:3]


def test_exact_logarithms() -> None:
    powers = 2.0 ** np.arange(-1074, 1024)
    np.testing.assert_array_equal(compiled("log2", Lanes(4))(powers), np.arange(-1074, 1024))
    tens = np.array([float(f"1e{k}") for k in range(23)])
    np.testing.assert_array_equal(compiled("log10", Lanes(4))(tens), np.arange(23))


@pytest.mark.parametrize("op", ["sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1", "log1p", "erf"])
def test_signed_zero_and_tiny_arguments(op: str) -> None:
    x = np.array([0.0, -0.0, 5e-324, -5e-324, 1e-310, -1e-310, 1e-300, -1e-20])
    got = compiled(op, Lanes(4))(x)
    if op == "erf":
        assert errors(got, mpmath.erf, x)[0][0] <= 2.0
        np.testing.assert_array_equal(np.signbit(got), np.signbit(x))
        return
    np.testing.assert_array_equal(got, x)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_of_negative_bases(dtype: str) -> None:
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid([-2.0, -0.5, -1.5, -3.0, -1.0], np.arange(-9.0, 10.0)))
    rows = errors(compiled("pow", Lanes(4, dtype))(x, y), lambda a, b: a ** int(b), x, y)
    assert rows[0][0] <= 1.0, rows[:3]
    assert np.isnan(compiled("pow", Lanes(4, dtype))(np.full(4, -2.0, dtype), np.full(4, 0.5, dtype))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_mod_is_exact(dtype: str) -> None:
    rng = np.random.default_rng(3)
    sizes = (-1000, 1000) if dtype == "float64" else (-120, 120)
    a, b = ((rng.choice([-1.0, 1.0], 2000) * 2.0 ** rng.uniform(*sizes, 2000)).astype(dtype) for _ in range(2))
    b[::2] = (a[::2] * rng.uniform(1e-6, 2, 1000)).astype(dtype)
    a[::5] = (b[::5] * rng.integers(-20, 20, 400)).astype(dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compiled("mod", Lanes(4, dtype))(a, b), np.mod(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_polygamma(k: int, dtype: str) -> None:
    """Next to poles too, and between them."""
    rng = np.random.default_rng(4)
    near = -rng.integers(1, 6, 60) / 2 + rng.choice([-1, 1], 60) * 2.0 ** rng.uniform(-20, -2, 60)
    x = np.concatenate([2.0 ** rng.uniform(-20, 20, 60), rng.uniform(0, 10, 60), rng.uniform(-20, 0, 60), near]).astype(dtype)
    rows = errors(compiled("polygamma", Lanes(4, dtype), attrs=k)(x), lambda v: mpmath.polygamma(k, v), x)
    rows = [row for row in rows if abs(row[3]) > 10 or row[1][0] > 0]  # for even k there are zeros below 0
    assert rows[0][0] <= 8.0, rows[:3]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [0, 1, 2, 4])
def test_exprel_slope(k: int, dtype: str) -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=100) * 3, 2.0 ** rng.uniform(-60, 6, 40), -(2.0 ** rng.uniform(-60, 6, 40))]).astype(
        dtype
    )
    rows = errors(compiled("exprel_slope", Lanes(4, dtype), attrs=k)(x), slope(k), x)
    assert rows[0][0] <= 8.0, rows[:3]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86 has processors without the instruction")
@pytest.mark.parametrize("op", ["exp", "log", "tanh", "sin", "pow", "erf"])
def test_without_fused_multiply_add(op: str) -> None:
    plain = llvm.Target.from_default_triple().create_target_machine(cpu="x86-64", features="", opt=2, jit=True)
    at = arguments(op, "float64", 100)
    rows = errors(compiled(op, Lanes(2), machine=plain)(*at), REFERENCES[op], *at)
    assert rows[0][0] <= 2.0, rows[:3]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_text_assumes_no_processor(dtype: str) -> None:
    """Only intrinsics of every target are declared, and nothing of a C library."""
    definitions = [define(op, Lanes(8, dtype), attrs=1) for op in FUNCTIONS if op != "table"]
    text = module_text(definitions)
    assert text == module_text(reversed(definitions))
    declared = set(re.findall(r"^declare .*?@([\w.]+)\(", text, re.MULTILINE))
    assert {name.split(".")[1] for name in declared if name.startswith("llvm.")} <= {
        "fma", "fmuladd", "fabs", "sqrt", "floor", "rint", "copysign", "vector", "fshl", "ctlz",
    }  # fmt: skip
    assert all(name.startswith("llvm.") for name in declared)
    llvm.parse_assembly(text).verify()


@pytest.mark.parametrize("op", ["exp", "tanh", "sin", "pow", "lgamma", "mod"])
def test_compiles_for_nvidia(op: str) -> None:
    host()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("nvptx64-nvidia-cuda").create_target_machine(cpu="sm_80", opt=2)
    module = llvm.parse_assembly('target triple = "nvptx64-nvidia-cuda"\n' + loop_text(op, Lanes(1)))
    text = target.emit_assembly(module)
    assert "fma.rn.f64" in text
    assert ".extern" not in text
