"""Invariants of an EquationSystem, checked after every pass. A violation is our mistake: AssertionError with a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hybridode.declarations import Network, size
from hybridode.equations.system import EquationSystem, JacobianEntry, definition_expressions, entry_expressions
from hybridode.equations.whole_system import expressions, templates
from hybridode.expr import BOOLEAN, Expr, Symbol, network_of, postorder
from hybridode.rolled import Rolled, Totals, families_of, pieces_of, symbols_read

_READ_AT_START = frozenset({"time", "parameter", "start_input", "input_rate"})


def verify(system: EquationSystem, after: str) -> None:
    """Raises AssertionError, naming the pass, if the system is not in canonical form."""
    n = len(system.states)
    assert len(system.rates) == len(system.starts) == n, (
        f"after {after}: {n} states, {len(system.rates)} rates, {len(system.starts)} starts"
    )
    assert not system.rate_spans or len(system.rate_spans) == n, f"after {after}: {len(system.rate_spans)} spans for {n} rates"
    for what, names in (("states", system.states), ("parameters", system.parameters), ("inputs", system.inputs)):
        assert len(set(names)) == len(names), f"after {after}: repeated {what}"
    _verify_symbols(system, after)
    _verify_nodes(system, after)
    for event in (*system.at_events, *system.when_events):
        assert all(0 <= a.state < n for a in event.assignments), f"after {after}: an event assigns to a state that does not exist"
    for dose in system.doses:
        assert 0 <= dose.state < n and -1 <= dose.infusion < n, f"after {after}: a dose into a state that does not exist"
    _verify_jacobian(system, after)
    _verify_implicit(system, after)


def _verify_implicit(system: EquationSystem, after: str) -> None:
    """What a plain ODE leaves empty."""
    n, unknowns = len(system.states), set(system.unknowns)
    assert len(system.algebraic) in (0, n), f"after {after}: {len(system.algebraic)} marks for {n} states"
    if system.invariant_jacobian is not None:
        _verify_entries(system.invariant_jacobian, len(system.invariants), n, after)
        moved = {e.column for e in system.invariant_jacobian}
        assert moved.isdisjoint(unknowns), f"after {after}: an invariant reads an algebraic unknown"
    initial = system.initial
    if initial is not None:
        assert len(initial.spans) == len(initial.equations), f"after {after}: {len(initial.spans)} spans of initial equations"
        places = [*initial.unknowns, *initial.soft]
        assert len(set(places)) == len(places) and all(0 <= k < n for k in places), f"after {after}: places of starts"
        assert unknowns <= set(initial.unknowns), f"after {after}: an algebraic unknown whose start is not computed"
        if initial.jacobian is not None:
            _verify_entries(initial.jacobian, len(initial.equations), n, after)


def _verify_entries(entries: Sequence[JacobianEntry], rows: int, columns: int, after: str) -> None:
    places = [(entry.row, entry.column) for entry in entries]
    assert places == sorted(set(places)), f"after {after}: entries of a Jacobian are not sorted or repeat"
    assert all(0 <= i < rows and 0 <= j < columns for i, j in places), f"after {after}: an entry outside its Jacobian"


def _verify_symbols(system: EquationSystem, after: str) -> None:
    inputs = {Symbol(kind, s.name, s.index) for s in system.inputs for kind in ("input", "input_rate", "start_input")}
    outside = {*system.states, *system.parameters, *inputs}
    defined: set[Symbol] = set()

    def check(place: str, e: Expr, allowed: set[Symbol] | None = None, kinds: frozenset[str] | None = None) -> None:
        for found in postorder((e,)):
            if found.op != "sym":
                continue
            s: Symbol = found.data
            if s.kind == "slot":
                continue
            known = s.kind == "time" or s in outside or (allowed is not None and s in allowed)
            assert known, f"after {after}: {place} reads {s.kind} {s}, which is not defined (yet)"
            assert kinds is None or s.kind in kinds, f"after {after}: {place} reads {s.kind} {s}"

    own = [d.symbol for d in system.definitions]
    assert len(set(own)) == len(own), f"after {after}: an intermediate is defined twice"
    for places, family in pieces_of(definition_expressions(system.definitions)):
        for f in families_of(family):
            check(str(own[places[0]]), f.template, defined)
            leaves = {e.data for c in f.columns if not isinstance(c, Totals) for e in set(c) if e.op == "sym"}
            unknown = next((s for s in leaves if s.kind != "time" and s not in outside and s not in defined), None)
            assert unknown is None, f"after {after}: {own[places[0]]} reads {unknown}, which is not defined (yet)"
        defined.update(own[k] for k in places)
    for k, rate in templates_with_places(system.rates):
        check(f"{system.states[k]}'", rate, defined)
    for k, start in templates_with_places(system.starts):
        check(f"{system.states[k]} at the start", start, None, _READ_AT_START)
    if after == "canonical":  # no pass changes what stands in the slots of a family
        for vector, kinds in ((system.rates, None), (system.starts, _READ_AT_START)):
            for s in symbols_read(vector) if isinstance(vector, Rolled) else ():
                known = s.kind == "time" or s in outside or s in defined
                assert known and (kinds is None or s.kind in kinds), f"after {after}: a family reads {s.kind} {s}"
    for o in system.observations:
        for e in o.exprs:
            check(f"the observation {o.column}", e, defined)
    for event in system.at_events:
        for e in (event.time, event.every, event.until):
            if e is not None:
                check("the time of an event", e, None, frozenset({"parameter"}))
    for dose in system.doses:
        for e in dose.options:
            check("an option of a dose", e, None, frozenset({"parameter"}))
    for located in system.when_events:
        for e in (located.guard, located.truth):
            if e is not None:
                check(f"the condition of {located.name}", e, defined)
    for event in (*system.at_events, *system.when_events):
        for a in event.assignments:
            check("an assignment of an event", a.expr, defined)
    for invariant in system.invariants:
        check("an invariant", invariant.expr, defined)
    for _, e in templates_with_places(system.initial.equations if system.initial else ()):
        check("an equation of the start", e, defined)


def _verify_nodes(system: EquationSystem, after: str) -> None:
    """Conditions are boolean and numbers are not; networks and tables are called as they were declared."""
    networks = {net.name: net for net in system.declarations.networks}
    tables = {table.name: table for table in system.declarations.tables}
    jacobians = (system.jacobian, system.invariant_jacobian, system.initial and system.initial.jacobian)
    entries = [e for found in jacobians if found is not None for e in templates(entry_expressions(found))]
    for e in postorder([*expressions(system), *entries]):
        if e.op in ("net", "net_jacobian"):
            _verify_call(e, networks, after)
        elif e.op == "out":
            assert e.args[0].op in ("net", "net_jacobian"), f"after {after}: an output of {e.args[0].op}"
            name, order = network_of(e.args[0].data)
            net = networks[name]
            count = size(net.outputs) * net.inputs ** (order + (e.args[0].op == "net_jacobian"))
            assert 0 <= e.data < count, f"after {after}: output {e.data} of {net.name}"
        elif e.op in ("table", "table_slope"):
            name = e.data if e.op == "table" else e.data[0]
            assert name in tables and len(e.args) == len(tables[name].axes), (
                f"after {after}: table {name} with {len(e.args)} arguments"
            )
        elif e.op not in ("sym", "const"):
            wanted = _boolean_arguments(e)
            for i, a in enumerate(e.args):
                assert a.op == "sym" or (a.op in BOOLEAN or _boolean_where(a)) == wanted(i), (
                    f"after {after}: argument {i + 1} of {e.op} is {a.op}"
                )


def _verify_call(e: Expr, networks: Mapping[str, Network], after: str) -> None:
    name, _ = network_of(e.data)
    assert name in networks, f"after {after}: network {e.data} is not declared"
    assert len(e.args) == networks[name].inputs, f"after {after}: network {e.data} with {len(e.args)} inputs"


def _boolean_where(e: Expr) -> bool:
    while e.op == "where":
        e = e.args[1]
    return e.op in BOOLEAN


def _boolean_arguments(e: Expr):
    if e.op in ("and", "or", "not"):
        return lambda i: True
    if e.op == "where":
        return lambda i: i == 0 or _boolean_where(e)
    return lambda i: False


def _verify_jacobian(system: EquationSystem, after: str) -> None:
    if system.jacobian is None:
        return
    _verify_entries(system.jacobian, len(system.states), len(system.states), after)
    reads = [set(row) for row in system.incidence]
    outside = [e for e in system.jacobian if e.column not in reads[e.row]]
    assert not outside, f"after {after}: an entry of the Jacobian outside the incidence"


def templates_with_places(elements: Sequence[Expr]) -> Iterator[tuple[int, Expr]]:
    """Every template with the first entry that it stands for."""
    if not isinstance(elements, Rolled):
        yield from enumerate(elements)
        return
    for places, family in elements.pieces:
        yield from ((places[0], f.template) for f in families_of(family))
