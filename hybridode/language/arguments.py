"""Arguments of calls: their values, and what to say when there are too many or too few."""

from __future__ import annotations

from collections.abc import Generator

from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result
from hybridode.language.functions import call_text
from hybridode.language.names import count
from hybridode.language.scope import Entity
from hybridode.language.values import Value

Arguments = Generator[tuple[s.Node, Frame], Result, list[Value] | None]


def argument_values(el: Elaboration, c: s.Call, name: str, frame: Frame, numeric: bool = True) -> Arguments:
    """The values of positional arguments; None if one is wrong."""
    inner = frame.plain()
    values: list[Value] = []
    sound = True
    for argument in c.arguments:
        if isinstance(argument, s.Iterator):
            hint = "over an index there are `sum`, `prod`, `min` and `max`"
            el.error("E0316", f"`{name}` takes no `{argument.name} in …`", argument, frame, hint)
            return None
        if isinstance(argument, s.Option):
            el.error("E0316", f"`{name}` has no option `{argument.name}`", argument, frame, f"it is called `{call_text(name)}`")
            sound = False
            continue
        value = yield argument, inner
        if value is None or (numeric and not el.is_number(value, argument, frame)):
            sound = False
        else:
            values.append(value)
    return values if sound else None


def wrong_count(
    el: Elaboration, c: s.Call, takes: str, frame: Frame, usage: str, code: str = "E0316", at: Entity | None = None
) -> None:
    given = count(len(c.arguments), "is given", "are given")
    el.error(code, f"{takes}, {given}", c, frame, usage, at.span if at else None)
