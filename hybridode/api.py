"""The public interface: `load`, `parse` and `Model`. Nothing heavy is imported before something is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.api_after import AfterFit
from hybridode.declarations import Declarations, entry_names
from hybridode.errors import Diagnostic, Source, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

    from hybridode.data.experiments import Dataset
    from hybridode.discover.discovery import Discovery
    from hybridode.fit.criticism.baselines import Baselines
    from hybridode.fit.criticism.hold_outs import HoldOuts
    from hybridode.fit.criticism.residual_tests import ResidualTests
    from hybridode.fit.run import FitRun
    from hybridode.fit.trainable import TrainableModel
    from hybridode.solve.problem import Arguments, Compiled
    from hybridode.solve.settings import Settings
    from hybridode.solve.solution import Solution
    from hybridode.solve.solver import Solver
    from hybridode.solve.vector_field import VectorField

    Data = str | Path | pd.DataFrame


def load(path: str | Path) -> Model:
    """The model in a file. Raises ModelError with everything that is wrong in it, UsageError when it cannot be read."""
    from hybridode.language.check import declare
    from hybridode.language.reader import load as read

    return Model(declare(read(path)))


def parse(text: str, name: str = "model.ode") -> Model:
    """The model in a text; `name` stands in messages, and files that it names are looked for beside it."""
    from hybridode.language.check import declare

    return Model(declare(Source(name, text)))


def open_run(directory: str | Path) -> Run:
    """The fit behind a run directory, as `fit` returned it: it can be profiled, sampled, predicted and refitted.

    Raises DataError E0807 (no complete run), E0811 (files that the fit read are missing in it)."""
    from hybridode.report.opened import open_run as opened

    declarations, fitted = opened(directory)
    return Run(Model(declarations), fitted)


class Model:
    """A checked model. Immutable; what is compiled for it is kept with it."""

    def __init__(self, declarations: Declarations, weights: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.declarations = declarations
        self._weights = weights  # of the networks, where they are not those that the text says
        self._compiled: dict[tuple[frozenset[str], tuple[bool, ...]], Compiled] = {}

    @property
    def name(self) -> str:
        return self.declarations.name

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What the checker found suspicious."""
        return self.declarations.warnings

    def __repr__(self) -> str:
        d = self.declarations
        counts = ((len(d.states), "state"), (len(d.parameters), "parameter"), (len(d.networks), "network"))
        return f"<Model {d.name}: {', '.join(f'{n} {what}' + 's' * (n != 1) for n, what in counts if n)}>"

    # ---- solving ----------------------------------------------------------------------------------------------------
    def simulate(
        self,
        to: float | None = None,
        points: int | None = None,
        at: Sequence[float] | None = None,
        set: Mapping[str, Any] | None = None,
        data: Data | None = None,
        start: Any = None,
        *,
        sources: Mapping[str, Data] | None = None,
        series: str | None = None,
        groups: Mapping[str, str] | None = None,
        engine: str = "auto",
        method: str = "auto",
        rtol: float | None = None,
        atol: float | None = None,
        max_steps: int = 65536,
        check: bool = True,
        **names: Any,
    ) -> Solution:
        """Integrates the model once, in float64 whatever JAX's flag is, and returns NumPy arrays.

        to, points: report `points` (200) evenly spaced times up to `to` (the last time of the data); at: these times instead.
        set: other values of params, consts and starts (`x(0)`); `simulate(to=5, alpha=2)` is short for `set={"alpha": 2}`.
        data: a CSV file or DataFrame that the inputs (and columns named as params) are read from; sources: files by the names
        that inputs read from; series: which, if the data has several; groups: the label by column after `by` (else the values
        that stand for all groups). start: the start time (`from` in the model, else the
        first row of the data, else 0), or a mapping of start values by state (and of the time by its name), or the whole
        state. method: see `hybridode.solve.settings`. Raises NumericsError with the partial solution when the solve fails,
        unless check=False.
        """
        from hybridode.solve.pytree import is_traced
        from hybridode.solve.solver import simulate_once
        from hybridode.solve.starts import start_of
        from hybridode.solve.times import times_to_report

        values = {**(set or {}), **names}
        if is_traced(values, start, at, to):
            message = "simulate computes numbers: it cannot stand inside jit, grad or vmap"
            raise UsageError(Diagnostic("E0831", message, hint="make a pure function with model.solver(at=…)"))
        settings = _settings(engine=engine, method=method, rtol=rtol, atol=atol, max_steps=max_steps)
        compiled, args, t0, given, last = self._numbers(values, data, sources, series, groups)
        t0, starts = start_of(compiled, start, t0)
        times = times_to_report(float(t0), to, points, at, last)
        return simulate_once(compiled, args, float(t0), times, settings, {**given, **starts}, check)

    def solver(
        self,
        at: Any = None,
        rtol: float | None = None,
        atol: float | None = None,
        engine: str = "auto",
        method: str = "auto",
        gradient: str = "auto",
        set: Mapping[str, Any] | None = None,
        data: Data | None = None,
        start: Any = None,
        *,
        sources: Mapping[str, Data] | None = None,
        series: str | None = None,
        groups: Mapping[str, str] | None = None,
        max_steps: int = 65536,
        dtype: str | None = None,
        checkpoints: str | int = "all",
    ) -> Solver:
        """A pure function `solve(params, start=None, inputs=None, at=None) -> Solution` for jit, vmap and derivatives.

        Method and gradient are fixed here, at the declared values (`set` replaces fixed values too). gradient: "reverse" ("auto")
        for grad, vjp, jacrev; "forward" for jvp, jacfwd; "adjoint" for grad with memory that does not grow. checkpoints: what
        derivatives keep of a solve, "all" its steps, "sqrt" of them, or a number of states: what lies between is solved again.
        Precision follows JAX's flag unless `dtype` says otherwise; raises UsageError E0830 when single precision cannot meet
        rtol.
        """
        from hybridode.solve.solver import Solver, check_precision
        from hybridode.solve.starts import start_of

        chosen = _settings(engine=engine, method=method, gradient=gradient, rtol=rtol, atol=atol, max_steps=max_steps,
                           checkpoints=checkpoints)  # fmt: skip
        settings = check_precision(chosen, dtype)
        compiled, args, t0, given, _ = self._numbers(set or {}, data, sources, series, groups, stand_in=True)
        t0, starts = start_of(compiled, start, t0)
        needs_inputs = bool(self.declarations.inputs) and data is None and not sources
        return Solver(compiled, args, settings, float(t0), at, {**given, **starts}, needs_inputs)

    def module(self, key: Any = None, **options: Any) -> TrainableModel:
        """The model as an Equinox module with unconstrained leaves: `module(start=None, inputs=None, at=None) -> Solution`.

        key: a JAX key (or an integer) from which networks are initialised; as declared without. options: those of `solver`.
        """
        from hybridode.fit.trainable import trainable

        return trainable(self.solver(**options), _seed(key))

    def parameters(self) -> dict[str, Any]:
        """Trainable values in natural units by name: `{"alpha": array, "x(0)": learnt start, "U": {"W0": (out, in), …}}`."""
        import jax.numpy as jnp

        from hybridode.networks.weights import first_weights

        d = self.declarations
        values: dict[str, Any] = {p.name: jnp.asarray(p.values, float).reshape(p.shape) for p in d.parameters if not p.fixed}
        weights = first_weights(d) if self._weights is None else self._weights
        for n in d.networks:
            if not n.freeze:
                values[n.name] = {k: jnp.asarray(a, float) for k, a in weights[n.name].items() if k[0] in "Wb"}
        return values

    @property
    def vector_field(self) -> VectorField:
        """The right-hand side `f(t, y, args=None)` as an Equinox module. Raises UsageError E0825 if the model has inputs."""
        return self.field()

    def field(
        self, data: Data | None = None, sources: Mapping[str, Data] | None = None, series: str | None = None
    ) -> VectorField:
        """`vector_field` of a model with inputs, which are read from these files."""
        from hybridode.solve.vector_field import VectorField

        compiled, args, _, _, _ = self._numbers({}, data, sources, series)
        return VectorField(args, compiled)

    # ---- looking ----------------------------------------------------------------------------------------------------
    def show(self, stage: str = "equations") -> str:
        """What a stage of the compiler makes of the model, as text: tree, model, equations, jacobian, tape, jax."""
        from hybridode.show import show

        return show(self.declarations, stage)

    # ---- shared -----------------------------------------------------------------------------------------------------
    def compiled(self, promoted: frozenset[str] = frozenset(), declarations: Declarations | None = None) -> Compiled:
        """The compiled model, in which the constants named are parameters; made once. `declarations`: with infusions of data."""
        from hybridode.compile import compile_model

        declarations = declarations or self.declarations
        key = promoted, tuple([dose.infused for dose in declarations.doses])
        if key not in self._compiled:
            self._compiled[key] = compile_model(declarations, promoted)
        return self._compiled[key]

    def _numbers(
        self,
        values: Mapping[str, Any],
        data: Data | None,
        sources: Mapping[str, Data] | None,
        series: str | None,
        groups: Mapping[str, str] | None = None,
        stand_in: bool = False,
    ) -> tuple[Compiled, Arguments, float, dict[int, Any], float | None]:
        """(compiled, arguments, start time, start values by place, last time of the data)."""
        from hybridode.solve.defaults import default_arguments
        from hybridode.solve.doses import Doses
        from hybridode.solve.starts import spread, state_places

        d = self.declarations
        needs_files = data is not None or sources or any(source != "data" for i in d.inputs for source, _ in i.columns)
        found = None
        if needs_files:
            from hybridode.data.given import given_by

            found = given_by(d, data, sources, series)
        if any(p.by for p in d.parameters) or groups:
            from hybridode.data.groups import with_groups

            values = with_groups(d, {**(found.labels if found else {}), **(groups or {})}, values)
        values = {**(found.numbers if found else {}), **values}
        constants = {name: c.name for c in d.constants for name in (c.name, *entry_names(c.name, c.shape))}
        promoted = frozenset(constants[name] for name in values if name in constants)
        compiled = self.compiled(promoted, found.declarations if found else None)
        places = state_places(compiled)
        starts: dict[int, Any] = {}
        for name in [
            n for n in values if n not in compiled.parameter_slices and n.removesuffix("(0)") in places and n.endswith("(0)")
        ]:
            starts |= spread(name, places[name.removesuffix("(0)")], values.pop(name))
        inputs = dict(found.inputs) if found else {}
        args = default_arguments(compiled.system, values, inputs, stand_in=stand_in and not inputs, weights=self._weights)
        if found is not None and found.doses is not None:
            args = replace(args, doses=Doses(**vars(found.doses)))
        t0, last = 0.0, None
        if found is not None and len(found.times):
            t0, last = float(found.times[0]), float(found.times[-1])
        if d.time_origin is not None:
            from hybridode.data.columns import symbols_of_constants
            from hybridode.data.evaluate import constant_value

            t0 = float(constant_value(d.time_origin, symbols_of_constants(d)) or 0.0)
        return compiled, args, t0, starts, last


