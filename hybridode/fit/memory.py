"""What a fit has already computed, by what was asked: the way back into a search that was cut off.

A search is a function of the answers that it gets: the same answers lead it along the same path, bit for bit, whatever the
optimisers keep in between. So nothing of the optimisers is saved. Every evaluation of the objective is remembered under a
hash of its question (which function, on which records, at which theta); a resumed fit asks the same questions from the
beginning and hurries through those whose answers are known. An answer that is missing is computed again: that costs
time, never the result.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

Answer = dict[str, np.ndarray]
CLOCK = "clock"  # the name under which an answer carries the fit's seconds at which it was found
_BATCHES = 8  # hashes of data that are kept: a search works on few at a time


@dataclass(eq=False)
class Memory:
    """Answers by key (16 bytes). Known ones are handed out once and forgotten, so that a resumed fit needs no more memory
    than another; new ones wait in `fresh` until somebody takes them to a file; nobody does where `keeping` is False. `seconds` is
    the clock of the fit."""

    keeping: bool = False
    seconds: Callable[[], float] = time.perf_counter
    fresh: dict[bytes, Answer] = field(default_factory=dict)
    fresh_bytes: int = 0
    recalled: int = 0
    clock: float = 0.0  # the seconds at which the last recalled answer was found
    replaying: bool = False  # the last answer was one of an earlier process
    best: dict[bytes, tuple[float, np.ndarray]] = field(default_factory=dict)  # hash of data -> value, theta
    _known: dict[bytes, tuple[Mapping[str, np.ndarray], int]] = field(default_factory=dict)
    _hashes: dict[int, tuple[Any, bytes]] = field(default_factory=dict)

    @property
    def in_use(self) -> bool:
        """Somebody keeps new answers, or old ones are known."""
        return self.keeping or bool(self._known)

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

    def keep(self, key: bytes, answer: Mapping[str, Any]) -> None:
        """Remembers a new answer."""
        self.replaying = False
        if not self.keeping:
            return
        kept = {name: np.asarray(value) for name, value in answer.items() if value is not None}
        self.fresh[key] = {**kept, CLOCK: np.asarray(self.seconds())}
        self.fresh_bytes += sum(array.nbytes for array in kept.values()) + 64

    def answers(
        self, what: bytes, data: Any, thetas: np.ndarray, compute: Callable[[np.ndarray], Mapping[str, Any]]
    ) -> dict[str, np.ndarray]:
        """Answers at thetas (B, d), as arrays with B rows: known ones, and computed ones of the rest in one call.

        what: hash of the function, `value` among its answers; data: what it works on."""
        where = self.hash_of(data)
        keys = [question(what, where, theta) for theta in thetas]
        found = [self.recall(key) for key in keys]
        missing = [i for i, answer in enumerate(found) if answer is None]
        if missing:
            computed = {k: np.asarray(v) for k, v in compute(thetas[missing]).items() if v is not None}
            for row, i in enumerate(missing):
                found[i] = {name: array[row] for name, array in computed.items()}
                self.keep(keys[i], found[i] or {})
        rows = [answer for answer in found if answer is not None]
        for theta, answer in zip(thetas, rows, strict=True):
            self._compare(theta, float(answer["value"]), where)
        return {name: np.stack([answer[name] for answer in rows]) for name in rows[0]}

    def once(self, what: bytes, asked: Any, compute: Callable[[], Mapping[str, Any]]) -> Answer:
        """One answer that is no evaluation of the objective, as arrays by name: recalled, or computed and kept. what: hash of the
        function; asked: all that the answer depends on, see `hash_of`."""
        if not self.in_use:
            return {name: np.asarray(value) for name, value in compute().items()}
        key = hash_of([what, asked])
        found = self.recall(key)
        if found is None:
            found = {name: np.asarray(value) for name, value in compute().items()}
            self.keep(key, found)
        return found

    def _compare(self, theta: np.ndarray, value: float, data: bytes) -> None:
        """Remembers the best point of each kind of data."""
        if value < self.best.get(data, (np.inf, theta))[0]:
            self.best[data] = (value, np.array(theta))

    def take(self) -> dict[bytes, Answer]:
        """The answers since the last time."""
        taken, self.fresh, self.fresh_bytes = self.fresh, {}, 0
        return taken

    def give_back(self, answers: Mapping[bytes, Answer]) -> None:
        """Answers that could not be written wait again."""
        self.fresh = {**answers, **self.fresh}
        self.fresh_bytes = sum(array.nbytes + 64 for answer in self.fresh.values() for array in answer.values())

    def hash_of(self, data: Any) -> bytes:
        """`hash_of` of the arrays in `data`, remembered by its identity."""
        known = self._hashes.get(id(data))
        if known is None:
            known = (data, hash_of(data))  # the data too, lest another object gets its id
            self._hashes[id(data)] = known
            while len(self._hashes) > _BATCHES:
                self._hashes.pop(next(iter(self._hashes)))
        return known[1]


def question(what: bytes, data: bytes, theta: np.ndarray) -> bytes:
    """The key of a question: the hash of what is evaluated, that of its data, where."""
    digest = hashlib.blake2b(what + data, digest_size=16)
    digest.update(np.ascontiguousarray(theta, float).tobytes())
    return digest.digest()


def hash_of(value: Any, without: frozenset[str] = frozenset()) -> bytes:
    """A hash that is the same in every process: of numbers, texts and arrays inside dataclasses, mappings and sequences.
    Fields named in `without` do not count; of functions only the name counts."""
    digest = hashlib.blake2b(digest_size=16)
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if item is None or isinstance(item, str | bytes | bool | int | float | complex):
            digest.update(f"{type(item).__name__} {item!r}\n".encode())
        elif hasattr(item, "__array__"):
            array = np.asarray(item)
            digest.update(f"array {array.dtype} {array.shape}\n".encode() + array.tobytes())
        elif is_dataclass(item) and not isinstance(item, type):
            names = [f.name for f in fields(item) if f.name not in without]
            digest.update(f"{type(item).__qualname__} {names}\n".encode())
            waiting += [getattr(item, name) for name in names]
        elif isinstance(item, Mapping):
            pairs = sorted(item.items(), key=lambda pair: str(pair[0]))
            digest.update(f"mapping {[str(key) for key, _ in pairs]}\n".encode())
            waiting += [inner for _, inner in pairs]
        elif isinstance(item, frozenset | set):
            digest.update(f"set {sorted(map(str, item))}\n".encode())
        elif isinstance(item, Sequence):
            digest.update(f"sequence {len(item)}\n".encode())
            waiting += item
        else:
            digest.update(f"{getattr(item, '__qualname__', type(item).__qualname__)}\n".encode())
    return digest.digest()
