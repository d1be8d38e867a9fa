"""Methods made ready for one model: the step tape of a tableau, its reverse, its dense output and its controller."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from hybridode.methods.constraints import Invariants, Settle, times_mass
from hybridode.methods.control import Controller, pi_controller
from hybridode.methods.explicit import explicit_dense, explicit_step, explicit_step_reverse, interpolant
from hybridode.methods.located import Located
from hybridode.methods.rolled import MOST_GROWTH, RolledStep
from hybridode.methods.rosenbrock import StiffField, rosenbrock_step, rosenbrock_step_reverse
from hybridode.methods.tableau import ExplicitTableau, RosenbrockTableau
from hybridode.methods.tangent import explicit_step_tangent, rosenbrock_step_tangent
from hybridode.tape.tape import Tape, TapeBuilder


@dataclass(frozen=True)
class Method:
    """What a driver needs to run a method on a model of `n` states.

    Dense output: y(theta) = base + sum_r w_r(theta) row_r, where row_r is the r-th of `rows` vectors in the step's output
    `interpolant`, w_r the polynomial with the coefficients `weights[r]` (powers 0, 1, …; times h if `scaled_by_h`), and
    base is the old state, or the chord from the old to the new state if `ends`. `rates` is f(t, y); with `takes_slope` the step
    takes the slope at its start as input `k` and gives the one at its end (first same as last). `dense` is a tape
    that makes the interpolant of the step's outputs, for the steps that need it; None if it is one of them. Stage i stands at
    t + nodes[i] h. The reverse of the step takes cotangents of the interpolant; if there is `spread`, of the stages' solutions u
    instead (`u.bar`), of which the interpolant's rows are the sums with the weights spread[r]. The tapes of a `rolled` method are
    on long vectors, to be worked on in loops; their step may have the output growth (), of its elimination: steps that pass
    `most_growth` are rejected. `stiff`: what an unrolled step was made of, if it has the output `growth` that tells where it
    must be taken with partial pivoting. `events` are those that the loop has to locate; `settle` makes what is saved consistent.
    """

    name: str
    n: int
    step: Tape
    make_backward: Callable[[], Tape]
    make_tangent: Callable[[], Tape]
    rates: Tape
    takes_slope: bool
    interpolant: str
    weights: tuple[tuple[float, ...], ...]
    scaled_by_h: bool
    ends: bool
    controller: Controller
    nodes: tuple[float, ...]
    dense: Tape | None = None
    spread: tuple[tuple[float, ...], ...] = ()
    rolled: bool = False
    most_growth: float = math.inf
    stiff: tuple[RosenbrockTableau, StiffField] | None = None
    events: Located | None = None
    settle: Settle | None = None

    @cached_property
    def backward(self) -> Tape:
        """The transpose of the step."""
        return self.make_backward()

    @cached_property
    def tangent(self) -> Tape:
        """The derivative of the step."""
        return self.make_tangent()

    @property
    def measured(self) -> int:
        """How many states the norm of the error is a mean of: all but the sides of `if`s."""
        return self.n - (0 if self.events is None else len(self.events.modes))

    @property
    def rows(self) -> int:
        return len(self.weights)


def explicit_method(
    tableau: ExplicitTableau, rates: Tape, n: int, rolled: bool = False, invariants: Invariants | None = None
) -> Method:
    """An explicit pair; dense output in powers of theta for the stages, or (DOP853) in Hermite's form with further stages."""
    assert tableau.dense or tableau.hermite, f"{tableau.name} has no dense output"
    nested = bool(tableau.hermite)
    weights = hermite_weights(2 + len(tableau.hermite)) if nested else tuple((0.0, *row) for row in tableau.dense)
    return Method(
        name=tableau.name,
        n=n,
        step=explicit_step(tableau, rates, n, invariants=invariants),
        make_backward=partial(explicit_step_reverse, tableau, rates, n, invariants),
        make_tangent=partial(explicit_step_tangent, tableau, rates, n, invariants),
        rates=rates,
        takes_slope=True,
        interpolant=interpolant(tableau),
        weights=weights,
        scaled_by_h=not nested,
        ends=nested,
        controller=pi_controller(tableau.error_order, stiff=False),
        nodes=(*tableau.c, *tableau.extra_c),
        dense=explicit_dense(tableau, rates, n) if nested else None,
        rolled=rolled,
    )


def hermite_weights(rows: int) -> tuple[tuple[float, ...], ...]:
    """The polynomials of th (1 - th), th^2 (1 - th), th^2 (1 - th)^2, th^3 (1 - th)^2, …"""
    found, product = [], [0.0, 1.0]
    for r in range(rows):
        shifted = [0.0, *product]
        product = shifted if r % 2 else [a - b for a, b in zip([*product, 0.0], shifted, strict=True)]
        found.append(tuple(product))
    return tuple(found)


def rosenbrock_method(tableau: RosenbrockTableau, model: StiffField, n: int, rolled: RolledStep | None = None) -> Method:
    """A Rosenbrock–Wanner method; its row r of dense output is weighted by theta^(r+1) (1 - theta). `rolled`: the step of a
    large system."""
    unrolled = tableau, model, n
    narrow = all("." not in i.name for i in model.rates.inputs)  # the steps of networks are not watched
    step = rosenbrock_step(*unrolled, watched=narrow) if rolled is None else rolled.step()
    watched = rolled is None and any(name == "growth" for name, _ in step.outputs)
    return Method(
        name=tableau.name,
        n=n,
        step=step,
        make_backward=partial(rosenbrock_step_reverse, *unrolled) if rolled is None else rolled.backward,
        make_tangent=partial(rosenbrock_step_tangent, *unrolled) if rolled is None else rolled.tangent,
        rolled=rolled is not None,
        most_growth=MOST_GROWTH,
        rates=_without_residuals(model, n),
        takes_slope=False,
        interpolant="dense",
        weights=tuple((*(0.0,) * (r + 1), 1.0, -1.0) for r in range(len(tableau.dense))),
        scaled_by_h=False,
        ends=True,
        controller=pi_controller(tableau.error_order, stiff=True),
        nodes=tableau.c,
        spread=tableau.dense if rolled is None else (),
        stiff=(tableau, model) if watched else None,
    )


def _without_residuals(model: StiffField, n: int) -> Tape:
    """The rates, 0 of algebraic unknowns: how fast those move says nothing about a first step."""
    if not model.algebraic:
        return model.rates
    b = TapeBuilder()
    return b.finish({"rates": times_mass(b, b.inline(model.rates)[model.rates.outputs[0][1]], n, model.algebraic)})
