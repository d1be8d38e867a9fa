"""Which equation says what: definitions, dynamics, starts, and those that only hold together. Rules A10, B1 to B6."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hybridode.declarations import Equation
from hybridode.errors import Span
from hybridode.language import syntax as s
from hybridode.language.entries import Part
from hybridode.language.findings import Findings
from hybridode.language.functions import FOREIGN, NAMES
from hybridode.language.later import refuse
from hybridode.language.left import Left, take_apart
from hybridode.language.names import nearest
from hybridode.language.scope import CALLABLE, KINDS, Entity, Scope
from hybridode.language.walk import mentions


class Unstarted(NamedTuple):
    """A state that begins at 0 unless the equations say where: whether to warn is known once they are all read."""

    message: str
    place: s.Name
    hint: str


@dataclass
class Equations:
    """The equations of a file by what they are. `handled` are states whose dynamics were refused or could not be
    read: nothing is said about them.

    `together` are algebraic and implicit equations: what they determine, they determine together. `mentioned` are states whose
    highest derivative some equation reads; without a right side of its own it is determined by those. `again` are second
    definitions, which are such equations in a file with an `alg`, each with the place of the first.
    """

    definitions: list[tuple[tuple[str, ...], s.Equation]] = field(default_factory=list)
    entries: dict[str, list[Part]] = field(default_factory=dict)  # intermediates that are given entry by entry
    rates: dict[str, list[Part]] = field(default_factory=dict)
    starts: dict[str, list[Part]] = field(default_factory=dict)  # state, with primes for a velocity
    together: list[Part] = field(default_factory=list)
    written: list[Equation] = field(default_factory=list)  # what of these is worked out so far
    again: dict[int, tuple[str, Span | None]] = field(default_factory=dict)  # by where the equation begins
    mentioned: set[str] = field(default_factory=set)
    unstarted: list[Unstarted] = field(default_factory=list)
    handled: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)  # the same for starts

    def rate_statements(self) -> dict[int, s.Equation]:
        """The equations with a derivative alone on their left, by where they begin."""
        return {p.equation.start: p.equation for parts in self.rates.values() for p in parts}


_INSTEAD = {
    "state": "write `{0}' = …` for its dynamics or `{0}(0) = …` for its start",
    "param": "give it a value where it is declared, or delete that line to define an intermediate",
    "const": "give it a value where it is declared",
    "input": "an input gets its values from data",
    "func": "a function is defined by `func {0}(x) = …`",
    "nn": "a network is called: `y = {0}(x)`",
    "table": "a table is called: `y = {0}(x)`",
}


def sort_equations(statements: Iterable[s.Statement], scope: Scope, findings: Findings) -> Equations:
    """Tells the equations apart, declares the names they define, and reports those that are none of ours."""
    found = Equations()
    for st in statements:
        if isinstance(st, s.ReactionStatement):
            found.handled |= {species.target.name for species in (*st.left, *st.right)}
        if isinstance(st, s.HistoryStatement):
            found.started.add(st.target.name)
        if not isinstance(st, s.Equation):
            continue
        left = take_apart(st.left)
        if st.iterators and left.form in ("name", "names"):
            _without_index(st, left, found, scope, findings)
            continue
        _SORT[left.form](st, left, found, scope, findings)
    scope.holds_together = bool(found.together)
    return found


def _definition(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`y = …` and `[a, b] = …`."""
    declared = [(ref, scope.entities.get(ref.name)) for ref in left.names]
    kinds = {"" if e is None else e.kind for _, e in declared}
    if kinds == {"definition"} and scope.of_kind("alg"):
        found.again[st.start] = (declared[0][0].name, scope.entities[declared[0][0].name].span)
    if kinds == {"alg"} or st.start in found.again:
        found.together.append(Part(left, st))
        return
    if "alg" in kinds:
        _mixed(st, declared, findings)
        return
    if "later" in kinds:
        return  # said where it is declared
    names: list[str] = []
    for ref, entity in declared:
        if "." in ref.name:
            scope.undeclared(ref.name, ref, findings)
        elif entity is not None and entity.kind in _INSTEAD:
            _redefined(ref, entity, scope, findings)
        elif scope.declare(Entity(ref.name, "definition", findings.span(ref), st), findings):
            names.append(ref.name)
    if len(names) == len(declared):
        found.definitions.append((tuple(names), st))


