"""Tables of places and numbers that a module's code reads: they stand beside the code, so that its text does not grow with n.

The host hands over their address once, when the code is loaded (`NAME_tables(ptr)`), and keeps them as long as the code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_LINE = 64  # bytes; every table ends with so many zeros, since loops read whole vectors


class Tables:
    """Arrays one after the other, equal ones once."""

    def __init__(self, dtype: str) -> None:
        """`dtype`: of the reals."""
        self._dtype = np.dtype(dtype)
        self._parts: list[bytes] = []
        self._found: dict[bytes, int] = {}
        self._size = 0

    def place(self, array: Any) -> int:
        """Where in the tables (bytes) these numbers stand: int32 for places, else reals."""
        array = np.asarray(array)
        data = array.astype(self._dtype if array.dtype.kind == "f" else np.int32).tobytes()
        found = self._found.get(data)
        if found is None:
            found = self._found[data] = self._size
            padded = data + bytes(_LINE + -len(data) % _LINE)
            self._parts.append(padded)
            self._size += len(padded)
        return found

    def data(self) -> bytes:
        return b"".join(self._parts)
