"""The first step: E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, section II.4.

The slope at the start, and how it changes over a small Euler step, say how long a step of the method's order may be. The book's
formulas hold for times of size 1; here the time in which the state changes by its own size, tau = |y0| / |f|, is the unit, so
that it does not matter what the model's time is measured in. Stiff methods begin with tau itself: what the slope does over a
small step is what they damp, and a first step that is too long costs one rejection, one too short a step for every factor of 6.
"""

from __future__ import annotations

from collections.abc import Callable

from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.step_size import power

NOTHING = 1e-5  # scaled states and slopes below it say nothing about the time that they change in
EULER = 0.01  # the Euler step in tau
UNKNOWN = 1e-6  # tau in lengths of the whole solve where it is not known: a start at zero, or at rest
LEAST = 1e-12  # the shortest first step in lengths of the whole solve
RESOLVED = 4.5  # and in roundings of the start's time: less is no step


def starting_step(loop: LaneLoop, t0: str, span: str, d0: str, d1: str, change: Callable[[str], str]) -> str:
    """The first step of every lane, within the whole solve. `d0` and `d1` are the scaled norms of the start and of the slope
    there, `change(h)` that of the slope's change over an Euler step. A slope that is not finite is taken for one that stays."""
    w, const = loop.w, loop.const
    least = loop.greatest(w.mul(span, const(LEAST)), w.mul(w.intrinsic("fabs", t0), const(RESOLVED * loop.lanes.epsilon)))
    unknown = w.mul(span, const(UNKNOWN))
    moves = w.logic("and", w.compare("ogt", d0, const(NOTHING)), w.compare("ogt", w.mul(d1, span), const(NOTHING)))
    tau = loop.least(w.select(moves, w.div(d0, d1), unknown), span)
    if not loop.m.takes_slope:
        return loop.greatest(tau, least)
    h0 = loop.greatest(w.mul(tau, const(EULER)), least)
    d2 = w.div(change(h0), h0)
    first, second = w.mul(d1, tau), w.mul(w.mul(d2, tau), tau)
    largest = loop.greatest(loop.greatest(second, first), const(NOTHING))
    long = w.mul(tau, power(loop, w.div(const(EULER), largest), loop.m.controller.rejected))
    return loop.greatest(loop.least(long, tau), least)
