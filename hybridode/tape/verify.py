"""Is this a tape? Checked from the table of operations, before and after each lowering."""

from __future__ import annotations

from hybridode.tape.ops import OPS, Op
from hybridode.tape.shapes import ShapeError
from hybridode.tape.tape import Instruction, Tape


class BrokenTape(AssertionError):
    """A tape that breaks a rule of the IR: an error in the compiler, not of the user."""


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise BrokenTape(sentence)


def verify(tape: Tape) -> Tape:
    """The tape itself if it is legal; raises `BrokenTape` with the place and the reason otherwise."""
    names = [i.name for i in tape.inputs]
    _require(len(set(names)) == len(names), f"inputs of one name: {names}")
    shapes = [i.shape for i in tape.inputs]
    boolean = [False] * len(shapes)
    read = bytearray(len(shapes) + len(tape.instructions))
    for k, i in enumerate(tape.instructions, len(shapes)):
        place = f"value {k} ({i.op})"
        _require(i.op in OPS, f"{place}: there is no such operation")
        for a in i.args:
            _require(0 <= a < k, f"{place}: operand {a} is not computed before it")
            read[a] = 1
        row = OPS[i.op]
        _check_kinds(place, row, [boolean[a] for a in i.args])
        _check_shape(place, row, i, [shapes[a] for a in i.args])
        shapes.append(i.shape)
        first = boolean[i.args[0]] if i.args else i.op == "const" and isinstance(i.attrs[0], bool)
        boolean.append(row.gives == "b" or (row.gives == "=" and first))
    outputs = [name for name, _ in tape.outputs]
    _require(len(set(outputs)) == len(outputs), f"outputs of one name: {outputs}")
    for name, value in tape.outputs:
        _require(0 <= value < len(shapes), f"output {name}: there is no value {value}")
        _require(not boolean[value], f"output {name} is boolean; outputs are numbers")
        read[value] = 1
    unread = read.find(0)
    _require(unread < 0, f"value {unread} is read by nothing")
    return tape


def _check_kinds(place: str, row: Op, boolean: list[bool]) -> None:
    if row.arity >= 0:
        _require(len(boolean) == row.arity, f"{place}: takes {row.arity} operands, has {len(boolean)}")
    else:
        _require(len(boolean) > 0, f"{place}: takes at least one operand")
    if row.takes == "*":
        _require(len(set(boolean)) == 1, f"{place}: operands of one kind, not boolean and real")
        return
    for j, given in enumerate(boolean):
        wanted = row.takes[min(j, len(row.takes) - 1)] == "b"
        _require(given == wanted, f"{place}: operand {j} is {'boolean' if given else 'real'}")


def _check_shape(place: str, row: Op, i: Instruction, shapes: list[tuple[int, ...]]) -> None:
    try:
        found = row.shape(shapes, i.attrs, i.shape)
    except ShapeError as error:
        raise BrokenTape(f"{place}: {error}") from error
    _require(found == i.shape, f"{place}: has shape {i.shape}, its operands give {found}")
