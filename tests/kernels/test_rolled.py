"""Tapes over long vectors as machine code, against the interpreter; their size, which does not grow with the vectors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import pytest

from hybridode.kernels.llvm.machine import compile_ir
from hybridode.kernels.llvm.rolled.emitter import RolledEmitter
from hybridode.kernels.llvm.wide_values import Buffer
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.kernels.mathlib import define, module_text
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.shapes import size
from hybridode.tape.systems import linear_system
from hybridode.tape.tape import Tape, TapeBuilder
from tests.tape.test_systems import PATTERNS, random_entries, solving

WIDTHS = (1, 2, 8)


def text_of(tape: Tape, width: int, vector: int = 8) -> tuple[str, RolledEmitter]:
    """`void f(tables, frame, inputs …, outputs …)`, arrays of lanes."""
    w = Writer(Lanes(width))
    names = [i.name for i in tape.inputs] + [name for name, _ in tape.outputs]
    w.lines.append(f"define void @f(ptr %tables, ptr %frame, {', '.join(f'ptr %p{k}' for k in range(len(names)))}) {{")
    w.label("entry")
    e = RolledEmitter(w, vector)
    given = {}
    for k, i in enumerate(tape.inputs):
        buffer = Buffer(f"%p{k}", size(i.shape))
        given[i.name] = buffer if size(i.shape) > 12 else e.registers(buffer)
    out = e.emit(tape, given)
    for k, (name, _) in enumerate(tape.outputs, len(tape.inputs)):
        n = size(tape.shape(tape.output(name)))
        e.put(out[name], Buffer(f"%p{k}", n))
    w.line("ret void")
    w.lines.append("}")
    definitions = [define(op, lanes, attrs=attrs) for op, lanes, attrs in w.calls]
    return "\n".join([*w.needs, module_text(definitions, w.needs), *w.lines]), e


def run(tape: Tape, inputs: dict[str, np.ndarray], width: int) -> dict[str, np.ndarray]:
    """The tape on `width` lanes; arrays have the lanes last. What was in memory before is NaN."""
    text, e = text_of(tape, width)
    code = compile_ir(text)
    tables = np.frombuffer(e.tables.data() or bytes(64), np.uint8).copy()
    frame = np.full(e.frame // 8 + 64, np.nan)
    given = {k: np.concatenate([v.reshape(-1), np.full(16 * width, np.nan)]) for k, v in inputs.items()}
    outputs = {name: np.full(size(tape.shape(v)) * width + 16 * width, np.nan) for name, v in tape.outputs}
    arrays = [tables, frame, *(given[i.name] for i in tape.inputs), *(outputs[name] for name, _ in tape.outputs)]
    code.function("f", None, *[ctypes.c_void_p] * len(arrays))(*[a.ctypes.data for a in arrays])
    return {name: outputs[name][: size(tape.shape(v)) * width].reshape(*tape.shape(v), width) for name, v in tape.outputs}


def check(tape: Tape, inputs: dict[str, np.ndarray], width: int) -> None:
    out = run(tape, inputs, width)
    for lane in range(width):
        expected = interpret(tape, {k: v[..., lane] for k, v in inputs.items()})
        for name, value in expected.items():
            np.testing.assert_allclose(out[name][..., lane], value, rtol=1e-10, atol=1e-12, err_msg=f"{name}, lane {lane}")


def moves(n: int) -> Tape:
    """Every way to move elements: stretches, strides, tables; sums of few and of many; conditions; constants."""
    b = TapeBuilder()
    x, s = b.input("x", (n,)), b.input("s")
    rng = np.random.default_rng(n)
    shuffled = rng.permutation(n).tolist()
    ring = b.gather(x, [*range(1, n), 0])
    pairs = b.gather(x, [k for i in range(n) for k in (i, (i * 7) % n)], (n, 2))
    outputs = {
        "ring": b.mul(b.sub(ring, x), s),
        "inner": b.make("exp", b.gather(x, range(1, n - 1))),
        "odd": b.add(b.gather(x, range(1, n, 2)), b.gather(x, range(0, 2 * (n // 2), 2))),
        "backwards": b.gather(x, range(n - 1, -1, -1)),
        "shuffled": b.mul(b.gather(x, shuffled), b.gather(x, shuffled[::-1])),
        "few": b.scatter_add(b.mul(x, x), [(3 * k) % n for k in range(n)], (n + 5,)),
        "many": b.scatter_add(x, [k % 3 for k in range(n)], (40,)),
        "stretches": b.scatter_add(x, [*range(2, n), 0, 1], (n + 2,)),
        "to few": b.scatter_add(x, [k % 5 for k in range(n)], (5,)),
        "total": b.sum(b.mul(x, x)),
        "rows": b.sum(pairs, 1),
        "columns": b.sum(b.gather(x, range(2 * (n // 2)), (2, n // 2)), 0),
        "joined": b.concat([s, b.gather(x, range(5)), s, s, b.mul(x, s), b.const(1.0)]),
        "numbers": b.mul(x, b.constant(np.cos(np.arange(n)))),
        "chosen": b.select(b.make("lt", b.gather(x, shuffled), x), b.make("sqrt", b.make("abs", x)), b.neg(x)),
        "conditions": b.select(b.gather(b.make("lt", x, s), shuffled), x, s),
        "spread": b.add(b.broadcast(s, (n,)), x),
    }
    return b.finish(outputs)


def stencil(n: int) -> Tape:
    """A chain with an end of its own: what grouped equations look like."""
    b = TapeBuilder()
    y, p = b.input("y", (n,)), b.input("p", (2,))
    left, own, right = (b.gather(y, range(k, n - 2 + k)) for k in range(3))
    inner = b.mul(b.element(p, 0), b.sub(b.add(left, right), b.mul(b.const(2.0), own)))
    first = b.make("sin", b.mul(b.element(p, 1), b.element(y, 0)))
    return b.finish({"rates": b.concat([first, inner, b.neg(b.element(y, n - 1))])})


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n", [13, 40, 203])
def test_moves(n: int, width: int) -> None:
    rng = np.random.default_rng(width)
    check(moves(n), {"x": rng.normal(size=(n, width)), "s": rng.normal(size=width)}, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", [moves, stencil])
@pytest.mark.parametrize("mode", [forward, reverse])
def test_derivatives_of_moves(mode: Callable[..., Tape], make: Callable[[int], Tape], width: int) -> None:
    tape = make(50)
    wrt = [i.name for i in tape.inputs]
    tape = mode(tape, wrt)
    rng = np.random.default_rng(width)
    check(tape, {i.name: rng.normal(size=(*i.shape, width)) for i in tape.inputs}, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_linear_systems(pattern: str, width: int) -> None:
    s = linear_system(*PATTERNS[pattern])
    assert s is not None
    b = TapeBuilder()
    nodes = b.inline(solving(s))
    names = dict(solving(s).outputs)
    tape = b.finish({name: nodes[names[name]] for name in ("x", "z", "pivots")})  # factors have a layout of their own
    entries = np.stack([random_entries(s, lane)[0] for lane in range(width)], -1)
    check(tape, {"a": entries, "b": np.random.default_rng(5).normal(size=(s.n, width))}, width)


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("make", [moves, stencil])
def test_code_does_not_grow_with_the_vectors(make: Callable[[int], Tape], width: int) -> None:
    """Ten times as many elements: the same instructions, other numbers in them."""
    small, large = (text_of(make(n), width)[0].count("\n") for n in (203, 2003))
    assert abs(large - small) <= 0.02 * small
