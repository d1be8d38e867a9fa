"""What an equation is, by its left side alone."""

from __future__ import annotations

from typing import NamedTuple

from hybridode.language import syntax as s
from hybridode.language.reading import unwrap
from hybridode.language.walk import base_name, mentions


class Left(NamedTuple):
    """A left side taken apart.

    form: "name" `y = …` · "names" `[a, b] = …` · "rate" `x' = …`, `x[1]' = …` · "call" `x(0) = …` · "entry" `x[1] = …` ·
    "list" (a list of something else) · "caputo" · "implicit" (derivatives that do not stand alone) · "algebraic"
    """

    form: str
    name: str = ""
    names: tuple[s.Ref, ...] = ()
    primes: int = 0
    indices: tuple[s.Node, ...] = ()
    arguments: tuple[s.Node, ...] = ()


def take_apart(node: s.Expression) -> Left:
    if isinstance(node, s.Ref):
        return Left("name", node.name, (node,))
    if isinstance(node, s.ListLiteral):
        names = tuple(item for item in node.items if isinstance(item, s.Ref))
        return Left("names" if names and len(names) == len(node.items) else "list", names=names)
    if isinstance(node, (s.Prime, s.Index)) and base_name(node):
        primes, indices = unwrap(node)
        return Left("rate" if primes else "entry", base_name(node), primes=primes, indices=indices)
    if isinstance(node, s.Call):
        name = base_name(node.function)
        if name == "caputo":
            return Left("caputo")
        if name and name != "NN":
            primes, indices = unwrap(node.function)
            return Left("call", name, primes=primes, indices=indices, arguments=node.arguments)
    if isinstance(node, (s.Index, s.Prime)) and isinstance(node.operand, s.Call):  # x(0)[1] and x(0)'
        inner = take_apart(node.operand)
        if inner.form == "call" and isinstance(node, s.Index):
            return Left("call", inner.name, primes=inner.primes, indices=node.indices, arguments=inner.arguments)
    derivative = any(m.use == "derivative" for m in mentions(node))
    return Left("implicit" if derivative else "algebraic")
