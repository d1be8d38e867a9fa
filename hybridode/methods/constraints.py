"""Constraints of a DAE inside a step, as nodes of a tape: algebraic rows, and invariants that states are projected onto.

A step of a Rosenbrock method treats an algebraic row 0 = g as the limit of eps z' = g (E. Hairer, G. Wanner, Solving Ordinary
Differential Equations II, section VI.4). What follows from differentiated equations is not solved but kept: after every step the
state goes to the nearest point where it holds (E. Eich, SIAM J. Numer. Anal. 30 (1993) 1467-1482; HW II, VII.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from hybridode.methods.sparse_lu import Entry, elimination_order, factor, solve
from hybridode.tape.derive import forward, reverse
from hybridode.tape.systems import LinearSystem, linear_system
from hybridode.tape.tape import Tape, TapeBuilder

PER_STAGE = ("u", "du", "ddu")  # signals and their derivatives: the driver gives their values at every stage's time
JUMP_STEPS = 8  # of Newton's method after an event, from what the unknowns were before
CONVERGED = 1e-7  # what the last of them changes, in units of the unknowns
NEWTON_STEPS = 2  # from the error of a step (1e-4) to its square and its fourth power
MOST_EXCHANGED = 8  # unknowns whose equations are solved with exchanges of rows outside a step
MOST_WRITTEN_OUT = 16  # equations of a linear system that is eliminated in straight-line code on a tape of long vectors


@dataclass(frozen=True)
class Invariants:
    """0 = the output of `residuals`, a vector of `count`; `jacobian` gives the entries (in the order of `pattern`) of its
    derivative by the states. `system`: how the matrix G' G'^T of a large model is eliminated, None for one written out.
    `moving`: of each entry, whether the projection moves its state for that residual; () is all of them. A residual of velocities
    moves no positions, so that a velocity that an event makes inconsistent does not shift them.
    """

    residuals: Tape
    jacobian: Tape
    pattern: tuple[Entry, ...]
    count: int
    system: LinearSystem | None = None
    moving: tuple[bool, ...] = ()

    @cached_property
    def moved(self) -> tuple[int, ...]:
        """The entries along which the projection goes."""
        return tuple(e for e in range(len(self.pattern)) if not self.moving or self.moving[e])


def in_operations(invariants: Invariants | None) -> Invariants | None:
    """The same for a tape of long vectors: the linear system as operations of the tape, unless it is small."""
    if invariants is None or invariants.count <= MOST_WRITTEN_OUT:
        return invariants
    keys = meeting(invariants)
    return replace(invariants, system=_required(invariants.count, keys))


def _required(n: int, pattern: Sequence[Entry]) -> LinearSystem:
    found = linear_system(n, [i for i, _ in pattern], [j for _, j in pattern])
    assert found is not None, f"{n} constraints: their elimination fills up beyond use"
    return found


def stage_input(name: str, stage: int) -> str:
    """The input that holds a signal's values at a stage: `u@3`."""
    return f"{name}@{stage}"


def evaluate(t: TapeBuilder, field: Tape, y: int, time: int, stage: int | None) -> int:
    """A tape of the model with a single output at a stage, or (None) at a time of its own."""
    given = {"y": y, "t": time}
    if stage is not None:
        given |= {i.name: t.input(stage_input(i.name, stage), i.shape) for i in field.inputs if i.name in PER_STAGE}
    nodes = t.inline(field, {name: node for name, node in given.items() if any(i.name == name for i in field.inputs)})
    return nodes[field.outputs[0][1]]


def differential(n: int, algebraic: Sequence[int]) -> list[int]:
    """The places of the states that are no algebraic unknowns."""
    marked = set(algebraic)
    return [i for i in range(n) if i not in marked]


def times_mass(b: TapeBuilder, x: int, n: int, algebraic: Sequence[int]) -> int:
    """M x: nothing in the algebraic rows."""
    if not algebraic:
        return x
    places = differential(n, algebraic)
    return b.scatter_add(b.gather(x, places), places, (n,))


def pairs(invariants: Invariants) -> list[tuple[int, int]]:
    """Entries of G' that meet in a state, the second of which moves it: what the matrix G' G'^T is made of."""
    of_column: dict[int, list[int]] = {}
    for e, (_, column) in enumerate(invariants.pattern):
        of_column.setdefault(column, []).append(e)
    moved = set(invariants.moved)
    return [(e, f) for entries in of_column.values() for e in entries for f in entries if f in moved]


def meeting(invariants: Invariants) -> list[Entry]:
    """The pattern of G' G'^T."""
    return sorted({(invariants.pattern[e][0], invariants.pattern[f][0]) for e, f in pairs(invariants)})


def projected(b: TapeBuilder, invariants: Invariants, y: int, time: int, stage: int | None, n: int) -> int:
    """The state moved onto the invariants: Newton steps y - G'^T (G' G'^T)^-1 G, the least change.

    All states weigh the same: where each weighs by its own size, directions turn as states pass through 0, and derivatives of the
    pendulum were up to a thousand times worse.
    """
    for _ in range(NEWTON_STEPS):
        y = b.sub(y, _correction(b, invariants, y, time, stage, n))
    return y


