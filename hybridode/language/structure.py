"""Which equation says what: definitions, dynamics, starts. Rules A10, B1 to B6."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hybridode.language import syntax as s
from hybridode.language.entries import Part
from hybridode.language.findings import Findings
from hybridode.language.later import refuse
from hybridode.language.left import Left, take_apart
from hybridode.language.names import nearest
from hybridode.language.scope import KINDS, Entity, Scope
from hybridode.language.walk import mentions


@dataclass
class Equations:
    """The equations of a file by what they are. `handled` are states whose dynamics were refused or could not be
    read: nothing is said about them."""

    definitions: list[tuple[tuple[str, ...], s.Equation]] = field(default_factory=list)
    entries: dict[str, list[Part]] = field(default_factory=dict)  # intermediates that are given entry by entry
    rates: dict[str, list[Part]] = field(default_factory=dict)
    starts: dict[str, list[Part]] = field(default_factory=dict)  # state, with primes for a velocity
    handled: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)  # the same for starts


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
    return found


def _definition(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`y = …` and `[a, b] = …`."""
    declared = [(ref, scope.entities.get(ref.name)) for ref in left.names]
    kinds = {e.kind for _, e in declared if e is not None}
    if "later" in kinds or (kinds == {"definition"} and _has_algebra(scope)):
        if kinds != {"later"} or len(declared) == 1:
            refuse(findings, "algebraic", st.left)
        return
    names: list[str] = []
    for ref, entity in declared:
        if "." in ref.name:
            scope.undeclared(ref.name, ref, findings)
        elif entity is not None and entity.kind in _INSTEAD:
            _redefined(ref, entity, findings)
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


def _has_algebra(scope: Scope) -> bool:
    return any(isinstance(e.statement, s.ValueStatement) and e.statement.kind == "alg" for e in scope.of_kind("later"))


def _redefined(ref: s.Ref, entity: Entity, findings: Findings) -> None:
    code = "E0303" if entity.kind == "state" else "E0304"
    message = f"`{ref.name} = …` would define `{ref.name}`, which is {KINDS[entity.kind]}"
    related = [(entity.span, "declared here")] if entity.span else []
    findings.error(code, message, ref, _INSTEAD[entity.kind].format(ref.name), related)


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
        hint = f"declare `state {left.name}` instead" if entity.kind in ("param", "const", "definition") else ""
        related = [(entity.span, "declared here")] if entity.span else []
        findings.error("E0323", f"only a state {does}, `{left.name}` is {KINDS[entity.kind]}", place, hint, related)
    return None


def _call(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`x(0) = …`."""
    entity = scope.find(left.name)
    plain = isinstance(st.left, s.Call) and isinstance(st.left.function, s.Ref)
    if entity is None and plain and not _is_zero(left):
        if left.name not in scope.excused:
            arguments = ", ".join(a.name for a in left.arguments if isinstance(a, s.Ref)) or "x"
            message = f"`{left.name}(…) = …` defines nothing"
            findings.error("E0303", message, st.left, f"a function is written `func {left.name}({arguments}) = …`")
        return
    if entity is not None and entity.kind in ("func", "nn", "table"):
        message = f"`{left.name}(…) = …`: `{left.name}` is {KINDS[entity.kind]} already"
        related = [(entity.span, "declared here")] if entity.span else []
        findings.error("E0304", message, st.left, "an equation has a name or a derivative on its left", related)
        return
    entity = _state(left, st.left, found, scope, findings, "has a start")
    if entity is None:
        return
    if not _is_zero(left):
        hint = f"write `{left.name}(0) = …`: 0 means the start of the series, whatever its time"
        findings.error("E0308", f"only the start of `{left.name}` can be given", st.left, hint)
        return
    found.starts.setdefault(left.name + "'" * left.primes, []).append(Part(left, st))


def _is_zero(left: Left) -> bool:
    argument = left.arguments[0] if len(left.arguments) == 1 else None
    return isinstance(argument, s.Number) and argument.value == 0


def _entry(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
    """`x[1] = …`."""
    entity = scope.find(left.name)
    if entity is not None and entity.kind == "later":
        refuse(findings, "algebraic", st.left)
        return
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


def _refused(construct: str):
    def report(st: s.Equation, left: Left, found: Equations, scope: Scope, findings: Findings) -> None:
        found.handled |= {m.name for m in mentions(st.left)}
        refuse(findings, construct, st.left, hint=_solved_for(st, findings) if construct == "implicit" else "")

    return report


def _solved_for(st: s.Equation, findings: Findings) -> str:
    """`C*V' = rhs` → write `V' = (rhs)/C`."""
    left, text = st.left, findings.source.text
    if not isinstance(left, s.Chain) or left.level != "product" or any(operator != "*" for operator, _ in left.rest):
        return ""
    factors = [left.first, *(e for _, e in left.rest)]
    primes = [f for f in factors if isinstance(f, s.Prime)]
    others = [text[f.start : f.end] for f in factors if not isinstance(f, s.Prime)]
    if len(primes) != 1 or any(m.use == "derivative" for f in factors if f is not primes[0] for m in mentions(f)):
        return ""
    divisor = others[0] if len(others) == 1 else f"({'*'.join(others)})"
    right = text[st.right.start : st.right.end]
    return f"write `{text[primes[0].start : primes[0].end]} = ({right if len(right) < 60 else '…'})/{divisor}`"


_SORT = {
    "name": _definition,
    "names": _definition,
    "rate": _rate,
    "call": _call,
    "entry": _entry,
    "list": _list,
    "caputo": _refused("caputo"),
    "implicit": _refused("implicit"),
    "algebraic": _refused("algebraic"),
}
