"""Which expressions are computed together: units, their shapes and their levels.

A unit is an expression that is computed once and read by place: an output, a network, an argument of a network, a costly
expression with several readers, a term of a sum. A unit's shape is its operations with every leaf turned into a slot
(alpha-renaming; a leaf read twice is two slots, whose gathers become one again if they agree throughout). Units of
one shape at one level of dependency are a group: one sequence of vector instructions.

A sum is split into units of its terms where that groups better: when its own shape is rare (a reaction network), or when
it is long and its terms are alike (all pairs of particles).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridode.expr import Expr, Symbol

MIN_GROUP = 4  # instances from which a vector instruction with its gathers is worth more than scalars
_MIN_SHARED_COST = 3  # cheaper expressions are computed again rather than gathered
_LONG_SUM = 8
_CHEAP = frozenset("add mul neg min max abs sign relu heaviside where not and or lt le gt ge eq ne".split())
_COSTLY = 4
_OF_A_SPLIT = 10  # what bringing terms together costs: concatenation, gather, signs, scatter, and that they move
NETS = frozenset({"net", "net_jacobian"})

# An operand of a template: the number of an earlier step, ~k for slot k, or the hexadecimal text of a number that
# belongs to the shape.
Operand = int | str
Step = tuple[str, Any, tuple[Operand, ...]]  # operation, its datum, operands


@dataclass
class Unit:
    """`kind`: "shape" (computed by its template), "net", "sum" (of `terms`, each with a sign)."""

    expr: Expr
    kind: str = "shape"
    template: tuple[Step, ...] = ()
    slots: tuple[Expr, ...] = ()  # leaves and other units, in the order of the template
    terms: tuple[tuple[float, Expr], ...] = ()
    level: int = -1

    @property
    def reads(self) -> tuple[Expr, ...]:
        return tuple(t for _, t in self.terms) if self.kind == "sum" else self.slots


@dataclass(frozen=True)
class Group:
    """Units that are computed together, in the order of their first occurrence."""

    kind: str
    units: tuple[Unit, ...]


@dataclass
class Plan:
    """Units and groups of the expressions that some outputs need. `resolve` replaces intermediates by their expressions."""

    definitions: Mapping[Symbol, Expr]
    units: dict[Expr, Unit] = field(default_factory=dict)
    _args: dict[Expr, tuple[Expr, ...]] = field(default_factory=dict)

    def resolve(self, e: Expr) -> Expr:
        while e.op == "sym" and e.data in self.definitions:
            e = self.definitions[e.data]
        return e

    def args(self, e: Expr) -> tuple[Expr, ...]:
        found = self._args.get(e)
        if found is None:
            found = self._args[e] = tuple(map(self.resolve, e.args))
        return found


def plan(roots: Sequence[Expr], definitions: Mapping[Symbol, Expr]) -> tuple[Plan, list[Group]]:
    """The groups in an order in which each reads only earlier ones."""
    p = Plan(definitions)
    order = _postorder(p, roots)
    for e in _chosen(p, order, roots):
        p.units[e] = Unit(e)
    for unit in list(p.units.values()):
        _fill(p, unit)
    _lift_sums(p)
    _split_sums(p)
    return p, _groups(p)


def is_leaf(e: Expr) -> bool:
    """What is read by place without being computed: a symbol, a number, an output of a network."""
    return e.op in ("sym", "const", "out")


def _postorder(p: Plan, roots: Sequence[Expr]) -> list[Expr]:
    """Everything below the roots, operands first."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    for root in roots:
        stack: list[tuple[Expr, int]] = [(p.resolve(root), 0)]
        while stack:
            e, i = stack.pop()
            if i == 0:
                if e in seen:
                    continue
                seen.add(e)
            args = p.args(e)
            if i < len(args):
                stack.append((e, i + 1))
                if args[i] not in seen:
                    stack.append((args[i], 0))
            else:
                order.append(e)
    return order