class Run(AfterFit):
    """A finished fit: `model` (fitted), `parameters`, `result` (the content of result.json), tables, and `save(directory)`.

    `predictions`, `residuals`, `trace`, `parameters_table` are DataFrames (docs/run-directory.md), `log` lines in words,
    `weights` the networks' arrays by name, `fitted` everything else that the fit knows.
    """

    def __init__(self, model: Model, fitted: FitRun) -> None:
        self.fitted = fitted
        self.parameters = fitted.parameters
        self.weights = fitted.weights
        self.result = fitted.result
        self.status: str = fitted.result["status"]
        self.predictions = fitted.predictions
        self.residuals = fitted.residuals
        self.trace = fitted.trace
        self.parameters_table = fitted.parameters_table
        self.log = fitted.log
        self._model = model

    @property
    def model(self) -> Model:
        """The model at the fitted values and weights: what `fitted.ode` says. A fit of it goes on from there."""
        from hybridode.fit.outcome.fitted import fitted_declarations

        d = fitted_declarations(self.fitted)
        return Model(d, self.weights if d.networks else None)

    def discover(self, *, seed: int = 0, symbolic: bool = False, max_seconds: float | None = None) -> Discovery:
        """Which formula the data support in the place of the networks: `sentences`, `candidates`, `fit` (docs/discovery.md).

        Raises UsageError E0795 (no network), E0796 (a network of vectors), E0797 (nothing to start from), E0798 (no PySR)."""
        from hybridode.discover.discovery import discover
        from hybridode.language.check import declare
        from hybridode.report.run_directory import model_text

        text = Source(self._model.declarations.source.name, model_text(self.fitted))
        return discover(self.fitted, declare(text), seed=seed, symbolic=symbolic, max_seconds=max_seconds)

    def residual_tests(self) -> ResidualTests:
        """Whether the residuals are what the noise model says: `tests`, `wrong` and `sentences` in words."""
        from hybridode.fit.criticism.residual_tests import residual_tests

        finished = self._finished("residual tests")
        return residual_tests(finished.prepared, finished.theta)

    def hold_outs(self, what: str = "time", max_seconds: float | None = None) -> HoldOuts:
        """Refits without some records and how those are predicted. what: `series`, `series:4`, `series:NAME`, `last:5`, `time:3`.

        Raises UsageError E0790 for records that cannot be held out."""
        from hybridode.fit.criticism.hold_outs import hold_outs

        finished = self._finished("hold-outs")
        return hold_outs(finished.prepared, finished.theta, what, max_seconds)

    def baselines(self, max_seconds: float | None = None) -> Baselines:
        """Of a hybrid: the physics alone, a network alone and a constant on the same data; `verdict` in words."""
        from hybridode.fit.criticism.baselines import baselines

        self._finished("baselines")
        if all(n.freeze for n in self.fitted.dataset.declarations.networks):
            raise UsageError(Diagnostic("E0791", "the model has no networks: there are no baselines"))
        return baselines(self.fitted, max_seconds)

    def save(self, directory: str | Path) -> Path:
        """Writes the run directory (result.json, fitted.ode, tables, report) and returns it. Raises UsageError E0806, E0809."""
        from hybridode.report.run_directory import new_directory, write_run

        return write_run(self.fitted, new_directory(Path(self._model.declarations.source.name), Path(directory)))

    def __repr__(self) -> str:
        from hybridode.report.ending import ending_text

        return f"Fit of {self._model.name}\n\n{ending_text(self.fitted)}"

    def _repr_html_(self) -> str:
        """What a notebook shows: parameters, statistics and the figures of data and fit."""
        from hybridode.report.notebook import notebook_html

        return notebook_html(self._model.name, self.fitted)


