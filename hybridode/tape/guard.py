"""Untaken branches: operands there are made harmless ("double where"), so that no derivative of any mode meets a NaN.

`select(0 < x, sqrt(x), 0)` has a fine derivative at x = -1, but reverse mode multiplies the zero that the untaken branch
receives with sqrt's undefined one. Here every operation whose row has a `safe` point and whose value is only needed under some
conditions reads its operands through a select: the safe point wherever nothing needs the value. No value that reaches an
output changes. The pass is idempotent, and a tape without branches passes through untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Instruction, Tape, TapeBuilder

Node = int
# When a value is needed: any of the terms, each all of its literals. A literal is ("is", condition, wanted), or says what is
# needed of other elements by the number of a need: ("any", number), ("gather" or "scatter", number, places, shape).
Literal = tuple[Any, ...]
Need = frozenset[frozenset[Literal]]
ALWAYS: Need = frozenset([frozenset()])
_MOST_TERMS = 8


def guard(tape: Tape) -> Tape:
    """The tape with the operands of untaken branches replaced by safe points."""
    if not any(i.op == "select" for i in tape.instructions):
        return tape
    plan = _Needs(tape)
    guarded = plan.guarded()
    return _rebuilt(tape, plan, guarded) if guarded else tape


class _Needs:
    """Under which conditions each value is needed, from the outputs backwards."""

    def __init__(self, tape: Tape) -> None:
        self.first = len(tape.inputs)
        self.nodes = [Instruction("input", (), i.name, i.shape) for i in tape.inputs] + list(tape.instructions)
        self.order = _conditions_first(self.nodes, [v for _, v in tape.outputs])
        self.position = {n: k for k, n in enumerate(self.order)}
        self.numbered: list[Need] = []  # needs that literals refer to; one refers only to earlier ones
        self._number: dict[Need, int] = {}
        self.need: dict[Node, Need] = {value: ALWAYS for _, value in tape.outputs}
        for n in reversed(self.order):
            i, need = self.nodes[n], self.need[n]
            if i.op == "select":
                condition, yes, no = i.args
                self._also(condition, self._narrowed(need, condition))
                for branch, wanted in ((yes, True), (no, False)):
                    self._also(branch, self._narrowed(_and(need, ("is", condition, wanted)), branch))
            else:
                for a, part in zip(i.args, self._needed_of(i, need), strict=True):
                    self._also(a, part)

    def _also(self, n: Node, need: Need) -> None:
        self.need[n] = _or(self.need.get(n, frozenset()), need)

    def shape(self, need: Need) -> Shape:
        """Shape of a need: () or that of the value."""
        return next((s for term in need for literal in term if (s := self._literal_shape(literal))), ())

    def _literal_shape(self, literal: Literal) -> Shape:
        if literal[0] == "is":
            return self.nodes[literal[1]].shape
        return literal[3] if literal[0] != "any" else ()

    def _narrowed(self, need: Need, operand: Node) -> Need:
        """What is needed of a scalar operand that stands for every element: whatever any element needs."""
        return self._any(need) if self.nodes[operand].shape == () else need

    def _any(self, need: Need) -> Need:
        return self._of("any", need) if self.shape(need) else need

    def _of(self, kind: str, need: Need, *how: Any) -> Need:
        """What is needed of other elements, as the one literal of a need."""
        number = self._number.setdefault(need, len(self.numbered))
        if number == len(self.numbered):
            self.numbered.append(need)
        return frozenset([frozenset([(kind, number, *how)])])

    def _needed_of(self, i: Instruction, need: Need) -> list[Need]:
        """What an instruction that is needed so needs of its operands."""
        if OPS[i.op].elementwise if i.op != "input" else True:
            return [self._narrowed(need, a) for a in i.args]
        if not self.shape(need):
            return [need] * len(i.args)
        shapes = [self.nodes[a].shape for a in i.args]
        moves = _MOVES[i.op](i.attrs, shapes) if i.op in _MOVES else [("any",)] * len(i.args)
        return [self._of(*move[:1], need, *move[1:]) if s else self._any(need) for s, move in zip(shapes, moves, strict=True)]

    def known_before(self, n: Node) -> Need:
        """The need of a value in terms of conditions that are computed before it."""
        limit = self.position[n]
        return _simplified({frozenset(lit for lit in term if self._latest(lit) < limit) for term in self.need[n]})

    def _latest(self, literal: Literal) -> int:
        """Position of the last condition that a literal reads."""
        latest, stack = -1, [literal]
        while stack:
            lit = stack.pop()
            if lit[0] == "is":
                latest = max(latest, self.position[lit[1]])
            else:
                stack.extend(inner for term in self.numbered[lit[1]] for inner in term)
        return latest

    def guarded(self) -> dict[Node, Need]:
        """The values that are computed from guarded operands, and when they are needed."""
        found = {}
        for n in self.order:
            if self.need[n] != ALWAYS and n >= self.first and any(s is not None for s in OPS[self.nodes[n].op].safe):
                need = self.known_before(n)
                if need != ALWAYS:
                    found[n] = need
        return found


def _conditions_first(nodes: list[Instruction], outputs: list[Node]) -> list[Node]:
    """An order of evaluation in which the conditions of selects come as early as they can."""
    roots = [i.args[0] for i in nodes if i.op == "select"] + outputs
    order: list[Node] = []
    entered, left = set(), set()
    for root in roots:
        stack = [root]
        while stack:
            n = stack[-1]
            if n not in entered:
                entered.add(n)
                stack.extend(a for a in reversed(nodes[n].args) if a not in entered)
                continue
            stack.pop()
            if n not in left:
                left.add(n)
                order.append(n)
    return order


# ---- the algebra of needs -------------------------------------------------------------------------------------------
def _and(need: Need, literal: Literal) -> Need:
    opposite = (*literal[:2], not literal[2])
    return _simplified({term | {literal} for term in need if opposite not in term})


def _or(x: Need, y: Need) -> Need:
    if x == y or ALWAYS in (x, y):
        return ALWAYS if y == ALWAYS else x
    return _simplified(x | y)


def _simplified(terms: set[frozenset[Literal]] | Need) -> Need:
    """Terms that contain another are dropped, `c and rest` with `not c and rest` becomes `rest`; too many terms become
    what they share."""
    kept = set(terms)
    changed = True
    while changed:
        changed = False
        for x, y in combinations(sorted(kept, key=_term_key), 2):
            if x <= y:
                kept.discard(y)
            elif len(x) == len(y) and _opposite(x ^ y):
                kept -= {x, y}
                kept.add(x & y)
            else:
                continue
            changed = True
            break
    if len(kept) > _MOST_TERMS:
        return frozenset([frozenset.intersection(*kept)])
    return frozenset(kept)


def _opposite(difference: frozenset[Literal]) -> bool:
    if len(difference) != 2:
        return False
    x, y = difference
    return x[0] == y[0] == "is" and x[1] == y[1]


def _literal_key(literal: Literal) -> tuple[str, int, str]:
    return literal[0], literal[1], repr(literal[2:])


def _term_key(term: frozenset[Literal]) -> tuple[int, list[tuple[str, int, str]]]:
    """An order that is the same in every process, short terms first."""
    return len(term), sorted(map(_literal_key, term))


def _through_sum(axis: int | None, shapes: list[Shape]) -> list[Literal]:
    (shape,) = shapes
    if axis is None or len(shape) != 2:
        return [("any",)]
    rows, columns = shape
    return [("gather", tuple([k // columns if axis == 1 else k % columns for k in range(rows * columns)]), shape)]


def _through_concat(attrs: None, shapes: list[Shape]) -> list[Literal]:
    moves, start = [], 0
    for s in shapes:
        moves.append(("gather", range(start, start + size(s)), s))
        start += size(s)
    return moves


# How the elements that are needed move to the operands; an operation that mixes all elements has no row.
_MOVES: dict[str, Callable[[Any, list[Shape]], list[Literal]]] = {
    "gather": lambda places, shapes: [("scatter", places, shapes[0])],
    "scatter_add": lambda places, shapes: [("gather", places, shapes[0])],
    "concat": _through_concat,
    "sum": _through_sum,
}


# ---- the new tape ---------------------------------------------------------------------------------------------------
def _rebuilt(tape: Tape, plan: _Needs, guarded: dict[Node, Need]) -> Tape:
    b = TapeBuilder()
    new: dict[Node, Node] = {}
    masks = _Masks(b, plan, new)
    for i in tape.inputs:
        b.input(i.name, i.shape)
    for n in plan.order:
        op, args, attrs, shape = plan.nodes[n]
        if op == "input":
            new[n] = b.input(attrs, shape)
            continue
        operands = [new[a] for a in args]
        if n in guarded:
            mask = masks.of(guarded[n])
            for j, point in enumerate(OPS[op].safe):
                if point is not None and b.instructions[operands[j]].op != "const":
                    operands[j] = b.select(mask, operands[j], b.const(point))
        new[n] = b.make(op, *operands, attrs=attrs, shape=shape if OPS[op].free_shape else None)
    return b.finish({name: new[value] for name, value in tape.outputs})


class _Masks:
    """Boolean nodes of needs."""

    def __init__(self, b: TapeBuilder, plan: _Needs, new: dict[Node, Node]) -> None:
        self.b, self.plan, self.new = b, plan, new
        self.numbered: dict[int, Node] = {}

    def of(self, need: Need) -> Node:
        inner: set[int] = set()
        stack = [need]
        while stack:
            for number in {lit[1] for term in stack.pop() for lit in term if lit[0] != "is"} - inner - self.numbered.keys():
                inner.add(number)
                stack.append(self.plan.numbered[number])
        for number in sorted(inner):  # a need refers only to earlier ones
            self.numbered[number] = self._node(self.plan.numbered[number])
        return self._node(need)

    def _node(self, need: Need) -> Node:
        terms = [sorted(term, key=_literal_key) for term in sorted(need, key=_term_key)]
        return self._all("or", [self._all("and", [self._literal(lit) for lit in term]) for term in terms])

    def _all(self, op: str, nodes: list[Node]) -> Node:
        total = nodes[0]
        for n in nodes[1:]:
            total = self.b.make(op, total, n)
        return total

    def _literal(self, literal: Literal) -> Node:
        b = self.b
        if literal[0] == "is":
            condition = self.new[literal[1]]
            return condition if literal[2] else b.make("not", condition)
        mask = self.numbered[literal[1]]
        if literal[0] == "gather":
            return b.gather(mask, literal[2], literal[3])
        # Through numbers: there is no boolean sum.
        number = b.select(mask, b.const(1.0), b.const(0.0))
        found = b.sum(number) if literal[0] == "any" else b.scatter_add(number, literal[2], literal[3])
        return b.make("lt", b.const(0.0), found)
