"""Series that begin in a steady state: `[equilibrate.LABEL]` of `fit.toml` says under which numbers (PEtab calls it
pre-equilibration).

Before such a series the model rests: it starts as it says, under the series' numbers with those of the section in their place,
and nothing is dosed or switched. A start `x(0)` that the data or conditions give to the series is what it then begins with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hybridode.data import columns
from hybridode.data.conditions import settable
from hybridode.data.sources import Knots
from hybridode.declarations import Declarations, entry_names
from hybridode.errors import DataError, Diagnostic

if TYPE_CHECKING:
    from hybridode.data.experiments import Series

Equilibrate = Mapping[str, Mapping[str, float]]  # label of an experiment, or EVERY -> name -> number
EVERY = "*"


@dataclass(frozen=True, eq=False)
class Before:
    """What holds before a series: natural values by entry, constant inputs. `infinity` is the time that stands for it (NaN: not
    known yet)."""

    numbers: Mapping[str, float]
    inputs: Mapping[str, Knots]
    said: Mapping[str, float]  # of these what the section says
    infinity: float = math.nan


def starts_named(sections: Equilibrate) -> frozenset[str]:
    """The starts `x(0)` that sections set."""
    return frozenset(name for values in sections.values() for name in values if "(0)" in name)


def constants_named(declarations: Declarations, sections: Equilibrate) -> frozenset[str]:
    """The constants that sections set."""
    named = {name for values in sections.values() for name in values}
    return frozenset(c.name for c in declarations.constants if not named.isdisjoint(entry_names(c.name, c.shape)))


def with_equilibria(declarations: Declarations, series: Sequence[Series], sections: Equilibrate) -> list[Series]:
    """The series with what holds before them. Raises DataError E0658 for labels and names that are not there."""
    known, names = settable(declarations), [s.name for s in series]
    for label, values in sections.items():
        for name, value in values.items():
            if name not in known:
                hint = columns.near_names(name, known) or f"it can set {columns.listed(known)}"
                raise _wrong(f"equilibrate `{label}`: the model has nothing called `{name}`", hint)
            if isinstance(value, str | bool) or not math.isfinite(value):
                raise _wrong(f"equilibrate `{label}`: `{name}` is {value!r}, no number", "write a finite number")
        if label != EVERY and not any(label in _labels(name) for name in names):
            there = list(dict.fromkeys(x for name in names for x in _labels(name) if x))
            hint = columns.near_names(label, there) or (
                f"its experiments are {columns.listed(there)}"
                if there
                else f'its only series has no name: write `[equilibrate."{EVERY}"]`'
            )
            raise _wrong(f"equilibrate `{label}`: the data have no such experiment", hint)
    return [_before(declarations, s, sections) for s in series]


def about_equilibria(series: Sequence[Series]) -> list[str]:
    """How many series rest under what, in words."""
    under = [", ".join(f"{name} = {value:g}" for name, value in s.before.said.items()) for s in series if s.before is not None]
    return [
        f"{under.count(words)} of {len(series)} series begin in the steady state under {words or 'their own numbers'}"
        for words in dict.fromkeys(under)
    ]


def _labels(name: str) -> list[str]:
    """The names by which a series can be called: all its labels together, and each."""
    return [name, *name.split("/")]


def _before(declarations: Declarations, series: Series, sections: Equilibrate) -> Series:
    label = next((x for x in (*_labels(series.name), EVERY) if x in sections), None)
    if label is None:
        return series
    said = sections[label]
    own = {name: value for name, value in series.numbers.items() if "(0)" not in name}
    signals = {
        entry: column
        for signal in declarations.inputs
        for entry, (source, column) in zip(entry_names(signal.name, signal.shape), signal.columns, strict=True)
        if source == "data"
    }
    numbers = {name: float(value) for name, value in said.items() if name not in signals.values()}
    held = {name: float(said.get(signals.get(name, ""), _at(knots, series.start))) for name, knots in series.inputs.items()}
    times = np.array([series.start, series.start + 1.0])
    inputs = {name: (times, np.array([value, value])) for name, value in held.items()}
    return replace(series, before=Before({**own, **numbers}, inputs, dict(said)))


def _at(knots: Knots, time: float) -> float:
    """The value of an input when a series begins: that of the last knot until then."""
    times, values = knots
    return float(values[max(int(np.searchsorted(times, time, side="right")) - 1, 0)])


def _wrong(message: str, hint: str) -> DataError:
    return DataError(Diagnostic("E0658", message, None, hint))
