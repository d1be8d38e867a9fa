"""`for i in 1..n` and `j in a..b if …`: which members there are, and expressions worked out for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from hybridode.expr import Expr, Symbol, sym
from hybridode.language import syntax as s
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Result, Usage
from hybridode.language.members import MOST_MEMBERS, Members, NotRolled, Split
from hybridode.language.scope import KINDS, PREDECLARED
from hybridode.language.values import NotConstant, Value
from hybridode.language.walk import mentions

T = TypeVar("T")
DEEPEST = 12  # iterators round one another: each multiplies the members


class Indexed(NamedTuple):
    """Members, and what the names of their indices mean in an expression."""

    members: Members
    local: Mapping[str, Result]

    def frame(self, frame: Frame, part: Members | None = None) -> Frame:
        """The same place, for some of the members."""
        return frame._replace(local={**frame.local, **self.local}, family=part or self.members)


# ---- which members --------------------------------------------------------------------------------------------------
def indexed(el: Elaboration, iterators: Sequence[s.Iterator], frame: Frame) -> Indexed | None:
    """The members of `for i in a..b if c, j in …`, the last index fastest; None after an error.

    Inside another family (a sum in its equation) every member of that one has members of its own.
    """
    outer = frame.family
    parents = list(range(outer.count)) if outer is not None else [0]
    columns: dict[Symbol, tuple[int, ...]] = dict(outer.indices) if outer is not None else {}
    local: dict[str, Result] = {}
    for iterator in iterators:
        here = Indexed(Members(columns, len(parents), outer, parents), local)
        if here.members.depth > DEEPEST:
            el.error("E0142", f"indices are nested more than {DEEPEST} deep", iterator, frame, "use intermediates")
            return None
        if not _may_be_named(el, iterator, {**frame.local, **local}, frame):
            return None
        ends = [_end(el, e, here, frame) for e in (iterator.range.first, iterator.range.last)]
        if ends[0] is None or ends[1] is None:
            return None
        grown = _grown(el, iterator, ends[0], ends[1], len(parents), frame)
        if grown is None:
            return None
        origin, numbers = grown
        columns = {symbol: tuple([column[k] for k in origin]) for symbol, column in columns.items()}
        # A name of its own for each iterator: an argument that reads one index may stand where another is called the same.
        mine = Symbol("index", iterator.name, len(columns) + 1000 * here.members.depth)
        columns[mine] = numbers
        parents = [parents[k] for k in origin]
        local[iterator.name] = Value((sym(*mine),))
        if iterator.condition is not None:
            kept = _kept(el, iterator.condition, Indexed(Members(columns, len(parents), outer, parents), local), frame)
            if kept is None:
                return None
            columns = {symbol: tuple([column[k] for k in kept]) for symbol, column in columns.items()}
            parents = [parents[k] for k in kept]
    return Indexed(Members(columns, len(parents), outer, parents), local)


def _may_be_named(el: Elaboration, iterator: s.Iterator, local: Mapping[str, Result], frame: Frame) -> bool:
    name, scope = iterator.name, el.scope
    place = el.findings.source.span(iterator.start, iterator.start + len(name))
    entity = scope.entities.get(name)
    if entity is not None and entity.kind != "later":
        message = f"the index `{name}` hides `{name}`, which is {KINDS[entity.kind]}"
        el.error("E0209", message, place, frame, "call the index something else", entity.span)
    elif name in (scope.time, "d" + scope.time) or name in PREDECLARED:
        el.error("E0201", f"`{name}` is taken and cannot be an index", place, frame, "call the index something else")
    elif name in local:
        el.error("E0209", f"the index `{name}` hides another `{name}` round it", place, frame, "call one of them something else")
    else:
        return True
    return False


def _end(el: Elaboration, e: s.Expression, here: Indexed, frame: Frame) -> tuple[int, ...] | None:
    """A bound of a range, one for all or one for each member so far."""
    usage = Usage("the range of an index", CONSTANTS, "a range is known before the run: use whole numbers and `const`s")
    inner = here.frame(Frame(usage, frame.local, frame.call))
    value = el.evaluate(e, inner)
    if value is None or not el.is_number(value, e, inner) or not el.is_scalar(value, "the end of a range", e, inner):
        return None
    if here.members.count == 0:
        return (1,)
    return el.whole_numbers(value.scalar, e, inner, "the end of a range")


def _grown(
    el: Elaboration, iterator: s.Iterator, first: tuple[int, ...], last: tuple[int, ...], n: int, frame: Frame
) -> tuple[list[int], tuple[int, ...]] | None:
    """For every new member: which of the old ones it comes from, and the number of the index."""
    first, last = (ends if len(ends) == n else ends * n for ends in (first, last))
    total = sum(max(0, b - a + 1) for a, b in zip(first, last, strict=True))
    if total > MOST_MEMBERS:
        message = f"`{iterator.name}` would take {total:,} values; at most {MOST_MEMBERS:,} are allowed"
        el.error("E0313", message, iterator, frame, "use a smaller range")
        return None
    origin: list[int] = []
    numbers: list[int] = []
    for k, (a, b) in enumerate(zip(first, last, strict=True)):
        numbers += range(a, b + 1)
        origin += [k] * max(0, b - a + 1)
    return origin, tuple(numbers)


def _kept(el: Elaboration, condition: s.Expression, here: Indexed, frame: Frame) -> list[int] | None:
    """The members for which the condition after `if` holds."""
    usage = Usage("the condition of an index", CONSTANTS, "which members there are is known before the run")
    inner = here.frame(Frame(usage, frame.local, frame.call))
    kept: list[int] = []
    parts = over_members(el, here.members, lambda part: _truths(el, condition, inner._replace(family=part)))
    if parts is None:
        return None
    for chosen, truths in parts:
        kept += [k for k, true in zip(chosen, truths, strict=True) if true]
    return sorted(kept)


def _truths(el: Elaboration, condition: s.Expression, inner: Frame) -> list[bool] | None:
    value = el.evaluate(condition, inner)
    family = inner.family
    if value is None or family is None or not el.is_condition(value, condition, inner):
        return None
    if not el.is_scalar(value, "a condition", condition, inner):
        return None
    try:
        return [bool(x) for x in family.numbers(value.scalar, el.scope.known)]
    except NotConstant as reason:
        what = f"`{el.shown(reason.symbol, inner)}` is not" if reason.symbol else "networks and tables are not"
        message = f"the condition of an index must be known before the run: {what}"
        el.error("E0314", message, condition, inner, "what changes in the run is chosen by `if … then … else …`")
        return None


# ---- expressions for all members ------------------------------------------------------------------------------------
def over_members(el: Elaboration, members: Members, work: Callable[[Members], T | None]) -> list[tuple[Sequence[int], T]] | None:
    """`work` for the members, all at once where one expression serves them all, else in parts or one by one.

    None where `work` gave None: it has reported why.
    """
    found: list[tuple[Sequence[int], T]] = []
    waiting: list[Sequence[int]] = [range(members.count)] if members.count else []
    while waiting:
        chosen = waiting.pop()
        try:
            made = work(members if len(chosen) == members.count else members.part(chosen))
        except Split as split:
            parts = [[k for k, true in zip(chosen, split.truths, strict=True) if true == side] for side in (False, True)]
            waiting += parts
            continue
        except NotRolled:
            if len(chosen) == 1:
                raise  # what is read belongs to a family round this one: that one is worked out one by one
            waiting += [[k] for k in reversed(chosen)]
            continue
        if made is None:
            return None
        found.append((chosen, made))
    return found


def settled(el: Elaboration, condition: Expr, frame: Frame) -> bool | None:
    """Whether a condition on indices alone holds, None if it depends on more. Raises Split where it goes both ways."""
    family = frame.family
    if family is None or not family.depends(condition):
        return None
    try:
        truths = [bool(x) for x in family.numbers(condition, el.scope.known)]
    except NotConstant:
        return None
    if all(truths):
        return True
    if any(truths):
        raise Split(truths)
    return False


def check_names(el: Elaboration, node: s.Node, frame: Frame) -> None:
    """The names in an expression that is worked out for no member: they are declared, and count as used."""
    for m in mentions(node):
        if m.name in frame.local:
            continue
        entity = el.scope.find(m.name)
        if entity is not None:
            el.scope.used.add(entity.name)
        elif m.use == "value" and m.name != el.scope.time and m.name not in PREDECLARED:
            el.scope.undeclared(m.name, m.node, el.findings)


def of_one(value: Value, frame: Frame) -> Value:
    """A value that was worked out for one member, without the index."""
    family = frame.family
    return value if family is None else value._replace(elements=tuple(family.family(e).expand()[0] for e in value.elements))
