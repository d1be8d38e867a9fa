"""What a fit has already computed, by what was asked: the way back into a search that was cut off.

A search is a function of the answers that it gets: the same answers lead it along the same path, bit for bit, whatever the
optimisers keep in between. So nothing of the optimisers is saved. Every evaluation of the objective is remembered under a
hash of its question (which function, on which records, at which theta); a resumed fit asks the same questions from the
beginning and hurries through those whose answers are known. An answer that is missing is computed again: that costs
time, never the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Answer = dict[str, np.ndarray]
CLOCK = "clock"  # the name under which an answer carries the fit's seconds at which it was found
_BATCHES = 8  # hashes of data that are kept: a search works on few at a time


@dataclass(eq=False)
class Memory:
    """Answers by key (16 bytes). Known ones are handed out once and forgotten, so that a resumed fit needs no more memory
    than another; new ones wait in `fresh` until somebody takes them to a file. Nobody takes them when `keeping` is False."""

    keeping: bool = False
    fresh: dict[bytes, Answer] = field(default_factory=dict)
    fresh_bytes: int = 0
    recalled: int = 0
    clock: float = 0.0  # the seconds at which the last recalled answer was found
    replaying: bool = False  # the last answer was one of an earlier process
    _known: dict[bytes, tuple[Mapping[str, np.ndarray], int]] = field(default_factory=dict)
    _hashes: dict[int, tuple[Any, bytes]] = field(default_factory=dict)

    def learn(self, keys: np.ndarray, answers: Mapping[str, np.ndarray]) -> None:
        """Known answers: keys (n, 16) uint8, and each array with n rows."""
        for row, key in enumerate(keys):
            self._known[key.tobytes()] = (answers, row)

    def recall(self, key: bytes) -> Answer | None:
        """The answer to a question of an earlier process, once."""
        found = self._known.pop(key, None)
        if found is None:
            return None
        answers, row = found
        answer = {name: array[row] for name, array in answers.items()}
        self.clock = max(self.clock, float(answer.pop(CLOCK)))
        self.recalled += 1
        self.replaying = True
        return answer

    def keep(self, key: bytes, answer: Mapping[str, Any], seconds: float) -> None:
        """Remembers a new answer, found after so many seconds."""
        self.replaying = False
        if not self.keeping:
            return
        kept = {name: np.asarray(value) for name, value in answer.items() if value is not None}
        self.fresh[key] = {**kept, CLOCK: np.float64(seconds)}
        self.fresh_bytes += sum(array.nbytes for array in kept.values()) + 64

    def take(self) -> dict[bytes, Answer]:
        """The answers since the last time."""
        taken, self.fresh, self.fresh_bytes = self.fresh, {}, 0
        return taken

    def hash_of(self, data: Any, leaves: Callable[[Any], Iterable[Any]]) -> bytes:
        """A hash of the arrays in `data`, remembered by its identity."""
        known = self._hashes.get(id(data))
        if known is None:
            digest = hashlib.blake2b(digest_size=16)
            for leaf in leaves(data):
                array = np.ascontiguousarray(leaf)
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(array.tobytes())
            known = (data, digest.digest())  # the data too, lest another object gets its id
            self._hashes[id(data)] = known
            while len(self._hashes) > _BATCHES:
                self._hashes.pop(next(iter(self._hashes)))
        return known[1]


def question(what: str, data: bytes, theta: np.ndarray) -> bytes:
    """The key of a question: which function, the hash of its data, where."""
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    digest.update(b"\0" + data)
    digest.update(np.ascontiguousarray(theta, float).tobytes())
    return digest.digest()
