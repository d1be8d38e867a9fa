"""The one IR of the compiler: flat, hash-consed SSA over values of shape (), (n,) or (n, m).

A value has a number: inputs come first (0 … k-1), then instructions in the order of evaluation, so an operand's
number is always below its reader's. Elementwise operations take operands of one shape, or scalars beside them
(a scalar stands for every element). What an operation means is its row in `ops.OPS`, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hybridode.tape.fold import FOLDS
from hybridode.tape.ops import OPS, Indices, Shape, indices, size


@dataclass(frozen=True)
class Input:
    """A named argument of a tape."""

    name: str
    shape: Shape = ()


class Instruction(NamedTuple):
    """`op` applied to the values numbered `args`; `attrs` is what the operation knows statically (see `ops`)."""

    op: str
    args: tuple[int, ...]
    attrs: Any
    shape: Shape


@dataclass(frozen=True)
class Tape:
    """Inputs, instructions, outputs, nothing else. Every input is read; every instruction is needed by an output."""

    inputs: tuple[Input, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[tuple[str, int], ...]

    def shape(self, value: int) -> Shape:
        """Shape of a value."""
        k = len(self.inputs)
        return self.inputs[value].shape if value < k else self.instructions[value - k].shape

    def output(self, name: str) -> int:
        """Number of the value that is the output `name`."""
        return dict(self.outputs)[name]

    def count(self, *ops: str) -> int:
        """How many instructions there are (of the given operations, if any are given)."""
        return sum(not ops or i.op in ops for i in self.instructions)

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.outputs)
        return f"<Tape {len(self.inputs)} inputs, {len(self.instructions)} instructions -> {names}>"


class TapeBuilder:
    """A growing graph in which what is computed alike is one node. Nodes are numbers, operands before readers.

    `make` folds what is certain and changes no IEEE result (the rows of `fold.FOLDS`), `node` takes the operation as given.
    `finish` cuts the tape of some outputs out of the graph; the builder can go on growing afterwards.
    """

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.boolean: list[bool] = []
        self._found: dict[Any, int] = {}

    # ---- what a node is ---------------------------------------------------------------------------------------------
    def shape(self, node: int) -> Shape:
        return self.instructions[node].shape

    def constant_of(self, node: int) -> float | None:
        """The number of a scalar constant, or of a scalar constant spread over a shape; else None."""
        i = self.instructions[node]
        if i.op == "broadcast":
            i = self.instructions[i.args[0]]
        return i.attrs[0] if i.op == "const" and i.shape == () and not isinstance(i.attrs[0], bool) else None

    # ---- making nodes -----------------------------------------------------------------------------------------------
    def node(self, op: str, args: tuple[int, ...] = (), attrs: Any = None, shape: Shape | None = None) -> int:
        """The node of this operation as it stands. `shape` is needed where the operands do not determine it."""
        row = OPS[op]
        # The order of the operands of a commutative operation is kept as first written, but does not make another node.
        ordered = (args[1], args[0]) if row.commutative and args[0] > args[1] else args
        key = (op, ordered, _bits(attrs) if op == "const" else attrs, shape)
        found = self._found.get(key)
        if found is None:
            made = row.shape([self.instructions[a].shape for a in args], attrs, shape)
            found = self._add(key, Instruction(op, args, attrs, made), row.gives)
        return found

    def _add(self, key: Any, instruction: Instruction, gives: str) -> int:
        number = len(self.instructions)
        self.instructions.append(instruction)
        if gives == "=":
            first = self.boolean[instruction.args[0]] if instruction.args else isinstance(instruction.attrs[0], bool)
            self.boolean.append(first)
        else:
            self.boolean.append(gives == "b")
        self._found[key] = number
        return number

    def make(self, op: str, *args: int, attrs: Any = None, shape: Shape | None = None) -> int:
        """The node of this operation, folded where that is certain."""
        folded = FOLDS[op](self, op, args, attrs, shape)
        return self.node(op, args, attrs, shape) if folded is None else folded

    def input(self, name: str, shape: Shape = ()) -> int:
        """The input of this name."""
        found = self._found.get(("input", name))
        if found is None:
            found = self._add(("input", name), Instruction("input", (), name, shape), "r")
        assert self.instructions[found].shape == shape, f"input {name} has shape {self.instructions[found].shape}, not {shape}"
        return found

    def const(self, value: float | bool) -> int:
        """A scalar constant."""
        return self.node("const", (), (value if isinstance(value, bool) else float(value),), ())

    def constant(self, values: Any) -> int:
        """An array of constants of at most two dimensions; one number throughout is a spread scalar."""
        array = np.asarray(values)
        data = array.astype(bool if array.dtype == bool else float).ravel()
        flat = data.tolist()
        if array.shape == ():
            return self.const(flat[0])
        bits = data.view(np.uint8 if array.dtype == bool else np.uint64)
        if flat and (bits == bits[0]).all():
            return self.broadcast(self.const(flat[0]), array.shape)
        return self.node("const", (), tuple(flat), array.shape)

    def add(self, a: int, b: int) -> int:
        return self.make("add", a, b)

    def sub(self, a: int, b: int) -> int:
        return self.make("sub", a, b)

    def mul(self, a: int, b: int) -> int:
        return self.make("mul", a, b)

    def div(self, a: int, b: int) -> int:
        return self.make("div", a, b)

    def neg(self, a: int) -> int:
        return self.make("neg", a)

    def select(self, condition: int, a: int, b: int) -> int:
        return self.make("select", condition, a, b)

    def power(self, a: int, exponent: int) -> int:
        """`a^exponent`; the exponents 0, 1, 2, 3, 4 as products (equal to rounding)."""
        n = self.constant_of(exponent)
        if n not in (0.0, 1.0, 2.0, 3.0, 4.0):
            return self.make("pow", a, exponent)
        if n == 0.0:
            return self.broadcast(self.const(1.0), self.shape(a) or self.shape(exponent))
        if n == 1.0 or n == 3.0:
            return a if n == 1.0 else self.mul(self.mul(a, a), a)
        square = self.mul(a, a)
        return square if n == 2.0 else self.mul(square, square)

    def gather(self, a: int, at: Iterable[int], shape: Shape | None = None) -> int:
        """Elements of `a` (flat, row-major) at static places, laid out as `shape` (a vector unless given)."""
        places = indices(at)
        return self.make("gather", a, attrs=places, shape=(len(places),) if shape is None else shape)

    def element(self, a: int, at: int) -> int:
        """One element of `a` as a scalar."""
        return self.make("gather", a, attrs=range(at, at + 1), shape=())

    def scatter_add(self, a: int, at: Iterable[int], shape: Shape) -> int:
        """Zeros of `shape` to whose flat places `at` the elements of `a` are added."""
        return self.make("scatter_add", a, attrs=indices(at), shape=shape)

    def concat(self, parts: Sequence[int], shape: Shape | None = None) -> int:
        """All elements of the parts one after the other, laid out as `shape` (a vector unless given)."""
        total = sum(size(self.shape(p)) for p in parts)
        return self.make("concat", *parts, shape=(total,) if shape is None else shape)

    def broadcast(self, a: int, shape: Shape, axis: int | None = None) -> int:
        """A scalar spread over `shape`; a vector spread along the new `axis` of a matrix; itself if it has the shape."""
        return a if self.shape(a) == shape else self.make("broadcast", a, attrs=axis, shape=shape)

    def sum(self, a: int, axis: int | None = None) -> int:
        """The sum of all elements, or of a matrix along one axis."""
        return self.make("sum", a, attrs=axis)

    # ---- from and to tapes ------------------------------------------------------------------------------------------
    def inline(self, tape: Tape, inputs: Mapping[str, int] | None = None) -> list[int]:
        """The nodes of all values of a tape, its inputs replaced by the nodes given (others become inputs here)."""
        given = inputs or {}
        nodes = [given[i.name] if i.name in given else self.input(i.name, i.shape) for i in tape.inputs]
        for value, i in zip(nodes, tape.inputs, strict=True):
            assert self.shape(value) == i.shape, f"{i.name} takes shape {i.shape}, got {self.shape(value)}"
        for op, args, attrs, shape in tape.instructions:
            wanted = shape if OPS[op].free_shape else None
            nodes.append(self.make(op, *[nodes[a] for a in args], attrs=attrs, shape=wanted))
        return nodes

    def finish(self, outputs: Mapping[str, int]) -> Tape:
        """The tape of these outputs: only what they need, inputs in the order in which they were introduced."""
        needed = self.cone(outputs.values())
        order = sorted(needed, key=lambda n: (self.instructions[n].op != "input", n))
        number = {n: k for k, n in enumerate(order)}
        inputs, instructions = [], []
        for n in order:
            op, args, attrs, shape = self.instructions[n]
            if op == "input":
                inputs.append(Input(attrs, shape))
            else:
                instructions.append(Instruction(op, tuple([number[a] for a in args]), attrs, shape))
        return Tape(tuple(inputs), tuple(instructions), tuple((name, number[n]) for name, n in outputs.items()))

    def cone(self, roots: Iterable[int]) -> set[int]:
        """All nodes that the roots read, directly or not, with the roots."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                stack.extend(self.instructions[n].args)
        return seen


def _bits(values: tuple[Any, ...]) -> tuple[str, bytes]:
    """Constants by their bits: 0.0 and -0.0 differ, NaN equals itself, true is not 1."""
    array = np.array(values)
    return array.dtype.kind, array.tobytes()


__all__ = ["Indices", "Input", "Instruction", "Shape", "Tape", "TapeBuilder", "indices", "size"]