def _without_index(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`y = … for i in 1..n`: which entry of `y` is meant?"""
    name, index = left.names[0].name, st.iterators[0].name
    written = findings.source.text[st.left.start : st.left.end]
    hint = f"write `{name}[{index}] = … for {index} in …`, or leave out `for`"
    findings.error("E0331", f"`{written}` does not say which entry the equation is for", st.left, hint)
    scope.excused |= {ref.name for ref in left.names}


def _mixed(st: s.Equation, declared: list[tuple[s.Ref, Entity | None]], findings: Findings) -> None:
    """`[a, b] = …` is an equation for algebraic unknowns or defines new names, not both."""
    unknown = next(ref for ref, e in declared if e is not None and e.kind == "alg")
    other = next((ref for ref, e in declared if e is None or e.kind != "alg"))
    message = f"`{unknown.name}` is an algebraic unknown and `{other.name}` is not"
    findings.error("E0327", message, st.left, f"declare `alg {other.name}` too, or write one equation for each")


def _redefined(ref: s.Ref, entity: Entity, scope: Scope, findings: Findings) -> None:
    constraint = f"; an equation that it keeps: `0 = {ref.name} - …`" if entity.kind == "state" and scope.of_kind("alg") else ""
    code = "E0303" if entity.kind == "state" else "E0304"
    message = f"`{ref.name} = …` would define `{ref.name}`, which is {KINDS[entity.kind]}"
    related = [(entity.span, "declared here")] if entity.span else []
    findings.error(code, message, ref, _INSTEAD[entity.kind].format(ref.name) + constraint, related)


def _rate(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`x' = …`."""
    entity = _state(left, st.left, found, scope, findings, "has dynamics")
    if entity is not None:
        found.rates.setdefault(left.name, []).append(Part(left, st))


def _state(left: Left, place: s.Node, found: Equations, scope: Scope, findings: Findings, does: str) -> Entity | None:
    """The state on the left, or a report that there is none."""
    entity = scope.find(left.name)
    if entity is None:
        written = findings.source.text[place.start : place.end]
        whole = scope.find("d" + left.name)
        if left.form == "rate" and whole is not None and not written.endswith("'"):
            message = f"`{written}` is read as the derivative of `{left.name}`, which is not declared"
            hint = f"the derivative of `d{left.name}` is `d{left.name}'` or `dd{left.name}/d{scope.time}`"
            findings.error("E0207", message, place, hint)
            found.handled.add(whole.name)
            return None
        states = [e.name for e in scope.of_kind("state")]
        guess = nearest(left.name, states)
        found.handled.add(guess)
        if guess or left.name in scope.excused:
            scope.undeclared(left.name, place, findings)
        else:
            findings.error("E0203", f"`{left.name}` is not declared", place, f"declare it: `state {left.name} = …`")
        return None
    if entity.kind == "state":
        return entity
    if entity.kind != "later":
        hint = f"declare `state {left.name}` instead" if entity.kind in ("param", "const", "definition", "alg") else ""
        related = [(entity.span, "declared here")] if entity.span else []
        findings.error("E0323", f"only a state {does}, `{left.name}` is {KINDS[entity.kind]}", place, hint, related)
    return None


def _call(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`x(0) = …`."""
    entity = scope.find(left.name)
    plain = isinstance(st.left, s.Call) and isinstance(st.left.function, s.Ref)
    if plain and (left.name in NAMES if entity is None else entity.kind in CALLABLE) and _known_arguments(left, scope):
        found.together.append(Part(left._replace(form="algebraic"), st))  # log(z) = x - 1
        return
    if entity is None and plain and not _is_zero(left):
        if left.name not in scope.excused:
            arguments = ", ".join(a.name for a in left.arguments if isinstance(a, s.Ref)) or "x"
            message = f"`{left.name}(…) = …` defines nothing"
            hint = FOREIGN.get(left.name) or f"a function is written `func {left.name}({arguments}) = …`"
            findings.error("E0303", message, st.left, hint)
            found.handled |= {m.name for a in left.arguments for m in mentions(a)}
        return
    if entity is not None and entity.kind in ("func", "nn", "table"):
        message = f"`{left.name}(…) = …`: `{left.name}` is {KINDS[entity.kind]} already"
        related = [(entity.span, "declared here")] if entity.span else []
        findings.error("E0304", message, st.left, "an equation has a name or a derivative on its left", related)
        return
    if entity is not None and entity.kind == "alg":
        message = f"`{left.name}` is an algebraic unknown: its value at the start is computed"
        related = [(entity.span, "declared here")] if entity.span else []
        findings.error("E0323", message, st.left, f"`alg {left.name} = …` says where the search for it begins", related)
        return
    entity = _state(left, st.left, found, scope, findings, "has a start")
    if entity is None:
        return
    if not _is_zero(left):
        hint = f"write `{left.name}(0) = …`: 0 means the start of the series, whatever its time"
        findings.error("E0308", f"only the start of `{left.name}` can be given", st.left, hint)
        return
    found.starts.setdefault(left.name + "'" * left.primes, []).append(Part(left, st))


def _known_arguments(left: Left, scope: Scope) -> bool:
    """Whether what looks like a function's definition has arguments that are names of the file: then it is an equation."""
    names = [m.name for a in left.arguments for m in mentions(a) if m.use != "call"]
    return bool(names) and all(scope.find(name) is not None or name == scope.time for name in names)


def _is_zero(left: Left) -> bool:
    argument = left.arguments[0] if len(left.arguments) == 1 else None
    return isinstance(argument, s.Number) and argument.value == 0


def _entry(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`x[1] = …`."""
    entity = scope.find(left.name)
    if entity is not None and entity.kind == "alg":
        found.together.append(Part(left, st))
        return
    if entity is not None and entity.kind == "later":
        return  # said where it is declared
    written = findings.source.text[st.left.start : st.left.end]
    if entity is not None and entity.kind == "state":
        hint = f"write `{written}' = …` for its dynamics or `{written}(0) = …` for its start"
        findings.error("E0303", f"`{written} = …` would define an entry of a state", st.left, hint)
    elif entity is not None and entity.kind != "definition":
        findings.error(
            "E0304", f"`{written} = …`: `{left.name}` is {KINDS[entity.kind]}", st.left, _INSTEAD[entity.kind].format(left.name)
        )
    elif "." in left.name:
        scope.undeclared(left.name, st.left, findings)
    elif left.name in found.entries:
        found.entries[left.name].append(Part(left, st))
    elif scope.declare(Entity(left.name, "definition", findings.span(st.left), st), findings):
        found.entries[left.name] = [Part(left, st)]
        found.definitions.append(((left.name,), st))


def _list(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    hint = "write one equation for each"
    findings.error("E0327", "only names can stand in a list on the left", st.left, f"`[a, b] = …` defines `a` and `b`; {hint}")
    found.handled |= {m.name for m in mentions(st.left)}


def _caputo(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    found.handled |= {m.name for m in mentions(st.left)}
    refuse(findings, "caputo", st.left)


def _together(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`0 = …`, `C*V' = …`, `x^2 + y^2 = L^2`."""
    found.together.append(Part(left, st))


_SORT = {
    "name": _definition,
    "names": _definition,
    "rate": _rate,
    "call": _call,
    "entry": _entry,
    "list": _list,
    "caputo": _caputo,
    "implicit": _together,
    "algebraic": _together,
}
