"""`func` statements: their arguments, what their bodies may name, and that none calls itself (rule C9)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hybridode.language import syntax as s
from hybridode.language.findings import Findings
from hybridode.language.frames import IN_FUNCTION
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.scope import KINDS, PREDECLARED, Scope
from hybridode.language.walk import Mention, mentions


def functions(statements: Iterable[s.FunctionStatement], scope: Scope, findings: Findings) -> dict[str, s.FunctionStatement]:
    """The functions that can be inlined. Bodies are checked for names here, whether they are called or not."""
    by_name = {st.name.text: st for st in statements}
    sound = {name: st for name, st in by_name.items() if _arguments(st, findings) and _body(st, scope, findings)}
    edges = {name: [m.name for m in mentions(st.body) if m.use == "call" and m.name in by_name] for name, st in by_name.items()}
    for component in components(by_name, edges):
        if not is_circle(component, edges):
            continue
        way = circle(component, edges)
        related = [(by_name[a].name, f"`{a}` calls `{b}`") for a, b in pairwise(way[1:])]
        message = (
            f"`{way[0]}` calls itself" if len(way) == 2 else f"functions in a circle: {' calls '.join(f'`{f}`' for f in way)}"
        )
        findings.error("E0317", message, by_name[way[0]].name, "a function may only call others, without coming back", related)
        for name in component:
            sound.pop(name, None)
    return sound


def _arguments(st: s.FunctionStatement, findings: Findings) -> bool:
    first: dict[str, s.Name] = {}
    for name in st.parameters:
        earlier = first.setdefault(name.text, name)
        if earlier is not name:
            findings.error("E0202", f"the argument `{name.text}` stands twice", name, "rename one", [(earlier, "first here")])
            return False
        if name.text in PREDECLARED:
            findings.error(
                "E0201", f"`{name.text}` is a predeclared number and cannot be an argument", name, "choose another name"
            )
            return False
    return True


def _body(st: s.FunctionStatement, scope: Scope, findings: Findings) -> bool:
    """Whether every name in the body is an argument or something that functions may read."""
    arguments = {p.text for p in st.parameters}
    sound = True
    for m in mentions(st.body):
        if m.name not in arguments:
            sound = _may_read(m, st, scope, findings) and sound
    return sound


def _may_read(m: Mention, st: s.FunctionStatement, scope: Scope, findings: Findings) -> bool:
    entity = scope.find(m.name)
    if m.use == "call" and entity is None:
        if m.name == "NN":
            hint = "name it: `nn f: 1 -> 1`, and call `f(…)` in the function"
            findings.error(
                "E0506", "an inline network cannot stand in a function: every call would share it silently", m.node, hint
            )
        return m.name != "NN"
    hint = f"pass it as an argument: `func {st.name.text}({', '.join([p.text for p in st.parameters] + [m.name])}) = …`"
    if m.name == scope.time and entity is None:
        message = f"`{m.name}` is the time and cannot be read in the function `{st.name.text}`"
        findings.error("E0318", message, m.node, hint)
        return False
    if entity is None:
        if m.name in PREDECLARED:
            return True
        scope.undeclared(m.name, m.node, findings)
        return False
    scope.used.add(entity.name)
    if entity.kind in IN_FUNCTION or entity.kind == "later":
        return True
    related = [(entity.span, "declared here")] if entity.span else []
    message = f"`{m.name}` is {KINDS[entity.kind]} and cannot be read in the function `{st.name.text}`"
    findings.error("E0318", message, m.node, hint, related)
    return False
