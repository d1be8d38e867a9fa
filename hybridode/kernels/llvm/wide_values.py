"""The forms of a value in the wide emitter (see `wide`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hybridode.tape.shapes import Shape, size

NARROW = 12  # values of at most this many elements stay in registers
DEEP = 12  # lazy chains longer than this are stored
UNROLLED = 4  # loops of at most this many rounds are written out


@dataclass(frozen=True)
class Buffer:
    """`owner` is the pointer of the memory that a view lies in."""

    pointer: str
    count: int
    uniform: bool = False
    owner: str = ""


@dataclass(frozen=True)
class Lazy:
    op: str
    operands: tuple[Any, ...]
    shape: Shape
    depth: int
    attrs: Any = None

    @property
    def count(self) -> int:
        return size(self.shape)


Value = list[str] | Buffer | Lazy
BOOLEAN = frozenset({"lt", "le", "eq", "ne", "and", "or", "not"})


def buffers(x: Value) -> list[str]:
    """The buffers that a value reads."""
    found, stack = [], [x]
    while stack:
        v = stack.pop()
        if isinstance(v, Buffer):
            found.append(v.owner or v.pointer)
        elif isinstance(v, Lazy):
            stack.extend(v.operands)
    return found
