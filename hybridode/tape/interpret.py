"""The tape in NumPy, float64: the oracle that every emitter is tested against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hybridode.tape.ops import OPS
from hybridode.tape.tape import Tape


class Interpreter:
    """A tape made ready: each call costs about a microsecond per instruction. Constants are made once."""

    def __init__(self, tape: Tape) -> None:
        k = len(tape.inputs)
        self.tape = tape
        self._inputs = tape.inputs
        self._values: list[Any] = [None] * (k + len(tape.instructions))
        self._program: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        for number, i in enumerate(tape.instructions, k):
            function = OPS[i.op].numpy(i.attrs, i.shape)
            if i.op == "const":
                self._values[number] = function()
            else:
                self._program.append((number, function, i.args))

    def __call__(self, inputs: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Outputs by name for inputs by name (more may be given than are read); shapes as the tape says."""
        values = self._values.copy()
        for number, i in enumerate(self._inputs):
            value = np.asarray(inputs[i.name], float)
            assert value.shape == i.shape, f"input {i.name} has shape {i.shape}, not {value.shape}"
            values[number] = value[()]
        with np.errstate(all="ignore"):
            for number, function, args in self._program:
                values[number] = function(*[values[a] for a in args])
        return {name: np.asarray(values[n]) for name, n in self.tape.outputs}

    def at(self, fixed: Mapping[str, ArrayLike], moving: Sequence[str], output: str) -> Callable[..., np.ndarray]:
        """One output as a function of the inputs `moving` in their order (of the tape's shapes; some may not be read), the others
        fixed: what depends on those alone is computed now. Warnings are the caller's to silence."""
        values = self._values.copy()
        place = {i.name: number for number, i in enumerate(self._inputs)}
        changes = {place[name] for name in moving if name in place}
        for name, number in place.items():
            if number not in changes:
                values[number] = np.asarray(fixed[name], float)[()]
        program = []
        for number, function, args in self._program:
            if changes.isdisjoint(args):
                values[number] = function(*[values[a] for a in args])
            else:
                changes.add(number)
                program.append((number, function, args))
        slots, wanted = [place.get(name) for name in moving], self.tape.output(output)

        def run(*given: Any) -> np.ndarray:
            now = values.copy()
            for slot, value in zip(slots, given, strict=True):
                if slot is not None:
                    now[slot] = value
            for number, function, args in program:
                now[number] = function(*[now[a] for a in args])
            return now[wanted]

        return run


def interpret(tape: Tape, inputs: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Outputs of a tape for inputs by name. To call a tape often make an `Interpreter`."""
    return Interpreter(tape)(inputs)