def _chosen(p: Plan, order: Sequence[Expr], roots: Sequence[Expr]) -> list[Expr]:
    """The expressions that become units, operands first."""
    readers: Counter[Expr] = Counter()
    forced = {p.resolve(r) for r in roots}
    shapes: dict[Expr, int] = {}
    numbers: dict[Any, int] = {}
    for e in order:
        args = p.args(e)
        readers.update(args)
        if e.op in NETS:
            forced.update((e, *args))
        key = 0 if is_leaf(e) else (e.op, e.data, *(shapes[a] for a in args))
        shapes[e] = numbers.setdefault(key, len(numbers) + 1)
        if e.op == "add" and _alike([shapes[a] for a in args]):
            forced.add(e)
    cost: dict[Expr, int] = {}
    promoted: set[int] = set()
    for e in order:
        own = 0 if is_leaf(e) or e.op == "neg" else max(1, len(e.args) - 1) if e.op in _CHEAP else _COSTLY
        cost[e] = own + sum(cost[a] for a in p.args(e))
        if e.op != "neg" and readers[e] > 1 and cost[e] >= _MIN_SHARED_COST:
            promoted.add(shapes[e])
        if e in forced or shapes[e] in promoted:
            cost[e] = 0
    return [e for e in order if not is_leaf(e) and (e in forced or shapes[e] in promoted)]


def _alike(shapes: list[int]) -> bool:
    """Is a sum of terms of these shapes long, with most terms like several others?"""
    if len(shapes) < _LONG_SUM:
        return False
    counts = Counter(shapes)
    return 2 * sum(n for n in counts.values() if n >= MIN_GROUP) >= len(shapes)


def _fill(p: Plan, unit: Unit) -> None:
    """Template and slots of a unit, or its terms."""
    e = unit.expr
    if e.op in NETS:
        unit.kind, unit.slots = "net", p.args(e)
    else:
        unit.template, unit.slots = _template(p, e)


def _template(p: Plan, root: Expr) -> tuple[tuple[Step, ...], tuple[Expr, ...]]:
    """The operations of a unit, operands first, and what stands in its slots."""
    steps: list[Step] = []
    slots: list[Expr] = []
    number: dict[Expr, int] = {}
    stack: list[tuple[Expr, int, list[Operand]]] = [(root, 0, [])]
    while stack:
        e, i, operands = stack.pop()
        args = p.args(e)
        if i == len(args):
            number[e] = len(steps)
            steps.append((e.op, e.data, tuple(operands)))
            continue
        a = args[i]
        if a in number:
            operands.append(number[a])
        elif e.op == "pow" and i == 1 and a.op == "const":
            operands.append(float(a.data).hex())
        elif is_leaf(a) or a in p.units:
            operands.append(~len(slots))
            slots.append(a)
        else:
            stack.append((e, i, operands))
            stack.append((a, 0, []))
            continue
        stack.append((e, i + 1, operands))
    return tuple(steps), tuple(slots)


def _lift_sums(p: Plan) -> None:
    """Sums under a factor become units where the shape of the whole is rare: `(a + b - c)/C` groups as `s/C`."""
    work = [u for u in p.units.values() if u.kind == "shape"]
    counts = Counter(u.template for u in work)
    while work:
        unit = work.pop()
        if unit.expr.op not in ("mul", "div", "neg") or counts[unit.template] >= MIN_GROUP:
            continue
        sums = [a for a in p.args(unit.expr) if a.op == "add" and a not in p.units]
        inner = [
            a
            for a in p.args(unit.expr)
            if a.op in ("mul", "div", "neg") and a not in p.units and any(b.op == "add" for b in a.args)
        ]
        for a in (*sums, *inner):
            p.units[a] = Unit(a)
            _fill(p, p.units[a])
        if sums or inner:
            _fill(p, unit)
        work.extend(p.units[a] for a in inner)


def _split_sums(p: Plan) -> None:
    """Sums become units of their terms where that makes fewer instructions."""
    sums = [u for u in p.units.values() if u.kind == "shape" and u.expr.op == "add"]
    terms = {u.expr: _signed_terms(p, u.expr) for u in sums}
    shapes = {t: _shape(p, t) for signed in terms.values() for _, t in signed}
    rare = _rare(sums, terms, shapes)
    for u in sums:
        if u.template in rare or _alike([hash(shapes[t]) for _, t in terms[u.expr]]):
            u.kind, u.template, u.slots, u.terms = "sum", (), (), terms[u.expr]
            for _, t in u.terms:
                if not is_leaf(t) and t not in p.units:
                    p.units[t] = Unit(t)
                    _fill(p, p.units[t])


