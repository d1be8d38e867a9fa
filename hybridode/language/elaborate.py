"""The table of visitors: which function works out which node of the syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hybridode.language import calls, indices, operators, reading
from hybridode.language import syntax as s
from hybridode.language.findings import Findings
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.scope import Scope
from hybridode.language.units_text import LiteralUnits


def _misplaced(el: Elaboration, node: s.Node, frame: Frame) -> Result:
    el.error("E0316", "this may only stand in a call", node, frame)
    return None


VISITORS: Mapping[type, Callable[[Elaboration, Any, Frame], Visit | Result]] = {
    s.Number: operators.number,
    s.Text: operators.text,
    s.Ref: reading.ref,
    s.Prime: reading.prime,
    s.Sign: operators.sign,
    s.Chain: operators.chain,
    s.Power: operators.power,
    s.Compare: operators.compare,
    s.Not: operators.negation,
    s.IfElse: operators.if_else,
    s.ListLiteral: operators.list_literal,
    s.Index: indices.index,
    s.Range: operators.span_of_indices,
    s.Call: calls.call,
    s.Option: _misplaced,
    s.Iterator: _misplaced,
}


def elaboration(scope: Scope, findings: Findings, literals: LiteralUnits) -> Elaboration:
    """What is needed to work out the expressions of one file."""
    return Elaboration(scope, findings, literals, VISITORS)
