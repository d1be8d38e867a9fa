"""What a solve gives back, by the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from hybridode.declarations import (
    Algebraic,
    Declarations,
    Definition,
    InputSignal,
    Parameter,
    State,
    entry_names,
    size,
)
from hybridode.equations.names import user_names
from hybridode.equations.system import EquationSystem
from hybridode.errors import Diagnostic, Source, UsageError
from hybridode.expr import Expr, Symbol, node
from hybridode.kernels.jax import emit
from hybridode.solve import results
from hybridode.solve.diagnose import diagnose
from hybridode.solve.events import EventPlan
from hybridode.solve.problem import Arguments, Compiled, environment
from hybridode.solve.pytree import pytree, static
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.switches import sliding_ifs
from hybridode.solve.tapes import in_system, state_names, tape_of
from hybridode.tape.interpret import Interpreter
from hybridode.tape.shapes import Shape
from hybridode.types import AnyArray

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

LOCATIONS = {  # what stands for an observed column: its distribution's argument, by distribution
    "normal": "mean", "lognormal": "median", "student": "loc", "poisson": "mean", "negbinomial": "mean", "bernoulli": "p",
    "laplace": "loc",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class About:
    """What is known about a solve before it runs. Static: solutions of one solver share one."""

    compiled: Compiled
    method: str
    reason: str
    settings: Settings
    again: Callable[..., Solution]  # (args, t0, y0, ts) -> the same solve reported at other times
    timing: tuple[tuple[str, float], ...] = ()
    plan: EventPlan | None = None


@pytree
class Solution:
    """The solution of one model: a pytree that may come out of jit, vmap and the derivatives of the solve's mode.

    `t` (T,) the reported times; `sol["x"]` (T,) or (T, *shape) any state, intermediate, input or expression, right-continuous
    where it jumps; `sol.observed["hare"]` (T,) the location (median, mean or probability; of classes probabilities, (T, n)) of
    what is observed, from the limits from the left; `sol.at(times)` the solve reported at other times; `t_end` the last time
    reached, after which all values are NaN; `result` an integer, `RESULTS[int(sol.result)]` its meaning. Under vmap every array
    has leading axes.
    """

    t: AnyArray
    states: AnyArray  # (T, n) right-continuous
    states_before: AnyArray  # (T, n) limits from the left
    result: AnyArray
    t_end: AnyArray
    y_end: AnyArray
    counts: dict[str, AnyArray]
    args: Arguments
    t0: AnyArray
    y0: AnyArray | None
    about: About = static()

    def __getitem__(self, name: str) -> AnyArray:
        """Values at `t` of a state (`x`, `x'`, `v`, `v[2]`), an intermediate, an input, or an expression of names.

        Raises UsageError E0828 for what is no name and no expression of this model.
        """
        exprs, shape = named(self.about.compiled.system, name)
        values = self._evaluate({"values": exprs}, self.states, shape)
        return values if values.shape == (*self.t.shape, *shape) else values.reshape(*self.t.shape, *shape)

    @property
    def observed(self) -> Observed:
        """The location of every observed column by its name, a mapping to arrays (T,), of classes to probabilities (T, n)."""
        return Observed(self)

    def observables(self) -> AnyArray:
        """All arguments of all observed columns (T, q), in the order of `compiled.observable_index`."""
        return self._evaluate(
            {"values": [e for o in self.about.compiled.system.observations for e in o.exprs]}, self.states_before
        )

    def at(self, times: Any) -> Solution:
        """The same solve reported at other times between its start and `t_end` (ascending): the solver's own dense output.

        Raises UsageError E0822 for times outside.
        """
        traced = any(isinstance(x, Tracer) for x in (times, self.t_end, self.t0))
        if not traced:
            ts = np.atleast_1d(np.asarray(times, float))
            low, high = float(self.t0), float(self.t_end)
            slack = 1e-12 * max(abs(low), abs(high))
            if ts.size and (ts.min() < low - slack or ts.max() > high + slack):
                raise UsageError(
                    Diagnostic("E0822", f"the times {ts.min():g} to {ts.max():g} are not within the solve, {low:g} to {high:g}",
                               hint="simulate further to know more")
                )  # fmt: skip
            times = np.clip(ts, low, high)
        return self.about.again(self.args, self.t0, self.y0, times)

    @property
    def stats(self) -> dict[str, Any]:
        """Method and why it was chosen, steps, firings of events (`events`), `if`s that slide (`sliding`), evaluations of the
        right-hand side (None where not counted), engine, seconds."""
        method = METHODS[self.about.method]
        counts = {name: _number(value) for name, value in self.counts.items()}
        counts["sliding"] = _number(_bits(self.counts["sliding"]))
        evaluations = None if method.evaluations is None else counts["steps"] * method.evaluations
        return {
            "engine": self.about.settings.engine,
            "method": method.title,
            "reason": self.about.reason,
            **counts,
            "evaluations": evaluations,
            "rtol": self.about.settings.rtol,
            "atol": self.about.settings.atol,
            **dict(self.about.timing),
        }

    @property
    def starts(self) -> dict[str, str]:
        """Of every state and algebraic unknown by name, where its start comes from: "given", or "computed" from the equations."""
        system = self.about.compiled.system
        computed = set() if system.initial is None else set(system.initial.unknowns)
        found = {name: "computed" if k in computed else "given" for k, name in enumerate(state_names(system))}
        solved = (d.symbol for d in system.definitions if d.symbol.kind == "algebraic")
        return found | dict.fromkeys(map(user_names(system.declarations), solved), "computed")

    @property
    def successful(self) -> AnyArray:
        """True if the solve reached its end (traced under jit)."""
        return self.result == results.SUCCESS

    @property
    def message(self) -> str:
        """How the solve ended, in words. Outside jit only."""
        if np.ndim(self.result) == 0 and int(self.result) != results.SUCCESS:
            return self.diagnostic.message
        return "; ".join(results.RESULTS[int(code)] for code in np.unique(np.asarray(self.result)))

    @property
    def diagnostic(self) -> Diagnostic:
        """Why a solve failed: the state, its equation, the time, the last accepted values. Outside jit, one solve."""
        args = jax.tree_util.tree_map(lambda leaf: np.asarray(leaf, np.float64), self.args)
        t1 = float(np.asarray(self.t)[-1])
        found = diagnose(
            self.about.compiled, args, int(self.result), float(self.t_end), np.asarray(self.y_end, float), t1, self.about.settings
        )
        slides = self.remarks if int(self.result) == results.MAX_STEPS else ()
        return replace(found, hint=slides[0].hint, related=((slides[0].span, slides[0].message),)) if slides else found

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """What is to be said of a solve besides how it ended: `if`s that slide. Outside jit only."""
        return sliding_ifs(self.about.compiled, self.counts["sliding"])

    def _evaluate(self, outputs: Mapping[str, list[Expr] | tuple[Expr, ...]], states: AnyArray, shape: Shape = (-1,)) -> AnyArray:
        """The one output (T, *shape) of some expressions, with the leading axes of a mapped solution."""
        system = self.about.compiled.system
        (exprs,) = outputs.values()
        direct = _state_places(system, exprs)
        if isinstance(self.t, np.ndarray):
            found = states[..., np.array(direct, int)] if direct is not None else self._interpreted(outputs, states, len(exprs))
            return found.reshape(*found.shape[:-1], *shape)
        if direct is not None:
            return _entries(states, tuple(direct), shape)
        key, jitted = ("evaluate", tuple(exprs), states.ndim), self.about.compiled.jitted
        if key not in jitted:
            jitted[key] = _evaluator(emit(tape_of(system, outputs)), states.ndim)
        found = jitted[key](self.t, states, self.args, self.t_end)
        return found.reshape(*found.shape[:-1], *shape)

    def _interpreted(self, outputs: Mapping[str, Any], states: AnyArray, count: int) -> AnyArray:
        """Expressions (T, count) in NumPy."""
        run = Interpreter(tape_of(self.about.compiled.system, outputs))
        rows = [run(environment(t, y, self.args))["values"] for t, y in zip(self.t, states, strict=True)]
        return np.where((self.t <= self.t_end)[:, None], np.array(rows).reshape(len(rows), count), np.nan)

    # ---- for people -------------------------------------------------------------------------------------------------
    def to_pandas(self) -> pandas.DataFrame:
        """A table with one row per time: the time, all states, algebraic unknowns, intermediates and inputs, entry by entry."""
        import pandas as pd

        declarations = self.about.compiled.declarations
        items = [(kind, item) for kind in ("state", "algebraic", "definition", "input") for item in _items(declarations)[kind]]
        names = [name for _, item in items for name in entry_names(item.name, item.shape)]
        exprs = [node("sym", (), s) for kind, item in items for s in _entries_of(kind, item)]
        values = np.asarray(self._evaluate({"values": exprs}, self.states)) if exprs else np.zeros((len(self.t), 0))
        return pd.DataFrame({declarations.time: np.asarray(self.t)} | {n: values[:, i] for i, n in enumerate(names)})

    def to_xarray(self) -> xarray.Dataset:
        """A dataset over the time with one variable per state, algebraic unknown and intermediate, with units. Needs the package
        xarray."""
        try:
            import xarray as xr
        except ImportError as error:
            raise UsageError(
                Diagnostic("E0823", "to_xarray needs the package xarray", hint="pip install hybridode[xarray]")
            ) from error
        d = self.about.compiled.declarations
        data = {}
        for item in (*d.states, *d.algebraics, *d.definitions):
            axes = tuple(f"{item.name}_{i + 1}" for i in range(len(item.shape)))
            unit = d.unit_of(item.name)
            data[item.name] = ((d.time, *axes), np.asarray(self[item.name]), {"units": unit} if unit else {})
        return xr.Dataset(data, {d.time: np.asarray(self.t)}, {"model": d.name})

    def plot(self) -> Figure:
        """A figure of all states and algebraic unknowns over time, one panel per unit. Nothing is shown: display or save the
        figure."""
        from matplotlib.figure import Figure

        d = self.about.compiled.declarations
        drawn = (*d.states, *d.algebraics)
        units = list(dict.fromkeys(s.unit for s in drawn)) or [""]
        figure = Figure(figsize=(6.4, 2.8 * len(units)), layout="constrained")
        panels = figure.subplots(len(units), 1, sharex=True, squeeze=False)[:, 0]
        columns = self.to_pandas()
        for unit, panel in zip(units, panels, strict=True):
            for name in (n for s in drawn if s.unit == unit for n in entry_names(s.name, s.shape)):
                panel.plot(columns[d.time], columns[name], label=name)
            panel.set_ylabel(f"[{unit}]" if unit else "")
            if 0 < len(panel.lines) <= 12:
                few = len(panel.lines) <= 4  # more names would hide the lines
                panel.legend(frameon=False, **({} if few else {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}))
        panels[-1].set_xlabel(f"{d.time} [{d.time_unit}]" if d.time_unit else d.time)
        panels[0].set_title(d.name)
        return figure

    def __repr__(self) -> str:
        where = f"{self.about.compiled.declarations.name}: {self.t.shape[-1]} times"
        if isinstance(self.result, Tracer) or np.ndim(self.result):
            return f"<Solution of {where}>"
        return f"<Solution of {where}, {METHODS[self.about.method].title}, {results.RESULTS[int(self.result)]}>"


class Observed(Mapping[str, AnyArray]):
    """Locations of the observed columns of a solution."""

    def __init__(self, solution: Solution) -> None:
        self._solution = solution

    def __getitem__(self, column: str) -> AnyArray:
        system = self._solution.about.compiled.system
        found = [o for o in system.observations if o.column == column]
        if not found:
            known = ", ".join(f"`{o.column}`" for o in system.observations) or "none"
            raise UsageError(Diagnostic("E0828", f"the model observes no column `{column}`", hint=f"it observes {known}"))
        o = found[0]
        if o.distribution == "categorical":
            logits = self._solution._evaluate({"values": list(o.exprs)}, self._solution.states_before)
            odds = (np if isinstance(logits, np.ndarray) else jnp).exp(logits - logits.max(axis=-1, keepdims=True))
            return odds / odds.sum(axis=-1, keepdims=True)
        name = LOCATIONS[o.distribution]
        logit = name not in o.names
        expr = o.exprs[o.names.index("logit" if logit else name)]
        expr = node("sigmoid", (expr,)) if logit else expr
        return self._solution._evaluate({"values": [expr]}, self._solution.states_before)[..., 0]

    def __iter__(self) -> Iterator[str]:
        return iter([o.column for o in self._solution.about.compiled.system.observations])

    def __len__(self) -> int:
        return len(self._solution.about.compiled.system.observations)


def named(system: EquationSystem, text: str) -> tuple[tuple[Expr, ...], tuple[int, ...]]:
    """What a name or an expression means in a model: one expression per entry, and the shape."""
    d = system.declarations
    for kind, items in _items(d).items():
        for item in items:
            if item.name == text:
                return tuple(node("sym", (), s) for s in _entries_of(kind, item)), item.shape
    from hybridode.language.queries import elaborate_expression

    exprs, shape = elaborate_expression(d, Source(f'sol["{text}"]', text))
    return in_system(system, exprs), shape


@partial(jax.jit, static_argnums=(1, 2))
def _entries(states: AnyArray, places: tuple[int, ...], shape: Shape) -> AnyArray:
    """Some of the last axis's entries, as slices: the transpose of a gather is a scatter, which XLA compiles slowly. As one
    program: outside a caller's jit every operation would be compiled by itself."""
    runs: list[list[int]] = []
    for k in places:
        if runs and k == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([k, k + 1])
    parts = [lax.slice_in_dim(states, a, b, axis=-1) for a, b in runs]
    found = jnp.concatenate(parts, axis=-1) if len(parts) != 1 else parts[0]
    return found.reshape(*states.shape[:-1], *shape)


