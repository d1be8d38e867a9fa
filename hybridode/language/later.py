"""Constructs that are in the language and not yet in this version: one error each, which names the construct."""

from __future__ import annotations

from hybridode.language import syntax as s
from hybridode.language.findings import Findings, Place

# construct -> (code, how the message begins, what to do meanwhile)
LATER: dict[str, tuple[str, str, str]] = {
    "noise": ("E0902", "noise (a stochastic differential equation)", "scatter of the data is described by `observe`"),
    "random": ("E0903", "a random effect (`random`)", "a `param` has one value for all series"),
    "delay": ("E0904", "a delayed value", "a chain of states delays too: `y' = (x - y)/tau`"),
    "history": ("E0904", "a history before the start (`history`)", "give a start: `x(0) = …`"),
    "caputo": ("E0905", "a fractional derivative (`caputo`)", "write ordinary dynamics: `x' = …`"),
    "grid": ("E0906", "a spatial grid (`grid`)", "write one state per cell: `state u[20]`"),
    "field": ("E0906", "a state on a grid (a field)", "write one state per cell: `state u[20]`"),
    "boundary": ("E0906", "a boundary condition (`bc`)", "write it into the first and last cell's equation"),
    "space": ("E0906", "a derivative or integral over a grid", "write differences of neighbouring cells"),
    "reaction": ("E0909", "a reaction", "write the balance of each species: `A' = -k*A*B`"),
    "import": ("E0910", "a module (`import`)", "copy the statements into this file"),
    "use": ("E0910", "an instance of a module (`use`)", "copy the statements into this file"),
    "rectilinear": ("E0912", "the derivative of a rectilinear input", "use `interp=hermite`, `linear`, `cubic` or `akima`"),
    "distribution": ("E0913", "the distribution", "write one `normal` per column"),
    "units": ("E0914", "unit checking", "unit checking comes in a later version: write `units warn` or `units off`"),
    "conversion": ("E0915", "converting a literal's unit", ""),
    "restart": (
        "E0916",
        "the start of a state inside an expression that also needs the time of the start",
        "say when the series starts: `time t from 0`",
    ),
    "static": ("E0917", "a model without a state", "a model has at least one state and its dynamics `x' = …`"),
    "table file": ("E0918", "a table read from data", "write the points: `table f(x) = [[0, 1], [1, 3]]`"),
}


def refuse(findings: Findings, construct: str, place: Place, what: str = "", hint: str = "") -> None:
    """Reports that a construct waits for a later version."""
    code, words, remedy = LATER[construct]
    findings.error(code, f"{what or words} is part of the language but not of this version", place, hint or remedy)


_STATEMENTS: dict[type[s.Statement], str] = {
    s.NoiseStatement: "noise",
    s.RandomStatement: "random",
    s.HistoryStatement: "history",
    s.GridStatement: "grid",
    s.BoundaryStatement: "boundary",
    s.ReactionStatement: "reaction",
    s.ImportStatement: "import",
    s.UseStatement: "use",
}


def construct_of(statement: s.Statement) -> tuple[str, Place] | None:
    """The construct for whose sake a whole statement is refused, and the place to show, or None."""
    if type(statement) in _STATEMENTS:
        return _STATEMENTS[type(statement)], _head(statement)
    match statement:
        case s.UnitsStatement(mode="strict"):
            return "units", statement
        case s.ValueStatement(fields=(first, *_)):
            return "field", first
        case s.TableStatement(points=points) if not isinstance(points, s.ListLiteral):
            return "table file", points if points is not None else statement.name
    return None


def _head(statement: s.Statement) -> Place:
    """The part of a long statement that names it: an event's caret should not run over its whole block."""
    for attribute in ("name", "target", "alias", "grid"):
        part = getattr(statement, attribute, None)
        if isinstance(part, s.Node):
            return part
    return statement
