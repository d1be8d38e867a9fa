"""Buffers between pages that nobody may touch: what reads or writes past an end is stopped by the processor.

`run(handler, operands, shapes)` does what XLA does: it makes a call frame and calls a handler with it. Every buffer of the
call, the arrays of pointers and of dimensions included, stands flush with a forbidden page, in a first call with its end, in
a second with its beginning; the two calls' results must be the same bits. What a handler may write starts as NaN, so that
what it leaves unwritten is seen as well.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PAGE = mmap.PAGESIZE
READ_WRITE, FORBIDDEN = 3, 0
ARGUMENT_COUNT, ARGUMENTS, RESULT_COUNT, RESULTS, FRAME_WORDS = (
    7,
    9,
    12,
    14,
    20,
)  # words of XLA_FFI_CallFrame (see kernels/llvm/handler)
DATA, RANK, DIMENSIONS, BUFFER_WORDS = 3, 4, 5, 6  # of XLA_FFI_Buffer

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


@dataclass(frozen=True)
class Region:
    """Pages of memory between two forbidden ones."""

    base: int
    bytes: int  # all pages

    def place(self, size: int, at_the_end: bool) -> int:
        """The address of `size` bytes at one of the ends."""
        return self.base + (self.bytes - PAGE - size if at_the_end else PAGE)

    def free(self) -> None:
        _libc.munmap(self.base, self.bytes)


def region(size: int) -> Region:
    inner = -(-size // PAGE) * PAGE  # a buffer of nothing has no page at all
    total = inner + 2 * PAGE
    base = _libc.mmap(None, total, FORBIDDEN, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if base in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    if inner and _libc.mprotect(base + PAGE, inner, READ_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")
    return Region(base, total)


class Frame:
    """A call frame of XLA's FFI whose every array is guarded."""

    def __init__(self, operands: Sequence[np.ndarray], results: Sequence[np.ndarray], at_the_end: bool) -> None:
        self.at_the_end = at_the_end
        self.regions: list[Region] = []
        self.operands = [self._buffer(a) for a in operands]
        self.results = [(self._buffer(a), a) for a in results]
        frame = np.zeros(FRAME_WORDS, np.int64)
        frame[ARGUMENT_COUNT], frame[RESULT_COUNT] = len(operands), len(results)
        frame[ARGUMENTS] = self._guarded(np.array(self.operands, np.int64))
        frame[RESULTS] = self._guarded(np.array([address for address, _ in self.results], np.int64))
        self.address = self._guarded(frame)

    def _guarded(self, array: np.ndarray) -> int:
        array = np.ascontiguousarray(array)
        found = region(array.nbytes)
        self.regions.append(found)
        address = found.place(array.nbytes, self.at_the_end)
        ctypes.memmove(address, array.ctypes.data, array.nbytes)
        return address

    def _buffer(self, array: np.ndarray) -> int:
        words = np.zeros(BUFFER_WORDS, np.int64)
        words[DATA] = self._guarded(array)
        words[RANK] = array.ndim
        words[DIMENSIONS] = self._guarded(np.array(array.shape, np.int64))
        return self._guarded(words)

    def take(self) -> list[np.ndarray]:
        """The results; the memory is given back."""
        for buffer, array in self.results:
            data = ctypes.c_int64.from_address(buffer + 8 * DATA).value
            ctypes.memmove(array.ctypes.data, data, array.nbytes)
        for one in self.regions:
            one.free()
        return [array for _, array in self.results]


def unwritten(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array for a result: NaN, or a number that no result has."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -12345, dtype)


def run(handler: Any, operands: Sequence[Any], shapes: Sequence[tuple[Sequence[int], Any]],
        blank: Callable[[list[np.ndarray]], None] = lambda found: None) -> list[np.ndarray]:  # fmt: skip
    """The results of a handler (a ctypes function of a frame's address), called twice between forbidden pages.

    Both calls give the same, but for what `blank` overwrites: numbers without a meaning.
    """
    arrays = [np.asarray(a) for a in operands]
    found = []
    for at_the_end in (True, False):
        frame = Frame(arrays, [unwritten(*s) for s in shapes], at_the_end)
        answer = handler(frame.address)
        assert not answer, "the handler reports an error"
        found.append(frame.take())
        blank(found[-1])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    return found[0]
