"""Native calls as files, for a program without Python: `memcheck.c` reads them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hybridode.kernels.llvm.handler import RESULTS
from hybridode.kernels.llvm.module import Module

_LOCK = threading.Lock()


def _buffer(array: np.ndarray, known: bool, whole: bool) -> bytes:
    """int64 words: item size, rank, whether the handler must have written all of it, dimensions; then the numbers."""
    head = np.array([array.itemsize, array.ndim, whole, *array.shape], np.int64).tobytes()
    return head + (np.ascontiguousarray(array).tobytes() if known else b"")


def record(
    folder: Path, modules: Sequence[Module], kind: str, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]
) -> None:
    """Writes NNN.call (operands, shapes of the results), NNN.npz (the results but the record) and the modules' text; NNN.handler
    names the handler."""
    with _LOCK:
        for module in modules:
            (folder / f"{module.run}.ll").write_text(module.text, encoding="utf-8")
        number = len(list(folder.glob("*.call")))
        # Rows of a record past the last step are never read and never written.
        whole = [name != "record" for name in RESULTS[kind]]
        parts = [np.array([len(operands), len(results)], np.int64).tobytes()]
        parts += [_buffer(a, True, False) for a in operands]
        parts += [_buffer(a, False, w) for a, w in zip(results, whole, strict=True)]
        np.savez(folder / f"{number:04}.npz", *[a for a, w in zip(results, whole, strict=True) if w])
        (folder / f"{number:04}.handler").write_text(modules[0].handler)
        (folder / f"{number:04}.call").write_bytes(b"".join(parts))
