"""Networks and other wide values as machine code, against the interpreter: values, and both reverse modes of the tape."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from hybridode.declarations import Network
from hybridode.kernels.llvm.machine import compile_ir
from hybridode.kernels.llvm.wide import WideEmitter
from hybridode.kernels.llvm.wide_values import Buffer, Lazy
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.kernels.mathlib import define, module_text
from hybridode.networks.lower import lower
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape, TapeBuilder


def network_tape(**options) -> Tape:
    network = Network("U", **options)
    b = TapeBuilder()
    out = lower(network)(b, b.input("x", (network.inputs,)))
    return b.finish({"out": out})


def run(tape: Tape, inputs: dict[str, np.ndarray], width: int, uniform: frozenset[str], vector: int = 8) -> dict[str, np.ndarray]:
    """The tape on `width` lanes; arrays of lanes have the lanes last, uniform inputs have none."""
    w = Writer(Lanes(width))
    names = [i.name for i in tape.inputs] + [name for name, _ in tape.outputs]
    w.lines.append(f"define void @f({', '.join(f'ptr %p{k}' for k in range(len(names)))}) {{")
    w.label("entry")
    place = len(w.lines)
    e = WideEmitter(w, vector)
    given = {}
    for k, i in enumerate(tape.inputs):
        buffer = Buffer(f"%p{k}", size(i.shape), i.name in uniform)
        given[i.name] = buffer if size(i.shape) > 12 else e.registers(buffer)
    out = e.emit(tape, given)
    for k, (name, value) in enumerate(tape.outputs, len(tape.inputs)):
        n = size(tape.shape(value))
        result = out[name]
        for j in range(n):
            one = result[j] if isinstance(result, list) else e.element(e.in_memory(result), str(j))
            w.store(one, f"%p{k}", str(j), align=8)
    w.line("ret void")
    w.lines.append("}")
    w.lines.insert(place, f"  %frame = alloca i8, i64 {e.frame + 64}, align 64")
    text = "\n".join([*w.needs, module_text([define(op, lanes, attrs=attrs) for op, lanes, attrs in w.calls], w.needs), *w.lines])
    code = compile_ir(text)
    pad = {k: np.concatenate([v.reshape(-1), np.zeros(64)]) for k, v in inputs.items()}
    outputs = {name: np.zeros((*tape.shape(v), width)) for name, v in tape.outputs}
    arrays = [pad[i.name] for i in tape.inputs] + [outputs[name] for name, _ in tape.outputs]
    code.function("f", None, *[ctypes.c_void_p] * len(arrays))(*[a.ctypes.data for a in arrays])
    return outputs


CASES = {
    "plain": {"inputs": 2, "outputs": (2,), "hidden": (32, 32)},
    "odd sizes": {"inputs": 3, "outputs": (), "hidden": (17, 21), "act": "softplus", "positive": True},
    "odd": {"inputs": 1, "outputs": (), "hidden": (16,), "symmetry": "odd"},
    "monotone": {"inputs": 2, "outputs": (), "hidden": (16, 16), "monotone": ("up", "none")},
    "wide output": {"inputs": 8, "outputs": (8, 3), "hidden": (64,), "act": "relu", "final": "tanh"},
}


@pytest.mark.parametrize(("width", "vector"), [(1, 4), (1, 8), (4, 4), (8, 8)])
@pytest.mark.parametrize("derivative", ["value", "reverse", "forward"])
@pytest.mark.parametrize("case", CASES)
def test_networks(case: str, derivative: str, width: int, vector: int) -> None:
    tape = network_tape(**CASES[case])
    names = [i.name for i in tape.inputs if i.name.split(".")[-1][0] in "xWb"]
    tape = {"value": tape, "reverse": reverse(tape, names), "forward": forward(tape, ["x"])}[derivative]
    uniform = frozenset(i.name for i in tape.inputs if i.name.startswith("U.") and not i.name.endswith((".bar", ".dot")))
    rng = np.random.default_rng(len(case))
    inputs = {}
    for i in tape.inputs:
        values = rng.normal(size=(*i.shape, *(() if i.name in uniform and width > 1 else (width,)))) / np.sqrt(
            i.shape[-1] if i.shape else 1
        )
        inputs[i.name] = np.abs(values) + 0.5 if i.name.endswith("scale") else values
    out = run(tape, inputs, width, uniform if width > 1 else frozenset(), vector)
    for lane in range(width):
        here = {k: v if k in uniform and width > 1 else v[..., lane] for k, v in inputs.items()}
        expected = interpret(tape, here)
        for name, value in expected.items():
            np.testing.assert_allclose(out[name][..., lane], value, rtol=1e-10, atol=1e-13, err_msg=f"{name}, lane {lane}")


@pytest.mark.parametrize(("width", "vector"), [(1, 4), (1, 8), (4, 4), (8, 8)])
@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("shape", [(2, 32), (32, 2), (17, 21), (5, 3), (3, 13), (20, 1), (16, 16)])
def test_sums_of_outer_products(shape: tuple[int, int], count: int, width: int, vector: int) -> None:
    """Added to a matrix, in the lanes of a mask, and alone; what stands behind the matrix is left alone."""
    (rows, columns), real = shape, Lanes(width).real
    rng = np.random.default_rng(rows + count)
    left, right = rng.normal(size=(count, rows, width)), rng.normal(size=(count, columns, width))
    before = rng.normal(size=(rows * columns + 16, width))
    total, alone = before.copy(), np.zeros_like(before)
    w = Writer(Lanes(width))
    e = WideEmitter(w, vector)
    pairs = [
        Buffer(w.address(f"%{name}", str(k * (n + vector)), real), n)
        for k in range(count)
        for name, n in (("left", rows), ("right", columns))
    ]
    x = Lazy("outer", tuple(pairs), shape, 1)
    mask = None if width == 1 else "<" + ", ".join(f"i1 {str(k % 3 != 1).lower()}" for k in range(width)) + ">"
    e.add_to(Buffer("%total", rows * columns), x, mask)
    stored = e.store(x)
    e.repeat(rows * columns, lambda k: w.store(e.element(stored, k), "%alone", k, align=8))
    head = ["define void @f(ptr %left, ptr %right, ptr %total, ptr %alone) {", "entry:"]
    text = "\n".join([*w.needs, *head, f"  %frame = alloca i8, i64 {e.frame + 64}, align 64", *w.lines, "  ret void", "}"])
    code, space = compile_ir(text), np.full((count, vector, width), np.nan)
    given = [np.ascontiguousarray(np.concatenate([x, space], 1)) for x in (left, right)]
    code.function("f", None, *[ctypes.c_void_p] * 4)(*[a.ctypes.data for a in (*given, total, alone)])
    expected = np.einsum("krl,kcl->rcl", left, right).reshape(-1, width)
    chosen = np.array([width == 1 or k % 3 != 1 for k in range(width)])
    np.testing.assert_allclose(alone[: rows * columns], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(total[rows * columns :], before[rows * columns :])
    expected = before[: rows * columns] + np.where(chosen, expected, 0.0)
    np.testing.assert_allclose(total[: rows * columns], expected, rtol=1e-12, atol=1e-12)