def fit(
    model: Model | str | Path,
    data: Data | Dataset,
    settings_file: str | Path | None = None,
    executor: Executor | None = None,
    **options: Any,
) -> Run:
    """Fits a model (or the one in a file) to data: a path, a DataFrame or a dictionary of columns. Options are those of
    `hybridode.fit.run.fit` (set, fix, starts, seed, hold_out, columns, …).

    settings_file: a `fit.toml` (docs/fit-settings.md); options given here win over it. None is looked for by itself.
    executor: any `concurrent.futures.Executor`, whose processes or threads evaluate the points of the search; the result is the
    same to the last bit.
    """
    from hybridode.fit.run import fit as run_fit

    if isinstance(model, str | Path):
        model = load(model)
    if isinstance(options.get("settings"), Mapping):
        options["settings"] = _settings(**options["settings"])
    if executor is not None:
        from hybridode.fit.workers import spreading

        options["spread"] = spreading(executor)

    if settings_file is not None:
        from hybridode.data.experiments import Dataset, experiments
        from hybridode.data.fit_file import READING, check_names_of, merged, read_fit_file

        file = read_fit_file(settings_file)
        if not isinstance(options.get("fix") or {}, Mapping):
            options["fix"] = dict.fromkeys(options["fix"])
        own = options.pop("settings", None)
        options = merged(file, options)
        options["settings"] = own or _settings(**options.get("settings", {}))
        if not isinstance(data, Dataset):
            reading = {ours: options.pop(theirs) for theirs, ours in READING.items() if theirs in options}
            data = experiments(model.declarations, data, folder=Path(model.declarations.source.name).parent, **reading)
        check_names_of(file, data.declarations, data.groups)
    return Run(model, run_fit(model, data, **options))


def _settings(**chosen: Any) -> Settings:
    from hybridode.solve.settings import Settings

    return Settings(**{name: value for name, value in chosen.items() if value is not None})


def _seed(key: Any) -> int | None:
    """A seed for the networks from a JAX key or an integer."""
    if key is None or isinstance(key, int):
        return key
    import jax

    return int(jax.random.randint(key, (), 0, 2**31 - 1))


__all__ = ["Model", "Run", "fit", "load", "open_run", "parse"]
