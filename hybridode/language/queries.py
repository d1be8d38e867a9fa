"""Expressions asked of a checked model: `sol["prey/predator"]`, `--set k=2*pi`."""

from __future__ import annotations

from hybridode.declarations import Declarations, Shape
from hybridode.errors import Source, UsageError
from hybridode.expr import Expr, Symbol, substitute, symbols
from hybridode.language import restarts
from hybridode.language import syntax as s
from hybridode.language.collect import declared_units
from hybridode.language.elaborate import elaboration
from hybridode.language.findings import Findings
from hybridode.language.frames import CONSTANTS, EVERYWHERE, Elaboration, Frame, Usage
from hybridode.language.functions_check import functions
from hybridode.language.reader import parse, parse_expression
from hybridode.language.scope import Entity, Scope
from hybridode.language.units_text import LiteralUnits
from hybridode.language.values import Value


def elaborate_expression(declarations: Declarations, source: Source) -> tuple[tuple[Expr, ...], Shape]:
    """An expression over the names of a model: one scalar expression per entry, and the shape.

    Raises UsageError with every mistake in it. A condition gives boolean expressions.
    """
    findings = Findings(source)
    value = _elaborate(declarations, source, findings, Usage("this expression", EVERYWHERE), None)
    waiting = [] if value is None else [x for x in symbols(*value.elements) if x.kind == "start"]
    if value is not None and waiting:
        d = declarations
        model = restarts.Model(list(d.states), list(d.definitions), [], [], [], list(d.algebraics), list(d.equations))
        meaning = restarts.meanings(model, waiting, declarations.time_origin)
        missing = next((x for x, e in meaning.items() if e is None), None)
        if missing is not None:
            restarts.report_unknown_start(model, missing, source.span(0, len(source.text)), findings)
        value = Value(substitute(value.elements, {x: e for x, e in meaning.items() if e is not None}), value.shape, value.boolean)
    if value is None or findings.failed:
        raise UsageError(findings.all())
    return value.elements, value.shape


def constant_value(declarations: Declarations, source: Source, unit: str = "") -> tuple[tuple[float, ...], Shape]:
    """The numbers of a constant expression (`2*pi`, `[1, 2]`, `0.5 [1/h]`), which stands where `unit` is meant.

    Raises UsageError.
    """
    findings = Findings(source)
    usage = Usage("this value", CONSTANTS, "use numbers and `const`s")
    value = _elaborate(declarations, source, findings, usage, unit or None)
    numbers = None
    if value is not None:
        whole = source.span(0, len(source.text))
        el = elaboration(Scope(), findings, LiteralUnits(()))
        el.scope.known.update(_known(declarations))
        numbers = el.constant(value, whole, Frame(usage)) if el.is_number(value, whole, Frame(usage)) else None
    if value is None or numbers is None or findings.failed:
        raise UsageError(findings.all())
    return numbers, value.shape


def _elaborate(declarations: Declarations, source: Source, findings: Findings, usage: Usage, unit: str | None) -> Value | None:
    node, errors = parse_expression(source, declarations.time)
    if node is None:
        raise UsageError(errors)
    # The text is read again only for what Declarations do not keep: functions, and the units beside which a literal stands.
    needed = "func" in declarations.source.text or "[" in source.text
    tree = parse(declarations.source)[0] if needed else s.File(())
    el = _elaboration(declarations, tree, findings)
    place = next((u for u in declared_units(tree.statements) if u.text == unit), None)
    return el.evaluate(node, Frame(usage, unit=place, unit_of="this value"))


def _elaboration(declarations: Declarations, tree: s.File, findings: Findings) -> Elaboration:
    """The names of a checked model; only `func`s, which are inlined, come from the text again."""
    scope = _scope(declarations)
    el = elaboration(scope, findings, LiteralUnits(declared_units(tree.statements)))
    statements = [st for st in tree.statements if isinstance(st, s.FunctionStatement)]
    for st in statements:
        scope.entities[st.name.text] = Entity(st.name.text, "func", None, st)
    el.functions = functions(statements, scope, Findings(declarations.source))
    el.networks = {n.name: n for n in declarations.networks}
    el.inputs = {i.name: i for i in declarations.inputs}
    el.tables = {t.name: t for t in declarations.tables}
    return el


def _scope(declarations: Declarations) -> Scope:
    scope = Scope(declarations.time)
    groups = (
        ("param", declarations.parameters), ("const", declarations.constants), ("state", declarations.states),
        ("alg", declarations.algebraics),
        ("input", declarations.inputs), ("definition", declarations.definitions), ("nn", declarations.networks),
        ("table", declarations.tables),
    )  # fmt: skip
    for kind, items in groups:
        for item in items:
            if "'" in item.name or "(" in item.name:
                continue  # made by us: velocities and learnt starts are read as x' and x(0)
            span = item.span if item.span is not None and item.span.source is declarations.source else None
            scope.entities[item.name] = Entity(item.name, kind, span)
            scope.shapes[item.name] = getattr(item, "shape", ())
    scope.booleans |= {d.name for d in declarations.definitions if d.boolean}
    scope.known.update(_known(declarations))
    for state in declarations.states:
        base = state.name.rstrip("'")
        scope.orders[base] = max(scope.orders.get(base, 1), len(state.name) - len(base) + 1)
    return scope


def _known(declarations: Declarations) -> dict[Symbol, float]:
    return {
        Symbol("constant", c.name, i if c.shape else -1): number
        for c in declarations.constants
        for i, number in enumerate(c.values)
    }  # fmt: skip
