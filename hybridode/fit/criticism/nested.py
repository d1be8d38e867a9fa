"""Whether one model is another one with some of its parameters held: then twice the gain in log-likelihood is a test.

Two models are the same where rates, starts and observations agree at random points: what the larger has more is set to 0, 1, its
bounds or the value that the smaller fixes, and the expressions are evaluated, no formula is rearranged. Both must have the same
states and observe the same columns with the same distributions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from hybridode.data.columns import symbols_of_constants
from hybridode.data.evaluate import evaluate
from hybridode.declarations import Declarations, Parameter, entry_names
from hybridode.expr import Expr, Symbol, add, div, postorder, pow_, rebuild, substitute

_POINTS = 7
_MOST_EXTRA = 4
_EQUAL = 1e-9


@dataclass(frozen=True)
class Nesting:
    """`how` in words (`c = 0`); `boundary`: how many of the held parameters are at a bound; `networks` that the smaller lacks."""

    how: str
    boundary: int = 0
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """A model as it was fitted: `fixed` names the entries that were not learnt, `values` has all of them."""

    declarations: Declarations
    values: Mapping[str, float]
    fixed: frozenset[str]


def nesting(small: Side, large: Side) -> Nesting | None:
    """How `small` is a case of `large`, or None."""
    a, b = small.declarations, large.declarations
    if _shape(a) != _shape(b) or a.equations or b.equations or a.algebraics or b.algebraics:
        return None
    if (a.at_events, a.when_events, a.doses, a.tables) != (b.at_events, b.when_events, b.doses, b.tables):
        return None
    mine, others = _entries(a), _entries(b)
    extra = [n for n in others if n not in large.fixed and (n not in mine or n in small.fixed)]
    if len(extra) > _MOST_EXTRA or any(n not in others and n not in small.fixed for n in mine):
        return None
    missing = tuple(n.name for n in b.networks if n.name not in {m.name for m in a.networks})
    if not extra and not missing and set(mine) - small.fixed == set(others) - large.fixed:
        return None  # the same freedom
    random = np.random.default_rng(0)
    scene = _Scene(random)
    wanted = scene.values(small, {}, ())
    if wanted is None:
        return None
    for choice in product(*(_candidates(n, others[n], small) for n in extra)):
        held = dict(zip(extra, choice, strict=True))
        found = scene.values(large, held, missing)
        if found is not None and all(np.allclose(x, y, rtol=_EQUAL, atol=_EQUAL) for x, y in zip(wanted, found, strict=True)):
            words = [f"`{n}` = {v:g}" for n, v in held.items()] + [f"`{n}` at 0" for n in missing]
            at = sum(v in (others[n].lower, others[n].upper) or (others[n].scale == "log" and v == 0) for n, v in held.items())
            return Nesting(" and ".join(words) or "fewer numbers by group", at, missing)
    return None


def _shape(d: Declarations) -> tuple[Any, ...]:
    states = tuple(sorted((s.name, s.shape, s.discrete) for s in d.states))
    return states, tuple(sorted((o.column, o.distribution, o.at) for o in d.observations)), tuple(i.name for i in d.inputs)


def _entries(d: Declarations) -> dict[str, Parameter]:
    return {n: p for p in d.parameters for n in entry_names(p.name, p.shape)}


def _candidates(name: str, p: Parameter, small: Side) -> list[float]:
    """The values at which a parameter may drop out."""
    own = [small.values[name]] if name in small.values else []
    bounds = [v for v in (p.lower, p.upper) if v is not None and np.isfinite(v)]
    return list(dict.fromkeys([*own, 0.0, 1.0, *bounds]))


class _Scene:
    """Random values of all symbols, the same ones for both models."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.known: dict[Symbol, np.ndarray] = {}
        self.outputs: dict[Expr, np.ndarray] = {}

    def values(self, side: Side, held: Mapping[str, float], silent: Sequence[str]) -> list[np.ndarray] | None:
        """All expressions of a model at the points, with some parameters `held` and networks `silent`; None where one cannot be
        evaluated."""
        d = side.declarations
        leaves: dict[Symbol, Any] = dict(symbols_of_constants(d))
        for p in d.parameters:
            for i, name in enumerate(entry_names(p.name, p.shape)):
                symbol = Symbol("parameter", p.name, i if p.shape else -1)
                fixed = held.get(name, side.values.get(name) if name in side.fixed else None)
                leaves[symbol] = self._of(symbol) if fixed is None else fixed
        bodies = {
            Symbol("definition", x.name, i if x.shape else -1): e for x in d.definitions for i, e in enumerate(x.elements)
        }  # fmt: skip
        roots = [e for s in sorted(d.states, key=lambda s: s.name) for e in (*s.start, *s.rate)]
        roots += [e for o in sorted(d.observations, key=lambda o: o.column) for _, e in o.arguments]
        out = []
        plain = _plain(_expanded(roots, bodies))
        for symbol in {e.data for e in postorder(plain) if e.op == "sym"} - leaves.keys():
            leaves[symbol] = self._of(symbol)
        nets = {e: e.args[0].data in silent for e in postorder(plain) if e.op == "out"}
        known = {e: np.zeros(_POINTS) if zero else self._output(e) for e, zero in nets.items()}
        for root in plain:
            value = evaluate(root, leaves, known)
            if value is None:
                return None
            out.append(np.broadcast_to(np.asarray(value, float), (_POINTS,)))
        return out

    def _output(self, e: Expr) -> np.ndarray:
        """Of a network: the same wherever it reads the same."""
        if e not in self.outputs:
            self.outputs[e] = self.random.uniform(0.3, 0.9, _POINTS)
        return self.outputs[e]

    def _of(self, symbol: Symbol) -> np.ndarray:
        if symbol not in self.known:
            self.known[symbol] = self.random.uniform(0.3, 0.9, _POINTS)
        return self.known[symbol]


def _expanded(roots: Sequence[Expr], bodies: Mapping[Symbol, Expr]) -> list[Expr]:
    """With definitions put in (circles are impossible in a checked model)."""
    out = list(roots)
    while True:
        read = {x.data for x in postorder(out) if x.op == "sym" and x.data.kind == "definition"}
        if not read:
            return out
        out = list(substitute(out, {s: bodies[s] for s in read}))


def _plain(roots: Sequence[Expr]) -> tuple[Expr, ...]:
    """With `hill` in terms of powers, which `evaluate` knows."""

    def change(e: Expr, args: tuple[Expr, ...]) -> Expr | None:
        if e.op != "hill":
            return None
        x, k, n = args
        return div(pow_(x, n), add(pow_(k, n), pow_(x, n)))

    return rebuild(roots, change)