def _evaluator(emitted: Callable[..., Any], axes: int) -> Callable[..., Any]:
    """An emitted tape over the times of a solution, jitted: (t, states, args, t_end) -> values, NaN after the end."""

    def one(t: Any, y: Any, args: Arguments) -> Any:
        return emitted(environment(t, y, args))["values"].astype(y.dtype)

    function = jax.vmap(one, (0, 0, None))
    for _ in range(axes - 2):
        function = jax.vmap(function)

    def known(t: Any, states: Any, args: Arguments, t_end: Any) -> Any:
        return jnp.where((t <= t_end[..., None])[..., None], function(t, states, args), jnp.nan)

    return jax.jit(known)


def _items(d: Declarations) -> Mapping[str, Sequence[State | Algebraic | Definition | InputSignal | Parameter]]:
    """What has a name and values along a solution, by the kind of its symbols."""
    return {
        "state": d.states, "algebraic": d.algebraics, "definition": d.definitions, "input": d.inputs, "parameter": d.parameters,
    }  # fmt: skip


def _entries_of(kind: str, item: State | Algebraic | Definition | InputSignal | Parameter) -> list[Symbol]:
    return [Symbol(kind, item.name, i if item.shape else -1) for i in range(size(item.shape))]


def _state_places(system: EquationSystem, exprs: Any) -> list[int] | None:
    """The places in y of expressions that are states, None if any is not."""
    place = {s: i for i, s in enumerate(system.states)}
    found = [place.get(e.data) if e.op == "sym" else None for e in exprs]
    return None if any(i is None for i in found) else [i for i in found if i is not None]


def _bits(value: Any) -> Any:
    """How many bits are set."""
    return np.bitwise_count(value) if isinstance(value, int | np.ndarray | np.generic) else jnp.bitwise_count(value)


def _number(value: Any) -> Any:
    """An integer outside jit, else what it is."""
    return int(value) if not isinstance(value, Tracer) and np.ndim(value) == 0 else value
