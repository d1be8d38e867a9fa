"""The tape in NumPy, float64: the oracle that every emitter is tested against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def interpret(tape: Tape, inputs: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Outputs of a tape for inputs by name. To call a tape often make an `Interpreter`."""
    return Interpreter(tape)(inputs)
