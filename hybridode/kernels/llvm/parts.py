"""What a module is made of and what it is, for those who need not write one."""

from __future__ import annotations

from dataclasses import dataclass, field

from hybridode.tape.shapes import Shape, size


@dataclass(frozen=True)
class Inputs:
    """What a model's tapes read beside time and states: m parameters, the last `starts` of which are the input signals' values
    at the start; the networks' arrays in the order of the slot `w`; input signals, some of them `landing` (see `signals`).
    `vector` is how many numbers the processor's vectors hold. `known`: the slot `s` ends with when `at` statements happen (see
    `known_times`)."""

    parameters: int
    weights: tuple[tuple[str, Shape], ...] = ()
    vector: int = 1
    signals: int = 0
    landing: tuple[int, ...] = ()
    starts: int = 0
    own: bool = False  # every lane has networks' arrays of its own
    known: bool = False
    amounts: bool = False  # of doses, behind the known times

    @property
    def reads_times(self) -> bool:
        """Whether the slot `s` holds anything."""
        return bool(self.signals) or self.known

    @property
    def weight_count(self) -> int:
        return sum(size(shape) for _, shape in self.weights)


@dataclass(frozen=True)
class Module:
    """IR text and the names of its entries: `run` takes a job, `handler` is XLA's. `calls` are entries of other modules, `data`
    are tables that the code reads: if there are any, their address goes to the entry `tables` once."""

    text: str
    run: str
    handler: str
    calls: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)
    tables: str = ""
