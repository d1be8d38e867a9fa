"""Linear loops with few torn unknowns, solved by hand: Cramer's rule on what is left after tearing.

Every determinant that is divided by is zero only where the loop itself is singular.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.equations.dae.blocks import Block
from hybridode.equations.dae.linear import Form, opposite, solved
from hybridode.equations.dae.tearing import Torn
from hybridode.errors import Span
from hybridode.expr import ZERO, Expr, Symbol, add, div, mul, neg, node, postorder, sub

Definitions = tuple[tuple[Symbol, Expr, tuple[Span, ...]], ...]
MOST_TORN = 3  # torn unknowns; determinants of more are better left to the numerics
LARGEST = 12  # nodes of an expression that is repeated rather than named


class _Named:
    """Definitions made on the way."""

    def __init__(self, spans: tuple[Span, ...]) -> None:
        self.spans = spans
        self.made: list[tuple[Symbol, Expr, tuple[Span, ...]]] = []

    def short(self, e: Expr, name: str) -> Expr:
        """The expression, or its name if it is long."""
        if sum(1 for _ in postorder((e,))) <= LARGEST:
            return e
        symbol = Symbol("definition", name)
        self.made.append((symbol, e, self.spans))
        return node("sym", (), symbol)


def linear_loop(block: Block, forms: Sequence[Form], cut: Torn) -> Definitions | None:
    """Definitions of the torn unknowns of a loop; None if it is not linear or too many are torn.

    Every solved unknown is `sum of slopes*torn + rest`; put into the residual rows this gives a small linear system.
    """
    k = len(cut.columns)
    if k > MOST_TORN or any(by is None for form in forms for by in form.coefficients.values()):
        return None
    torn = [block.unknowns[c] for c in cut.columns]
    named = _Named(tuple(dict.fromkeys(s for r in block.relations for s in r.spans)))
    value: dict[Symbol, list[Expr]] = {}  # slopes by the torn unknowns, and the value where these are 0
    for i, s in enumerate(torn):
        value[s] = [node("const", (), float(i == j)) for j in range(k)] + [ZERO]
    where = ", ".join(f"{_name(s)} = 0" for s in torn)
    for row, column in cut.solved:
        own = block.unknowns[column]
        slopes = _put_in(forms[row], value, k, own)
        by = forms[row].coefficients[own]
        assert by is not None, "a loop that was found linear"
        parts = [solved(by, e) for e in slopes]
        labels = [*(f"({_name(own)} by {_name(t)})" for t in torn), f"({_name(own)} at {where})"]
        value[own] = [named.short(e, label) for e, label in zip(parts, labels, strict=True)]
    matrix, right = [], []
    for i, row in enumerate(cut.rows, 1):
        entries = _put_in(forms[row], value, k, None)
        labels = [*(f"(residual {i} by {_name(t)})" for t in torn), f"(residual {i} at {where})"]
        entries = [named.short(e, label) for e, label in zip(entries, labels, strict=True)]
        matrix.append(entries[:k])
        right.append(opposite(entries[k]))
    below = named.short(_determinant(matrix), f"(determinant for {', '.join(map(_name, torn))})")
    for j, t in enumerate(torn):
        replaced = [[right[i] if c == j else row[c] for c in range(k)] for i, row in enumerate(matrix)]
        named.made.append((t, div(_determinant(replaced), below), named.spans))
    return tuple(named.made)


def _put_in(form: Form, value: Mapping[Symbol, Sequence[Expr]], k: int, own: Symbol | None) -> list[Expr]:
    """A row's linear form with solved unknowns put in: slopes by the torn ones and the rest; without the unknown `own`."""
    terms: list[list[Expr]] = [[] for _ in range(k + 1)]
    for s, by in form.coefficients.items():
        if s != own and by is not None:
            for j, part in enumerate(value[s]):
                terms[j].append(mul(by, part))
    assert form.rest is not None, "a loop that was found linear"
    return [*(add(*t) for t in terms[:k]), add(*terms[k], form.rest)]


def _determinant(m: Sequence[Sequence[Expr]]) -> Expr:
    """By the first row; matrices are at most MOST_TORN wide."""
    if len(m) == 1:
        return m[0][0]
    if len(m) == 2:
        return sub(mul(m[0][0], m[1][1]), mul(m[0][1], m[1][0]))
    minors = [[[row[c] for c in range(len(m)) if c != j] for row in m[1:]] for j in range(len(m))]
    parts = [mul(a, _determinant(minor)) for a, minor in zip(m[0], minors, strict=True)]
    return add(*(neg(p) if j % 2 else p for j, p in enumerate(parts)))


def _name(s: Symbol) -> str:
    return f"{s}'" if s.kind == "derivative" else str(s)
