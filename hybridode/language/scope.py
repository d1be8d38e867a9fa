"""Names of one file: what each is, where it was declared, and what to say when it is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hybridode.declarations import Shape
from hybridode.errors import Span
from hybridode.expr import Symbol
from hybridode.language.findings import Findings, Place
from hybridode.language.names import nearest, skeleton
from hybridode.language.syntax import Statement, ValueStatement

KINDS: dict[str, str] = {
    "param": "a parameter",
    "const": "a constant",
    "state": "a state",
    "alg": "an algebraic unknown",
    "input": "an input",
    "definition": "an intermediate",
    "func": "a function",
    "nn": "a network",
    "table": "a table",
    "event": "an event",
    "time": "the time",
    "derivative": "a derivative",
    "later": "of a later version",
}
PREDECLARED: dict[str, float] = {"pi": 3.141592653589793, "inf": float("inf")}
CALLABLE = frozenset({"func", "nn", "table"})


@dataclass(frozen=True)
class Entity:
    """A declared name. `kind` is a key of KINDS; "later" names belong to statements that were refused."""

    name: str
    kind: str
    span: Span | None
    statement: Statement | None = None

    @property
    def words(self) -> str:
        """`k` (parameter, line 3)"""
        line = f", line {self.span.line}" if self.span else ""
        return f"`{self.name}` ({KINDS[self.kind].split(' ', 1)[1]}{line})"


@dataclass
class Scope:
    """All names of a file. Filled once, from top to bottom of `check.declare`; nobody else writes to it.

    shapes    of what could be worked out; a name without one is broken and silences whatever reads it
    known     numbers of the constants, one per entry
    orders    highest derivative of each state (1: x' = …, 2: x'' = …)
    excused   words of lines that could not be read: nothing is said about them
    used      names that some expression reads
    holds_together   whether the file has equations that are neither definitions nor dynamics
    """

    time: str = "t"
    entities: dict[str, Entity] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    booleans: set[str] = field(default_factory=set)
    known: dict[Symbol, float] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    excused: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    holds_together: bool = False

    def find(self, name: str) -> Entity | None:
        return self.entities.get(name) or self.entities.get(name.split(".", 1)[0] if "." in name else "")

    def is_discrete(self, name: str) -> bool:
        """Whether only events change a state."""
        entity = self.find(name)
        statement = None if entity is None else entity.statement
        return isinstance(statement, ValueStatement) and statement.kind == "discrete"

    def of_kind(self, *kinds: str) -> list[Entity]:
        return [e for e in self.entities.values() if e.kind in kinds]

    def declare(self, entity: Entity, findings: Findings) -> bool:
        """Adds a name; False (and an error) if it is taken or reserved."""
        name, span = entity.name, entity.span
        assert span is not None
        if name in (self.time, "d" + self.time) or name in PREDECLARED:
            findings.error("E0201", f"`{name}` is {self._reserved(name)} and cannot be declared", span, "choose another name")
            return False
        earlier = self.entities.get(name)
        if earlier is None:
            self.entities[name] = entity
            return True
        verb = "defined" if entity.kind == "definition" and earlier.kind == "definition" else "declared"
        first = [(earlier.span, f"first {verb} here, as {KINDS[earlier.kind]}")] if earlier.span else []
        findings.error("E0202", f"`{name}` is {verb} twice", span, "every name has one meaning: rename or delete one", first)
        return False

    def _reserved(self, name: str) -> str:
        if name == self.time:
            return "the time"
        return "a predeclared number" if name in PREDECLARED else f"reserved for derivatives (`d…/d{self.time}`)"

    def suggestion(self, name: str, extra: Iterable[str] = ()) -> Entity | str | None:
        """The declared name (or one of `extra`) that was most likely meant."""
        close = nearest(name, [*self.entities, *PREDECLARED, self.time, *extra])
        return self.entities.get(close, close) if close else None

    def undeclared(self, name: str, place: Place, findings: Findings) -> None:
        """Says that a name is unknown, unless it stands on a line that could not be read."""
        base = name.split(".", 1)[0]
        if name in self.excused or base in self.excused:
            return
        if name == "t" and self.time != "t":
            findings.error("E0203", f"`t` is not declared: this model's time is `{self.time}`", place, f"write `{self.time}`")
            return
        if "." in name:
            hint = f"`{base}` is no module of this file"
            if base in ("data", "protocol"):
                hint = f"read a column with `input {name.split('.', 1)[1]} from {name}`"
            findings.error("E0203", f"`{name}` is not declared", place, hint)
            return
        guess = self.suggestion(name)
        unknown = f", `alg {name} = 0`" if self.holds_together else ""
        hint = f"declare it (`param {name} = …`, `const {name} = …`{unknown}) or define it (`{name} = …`)"
        if name.startswith("NN_"):
            hint = "an inline network has no name in the file: declare `nn f: 1 -> 1` and call `f(x)`"
        if isinstance(guess, Entity):
            same = " (it looks the same but has other letters)" if skeleton(guess.name) == skeleton(name) else ""
            hint = f"did you mean {guess.words}?{same}"
        elif guess:
            hint = f"did you mean `{guess}`?"
        findings.error("E0203", f"`{name}` is not declared", place, hint)
