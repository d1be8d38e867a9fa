"""A tape as text: one line for each input, instruction and output."""

from __future__ import annotations

from typing import Any

from hybridode.tape.ops import OPS
from hybridode.tape.tape import Instruction, Tape

_SHOWN = 8  # places or numbers of a long attribute that are shown


def print_tape(tape: Tape) -> str:
    """The text of a tape, the same in every process.

    Places are 0-based; `y[0:3]` is a slice, `y[2, 0]` a gather. A shape is written where it is not ().
    """
    k = len(tape.inputs)
    names = [i.name for i in tape.inputs] + [f"v{n}" for n in range(k, k + len(tape.instructions))]
    lines = [f"input   {i.name}{_shape(i.shape)}" for i in tape.inputs]
    for number, i in enumerate(tape.instructions, k):
        lines.append(f"  {names[number]}{_shape(i.shape)} = {_text(i, [names[a] for a in i.args])}")
    lines += [f"output  {name}{_shape(tape.shape(value))} = {names[value]}" for name, value in tape.outputs]
    return "\n".join(lines) + "\n"


def _shape(shape: tuple[int, ...]) -> str:
    return f" ({', '.join(map(str, shape))})" if shape else ""


def _text(i: Instruction, operands: list[str]) -> str:
    text = OPS[i.op].text.replace("{*}", ", ".join(operands)).replace("{attrs}", _attributes(i))
    text = text.replace("{axis}", "" if i.attrs is None else f", axis {i.attrs}")
    for j, operand in enumerate(operands):
        text = text.replace(f"{{{j}}}", operand)
    return text


def _attributes(i: Instruction) -> str:
    attrs: Any = i.attrs
    if i.op == "table":
        orders = "".join(f"'{n}" for n in attrs[1]) if any(attrs[1]) else ""
        return f"{attrs[0].name}{orders}"
    if i.op == "solve":
        return f"{attrs[0]}{', transposed' if attrs[1] else ''}"
    if isinstance(attrs, range) and (attrs.step > 0 or len(attrs) == 1):
        step = f":{attrs.step}" if attrs.step != 1 else ""
        return str(attrs[0]) if len(attrs) == 1 else f"{attrs.start}:{attrs.stop}{step}"
    if isinstance(attrs, tuple | range):
        shown = [_number(v) for v in attrs[:_SHOWN]]
        text = ", ".join(shown if len(attrs) <= _SHOWN else [*shown, f"… {len(attrs)} in all"])
        return f"[{text}]" if i.op == "const" and i.shape else text
    return str(attrs)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    whole = isinstance(value, int) or (abs(value) < 1e15 and value == int(value) and str(value) != "-0.0")
    return repr(int(value)) if whole else repr(value)
