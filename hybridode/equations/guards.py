"""Derivatives as one would write them, without the guards that keep untaken branches harmless: to look at only."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hybridode.expr import Expr, node, rebuild


def unguarded(exprs: Iterable[Expr]) -> tuple[Expr, ...]:
    """Inside `if c then a else b`, a further `if c …` is the branch that c chooses; a divisor that is made infinite where
    it would be 0 is the divisor."""
    return rebuild(exprs, _without_guard)


def _without_guard(e: Expr, args: tuple[Expr, ...]) -> Expr | None:
    if e.op != "where":
        return None
    condition, a, b = args
    if condition.op == "eq" and condition.args[0] is b and a.value == math.inf:
        return b
    (a,) = rebuild((a,), lambda x, inner: inner[1] if x.op == "where" and inner[0] is condition else None)
    (b,) = rebuild((b,), lambda x, inner: inner[2] if x.op == "where" and inner[0] is condition else None)
    return a if a is b else node("where", (condition, a, b))
