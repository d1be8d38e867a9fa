"""Events that are located by a condition: what of a model the native loops need for them, and what they cannot do yet."""

from __future__ import annotations

from functools import partial
from itertools import accumulate

from hybridode.methods.located import Located
from hybridode.solve.changes import change_families
from hybridode.solve.problem import Compiled

DIRECTIONS = {"rising": 1, "falling": -1, "either": 0}


def located_events(compiled: Compiled) -> Located | None:
    """The events that the loops have to locate; None where there are none."""
    events, tapes = compiled.system.when_events, compiled.tapes
    if not events:
        return None
    return Located(
        guards=tapes["guards"],
        changes=tapes.get("changes"),
        rates=tapes["rates"],
        directions=tuple(DIRECTIONS[e.direction] for e in events),
        at_start=tuple(int(e.at_start) for e in events),
        stop=tuple(int(e.stop) for e in events),
        first=tuple(accumulate((len(e.assignments) for e in events), initial=0)),
        states=tuple(a.state for e in events for a in e.assignments),
        split=partial(change_families, compiled.system),
    )


def fingerprint(compiled: Compiled) -> str:
    """All that the loops know of the events beside the tapes."""
    found = located_events(compiled)
    return "" if found is None else repr((found.directions, found.at_start, found.stop, found.first, found.states))


def cannot_combine(compiled: Compiled, dtype: str) -> str | None:
    """What located events are combined with that the loops cannot do, in words, or None."""
    if not compiled.system.when_events:
        return None
    if dtype != "float64":
        return f"native solves locate events in float64, {dtype} was asked for"
    read = {i.name for name in ("guards", "changes") if name in compiled.tapes for i in compiled.tapes[name].inputs}
    other = "`at` statements" if compiled.system.at_events else "conditions or assignments that read inputs"
    if compiled.system.at_events or read & {"u", "du", "u0"}:
        return f"native solves do not take events located by a condition together with {other} yet"
    return None
