"""Relations that look independent and are not: found by elimination at random points, and combined where that can be done
exactly.

`C*(x' - y') = f` and `C*(y' - x') = g` match x' and y', but their sum says 0 = f + g: an equation without derivatives that has
to be seen before anything is differentiated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hybridode.equations.dae.blocks import Block
from hybridode.equations.dae.linear import FIXED, form_of
from hybridode.equations.dae.points import POINTS, ROUNDING, Points
from hybridode.equations.dae.relations import Relation
from hybridode.equations.derivative_rules import gradient
from hybridode.expr import ZERO, Expr, Symbol, add, div, mul, neg, node, postorder, substitute, symbols

MOST_WORK = 3_000_000  # updates of entries; beyond, a loop that is singular shows itself in the run
MOST_ROWS = 500  # of a suspected dependence that is looked into
Sized = tuple[float, float]  # a value and the size of what was added up to it
Row = dict[int, Sized]


def dependent(block: Block, points: Points) -> list[int] | None:
    """Places of relations whose derivatives by the block's unknowns are linearly dependent wherever they are looked at, the
    smallest such set that elimination meets first; None if there are none (or the block is too large to be sure)."""
    number = {s: i for i, s in enumerate(block.unknowns)}
    slopes = [_slopes(r.residual, number) for r in block.relations]
    flat = [(i, c, e) for i, row in enumerate(slopes) for c, e in row.items()]
    values = points.values([e for _, _, e in flat])
    found: list[int] | None = None
    for k in range(POINTS):
        if any(math.isnan(v) for v in values[k]):
            continue
        rows: list[Row] = [{} for _ in slopes]
        for (i, c, _), v in zip(flat, values[k], strict=True):
            if v != 0.0:
                rows[i][c] = (v, abs(v))
        support = _support(rows)
        if support is None or not _is_singular([(i, c, v) for (i, c, _), v in zip(flat, values[k], strict=True)], support):
            return None
        found = support
    return found


def _slopes(e: Expr, number: Mapping[Symbol, int]) -> dict[int, Expr]:
    """The derivatives of an expression by unknowns, by their numbers. What passes through a network or a table counts as its
    slope times a number that no identity knows."""
    below: dict[Expr, list[int]] = {}

    def columns(leaf: Expr) -> list[int]:
        if leaf not in below:
            below[leaf] = [number[s] for s in symbols(leaf) if s in number]
        return below[leaf]

    parts: dict[int, list[Expr]] = {}
    for leaf, slope in gradient(e, lambda leaf: bool(columns(leaf))).items():
        for c in columns(leaf):
            if leaf.op == "sym":
                parts.setdefault(c, []).append(slope)
            else:
                unlike = node("sym", (), Symbol("slot", f"{leaf!r}", c))
                parts.setdefault(c, []).append(mul(slope, unlike))
    return {c: add(*terms) for c, terms in parts.items()}


def _support(rows: list[Row]) -> list[int] | None:
    """The rows that take part in the first linear dependence that elimination finds."""
    n = len(rows)
    combined: list[dict[int, float]] = [{i: 1.0} for i in range(n)]
    readers: dict[int, set[int]] = {}
    for i, row in enumerate(rows):
        for c in row:
            readers.setdefault(c, set()).add(i)
    waiting = set(range(n))
    order = sorted(waiting, key=lambda i: len(rows[i]))
    work = 0
    while waiting:
        i = min(waiting, key=lambda i: (len(rows[i]), i)) if n <= 300 else next(i for i in order if i in waiting)
        waiting.discard(i)
        row = rows[i]
        if not row:
            return sorted(k for k, m in combined[i].items() if abs(m) > ROUNDING)
        largest = max(abs(v) for v, _ in row.values())
        column = min((c for c, (v, _) in row.items() if abs(v) >= 1e-3 * largest), key=lambda c: (len(readers[c]), c))
        pivot = row[column][0]
        for other in sorted(readers[column] & waiting):
            factor = rows[other][column][0] / pivot
            _subtract(rows, readers, other, row, factor, column)
            for k, m in combined[i].items():
                combined[other][k] = combined[other].get(k, 0.0) - factor * m
            work += len(row) + len(combined[i])
        if work > MOST_WORK:
            return None
    return None


def _is_singular(entries: Sequence[tuple[int, int, float]], chosen: Sequence[int]) -> bool:
    """Whether these rows are linearly dependent to rounding. In a long elimination the sizes that values are judged by grow far
    beyond the rounding that happens, so that it may only suspect."""
    if len(chosen) > MOST_ROWS:
        return False
    number = {row: i for i, row in enumerate(chosen)}
    columns = {c: j for j, c in enumerate(sorted({c for i, c, _ in entries if i in number}))}
    matrix = np.zeros((len(chosen), max(len(columns), 1)))
    for i, c, v in entries:
        if i in number:
            matrix[number[i], columns[c]] = v
    for axis in (1, 0):
        largest = np.max(np.abs(matrix), axis=axis, keepdims=True)
        matrix /= np.where(largest == 0, 1.0, largest)
    if matrix.shape[1] < len(chosen):
        return True
    sizes = np.linalg.svd(matrix, compute_uv=False)
    return bool(sizes[-1] <= ROUNDING * sizes[0])


def _subtract(rows: list[Row], readers: dict[int, set[int]], other: int, row: Row, factor: float, column: int) -> None:
    target = rows[other]
    for c, (v, size) in row.items():
        old, old_size = target.get(c, (0.0, 0.0))
        new, new_size = old - factor * v, old_size + abs(factor) * size
        if c == column or abs(new) <= ROUNDING * new_size:
            if c in target:
                del target[c]
            readers[c].discard(other)
        else:
            target[c] = (new, new_size)
            readers[c].add(other)


def combination(relations: Sequence[Relation], unknowns: Sequence[Symbol], points: Points) -> Relation | None:
    """A combination of dependent relations, with factors that do not move in a run, that reads none of the unknowns; None if
    there is none that this elimination finds. `unknowns` are those in which the relations depend on each other."""
    forms = [form_of(r.residual, frozenset(unknowns)) for r in relations]
    rows: list[dict[Symbol, Expr]] = []
    for form in forms:
        known = {s: by for s, by in form.coefficients.items() if by is not None and _fixed(by)}
        if len(known) < len(form.coefficients):
            return None
        rows.append({s: by for s, by in known.items() if not points.vanishes(by)})
    rests = [form.rest for form in forms]
    waiting = list(range(len(rows)))
    while waiting:
        i = min(waiting, key=lambda i: (len(rows[i]), i))
        waiting.remove(i)
        row, rest = rows[i], rests[i]
        assert rest is not None, "all of it is linear"
        if not row:
            return Relation(_without_zeros(rest, points), tuple(dict.fromkeys(s for r in relations for s in r.spans)))
        column = min(row, key=lambda s: sum(s in rows[k] for k in waiting))
        for k in waiting:
            if column in rows[k]:
                factor = _quotient(rows[k][column], row[column])
                rows[k] = _less(rows[k], row, factor, column, points)
                rests[k] = _minus(rests[k] or ZERO, factor, rest)
    return None


def _without_zeros(e: Expr, points: Points) -> Expr:
    """An expression without the symbols that cancel in it, as far as they enter linearly; 0 if it vanishes."""
    if points.vanishes(e):
        return ZERO
    form = form_of(e, frozenset(s for s in symbols(e) if s.kind not in FIXED))
    cancelled = {s for s, by in form.coefficients.items() if by is not None and points.vanishes(by)}
    return substitute((e,), dict.fromkeys(cancelled, ZERO))[0] if cancelled else e


def _less(
    target: Mapping[Symbol, Expr], row: Mapping[Symbol, Expr], factor: Expr, column: Symbol, points: Points
) -> dict[Symbol, Expr]:
    found = {}
    for s in dict.fromkeys([*target, *row]):
        by = _minus(target.get(s, ZERO), factor, row.get(s, ZERO))
        if s != column and not points.vanishes(by):
            found[s] = by
    return found


def _minus(a: Expr, factor: Expr, b: Expr) -> Expr:
    return add(a, neg(mul(factor, b)))


def _quotient(a: Expr, b: Expr) -> Expr:
    if a is b:
        return node("const", (), 1.0)
    if (a.op == "neg" and a.args[0] is b) or (b.op == "neg" and b.args[0] is a):
        return node("const", (), -1.0)
    if a.value is not None and b.value is not None:
        return node("const", (), a.value / b.value)
    return div(a, b)


def _fixed(e: Expr) -> bool:
    return all(x.op != "sym" or x.data.kind in FIXED for x in postorder((e,))) and not any(
        x.op in ("net", "table") for x in postorder((e,))
    )
