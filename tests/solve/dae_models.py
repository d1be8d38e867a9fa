"""Models with algebraic unknowns and invariants, made by marking rows of an ODE: what the numerics of DAEs are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hybridode.equations.canonical import canonical
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.pipeline import after_passes
from hybridode.equations.system import EquationSystem, Initial, Invariant, definition_expressions
from hybridode.errors import Source
from hybridode.language.check import declare
from tests.solve.native_models import ROBER


def marked(text: str, algebraic: Sequence[str] = (), invariants: Sequence[str] = (), given: Sequence[str] = ()) -> EquationSystem:
    """The system after all passes. The rates of the states `algebraic` are residuals; the definitions `invariants` are kept at 0;
    the states `given` keep their starts, other differential ones are soft."""
    system = canonical(declare(Source("marked.ode", text)))
    unknowns = tuple(k for k, s in enumerate(system.states) if s.name in algebraic)
    bodies = dict(zip([d.symbol.name for d in system.definitions], definition_expressions(system.definitions), strict=True))
    kept = tuple(Invariant(bodies[name]) for name in invariants)
    equations = (*(system.rates[k] for k in unknowns), *(x.expr for x in kept))
    soft = tuple(k for k, s in enumerate(system.states) if s.name not in (*algebraic, *given))
    spans = (*(system.rate_spans[k] for k in unknowns), *(None for _ in kept))
    changed = replace(
        system,
        algebraic=tuple(s.name in algebraic for s in system.states) if algebraic else (),
        invariants=kept,
        initial=Initial(equations, spans, unknowns, soft) if equations else None,
    )
    return after_passes(changed, ShapeCache())


ROBER_DAE = ROBER.replace("c' = k2*b^2", "c' = a + b + c - 1")
NONLINEAR = """model nonlinear
time t
param a = 2
state x = a
state z = 1
state w = 1.5
x' = -x + 0.5*z*cos(t)
z' = z^3 + z - x
w' = w*w - z*z - a
"""
PENDULUM = """model pendulum
time t
param l = 1
param g = 9.81
state x = l*sin(1)
state y = -l*cos(1)
state u = 0
state v = 0
lam = (g*y - u^2 - v^2)/(x^2 + y^2)
position = x^2 + y^2 - l^2
velocity = x*u + y*v
x' = u
y' = v
u' = lam*x
v' = lam*y - g
"""
