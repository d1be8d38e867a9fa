"""Observations (columns of data and their distributions) and priors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from hybridode.declarations import Observation, Parameter, Prior, entry_names, size
from hybridode.expr import Expr
from hybridode.language import syntax as s
from hybridode.language.distributions import Distribution, arguments, find
from hybridode.language.families import check_names, indexed, of_one
from hybridode.language.frames import CONSTANTS, EVERYWHERE, Elaboration, Frame, Usage
from hybridode.language.indices import positions
from hybridode.language.names import listing
from hybridode.language.scope import KINDS
from hybridode.language.starts import LearntStart
from hybridode.language.values import Value, common_shape, evaluate, shape_text, spread

T = TypeVar("T")


# ---- observations ---------------------------------------------------------------------------------------------------
def observations(el: Elaboration, statements: Iterable[s.ObserveStatement], units: dict[str, str]) -> list[Observation]:
    """One observation per column; a vector observation gives the columns `y[1]`, `y[2]`, …"""
    found: list[Observation] = []
    first: dict[tuple[str, str], s.ObserveStatement] = {}
    for st in statements:
        for made in _members(el, st, lambda frame, st=st: _observe(el, st, units, frame)):
            again = (made.column, made.at) in first
            earlier = first.setdefault((made.column, made.at), st)
            if again:
                message = f"the column `{made.column}` is observed twice"
                hint = "one line says how a column is distributed"
                el.findings.error("E0202", message, st.target, hint, [(earlier.target, "first here")])
            found.append(made)
    return found


def _members(el: Elaboration, st: s.ObserveStatement | s.PriorStatement, make: Callable[[Frame], list[T]]) -> list[T]:
    """What a statement says: once, or for every member of its `for`, until one is wrong."""
    if not st.iterators:
        return make(Frame(Usage("")))
    found = indexed(el, st.iterators, Frame(Usage("an index")))
    if found is None:
        return []
    if not st.target.indices:
        hint = f"write `{st.target.name}[{st.iterators[0].name}]`, or leave out `for`"
        el.findings.error("E0331", f"`{st.target.name}` is the same for every index", st.target, hint)
        return []
    if found.members.count == 0:
        for argument in st.distribution.arguments:
            check_names(el, argument, found.frame(Frame(Usage(""))))
    made: list[T] = []
    for k in range(found.members.count):
        before = el.findings.failed
        made += make(found.frame(Frame(Usage("")), found.members.part([k])))
        if el.findings.failed and not before:
            break
    return made


def _observe(el: Elaboration, st: s.ObserveStatement, units: dict[str, str], member: Frame) -> list[Observation]:
    column = _column(el, st.target, member)
    row = find(el, st.distribution, observing=True)
    usage = Usage(f"the observation of `{st.target.name}`", EVERYWHERE, net_stem=st.target.name)
    frame = member._replace(usage=usage)
    limits = _limits(el, st, frame)
    if column is None or row is None:
        return []
    found = arguments(el, st.distribution, row, frame)
    if found is None or limits is None:
        return []
    values = {name: of_one(value, frame) for name, value in found.items()}
    if row.vectors:
        return _of_classes(el, st, column, values["logits"], limits)
    shape = common_shape(list(values.values()))
    if shape is None:
        shapes = listing(shape_text(v.shape) for v in values.values())
        el.findings.error("E0313", f"the arguments of `{st.distribution.name}` have different sizes: {shapes}", st.distribution)
        return []
    if st.target.indices and shape:
        hint = f"write `observe {st.target.name} ~ …` for all entries"
        el.findings.error("E0313", f"`{column}` is one column, the distribution has {size(shape)} entries", st.target, hint)
        return []
    entries = {name: spread(value, shape) for name, value in values.items()}
    unit = _unit(next(iter(values.values())), units)
    span = el.findings.span(st)
    return [
        Observation(
            label, st.distribution.name, tuple((name, column_[i]) for name, column_ in entries.items()), st.at,
            limits.get("below"), limits.get("above"), unit, st.doc, span=span,
        )
        for i, label in enumerate(entry_names(column, shape))
    ]  # fmt: skip


def _of_classes(
    el: Elaboration, st: s.ObserveStatement, column: str, logits: Value, limits: dict[str, Expr]
) -> list[Observation]:
    """`categorical(logits=v)`: one column, whose classes are the entries of v."""
    if len(logits.shape) != 1 or logits.shape[0] < 2:
        message = f"`logits` has an entry for each class, this is {shape_text(logits.shape)}"
        el.findings.error("E0319", message, st.distribution, "two classes and more: `categorical(logits=[0, a, b])`")
        return []
    if limits:
        hint = "leave the cell empty where the class is not known"
        el.findings.error("E0319", "classes have no order, so none lies below or above a limit", st.censored[0], hint)
        return []
    names = entry_names("logits", logits.shape)
    given = tuple(zip(names, logits.elements, strict=True))
    return [Observation(column, st.distribution.name, given, st.at, doc=st.doc, span=el.findings.span(st))]


def _column(el: Elaboration, target: s.Target, member: Frame) -> str | None:
    """The name of the data column: never looked up, `y[1]` is a column of that name."""
    if target.primes:
        hint = f"write `observe {target.name}_rate ~ normal({target.name}', …)`"
        el.findings.error("E0319", "what is observed is a column of the data, and a column has no derivative", target, hint)
        return None
    if not target.indices:
        return target.name
    frame = member._replace(usage=Usage("the index of a column", CONSTANTS))
    labels: list[str] = []
    for i in target.indices:
        n = None if isinstance(i, s.Range) else el.whole(el.evaluate(i, frame), i, frame, "an index")
        if n is None:
            if isinstance(i, s.Range):
                el.findings.error("E0314", "a column has one index", i, f"write `observe {target.name} ~ …` for all entries")
            return None
        labels.append(str(n))
    return f"{target.name}[{', '.join(labels)}]"


def _limits(el: Elaboration, st: s.ObserveStatement, frame: Frame) -> dict[str, Expr] | None:
    """Censoring limits by side; None after an error."""
    found: dict[str, Expr] = {}
    for c in st.censored:
        if c.side in found:
            el.findings.error("E0328", f"`censored {c.side}` stands twice", c, "keep one")
            return None
        value = el.evaluate(c.limit, frame)
        if value is None or not el.is_number(value, c.limit, frame) or not el.is_scalar(value, "a limit", c.limit, frame):
            return None
        found[c.side] = of_one(value, frame).scalar
    return found


def _unit(location: Value, units: dict[str, str]) -> str:
    """The unit of the predicted quantity where it is a single name."""
    e = location.elements[0]
    return units.get(e.data.name, "") if e.op == "sym" else ""


# ---- priors ---------------------------------------------------------------------------------------------------------
def learnt_starts(el: Elaboration, statements: Iterable[s.PriorStatement]) -> dict[str, LearntStart]:
    """Which starts `prior x(0) ~ …` makes learnt (rule F4)."""
    found: dict[str, LearntStart] = {}
    for st in statements:
        entity = el.scope.find(st.target.name)
        if entity is None or entity.kind != "state" or st.at is None or st.target.indices:
            continue
        row = find(el, st.distribution, observing=False)
        values = None if row is None or st.iterators else _constants(el, st, row, Frame(Usage("")))
        if row is None or values is None:
            continue
        numbers = [evaluate(v.elements[0], el.scope.known) for v in values.values()]
        lower, upper = (numbers[0], numbers[1]) if st.distribution.name == "uniform" else (row.lower, row.upper)
        found[st.target.name + "'" * st.target.primes] = LearntStart(lower, upper, row.centre(*numbers))
    return found


def _constants(el: Elaboration, st: s.PriorStatement, row: Distribution, member: Frame) -> dict[str, Value] | None:
    frame = member._replace(usage=Usage(f"the prior of `{st.target.name}`", CONSTANTS, "use numbers and `const`s"))
    values = arguments(el, st.distribution, row, frame)
    if values is None:
        return None
    for name, value in values.items():
        one = el.is_scalar(value, f"`{name}`", st.distribution, frame)
        numbers = el.constant(value, st.distribution, frame) if one else None
        if numbers is None:
            return None
        if math.isinf(numbers[0]):
            el.findings.error(
                "E0319", f"`{name}` of a prior is finite", st.distribution, "without a prior every value is as likely"
            )
            return None
    if st.distribution.name == "uniform":
        low, high = (evaluate(v.elements[0], el.known(frame)) for v in values.values())
        if not low < high:
            el.findings.error(
                "E0319",
                "the ends of `uniform` are the wrong way round or equal",
                st.distribution,
                "write `uniform(lower, upper)`",
            )
            return None
    return {name: of_one(value, frame) for name, value in values.items()}


def priors(el: Elaboration, statements: Iterable[s.PriorStatement], parameters: Iterable[Parameter]) -> list[Prior]:
    by_name = {p.name: p for p in parameters}
    found: list[Prior] = []
    first: dict[tuple[str, int], s.PriorStatement] = {}
    for st in statements:
        for name, entries, values in _members(el, st, lambda member, st=st: _prior(el, st, by_name, member)):
            _add(el, st, name, entries, values, by_name, first, found)
    return found


def _prior(
    el: Elaboration, st: s.PriorStatement, parameters: dict[str, Parameter], member: Frame
) -> list[tuple[str, list[int], dict[str, Value]]]:
    """The parameter, its entries and the arguments of one prior; nothing after an error."""
    row = find(el, st.distribution, observing=False)
    values = None if row is None else _constants(el, st, row, member)
    target = _target(el, st, parameters, member)
    return [] if values is None or target is None else [(*target, values)]


def _add(
    el: Elaboration,
    st: s.PriorStatement,
    name: str,
    entries: list[int],
    values: dict[str, Value],
    by_name: dict[str, Parameter],
    first: dict[tuple[str, int], s.PriorStatement],
    found: list[Prior],
) -> None:
    if by_name[name].fixed:
        el.findings.warn("W0306", f"`{name}` is fixed, its prior has no effect", st.target, "delete the prior or `fixed`")
    for entry in entries:
        earlier = first.setdefault((name, entry), st)
        if earlier is not st or (entry != -1 and (name, -1) in first):
            related = [(first.get((name, -1), earlier).target, "first here")]
            el.findings.error("E0202", f"`{name}` has two priors", st.target, "keep one", related)
        given = tuple((key, value.scalar) for key, value in values.items())
        found.append(Prior(name, entry, st.distribution.name, given, el.findings.span(st)))


def _target(
    el: Elaboration, st: s.PriorStatement, parameters: dict[str, Parameter], member: Frame
) -> tuple[str, list[int]] | None:
    """The parameter a prior is about and the entries (-1: all), or a report."""
    name, primes = st.target.name, "'" * st.target.primes
    entity = el.scope.find(name)
    if entity is None:
        el.scope.undeclared(name, st.target, el.findings)
        return None
    el.scope.used.add(name)
    related = [(entity.span, "declared here")] if entity.span else []
    if st.at is not None and st.at.value != 0:
        el.findings.error("E0308", f"a prior is about the start: `{name}{primes}(0)`", st.at, "0 means the start of the series")
        return None
    if entity.kind == "param" and st.at is None and not primes:
        label = name
    elif entity.kind == "state" and st.at is not None:
        label = f"{name}{primes}(0)"
    else:
        if entity.kind != "later":
            hint = f"write `prior {name}(0) ~ …` for its start" if entity.kind == "state" else _hint(el)
            message = f"`{name}` is {KINDS[entity.kind]}, not a parameter"
            if entity.kind == "param":
                message, hint = f"the parameter `{name}` has no start", f"write `prior {name} ~ …`"
            el.findings.error("E0322", message, st.target, hint, related)
        return None
    found = parameters.get(label)
    if found is None:
        order = el.scope.orders.get(name, 1)
        if entity.kind == "state" and st.target.primes >= order:
            message = f"`{name}{primes}` is given by its equation, at the start too"
            el.findings.error("E0322", message, st.target, f"write `prior {name}{chr(39) * (order - 1)}(0) ~ …`", related)
        elif entity.kind == "state" and st.target.indices and name in el.scope.shapes:
            hint = f"write `state {name}[…] = … in (…, …)`, or `prior {name}(0) ~ …` for all entries"
            el.findings.error("E0322", f"the start of `{name}` is not learnt", st.target, hint, related)
        return None  # otherwise its declaration was reported
    if not st.target.indices:
        return label, [-1]
    frame = member._replace(usage=Usage("an index", CONSTANTS))
    chosen = el.run(positions(el, found.shape, st.target.indices, st.target, frame))
    return None if chosen is None else (label, [places[0] for places in chosen[0]])


def _hint(el: Elaboration) -> str:
    names = [e.name for e in el.scope.of_kind("param")]
    return f"the parameters are {listing(names)}" if names else "this file has no parameter"
