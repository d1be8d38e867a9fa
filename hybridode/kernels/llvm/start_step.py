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
from hybridode.kernels.llvm.straight import Elements

NOTHING = 1e-5  # scaled states and slopes below it say nothing about the time that they change in
EULER = 0.01  # the Euler step in tau
UNKNOWN = 1e-6  # tau in lengths of the whole solve where it is not known: a start at zero, or at rest
LEAST = 1e-12  # the shortest first step in lengths of the whole solve
RESOLVED = 1e-15  # and in the start's time: less is no step

Slope = Callable[[str, Elements], Elements]  # (time, state) -> f
Norm = Callable[[Elements], str]  # scaled by the tolerance at the start


def starting_step(loop: LaneLoop, t0: str, span: str, y0: Elements, k0: Elements, slope: Slope, norm: Norm) -> str:
    """The first step of every lane, within the whole solve. A slope that is not finite is taken for one that does not change."""
    w, const = loop.w, loop.const
    least = loop.greatest(w.mul(span, const(LEAST)), w.mul(w.intrinsic("fabs", t0), const(RESOLVED)))
    d0, d1 = norm(y0), norm(k0)
    unknown = w.mul(span, const(UNKNOWN))
    moves = w.logic("and", w.compare("ogt", d0, const(NOTHING)), w.compare("ogt", w.mul(d1, span), const(NOTHING)))
    tau = loop.least(w.select(moves, w.div(d0, d1), unknown), span)
    if not loop.m.takes_slope:
        return loop.greatest(tau, least)
    h0 = loop.greatest(w.mul(tau, const(EULER)), least)
    k1 = slope(w.add(t0, h0), [w.add(y, w.mul(h0, k)) for y, k in zip(y0, k0, strict=True)])
    d2 = w.div(norm([w.sub(a, b) for a, b in zip(k1, k0, strict=True)]), h0)
    first, second = w.mul(d1, tau), w.mul(w.mul(d2, tau), tau)
    change = loop.greatest(loop.greatest(second, first), const(NOTHING))
    long = w.mul(tau, power(loop, w.div(const(EULER), change), loop.m.controller.rejected))
    return loop.greatest(loop.least(long, tau), least)
