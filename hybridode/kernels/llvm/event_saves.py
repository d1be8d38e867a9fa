"""Save points at the instant of a located event read what was before it, as observations do.

An instant is known to rounding only, and a time of the data that equals it would fall on either side of it. The step onto the
event therefore goes on to a save point that lies within rounding behind.
"""

from __future__ import annotations

from hybridode.kernels.llvm.event_search import ROUNDING
from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.straight import Elements

_BEYOND = 0.125  # of ROUNDING, four units in the last place: the step never ends short of the save point


def not_before_a_save(loop: LaneLoop, hit: str, t: str, step: str, saved: str) -> str:
    """`step`, from t onto an event in the lanes `hit`, or one that ends just behind the save point that equals the event's
    instant; `saved` are those that are done."""
    w = loop.w

    def longer() -> Elements:
        instant = w.add(t, step)
        slack = w.mul(loop.const(ROUNDING), w.intrinsic("fabs", instant))
        time, left = _first_behind(loop, hit, instant, saved)
        near = w.logic("and", w.compare("ogt", time, instant), w.compare("ole", w.sub(time, instant), slack))
        onto = w.add(w.sub(time, t), w.mul(loop.const(_BEYOND), slack))
        return [w.select(w.logic("and", w.logic("and", hit, left), near), onto, step)]

    return loop.branch(w.any(hit), longer, [step], loop.lanes.real)[0]


def _first_behind(loop: LaneLoop, hit: str, instant: str, saved: str) -> tuple[str, str]:
    """The time of the first save point behind the instant in the lanes `hit`, and whether there is one."""
    w = loop.w
    before, head, inside, after = (w.fresh(s) for s in ("before_find", "find", "find_next", "found_save"))
    w.line(f"br label {before}")
    w.label(before[1:])
    w.line(f"br label {head}")
    w.label(head[1:])
    j, place = w.fresh("j"), len(w.lines)
    left, time = loop.whole("icmp slt", j, w.splat(loop.T, "i64")), loop.time(j)
    passed = w.logic("and", w.logic("and", hit, left), w.compare("ole", time, instant))
    w.line(f"br i1 {w.any(passed)}, label {inside}, label {after}")
    w.label(inside[1:])
    following = loop.count(j, passed)
    w.line(f"br label {head}")
    w.lines.insert(place, f"  {j} = phi {loop.lanes.integer} [ {saved}, {before} ], [ {following}, {inside} ]")
    w.label(after[1:])
    return time, left
