"""`hybridode simulate`: integrates a model as it stands; and `hybridode predict`, the same for a fitted one."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.commands.options import numbers, numbers_by_name, pairs
from hybridode.commands.output import Output
from hybridode.errors import Diagnostic, NumericsError, UsageError
from hybridode.report.plain import short, table

if TYPE_CHECKING:
    import pandas as pd

    from hybridode.declarations import Declarations

PICTURES = ("svg", "png", "pdf")
POINTS = 201  # reported times by default: steps in round numbers
SHOWN = 11  # rows of the table on the screen


@dataclass(frozen=True)
class SimulateOptions:
    """The options of `hybridode simulate` as given."""

    to: float | None = None
    points: int | None = None
    at: str | None = None
    set: tuple[str, ...] = ()
    data: str | None = None
    sources: tuple[str, ...] = ()
    output: str | None = None
    plot: str | None = None
    series: str | None = None
    groups: tuple[str, ...] = ()
    start: float | None = None
    begins: Mapping[str, float] = field(default_factory=dict)  # states of a series that begins in a steady state, under `set`
    values: Mapping[str, float] = field(default_factory=dict)  # those of a series, under what `set` says
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of observed columns, the names of classes
    observed: bool = False  # add the observed columns with their 95 % bands
    settings: dict[str, Any] = field(default_factory=dict)  # engine, method, rtol, atol


def simulate(model: str, options: SimulateOptions, output: Output) -> int:
    """Integrates; writes `-o` and `--plot`; shows a short table. A failed solve keeps what was computed (exit code 3)."""
    set_ = numbers_by_name("--set", options.set)
    sources = pairs("--source", options.sources)
    at = numbers("--at", options.at) if options.at is not None else None
    _check_times(options, at)
    from hybridode.api import load

    loaded = load(model)
    output.diagnostics(loaded.warnings)
    groups = pairs("--group", options.groups)
    _say_middle(loaded.declarations, groups, options, output)
    points = POINTS if options.points is None and at is None else options.points
    from hybridode.solve.switches import Chattering

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Chattering)  # `_deliver` shows them as remarks
            solution = loaded.simulate(
                to=options.to,
                points=points,
                at=at,
                set={**options.values, **set_},
                data=options.data,
                sources=sources,
                series=options.series if options.data is not None else None,
                groups=groups,
                start=_start(loaded.declarations.time, options, set_),
                **options.settings,
            )
    except NumericsError as error:
        if error.partial is not None:
            _deliver(error.partial, options, output)
        raise
    _deliver(solution, options, output)
    return 0


def _say_middle(declarations: Declarations, groups: Mapping[str, str], options: SimulateOptions, output: Output) -> None:
    """A value that stands for several groups is no group's: said, unless a group was chosen."""
    for p in declarations.parameters:
        if p.groups and p.by not in groups and options.data is None:
            known = ", ".join(f"`{label}`" for label, _ in p.groups[:8])
            output.note(f"note: `{p.name}` has values by `{p.by}` ({known}); the one in front stands for all: "
                        f"choose with --group {p.by}=LABEL")  # fmt: skip


def _start(time: str, options: SimulateOptions, set_: Mapping[str, Any]) -> Any:
    """The time of the start, or that with the states there."""
    begins = {state: value for state, value in options.begins.items() if value is not None and f"{state}(0)" not in set_}
    return options.start if not begins else {**begins, **({} if options.start is None else {time: options.start})}


def _check_times(options: SimulateOptions, at: list[float] | None) -> None:
    if options.to is None and at is None and options.data is None:
        raise UsageError(Diagnostic("E0805", "it is not said how far to simulate", hint="add `--to TIME` or `--at T1,T2,…`"))
    if options.to is not None and not math.isfinite(options.to):
        raise UsageError(Diagnostic("E0805", f"--to {options.to} makes no sense", hint="give a finite time"))
    if options.points is not None and options.points < 2:
        raise UsageError(Diagnostic("E0805", f"--points {options.points} makes no sense", hint="at least 2 points"))
    if options.plot is not None and Path(options.plot).suffix.lstrip(".").lower() not in PICTURES:
        message = f"`--plot {options.plot}`: the ending names no picture format that can be written"
        raise UsageError(Diagnostic("E0810", message, hint=f"one of .{', .'.join(PICTURES)}"))


def _deliver(solution: Any, options: SimulateOptions, output: Output) -> None:
    """Writes and shows a solution, complete or not."""
    rows = solution.to_pandas()
    if options.observed:
        add_observed(rows, solution, options.classes)
    if options.output == "-":
        print(rows.to_csv(index=False, lineterminator="\n"), end="")
    elif options.output is not None:
        write_table(rows, Path(options.output))
        output.result(f"wrote {options.output} ({len(rows)} rows)")
    if options.plot is not None:
        write_picture(solution, Path(options.plot))
        output.result(f"wrote {options.plot}")
    output.data(
        {
            "ok": bool(solution.successful),
            "columns": {str(name): rows[name].tolist() for name in rows.columns},
            "t_end": float(solution.t_end),
            "stats": solution.stats,
            "diagnostics": [d.as_dict() for d in solution.remarks],
        }
    )
    if options.output is None:
        output.result(short_table(rows))
    if solution.successful:
        output.diagnostics(solution.remarks)
    output.detail("\n".join(f"{name}: {value}" for name, value in solution.stats.items()))


def add_observed(rows: pd.DataFrame, solution: Any, classes: Mapping[str, Sequence[str]]) -> None:
    """Adds `COLUMN.observed` (median, mean or probability) with the bounds that hold 95 % of new observations; of `classes`
    `COLUMN[REM].observed`, …"""
    import numpy as np

    from hybridode.fit.objective.bands import bands
    from hybridode.fit.objective.noise import noise_of

    compiled = solution.about.compiled
    arguments = np.asarray(solution.observables())
    for observation in compiled.system.observations:
        places = [compiled.observable_index[observation.column, name] for name in observation.names]
        noise = noise_of(observation.distribution, observation.names)
        for band in bands(noise, observation.column, [arguments[:, i] for i in places], classes.get(observation.column, ())):
            rows[f"{band.column}.observed"] = band.location
            rows[f"{band.column}.lower95"], rows[f"{band.column}.upper95"] = band.lower, band.upper


def short_table(rows: pd.DataFrame) -> str:
    """At most SHOWN rows, evenly chosen, first and last among them."""
    count = len(rows)
    chosen = sorted({round(i * (count - 1) / (SHOWN - 1)) for i in range(SHOWN)}) if count > SHOWN else range(count)
    cells = [[short(value, 6) for value in rows.iloc[i]] for i in chosen]
    text = table([str(c) for c in rows.columns], cells, frozenset(range(len(rows.columns))))
    return text if count <= SHOWN else f"{text}\n({len(chosen)} of {count} rows; `-o out.csv` writes all)"


def write_table(rows: pd.DataFrame, path: Path) -> None:
    """A table as CSV. Raises UsageError E0809."""
    from hybridode.report.run_directory import table_text, write_atomically

    write_atomically(path, table_text(rows).encode("utf-8"))


def write_picture(solution: Any, path: Path) -> None:
    """The solution's plot in the format of the file's ending. Raises UsageError E0809."""
    from hybridode.report.run_directory import write_atomically

    picture = io.BytesIO()
    ending = path.suffix.lstrip(".").lower()
    solution.plot().savefig(picture, format=ending, metadata={"Date": None} if ending == "svg" else None)
    write_atomically(path, picture.getvalue())
