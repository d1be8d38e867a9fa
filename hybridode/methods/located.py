"""Events as tapes: what the integration loops need to find those of a condition, and to carry out these and `at` statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from hybridode.tape.derive import forward, reverse
from hybridode.tape.tape import Tape, TapeBuilder


@dataclass(frozen=True)
class Column:
    """What the members of a family of assignments read in one place: member k the number `places[k]` (one for all if it is alone)
    of the tapes' input `source` ("y", "p", "t"), or of the output `output` of the families' `before`, or `numbers[k]` itself."""

    source: str = ""
    places: tuple[int, ...] = ()
    output: str = ""
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class ChangeFamily:
    """N assignments of one shape, so that those of a single event can be made: body (x0 (), x1 (), …) -> value (1,), its inputs
    the columns. Event e has the members first[e] … first[e + 1] - 1; member k goes to the state states[k]."""

    body: Tape
    columns: tuple[Column, ...]
    first: tuple[int, ...]
    states: tuple[int, ...]

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """The inputs of the body that are no constants."""
        return tuple(i.name for i in self.body.inputs if not self.columns[int(i.name[1:])].numbers)

    @cached_property
    def body_forward(self) -> Tape:
        return forward(self.body, self.moving, values=False)

    @cached_property
    def body_reverse(self) -> Tape:
        return reverse(self.body, self.moving)


@dataclass(frozen=True)
class Changes:
    """All assignments of all events in families. before: (t, y, p, …) -> what columns read that is no number of an input."""

    families: tuple[ChangeFamily, ...]
    before: Tape | None

    @cached_property
    def before_forward(self) -> Tape | None:
        return None if self.before is None else forward(self.before, _inputs(self.before), values=False)

    @cached_property
    def before_reverse(self) -> Tape | None:
        return None if self.before is None else reverse(self.before, _inputs(self.before))


@dataclass(frozen=True)
class Known:
    """`at` statements: (t, y, p, …) -> values (A,) of all assignments from what was before. Assignment a belongs to the
    statement owners[a] and goes to the state states[a]; stop: 1 for the statements that end the run. When they happen stands in
    the slot `s` (see `kernels/llvm/known_times`)."""

    values: Tape | None
    owners: tuple[int, ...]
    states: tuple[int, ...]
    stop: tuple[int, ...]

    @cached_property
    def values_reverse(self) -> Tape | None:
        """values.bar (A,) -> NAME.bar for all that the assignments read."""
        return None if self.values is None else reverse(self.values, _inputs(self.values))

    @cached_property
    def values_forward(self) -> Tape | None:
        """NAME.dot -> values.dot (A,)."""
        return None if self.values is None else forward(self.values, _inputs(self.values), values=False)


@dataclass(frozen=True)
class Located:
    """E events with A assignments in all, and `at` statements, which are known beforehand.

    guards: (t, y, p, …) -> guard (E,), and sign (E,): 1 or -1, and 0 where a bare number is 0. An event happens where its sign
    changes from -1 to 1 (direction 1), from 1 to -1 (-1), or either way (0). changes: (t, y, p, …) -> changes (A,), the values
    of all assignments from what was before; those of event e are first[e] … first[e + 1] - 1, and go to the states `states`.
    rates: the vector field. at_start: 1 where an event also fires at the start if its condition holds there, 2 if its bare
    number is 0 there; stop: 1 where it ends the run; resets: 1 where it assigns a state that its own guard reads, 2 where its
    condition may also hold at a guard of 0. split(): the same assignments in families, for loops over long vectors. own: how many
    events, the first, are the model's. modes: the events of `if`s are the last; the states that hold which side it is, 2 where
    that is no longer located (see `equations/switches`).
    """

    guards: Tape
    changes: Tape | None
    rates: Tape
    directions: tuple[int, ...]
    at_start: tuple[int, ...]
    stop: tuple[int, ...]
    resets: tuple[int, ...]
    first: tuple[int, ...]
    states: tuple[int, ...]
    split: Callable[[], Changes]
    known: Known | None = None
    modes: tuple[int, ...] = ()
    own: int = 0

    @property
    def count(self) -> int:
        """E"""
        return len(self.directions)

    @cached_property
    def families(self) -> Changes:
        """The assignments in families."""
        return self.split()

    @cached_property
    def guard_rate(self) -> Tape:
        """(t, y, p, …) -> guard_rate (E,): how fast the guards change along the solution."""
        b, shapes = TapeBuilder(), {i.name: i.shape for i in self.guards.inputs}
        moving = [name for name in ("t", "y", "u", "du") if name in shapes]
        if not moving:
            return b.finish({"guard_rate": b.broadcast(b.const(0.0), (self.count,))})
        moved = forward(self.guards, moving, ("guard",), values=False)
        given = {"t.dot": b.const(1.0)} if "t" in moving else {}
        given |= {f"{name}.dot": b.input(f"d{name}", shapes[name]) for name in ("u", "du") if name in moving}
        if "y" in moving:
            given["y.dot"] = b.inline(self.rates)[self.rates.outputs[0][1]]
        return b.finish({"guard_rate": b.inline(moved, given)[moved.output("guard.dot")]})

    @cached_property
    def guards_reverse(self) -> Tape:
        """guard.bar (E,) -> NAME.bar for all that the guards read."""
        return reverse(self.guards, _inputs(self.guards), ("guard",))

    @cached_property
    def guards_forward(self) -> Tape:
        """NAME.dot -> guard.dot (E,)."""
        return forward(self.guards, _inputs(self.guards), ("guard",), values=False)

    @cached_property
    def changes_reverse(self) -> Tape | None:
        """changes.bar (A,) -> NAME.bar for all that the assignments read."""
        return None if self.changes is None else reverse(self.changes, _inputs(self.changes))

    @cached_property
    def changes_forward(self) -> Tape | None:
        """NAME.dot -> changes.dot (A,)."""
        return None if self.changes is None else forward(self.changes, _inputs(self.changes), values=False)


def _inputs(tape: Tape) -> Sequence[str]:
    return [i.name for i in tape.inputs]
