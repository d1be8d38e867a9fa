"""A tape as one function of pointers: what the interpreter computes, for `width` points at once."""

from __future__ import annotations

from hybridode.kernels.llvm.straight import emit
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape


def evaluation(tape: Tape, lanes: Lanes, name: str = "evaluate") -> Writer:
    """`void NAME(ptr input0, …, ptr output0, …)`: each pointer is an array of elements, an element holds all lanes.

    The writer's lines are a whole function; `needs` and `functions` say what the module must hold beside it.
    """
    w = Writer(lanes)
    pointers = [f"%in{k}" for k in range(len(tape.inputs))] + [f"%out{k}" for k in range(len(tape.outputs))]
    w.lines.append(f"define void @{name}({', '.join(f'ptr {p}' for p in pointers)}) {{")
    w.label("entry")
    given = {}
    for k, i in enumerate(tape.inputs):
        given[i.name] = [w.load(f"%in{k}", str(j), align=lanes.bytes // lanes.width) for j in range(size(i.shape))]
    results = emit(w, tape, given)
    for k, (output, _) in enumerate(tape.outputs):
        for j, value in enumerate(results[output]):
            w.store(value, f"%out{k}", str(j), align=lanes.bytes // lanes.width)
    w.line("ret void")
    w.lines.append("}")
    return w
