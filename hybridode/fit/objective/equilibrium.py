"""Series that begin in the steady state of other numbers (see `data/equilibria`): the state there, with its derivatives.

The rested model is the model without doses and `at` statements. It is solved until it is steady, as for observations at time
infinity (see `steady`), and its derivatives are those of the implicit function theorem (see `fixed_points`) where rates and
conservation laws determine the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.compile import compile_model
from hybridode.data.experiments import Dataset, Series
from hybridode.data.groups import nameable
from hybridode.declarations import entry_names
from hybridode.errors import Diagnostic, NumericsError
from hybridode.fit.objective.assignment import assigned, assignment
from hybridode.fit.objective.batch import Before, signals_of
from hybridode.fit.objective.fixed_points import FixedPoints, conserved, steady_state
from hybridode.fit.objective.steady import LATER, METHOD, is_still, sizes, time_until_steady
from hybridode.fit.parameters import ParameterSpace
from hybridode.solve import results
from hybridode.solve.engines import chosen, engine_for, integrate
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import Settings
from hybridode.solve.signals import stack_signals
from hybridode.solve.tapes import state_names


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The `compiled` model without what happens to it, how it is solved, and what it conserves (None: derivatives go through the
    solve)."""

    compiled: Compiled
    method: str
    settings: Settings
    fixed_points: FixedPoints | None

    def start(self, full: Compiled, args: Arguments, before: Arguments, series: Any) -> tuple[Any, Any]:
        """State (n,) in which a series begins (a batch without its leading axis, `args` its numbers at its start, `before` those
        before it), and the result."""
        own, t0, t = full.start(series.t0, args), series.t0, series.before.infinity
        before = before.at_start(t0)

        def solve(args: Any, ts: Any) -> Any:
            return integrate(self.compiled, args, t0, ts, self.method, self.settings, "reverse")

        if self.fixed_points is None:
            raw = solve(before, t[None])
            y = raw.ys_left[-1]
            size = sizes(self.settings, self.compiled.start(t0, before), raw.ys_left)
            rests = is_still(self.compiled, before, t, y, size, (t - t0) / LATER)
            code = jnp.where((raw.result == results.SUCCESS) & ~rests, results.UNSTEADY, raw.result)
        else:
            far = jax.lax.stop_gradient(solve(jax.lax.stop_gradient(before), t[None]))
            start = self.compiled.start(t0, before)
            y, code = steady_state(self.compiled, before, start, t, far, self.fixed_points.laws, partial(sizes, self.settings))
        resting = series.before.resting
        return jnp.where(series.before.kept | ~resting, own, y), jnp.where(resting, code, results.SUCCESS)


def with_equilibrium(
    compiled: Compiled, dataset: Dataset, space: ParameterSpace, values: Mapping[str, Any], settings: Settings
) -> tuple[Dataset, Equilibrium | None, str]:
    """The dataset with the times that stand for infinity before its series, found at the parameters where the search begins
    (`values` were set); what finds the states there; how, in words. None: no series begins in a steady state.

    Raises NumericsError E0713 where one is not reached.
    """
    if all(s.before is None for s in dataset.series):
        return dataset, None, ""
    declarations = compiled.declarations
    if declarations.when_events:
        message = "a series begins in a steady state, and the model has events that wait for a condition"
        hint = "steady states of such models are not found: give the starts"
        raise NumericsError(Diagnostic("E0713", message, declarations.when_events[0].span, hint))
    calm = compiled
    if declarations.at_events or declarations.doses:
        names = frozenset(compiled.parameter_slices) & {c.name for c in declarations.constants}
        calm = compile_model(replace(declarations, at_events=(), doses=()), names)
    resting = [_rested(s) for s in dataset.series]
    index, own = assignment(calm, space, replace(dataset, series=tuple(resting)), values)
    shared, x = nameable(dataset.declarations, {}), space.vector(space.unconstrain(values))
    out, laws, reason, found = [], None, "", {}
    for row, s in enumerate(dataset.series):
        if s.before is None:
            out.append(s)
            continue
        held = sorted((name, float(value[0])) for name, (_, value) in s.before.inputs.items())
        key = (s.start, own[row].tobytes(), index[row].tobytes(), repr(held))
        if key not in found:
            args = calm.arguments({n: v for n, v in values.items() if n in shared}, dict(s.before.inputs) or None)
            args = replace(args, parameters=assigned(x, np.asarray(args.parameters, float), own[row], index[row]))
            which = f"before series `{s.name}` the model" if s.name else "before its series the model"
            ahead, ys = time_until_steady(calm, resting[row], args, settings, which)
            found[key] = s.start + ahead * LATER
            if not reason:
                moved = np.flatnonzero(index[row] < space.size)
                laws, reason = conserved(calm, args.at_start(s.start), moved, s.start, ahead, ys)
        out.append(replace(s, before=replace(s.before, infinity=found[key])))
    engine, _ = engine_for(calm, replace(settings, method="auto"))
    choice = chosen(engine, METHOD, "", replace(settings, engine=engine))
    fixed = None if laws is None or reason else FixedPoints(laws, True)
    words = f"derivatives go through the solve: {reason}" if fixed is None else fixed.words.partition(": ")[2]
    equilibrium = Equilibrium(calm, choice.method, choice.settings, fixed)
    return replace(dataset, series=tuple(out)), equilibrium, f"steady states in which series begin: {words}"


def _rested(series: Series) -> Series:
    """A series as it is before it begins."""
    if series.before is None:
        return series
    return replace(series, numbers=series.before.numbers, inputs=series.before.inputs, doses=None)


def before_of(compiled: Compiled, dataset: Dataset, space: ParameterSpace, values: Mapping[str, Any] | None) -> Before | None:
    """The arrays of what holds before the series; None where nothing does. Series without have those of one with, which are not
    used: what is computed from them must be finite."""
    first = next((s for s in dataset.series if s.before is not None), None)
    if first is None:
        return None
    own = [s if s.before is not None else first for s in dataset.series]
    resting = replace(dataset, series=tuple(_rested(s) for s in own))
    index, numbers = assignment(compiled, space, resting, values)
    ahead = [s.before.infinity - s.start for s in own if s.before is not None]
    return Before(
        index, numbers, stack_signals([signals_of(compiled, s) for s in resting.series]),
        np.array([s.start for s in dataset.series]) + np.array(ahead), np.array([s.before is not None for s in dataset.series]),
        _kept(compiled, dataset.series),
    )  # fmt: skip


def _kept(compiled: Compiled, series: Sequence[Series]) -> np.ndarray:
    """Which states (S, n) begin as the data say, not in the steady state."""
    start_of = {
        entry: start
        for state in compiled.declarations.states
        for entry, start in zip(entry_names(state.name, state.shape), entry_names(f"{state.name}(0)", state.shape), strict=True)
    }
    starts = [start_of.get(name, "") for name in state_names(compiled.system)]
    return np.array([[start in s.numbers for start in starts] for s in series])
