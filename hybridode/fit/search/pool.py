"""Many starts side by side: every round evaluates what all active starts ask for in one call.

The numbers of a start do not depend on its neighbours: optimisers know only their own points, and the evaluator's blocks have one
size (`lanes`). So a start ends at the same bits alone, among 50, in any order, and in any process that takes it over from its
`Snapshot`. Results are in the order of the starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.ask import WHOLE, Ask, EvaluateMany, Optimum, Point, Search, answered


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A start between two rounds. `state`: of its optimiser (see `Ask`), None at the beginning; `round`: evaluations so far."""

    number: int
    theta: np.ndarray
    state: Mapping[str, Any] | None
    track: Track
    round: int = 0


@dataclass(frozen=True, eq=False)
class Ending:
    """How one start ended. `finished`: by itself; else it was stopped, which `optimum.message` explains, maybe as `hopeless`, or
    as one that `waited`."""

    number: int
    optimum: Optimum
    track: Track
    finished: bool
    hopeless: bool = False
    waited: bool = False


Begin = Callable[[Snapshot], Search]  # the optimiser of a start, from its state if there is one


class Postpones(Protocol):
    """Who decides on starts that asked for what is solved only if it must be (see `postponed`)."""

    def begin(self) -> None: ...

    def end(self) -> None: ...

    def not_needed(self, ended: Sequence[Ending]) -> str: ...


Hopeless = Callable[[int, Mapping[int, Track]], Mapping[int, str]]  # round, tracks of the active starts -> those to stop, and why


@dataclass(eq=False)
class _Active:
    """A start that is being worked on."""

    snapshot: Snapshot
    search: Search
    ask: Ask


class Pool:
    """The starts of one fit (or those that one worker has). `early`: why the search ended before all starts did, "" if not."""

    def __init__(self, starts: Iterable[Snapshot], begin: Begin, evaluate_many: EvaluateMany, recorder: Recorder,
                 view: Any = WHOLE, postpones: Postpones | None = None) -> None:  # fmt: skip
        self.waiting = {s.number: s for s in starts}
        self.active: dict[int, _Active] = {}
        self.postponed: dict[int, _Active] = {}
        self.postpones = postpones
        self.ended: dict[int, Ending] = {}
        self.begin, self.evaluate_many, self.recorder = begin, evaluate_many, recorder
        self.view = view  # of the value that starts are compared by
        self.early = ""
        self.round = max((s.round for s in self.waiting.values()), default=0)

    # ---- running -----------------------------------------------------------------------------------------------------
    def run(
        self, until: int | None = None, hopeless: Hopeless | None = None, watch: Callable[[Pool], None] | None = None
    ) -> Pool:
        """Until all starts ended, or until the round `until`. `watch` is called after every round (checkpoints). Ctrl-C and the
        recorder's limit of time end it early; then `endings` has the best of every start so far."""
        try:
            for number in sorted(self.waiting):
                self._take(self.waiting[number])
                del self.waiting[number]
            while self.active and (until is None or self.round < until):
                self._one_round()
                if hopeless is not None:
                    self._stop(hopeless(self.round, {k: a.snapshot.track for k, a in self.active.items()}))
                if watch is not None:
                    watch(self)
                self.recorder.check_time()
                if self.postponed and not self.active:
                    self._decide()
        except (KeyboardInterrupt, OutOfTime) as stop:
            self.early = "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time"
        return self

    def _one_round(self) -> None:
        numbers = sorted(self.active)
        points = answered([self.active[k].ask for k in numbers], self.evaluate_many)
        self.round += 1
        for number, point in zip(numbers, points, strict=True):
            if point.postponed and self.postpones is not None:
                self.postponed[number] = self.active.pop(number)
                continue
            self._advance(self.active[number], lambda search, point=point: search.send(point))

    def _decide(self) -> None:
        """Only starts are left that wait: they go on, or end as not needed."""
        assert self.postpones is not None, "somebody postpones"
        why = self.postpones.not_needed(list(self.ended.values()))
        if not why:
            self.postpones.end()
            self.active, self.postponed = self.postponed, {}
            return
        for number in sorted(self.postponed):
            active = self.postponed.pop(number)
            active.search.close()
            self.ended[number] = replace(self._cut_short(active.snapshot, why), waited=True)
            self.recorder.end_start(number)

    def _take(self, snapshot: Snapshot) -> None:
        search = self.begin(snapshot)
        self._advance(_Active(snapshot, search, Ask(snapshot.theta)), next)

    def _advance(self, active: _Active, move: Callable[[Search], Ask]) -> None:
        """To the next thing that a start asks for, or to its end."""
        number = active.snapshot.number
        try:
            active.ask = move(active.search)
        except StopIteration as end:
            self.active.pop(number, None)
            self.ended[number] = Ending(number, end.value, active.snapshot.track, True)
            self.recorder.end_start(number)
            return
        self.active[number] = active

    def _stop(self, chosen: Mapping[int, str]) -> None:
        for number, why in sorted(chosen.items()):
            active = self.active.pop(number)
            active.search.close()
            self.ended[number] = replace(self._cut_short(active.snapshot, why), hopeless=True)
            self.recorder.end_start(number)

    # ---- what there is -----------------------------------------------------------------------------------------------
    def snapshots(self) -> list[Snapshot]:
        """The starts that have not ended, in order: what another pool goes on from."""
        found = [replace(a.snapshot, state=a.ask.state, round=self.round) for a in (self.active | self.postponed).values()]
        return sorted([*found, *self.waiting.values()], key=lambda s: s.number)

    def endings(self) -> list[Ending]:
        """How the starts ended, in order; those that have not end here, with the best that they found. Starts that did not begin
        are left out, but for the first if there is no other."""
        for snapshot in self.snapshots():
            if snapshot.track.best is not None or snapshot.number in self.active | self.postponed or not self.ended:
                self.ended[snapshot.number] = self._cut_short(snapshot, self.early)
        return [self.ended[k] for k in sorted(self.ended)]

    def _cut_short(self, snapshot: Snapshot, why: str) -> Ending:
        """The best point of a start, valued on all records (its stage may have seen only some)."""
        theta = snapshot.theta if snapshot.track.best is None else snapshot.track.best
        (point,) = self.evaluate_many([Ask(theta, self.view)])
        reached = Optimum(theta, point.value, point.gradient, point.fisher, "stopped", why, snapshot.track.iteration)
        return Ending(snapshot.number, reached, snapshot.track, False)


def evaluate_alone(evaluate: Callable[[np.ndarray], Point]) -> EvaluateMany:
    """An evaluator of many out of one of single vectors."""

    def many(asks: Sequence[Ask]) -> list[Point]:
        return [evaluate(ask.theta) for ask in asks]

    return many
