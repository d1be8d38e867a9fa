"""Events located by a condition: `event bounce when h < 0 { v := -e*v; h := 0 }`, one per index if they stand before a `for`."""

from __future__ import annotations

from hybridode.declarations import WhenEvent
from hybridode.expr import Expr, postorder
from hybridode.language import syntax as s
from hybridode.language.events import assignments
from hybridode.language.families import Indexed, indexed, of_one
from hybridode.language.findings import Place
from hybridode.language.frames import EVERYWHERE, Elaboration, Frame, Usage
from hybridode.language.values import Value

MOST_EVENTS = 10_000  # of one statement


def when_events(el: Elaboration, st: s.EventStatement) -> list[WhenEvent]:
    """The events of an `event` statement; those with an error are left out."""
    frame = Frame(Usage(f"the condition of `{st.target.name}`", EVERYWHERE, net_stem=st.target.name))
    if not st.iterators:
        if st.target.indices:
            hint = f"write `event {st.target.name} when …`, or say which indices there are: `}} for i in 1..n`"
            el.findings.error("E0342", "an event has an index and no `for`", st.target, hint)
            return []
        made = _one(el, st, frame, None, st.target.name)
        return [made] if made is not None else []
    found = indexed(el, st.iterators, frame)
    if found is None or not _names_its_indices(el, st, found):
        return []
    events: list[WhenEvent] = []
    for k in range(found.members.count):
        member = Indexed(found.members.part([k]), found.local)
        numbers = [str(column[0]) for column in list(member.members.indices.values())]
        made = _one(el, st, member.frame(frame), member, f"{st.target.name}[{', '.join(numbers)}]")
        if made is None:
            return []  # the others have the same mistake
        events.append(made)
    return events


def _names_its_indices(el: Elaboration, st: s.EventStatement, found: Indexed) -> bool:
    """`event spike[i] … for i in 1..n`: the name bears the indices, in their order."""
    written = [i.name for i in st.target.indices if isinstance(i, s.Ref)]
    names = [i.name for i in st.iterators]
    if written != names:
        hint = f"write `event {st.target.name}[{', '.join(names)}] when …`"
        el.findings.error("E0342", "the name of an indexed event bears the indices of its `for`", st.target, hint)
        return False
    if found.members.count > MOST_EVENTS:
        message = f"this would be {found.members.count:,} events; at most {MOST_EVENTS:,} are allowed"
        el.findings.error("E0313", message, st.target, "use a smaller range")
        return False
    return True


def _one(el: Elaboration, st: s.EventStatement, frame: Frame, within: Indexed | None, name: str) -> WhenEvent | None:
    condition = el.evaluate(st.condition, frame)
    changes = assignments(el, st.actions, st.target.name, within)
    if condition is None or changes is None or not el.is_scalar(condition, "a condition", st.condition, frame):
        return None
    condition = of_one(condition, frame)
    if not _has_direction(el, st, condition) or not _can_be_located(el, condition, st.condition, frame):
        return None
    stops = any(isinstance(action, s.Stop) for action in st.actions)
    direction = "rising" if condition.boolean else st.direction or "either"
    span = el.findings.span(st.target)
    return WhenEvent(name, condition.scalar, condition.boolean, tuple(changes), direction, st.at_start, stops, span)


def _has_direction(el: Elaboration, st: s.EventStatement, condition: Value) -> bool:
    """A condition has no direction: it fires when it turns true."""
    if not condition.boolean or not st.direction:
        return True
    hint = f"delete `{st.direction}`, or write a number that crosses zero: `event e when x - 1 {st.direction} {{ … }}`"
    el.findings.error("E0341", f"a condition turns true; it cannot be `{st.direction}`", st.condition, hint)
    return False


def _can_be_located(el: Elaboration, condition: Value, place: Place, frame: Frame) -> bool:
    """An equality of numbers that move is true for an instant at most."""
    for e in postorder((condition.scalar,)):
        if e.op in ("eq", "ne") and not _reads_discretes_only(el, e):
            hint = "write the difference alone: `event e when x - 1 { … }` fires where it crosses zero; or compare with `<`, `>`"
            el.error("E0341", "`==` holds for an instant at most, which no solver can see", place, frame, hint)
            return False
    return True


def _reads_discretes_only(el: Elaboration, e: Expr) -> bool:
    for part in postorder((e,)):
        if part.op == "sym" and part.data.kind in ("time", "input", "definition", "derivative", "input_rate"):
            return False
        if part.op == "sym" and part.data.kind == "state" and not el.scope.is_discrete(part.data.name):
            return False
    return True