def projection(invariants: Invariants, n: int) -> Tape:
    """`projected` as a tape (t, y, …) -> end."""
    b = TapeBuilder()
    return b.finish({"end": projected(b, invariants, b.input("y", (n,)), b.input("t"), None, n)})


def _correction(b: TapeBuilder, g: Invariants, y: int, time: int, stage: int | None, n: int) -> int:
    entries = evaluate(b, g.jacobian, y, time, stage)
    met = pairs(g)
    keys = meeting(g)
    place = {key: k for k, key in enumerate(keys)}
    products = b.mul(b.gather(entries, [e for e, _ in met]), b.gather(entries, [f for _, f in met]))
    to = [place[g.pattern[e][0], g.pattern[f][0]] for e, f in met]
    matrix = b.scatter_add(products, to, (len(keys),))
    multipliers = solved(b, g.count, keys, matrix, evaluate(b, g.residuals, y, time, stage), g.system, False)
    along = [g.pattern[e] for e in g.moved]
    change = b.mul(b.gather(entries, g.moved), b.gather(multipliers, [row for row, _ in along]))
    return b.scatter_add(change, [column for _, column in along], (n,))


def solved(b: TapeBuilder, n: int, pattern: Sequence[Entry], entries: int, right: int, system: LinearSystem | None,
           exchanged: bool = True) -> int:  # fmt: skip
    """The solution (n,) of a sparse linear system, written out or (`system`) as operations of the tape. `exchanged`: rows are
    exchanged where that is needed, if there are few."""
    if system is not None:
        at = {key: k for k, key in enumerate((system.rows * n + system.columns).tolist())}
        full = b.scatter_add(entries, [at[i * n + j] for i, j in pattern], (system.entries,))
        return b.make("solve", full, b.make("factor", full, attrs=system), right, attrs=(system, False))
    matrix = {key: b.element(entries, k) for k, key in enumerate(pattern)}
    if exchanged and n <= MOST_EXCHANGED:
        return b.concat(_with_exchanges(b, n, matrix, [b.element(right, k) for k in range(n)]))
    for i in range(n):
        matrix.setdefault((i, i), b.const(0.0))
    found = solve(b, factor(b, n, matrix, elimination_order(n, matrix)), [b.element(right, k) for k in range(n)])
    return b.concat(found)


def _with_exchanges(b: TapeBuilder, n: int, matrix: Mapping[Entry, int], right: Sequence[int]) -> list[int]:
    """Gaussian elimination in which the largest entry of a column comes up by exchanges of rows, made by selecting."""
    zero, x = b.const(0.0), list(right)
    a = [[matrix.get((i, j), zero) for j in range(n)] for i in range(n)]
    for p in range(n):
        for i in range(p + 1, n):
            if a[i][p] == zero:
                continue
            larger = b.make("lt", b.make("abs", a[p][p]), b.make("abs", a[i][p]))
            for j in range(p, n):
                a[p][j], a[i][j] = b.select(larger, a[i][j], a[p][j]), b.select(larger, a[p][j], a[i][j])
            x[p], x[i] = b.select(larger, x[i], x[p]), b.select(larger, x[p], x[i])
        inverse = b.div(b.const(1.0), a[p][p])
        for i in range(p + 1, n):
            if a[i][p] != zero:
                multiplier = b.mul(a[i][p], inverse)
                for j in range(p + 1, n):
                    a[i][j] = b.sub(a[i][j], b.mul(multiplier, a[p][j]))
                x[i] = b.sub(x[i], b.mul(multiplier, x[p]))
    for p in reversed(range(n)):
        for j in range(p + 1, n):
            x[p] = b.sub(x[p], b.mul(a[p][j], x[j]))
        x[p] = b.div(x[p], a[p][p])
    return x


@dataclass(frozen=True)
class Block:
    """The algebraic rows by the algebraic unknowns (`rows` of 0 …: places among the unknowns) within a Jacobian's entries."""

    unknowns: tuple[int, ...]
    entries: tuple[int, ...]
    pattern: tuple[Entry, ...]
    system: LinearSystem | None = None


def block_of(pattern: Sequence[Entry], unknowns: Sequence[int], long: bool = False) -> Block:
    """The block of these unknowns in a Jacobian with this pattern. `long`: for tapes of long vectors."""
    place = {i: k for k, i in enumerate(unknowns)}
    found = [(e, (place[i], place[j])) for e, (i, j) in enumerate(pattern) if i in place and j in place]
    keys = tuple(key for _, key in found)
    system = _required(len(place), keys) if long and len(place) > MOST_WRITTEN_OUT else None
    return Block(tuple(unknowns), tuple(e for e, _ in found), keys, system)


@dataclass(frozen=True)
class Settle:
    """A state made consistent where it nearly is: (t, y, p, …) -> end. Invariants first, then the algebraic unknowns."""

    tape: Tape

    @cached_property
    def reverse(self) -> Tape:
        """end.bar -> NAME.bar of all that is read but the time."""
        return reverse(self.tape, _moving(self.tape))

    @cached_property
    def tangent(self) -> Tape:
        """NAME.dot -> end.dot."""
        return forward(self.tape, _moving(self.tape), values=False)


