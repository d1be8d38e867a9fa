"""First reading of a tree: the header, every declared name, and what has to wait for a later version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hybridode.errors import Diagnostic
from hybridode.language import syntax as s
from hybridode.language.findings import Findings
from hybridode.language.later import construct_of, refuse
from hybridode.language.scope import PREDECLARED, Entity, Scope

S = TypeVar("S", bound=s.Statement)


@dataclass
class Collected:
    """The statements that this version gives a meaning to, and the file's header."""

    scope: Scope
    statements: list[s.Statement] = field(default_factory=list)
    model: s.ModelStatement | None = None
    time: s.TimeStatement | None = None
    units: s.UnitsStatement | None = None

    def of(self, kind: type[S]) -> list[S]:
        return [st for st in self.statements if isinstance(st, kind)]

    def values(self, *kinds: str) -> list[s.ValueStatement]:
        """`param`, `const`, `state`, `alg` or `discrete` statements whose name is theirs (not a repetition)."""
        return [st for st in self.of(s.ValueStatement) if st.kind in kinds and not st.fields and self.owns(st)]

    def owns(self, st: s.Statement) -> bool:
        """Whether the name that a statement declares belongs to it: the second of two is left out."""
        name = getattr(st, "name", None)
        entity = self.scope.entities.get(name.text) if isinstance(name, s.Name) else None
        return entity is not None and entity.statement is st


def collect(tree: s.File, findings: Findings, syntax_errors: Sequence[Diagnostic]) -> Collected:
    """Names of all declarations (equations follow in `structure`), header statements, refused constructs."""
    times = [st for st in tree.statements if isinstance(st, s.TimeStatement)]
    scope = Scope(times[0].name.text if times else "t")
    if any(d.severity == "error" for d in syntax_errors):
        scope.excused |= _unread_words(tree, findings.source.text)
    found = Collected(scope, time=times[0] if times else None)
    for st in tree.statements:
        waiting = construct_of(st)
        if waiting is not None:
            refuse(findings, *waiting)
        for entity in _declares(st, waiting is not None, findings):
            scope.declare(entity, findings)
        if waiting is None or isinstance(st, _KEPT):
            found.statements.append(st)
    _header(tree, found, findings)
    return found


# Refused only in part, or read for the names in them.
_KEPT = (s.ValueStatement, s.AtStatement, s.Equation, s.ReactionStatement, s.HistoryStatement)


def _unread_words(tree: s.File, text: str) -> set[str]:
    """The words of everything that is in no statement: lines with syntax errors."""
    covered = sorted([(st.start, st.end) for st in tree.statements] + list(tree.comments))
    words: set[str] = set()
    at = 0
    for start, end in [*covered, (len(text), len(text))]:
        if start > at:
            words |= set(re.findall(r"[^\W\d]\w*", text[at:start]))
        at = max(at, end)
    return words


_KIND_OF = {"param": "param", "const": "const", "state": "state", "alg": "alg", "discrete": "state"}


def _declares(st: s.Statement, waits: bool, findings: Findings) -> Iterator[Entity]:
    """The names a statement declares; equations are told apart later."""
    name: s.Name | None = None
    kind = "later"
    match st:
        case s.ValueStatement(name=name, kind=word):
            kind = "later" if st.fields else _KIND_OF[word]
        case s.InputStatement(name=name):
            kind = "input"
        case s.NetworkStatement(name=name):
            kind = "nn"
        case s.FunctionStatement(name=name):
            kind = "func"
        case s.TableStatement(name=name):
            kind = "later" if waits else "table"
        case s.NoiseStatement(name=name) | s.RandomStatement(name=name) | s.GridStatement(name=name) | s.UseStatement(name=name):
            pass
        case s.ImportStatement(alias=name):
            pass
        case s.ReactionStatement(name=name):
            pass
        case s.EventStatement(target=target) if not waits:
            yield Entity(target.name, "event", findings.span(target), st)
    if name is not None:
        yield Entity(name.text, kind, findings.span(name), st)


def _header(tree: s.File, found: Collected, findings: Findings) -> None:
    """One `model`, at most one `time` and one `units`."""
    for kind, label in ((s.ModelStatement, "model"), (s.TimeStatement, "time"), (s.UnitsStatement, "units")):
        lines = [st for st in tree.statements if isinstance(st, kind)]
        for st in lines[1:]:
            code = "E0151" if label == "model" else "E0202"
            hint = "a file holds one model" if label == "model" else "delete one"
            findings.error(code, f"`{label}` stands twice", st, hint, [(lines[0], "first here")])
        if lines:
            setattr(found, label, lines[0])
    if found.model is None and "model" not in found.scope.excused:
        first = tree.statements[0] if tree.statements else findings.source.span(0, 0)
        findings.error("E0150", "the file does not say `model NAME`", first, "write `model my_model` as the first line")
    if found.time is not None and found.time.name.text in PREDECLARED:
        findings.error("E0201", f"`{found.time.name.text}` is a predeclared number and cannot be declared", found.time.name)


def declared_units(statements: Iterable[s.Statement]) -> list[s.Unit]:
    """Every unit that a declaration gives."""
    units: list[s.Unit] = []
    for st in statements:
        unit = getattr(st, "unit", None)
        units += [unit] if isinstance(unit, s.Unit) else []
        if isinstance(st, s.TableStatement):
            units += [u for _, u in st.arguments if u is not None]
    return units
