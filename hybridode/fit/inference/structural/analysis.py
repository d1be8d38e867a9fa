"""Structural identifiability: which parameters could be known from perfect data, by the rank test of power series.

Observed curves y(t; p) are determined by their Taylor coefficients, so a parameter is locally identifiable where it cannot be
moved without a change in them: the Jacobian d(coefficients)/d(unknowns) is computed exactly modulo a prime at a random point, up
to the order n states + unknowns (A. Sedoglavic, J. Symb. Comput. 33 (2002) 735; H. Pohjanpalo, Math. Biosci. 41 (1978) 21). An
unknown is identifiable where all null vectors of the Jacobian are 0 there. The answer holds for almost all values of the
parameters; it is wrong with a probability of about 1e-7 (a random point that happens to be special).

Not seen: several separate solutions (it is local), starts and parameters at special values that are not declared so,
inequalities, noise. Inputs count as known and rich: general functions of time. Events and `at` statements are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.canonical import canonical, is_implicit
from hybridode.equations.system import EquationSystem, definition_expressions
from hybridode.errors import Diagnostic, UsageError
from hybridode.expr import Expr, Symbol, symbols
from hybridode.fit.inference.structural.program import Program
from hybridode.fit.inference.structural.series import P, Series, Singular, null_space, residue
from hybridode.fit.inference.structural.words import Symmetry, symmetries

MOST = 80  # states and unknowns together
_ATTEMPTS = 24
_EXPERIMENTS = 3  # with numbers of their own, where the data set some
_LOCATIONS = ("mean", "median", "loc", "p", "logit")


@dataclass(frozen=True)
class Identifiability:
    """Names that are `identifiable` and `not_identifiable`, why in `symmetries`; `notes`: under which conditions; `order` of the
    series."""

    identifiable: tuple[str, ...]
    not_identifiable: tuple[str, ...]
    symmetries: tuple[Symmetry, ...]
    notes: tuple[str, ...]
    order: int

    def sentences(self) -> list[str]:
        """What could be known from perfect data."""
        if not self.not_identifiable:
            first = "all parameters could be known from perfect data of what is observed (structurally identifiable, locally)"
            return [first, *self.notes] if self.identifiable else ["there is nothing to identify"]
        return [*(s.sentence for s in self.symmetries), *self.notes]

    def content(self) -> dict[str, Any]:
        """The fields of the finding `identifiability`."""
        return {
            "sentences": self.sentences(), "method": "rank of power series modulo a prime (local, generic)", "order": self.order,
            "identifiable": list(self.identifiable), "not_identifiable": list(self.not_identifiable),
            "symmetries": [{"parameters": list(s.names), "kind": s.kind, "known": list(s.known), "dimension": s.dimension}
                           for s in self.symmetries],
            "notes": list(self.notes),
        }  # fmt: skip


def identifiability(
    declarations: Declarations, given: Sequence[str] = (), fixed: Sequence[str] = (), seed: int = 0
) -> Identifiability:
    """Of a checked model. given: entries that the data set in every experiment; fixed: what is not learnt though declared so.

    Raises UsageError E0786 for models that have no power series, no observations, or are too large."""
    if is_implicit(declarations):
        raise _refused("structural identifiability is not known of models with algebraic equations")
    system = canonical(declarations, frozenset())
    task = _Task.of(system, frozenset(given), frozenset(fixed))
    if len(system.states) + len(task.unknowns) > MOST:
        raise _refused(
            f"{len(system.states)} states and {len(task.unknowns)} unknowns are more than the {MOST} that are looked at"
        )
    rng = np.random.default_rng(seed)
    points = [task.point(rng, order := len(system.states) + len(task.unknowns) + 1) for _ in range(2)]
    if len(points[0][0]) != len(points[1][0]):  # one of them is special: the other is not
        points = [min(points, key=lambda p: len(p[0]))] * 2
    basis = points[0][0]
    lost = [n for n, column in zip(task.unknowns, basis.T, strict=True) if np.any(column)]
    found = symmetries(task.unknowns, points) if len(basis) else []
    return Identifiability(tuple(n for n in task.unknowns if n not in lost), tuple(lost), tuple(found), tuple(task.notes), order)


def _refused(message: str) -> UsageError:
    return UsageError(Diagnostic("E0786", message, hint="profiles say what the data themselves determine"))


@dataclass
class _Task:
    """What is unknown in a system, and its program."""

    system: EquationSystem
    program: Program
    rates: list[int]
    starts: list[int]
    outputs: list[int]
    doses: list[tuple[int, int]]  # state, place of the bioavailability
    unknowns: tuple[str, ...]
    given: frozenset[str]
    declared: Mapping[str, float]
    notes: list[str]

    @staticmethod
    def of(system: EquationSystem, given: frozenset[str], fixed: frozenset[str]) -> _Task:
        """Raises UsageError E0786."""
        program, d = Program(), system.declarations
        for definition, expr in _definitions_read(system):
            program.define(definition, expr)
        outputs = [program.place(e) for o in system.observations for name, e in zip(o.names, o.exprs, strict=True)
                   if name in _LOCATIONS]  # fmt: skip
        if not outputs:
            raise _refused("nothing is observed whose mean or median could be looked at")
        rates, starts = [program.place(e) for e in system.rates], [program.place(e) for e in system.starts]
        doses = [(dose.state, program.place(dose.bioavailability)) for dose in system.doses]
        roots = [*rates, *starts, *outputs, *(place for _, place in doses)]
        used = [program.instructions[place] for place in _needed(program, roots)]
        felt = {str(data) for op, _, data in used if op == "leaf"}
        free = {s for p in d.parameters if not p.fixed and p.name not in fixed for s in _entries(p.name, system)}
        unknowns = tuple(str(s) for s in system.parameters if str(s) in free & felt and str(s) not in given | fixed)
        declared = {str(s): v for p in d.parameters for s, v in zip(_entries(p.name, system), p.values, strict=True)}
        return _Task(system, program, rates, starts, outputs, doses, unknowns, given, declared, _notes(system))

    def point(self, rng: np.random.Generator, order: int) -> tuple[np.ndarray, np.ndarray]:
        """The null space (r, m) and the unknowns (m,) at a random point."""
        for attempt in range(_ATTEMPTS):
            values = rng.integers(2, P - 1, size=len(self.unknowns))
            general = attempt >= _ATTEMPTS // 2
            try:
                blocks = [self._jacobian(rng, order, values, dose, general) for dose in (range(len(self.doses)) or (-1,))
                          for _ in range(_EXPERIMENTS if self.given else 1)]  # fmt: skip
            except Singular:
                continue
            note = "some expressions have no power series at the start: starts count as other, known numbers"
            if general and note not in self.notes:
                self.notes.append(note)
            return null_space(np.concatenate(blocks)), values
        raise _refused("the model has no power series at its start (a division by 0, or a root or logarithm of 0)")

    def _jacobian(self, rng: np.random.Generator, order: int, values: np.ndarray, dose: int, general: bool) -> np.ndarray:
        """d coefficients / d unknowns (q (N + 1), m) of one experiment."""
        system, m = self.system, len(self.unknowns)
        leaves: dict[Symbol, np.ndarray] = {}
        experiment = int(rng.integers(2**32))
        for s in system.parameters:
            leaves[s] = np.zeros((order + 1, 1 + m), np.int64)
            if str(s) in self.unknowns:
                i = self.unknowns.index(str(s))
                leaves[s][0, [0, 1 + i]] = values[i], 1
            else:
                leaves[s][0, 0] = int(rng.integers(2, P - 1)) if str(s) in self.given else residue(self.declared[str(s)])
        known = {data: int(rng.integers(2, P - 1)) for op, _, data in self.program.instructions if op == "random"}
        for op, _, data in self.program.instructions:
            if op == "leaf" and data not in leaves and data.kind != "state":
                leaves[data] = np.zeros((order + 1, 1 + m), np.int64)
                if data.kind == "time":
                    leaves[data][1, 0] = 1
                elif data.kind in ("input", "input_rate", "start_input"):
                    leaves[data][:, 0] = _input(data, order, experiment)
        flat: dict[Symbol, int] = {}
        roots = [*self.starts, *(place for _, place in self.doses)]
        first = Series(self.program, 0, m, leaves, flat, [], [], rng, known, _needed(self.program, roots))
        starts = [first.c[place, 0].copy() for place in self.starts]
        if general:
            starts = [np.concatenate([rng.integers(2, P - 1, size=1), s[1:]]) for s in starts]
        if dose >= 0:
            state, place = self.doses[dose]
            starts[state] = (starts[state] + first.c[place, 0] * int(rng.integers(2, P - 1)) % P) % P
        states = {s: i for i, s in enumerate(system.states)}
        found = Series(self.program, order, m, leaves, states, self.rates, starts, rng, known)
        return np.concatenate([found.c[place, :, 1:] for place in self.outputs])


def _input(symbol: Symbol, order: int, experiment: int) -> np.ndarray:
    """The series of a general known function of time, of its rate, or its start: one function in one experiment."""
    rng = np.random.default_rng([zlib.crc32(f"{symbol.name}[{symbol.index}]".encode()), experiment])
    whole = rng.integers(2, P - 1, size=order + 2).astype(np.int64)
    if symbol.kind == "input":
        return whole[:-1]
    if symbol.kind == "input_rate":
        return whole[1:] * np.arange(1, order + 2) % P
    return np.concatenate([whole[:1], np.zeros(order, np.int64)])


def _entries(name: str, system: EquationSystem) -> list[str]:
    return [str(s) for s in system.parameters if s.name == name]


def _definitions_read(system: EquationSystem) -> list[tuple[Symbol, Expr]]:
    """The intermediates that rates, starts, locations or doses need, in order."""
    locations = [e for o in system.observations for name, e in zip(o.names, o.exprs, strict=True) if name in _LOCATIONS]
    wanted = set(symbols(*system.rates, *system.starts, *locations, *(d.bioavailability for d in system.doses)))
    pairs = list(zip(system.definitions, definition_expressions(system.definitions), strict=True))
    found = []
    for definition, expr in reversed(pairs):
        if definition.symbol in wanted:
            wanted |= set(symbols(expr))
            found.append((definition.symbol, expr))
    return found[::-1]


def _needed(program: Program, roots: Sequence[int]) -> list[int]:
    """The places that some places need, themselves included, in order."""
    seen, stack = set(), list(roots)
    while stack:
        place = stack.pop()
        if place not in seen:
            seen.add(place)
            stack += program.instructions[place][1]
    return sorted(seen)


def _notes(system: EquationSystem) -> list[str]:
    found = []
    if system.inputs:
        found.append("inputs count as known functions that vary enough")
    if system.at_events or any(e.own for e in system.when_events):
        found.append("events are left out: they may tell more")
    if any(p.by for p in system.declarations.parameters):
        found.append("values by group are looked at in one group by itself: several may tell more")
    if system.doses:
        found.append("doses count as known amounts, into one compartment at a time; lags and durations are left out")
    return found
