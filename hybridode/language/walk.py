"""Iterative walks over the expressions of the syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hybridode.language import syntax as s


class Mention(NamedTuple):
    """A name in an expression: `use` is "value", "call" or "derivative" (`x'`; `node` is then the Prime)."""

    name: str
    use: str
    node: s.Node


def mentions(*roots: s.Node | None) -> Iterator[Mention]:
    """Every name below the roots, left to right. Values of options (`act=tanh`) are words, not names, and an index (`j` in
    `sum(j in 1..n, x[j])`) is none of the file's."""
    none: frozenset[str] = frozenset()
    stack: list[tuple[s.Node, frozenset[str]]] = [(root, none) for root in reversed(roots) if root is not None]
    while stack:
        node, bound = stack.pop()
        match node:
            case s.Ref(name=name):
                if name not in bound:
                    yield Mention(name, "value", node)
            case s.Prime(operand=operand):
                name = base_name(operand)
                if name:
                    yield Mention(name, "derivative", node)
                    stack += [(i, bound) for i in reversed(_indices(operand))]
                else:
                    stack.append((operand, bound))
            case s.Call(function=function, arguments=arguments):
                bound = bound | {a.name for a in arguments if isinstance(a, s.Iterator)}
                stack += [(a, bound) for a in reversed(arguments) if not isinstance(a, (s.Option, s.Text))]
                if isinstance(function, s.Ref):
                    yield Mention(function.name, "call", function)
                else:
                    stack.append((function, bound))
            case _:
                stack += [(child, bound) for child in reversed(children(node))]


def children(node: s.Node) -> list[s.Node]:
    """The expressions directly below an expression, left to right (not of calls and references)."""
    match node:
        case s.Chain(first=first, rest=rest):
            return [first, *(e for _, e in rest)]
        case s.Sign(operand=a) | s.Not(operand=a) | s.Prime(operand=a):
            return [a]
        case s.Power(base=a, exponent=b) | s.Compare(left=a, right=b) | s.Range(first=a, last=b):
            return [a, b]
        case s.IfElse(condition=a, then=b, otherwise=c):
            return [a, b, c]
        case s.ListLiteral(items=items):
            return list(items)
        case s.Index(operand=a, indices=indices):
            return [a, *indices]
        case s.Iterator(range=r, condition=c):
            return [r] if c is None else [r, c]
    return []


def _indices(node: s.Node) -> list[s.Node]:
    """The index expressions inside `x[i]` or `x[i]'`."""
    found: list[s.Node] = []
    while isinstance(node, (s.Index, s.Prime)):
        if isinstance(node, s.Index):
            found += node.indices
        node = node.operand
    return found


def base_name(node: s.Node) -> str:
    """`x` of `x`, `x[1]`, `x'` and `x[1]'`; "" of anything else."""
    while isinstance(node, (s.Index, s.Prime)):
        node = node.operand
    return node.name if isinstance(node, s.Ref) else ""
