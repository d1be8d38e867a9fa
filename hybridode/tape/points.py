"""A tape at many points at once, in NumPy: every element of it is an array over the points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.tape.ops import OPS
from hybridode.tape.scalars import ZERO, ScalarGraph, scalars
from hybridode.tape.tape import Tape


class Pointwise:
    """A tape made ready. Arrays of all shapes that fit together may stand for the elements of its inputs: those of `x.dot`
    (see `derive.forward`) may have an axis more, over directions. A call costs about a microsecond per scalar and what NumPy
    takes."""

    def __init__(self, tape: Tape) -> None:
        graph, self._outputs = scalars(tape)
        reached = _reached(graph, self._outputs)
        self._constants: list[Any] = [None] * len(graph.nodes)
        self._inputs: list[tuple[int, str, int]] = []
        self._program: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        for number in reached:
            op, args, attrs = graph.nodes[number]
            if op == "const":
                self._constants[number] = attrs if isinstance(attrs, bool) else np.float64(attrs)
            elif op == "input":
                self._inputs.append((number, *attrs))
            else:
                self._program.append((number, OPS[op].numpy(attrs, ()), args))

    def reads(self, name: str) -> tuple[int, ...]:
        """The places of an input that are read."""
        return tuple(sorted(place for _, of, place in self._inputs if of == name))

    def __call__(self, inputs: Mapping[str, Sequence[Any] | Callable[[int], Any]]) -> dict[str, list[Any]]:
        """Outputs by name, an array per element; None for an element that is 0 whatever the inputs are. `inputs`: by name the
        elements, or a function that gives the element of a place."""
        values = self._constants.copy()
        for number, name, place in self._inputs:
            given = inputs[name]
            values[number] = given(place) if callable(given) else given[place]
        with np.errstate(all="ignore"):
            for number, function, args in self._program:
                values[number] = function(*[values[a] for a in args])
        return {name: [None if n == ZERO else values[n] for n in nodes] for name, nodes in self._outputs.items()}


def _reached(graph: ScalarGraph, outputs: Mapping[str, Sequence[int]]) -> list[int]:
    """What the outputs need, operands before readers."""
    needed = {n for nodes in outputs.values() for n in nodes}
    for number in range(len(graph.nodes) - 1, -1, -1):
        if number in needed:
            needed.update(graph.nodes[number].args)
    return sorted(needed)
