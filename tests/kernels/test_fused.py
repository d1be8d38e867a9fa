"""Multiplications fused with additions in the text: which of them, and what they compute."""

from __future__ import annotations

import ctypes
from fractions import Fraction

import numpy as np
import pytest

from hybridode.kernels.llvm.fused import fused
from hybridode.kernels.llvm.machine import compile_ir

PRODUCT, NEGATED = "%p = fmul contract double %x, %y\n  ", "%n = fneg double %p\n  "
FUSES = {
    PRODUCT + "%r = fadd contract double %p, %z": lambda x, y, z: x * y + z,
    PRODUCT + "%r = fadd contract double %z, %p": lambda x, y, z: x * y + z,
    PRODUCT + "%r = fsub contract double %p, %z": lambda x, y, z: x * y - z,
    PRODUCT + "%r = fsub contract double %z, %p": lambda x, y, z: z - x * y,
    PRODUCT + NEGATED + "%r = fsub contract double %n, %z": lambda x, y, z: -x * y - z,
    PRODUCT + NEGATED + "%r = fsub contract double %z, %n": lambda x, y, z: z + x * y,
}
ROUNDED = {  # body that stays as it is: read twice, in another block, without the flag
    PRODUCT + "%r = fadd contract double %p, %p": lambda x, y, z: 2 * (x * y),
    PRODUCT + "%q = fadd contract double %p, %z\n  %r = fadd contract double %p, %q":
        lambda x, y, z: x * y + (x * y + z),
    PRODUCT + "br label %next\nnext:\n  %r = fadd contract double %p, %z": lambda x, y, z: x * y + z,
    "%p = fmul double %x, %y\n  %r = fadd contract double %p, %z": lambda x, y, z: x * y + z,
    PRODUCT + "%r = fadd double %p, %z": lambda x, y, z: x * y + z,
}  # fmt: skip
X, Y, Z = 1 + 2.0**-30, 1 - 2.0**-29, -1 + 2.0**-31  # x y takes more than 53 bits


def _text(body: str) -> str:
    return f"define double @f(double %x, double %y, double %z) {{\nentry:\n  {body}\n  ret double %r\n}}\n"


def _run(text: str) -> float:
    machine, kind = compile_ir(text), ctypes.c_double
    return machine.function("f", kind, kind, kind, kind)(X, Y, Z)


@pytest.mark.parametrize("body", FUSES)
def test_a_product_that_one_sum_reads_is_rounded_with_it(body: str) -> None:
    text = fused(_text(body))
    assert text.count("call double @llvm.fmuladd.f64") == 1 and not any(f in text for f in ("contract", "fmul ", "fadd", "fsub"))
    assert _run(text) == float(FUSES[body](Fraction(X), Fraction(Y), Fraction(Z)))


@pytest.mark.parametrize("body", ROUNDED)
def test_others_are_rounded_by_themselves_at_every_level(body: str) -> None:
    text = fused(_text(body))
    assert "fmuladd" not in text and "contract" not in text
    assert _run(text) == ROUNDED[body](X, Y, Z)


def test_of_two_products_the_first_is_fused_and_vectors_are_too() -> None:
    body = PRODUCT + "%q = fmul contract double %y, %z\n  %r = fadd contract double %p, %q"
    assert _run(fused(_text(body))) == float(Fraction(X) * Fraction(Y) + Fraction(float(np.float64(Y) * np.float64(Z))))
    vector = "<2 x double>"
    text = fused(f"""define void @f(ptr %a) {{
  %x = load {vector}, ptr %a, align 8
  %p = fmul contract {vector} <double 3.0, double 0x3FF0000000000000>, %x
  %r = fadd contract {vector} %p, <double 0x3FE0000000000000, double 2.0>
  store {vector} %r, ptr %a, align 8
  ret void
}}
""")
    assert "@llvm.fmuladd.v2f64(<2 x double> <double 3.0, double 0x3FF0000000000000>, <2 x double> %x," in text
    machine, a = compile_ir(text), np.array([1.5, 2.5])
    machine.function("f", None, ctypes.c_void_p)(a.ctypes.data)
    np.testing.assert_array_equal(a, [5.0, 4.5])