def _moving(tape: Tape) -> list[str]:
    return [i.name for i in tape.inputs if i.name != "t"]


def settle(rates: Tape, jacobian: Tape, block: Block, invariants: Invariants | None, n: int, steps: int = NEWTON_STEPS) -> Settle:
    """See `Settle`. `steps`: of Newton's method for the unknowns."""
    b = TapeBuilder()
    time, y = b.input("t"), b.input("y", (n,))
    end = y if invariants is None else projected(b, invariants, y, time, None, n)
    if block.unknowns:
        end = with_unknowns_solved(b, rates, jacobian, block, end, time, n, steps)
    moved = b.sum(b.make("abs", b.sub(end, y)))
    return Settle(b.finish({"end": b.select(b.make("lt", moved, b.const(math.inf)), end, y)}))


def with_unknowns_solved(
    b: TapeBuilder, rates: Tape, jacobian: Tape, block: Block, y: int, time: int, n: int, steps: int = NEWTON_STEPS
) -> int:
    """The state with its algebraic unknowns solved by Newton steps from what they are; other states stay."""
    places = list(block.unknowns)
    for _ in range(steps):
        residuals = b.gather(evaluate(b, rates, y, time, None), places)
        entries = b.gather(evaluate(b, jacobian, y, time, None), block.entries)
        change = solved(b, len(places), block.pattern, entries, residuals, block.system)
        y = b.sub(y, b.scatter_add(change, places, (n,)))
    return y


def motion(rates: Tape, jacobian: Tape, pattern: Sequence[Entry], slope: Tape | None, block: Block, n: int) -> Tape:
    """The derivative of the whole state along a solution: of an algebraic unknown by the implicit function theorem."""
    b = TapeBuilder()
    time, y = b.input("t"), b.input("y", (n,))
    f = times_mass(b, evaluate(b, rates, y, time, None), n, block.unknowns)
    entries = evaluate(b, jacobian, y, time, None)
    place = {i: k for k, i in enumerate(block.unknowns)}
    outer = [(e, place[i], j) for e, (i, j) in enumerate(pattern) if i in place and j not in place]
    right = b.broadcast(b.const(0.0), (len(place),))
    if outer:
        products = b.mul(b.gather(entries, [e for e, _, _ in outer]), b.gather(f, [j for _, _, j in outer]))
        right = b.scatter_add(products, [i for _, i, _ in outer], (len(place),))
    if slope is not None:
        right = b.add(right, b.gather(evaluate(b, slope, y, time, None), block.unknowns))
    moved = solved(b, len(place), block.pattern, b.gather(entries, block.entries), right, block.system)
    return b.finish({"motion": b.sub(f, b.scatter_add(moved, block.unknowns, (n,)))})


def changes_with_unknowns(
    changes: Tape, first: Sequence[int], states: Sequence[int], rates: Tape, jacobian: Tape, block: Block,
    invariants: Invariants | None, n: int,
) -> tuple[Tape, tuple[int, ...], tuple[int, ...]]:  # fmt: skip
    """(changes, first, states) of `methods.located.Located` with the algebraic unknowns, and the states that keep the invariants,
    among what every event sets that sets anything: Newton steps from what they were, with the states that the event makes. NaN
    where these have not converged."""
    b = TapeBuilder()
    time, y = b.input("t"), b.input("y", (n,))
    values = b.inline(changes, {i.name: {"t": time, "y": y}[i.name] for i in changes.inputs if i.name in ("t", "y")})
    made, places = values[changes.outputs[0][1]], list(block.unknowns)
    kept = [] if invariants is None else sorted({invariants.pattern[e][1] for e in invariants.moved})
    parts: list[int] = []
    starts, targets = [0], []
    for begin, end in pairwise(first):
        own = list(states[begin:end])
        if own:
            after = [b.element(y, k) for k in range(n)]
            for a, state in zip(range(begin, end), own, strict=True):
                after[state] = b.element(made, a)
            before = b.concat(after)
            if invariants is not None:
                for _ in range(JUMP_STEPS // NEWTON_STEPS):
                    before = projected(b, invariants, before, time, None, n)
            own = sorted({*own, *kept})
            changed = b.gather(before, own)
            if not places:
                parts.append(changed)
                targets += own
                starts.append(len(targets))
                continue
            near = with_unknowns_solved(b, rates, jacobian, block, before, time, n, JUMP_STEPS)
            there = with_unknowns_solved(b, rates, jacobian, block, near, time, n, 1)
            missed = b.gather(b.make("abs", b.sub(there, near)), places)
            size = b.gather(b.make("abs", there), places)
            limit = b.mul(b.const(CONVERGED), b.add(size, b.sum(size)))
            converged = b.make("le", missed, b.add(limit, b.const(1e-300)))
            found = b.select(converged, b.gather(there, places), b.const(math.nan))
            parts += [changed, found]
            own += places
        targets += own
        starts.append(len(targets))
    return b.finish({"changes": b.concat(parts)}), tuple(starts), tuple(targets)