def _signed_terms(p: Plan, root: Expr) -> tuple[tuple[float, Expr], ...]:
    """The terms of a sum, sums in it opened."""
    signed = []
    stack = [(1.0, t) for t in reversed(p.args(root))]
    while stack:
        sign, term = stack.pop()
        if term.op == "neg":
            stack.append((-sign, p.args(term)[0]))
        elif term.op == "add" and term not in p.units:
            stack.extend((sign, t) for t in reversed(p.args(term)))
        else:
            signed.append((sign, term))
    return tuple(signed)


def _shape(p: Plan, e: Expr) -> tuple[Step, ...]:
    """The template that an expression would have as a unit; nothing if it is read by place."""
    return () if is_leaf(e) or e in p.units else _template(p, e)[0]


def _rare(sums: list[Unit], terms: Mapping[Expr, Any], shapes: Mapping[Expr, tuple[Step, ...]]) -> set[tuple[Step, ...]]:
    """The shapes of sums that are better split: all that occur less often than the bound that makes the fewest instructions."""
    counts = Counter(u.template for u in sums)
    best: tuple[int, int] = (0, 0)
    for number, bound in enumerate([MIN_GROUP, *(8 << k for k in range(18))]):
        split: dict[Expr, None] = {}
        for u in sums:
            if counts[u.template] < bound:
                split.update((t, None) for _, t in terms[u.expr])
        of_terms = Counter(shapes[t] for t in split)
        cost = sum(_instructions(shape, n) for shape, n in of_terms.items())
        cost += sum(_instructions(shape, n) for shape, n in counts.items() if n >= bound)
        cost += _OF_A_SPLIT if split else 0
        if number == 0 or cost < best[0]:
            best = cost, bound
        if bound > max(counts.values(), default=0):
            break
    return {shape for shape, n in counts.items() if n < best[1]}


def _instructions(shape: tuple[Step, ...], count: int) -> int:
    """About how many instructions `count` expressions of one shape take, gathers included."""
    slots = sum(isinstance(o, int) and o < 0 for _, _, operands in shape for o in operands)
    steps = sum(max(1, len(operands) - 1) for _, _, operands in shape)
    return min(count * steps, steps + slots)


def _groups(p: Plan) -> list[Group]:
    """Levels, then groups: the level of a unit is one more than that of what it reads."""
    _level(p)
    found: dict[Any, list[Unit]] = {}
    for unit in p.units.values():
        what = {"shape": unit.template, "net": (unit.expr.op, unit.expr.data), "sum": None}[unit.kind]
        found.setdefault((unit.level, unit.kind, what), []).append(unit)
    # Python's sort keeps the order of first occurrence within a level.
    return [Group(key[1], tuple(units)) for key, units in sorted(found.items(), key=lambda item: item[0][0])]


def _level(p: Plan) -> None:
    for first in p.units.values():
        stack = [first]
        while stack:
            unit = stack[-1]
            if unit.level >= 0:
                stack.pop()
                continue
            below = [p.units[r] for r in (_read(p, e) for e in unit.reads) if r in p.units]
            waiting = [u for u in below if u.level < 0]
            if waiting:
                stack.extend(waiting)
            else:
                unit.level = 1 + max((u.level for u in below), default=-1)
                stack.pop()
    # What nothing else reads can wait for the last level, where it meets others of its shape.
    read = {_read(p, e) for unit in p.units.values() for e in unit.reads}
    last = max((u.level for u in p.units.values()), default=0)
    for e, unit in p.units.items():
        if e not in read:
            unit.level = last


def _read(p: Plan, e: Expr) -> Expr:
    """The unit that a slot reads: an output of a network reads the network."""
    return p.resolve(e.args[0]) if e.op == "out" else e
