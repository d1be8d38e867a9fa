"""The doses of one series: what the records say, and when they fall, as firings beside those of `at` statements.

A bolus adds its amount to a state. An infusion raises the state's rate of infusion (a discrete state, see `declarations.Dose`)
when it begins and lowers it when it ends. Bioavailability multiplies the amount: with a rate in the record the rate is kept and
the duration scales, with a duration the duration is kept (rules F1). Lag shifts all of it. Everything is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hybridode.declarations import DoseForm
from hybridode.solve.pytree import pytree
from hybridode.types import AnyArray, Array

if TYPE_CHECKING:
    from hybridode.solve.problem import Arguments


@pytree
class Doses:
    """R doses, in the order of the rows, repetitions (ADDL) written out. A pytree of floats only, padded with `DoseForm.UNUSED`.

    time (R,) as recorded, before the lag; amount (R,); statement (R,): number of the `dose` statement; form (R,): a
    `DoseForm`; value (R,): the rate or the duration that the record says, else 0. interval (K,): K is 1 where series begin in
    a steady state; then the first dose has been given forever in this interval, or 0: not in this series.
    """

    time: AnyArray
    amount: AnyArray
    statement: AnyArray
    form: AnyArray
    value: AnyArray
    interval: AnyArray


@dataclass(frozen=True)
class DoseTable:
    """The `dose` statements of a model. `options(args)` -> (D, 4): lag, bioavailability, rate, duration of each; bolus[d] and
    infusion[d] (-1: none): the statements of `EventTable` that add to the state, and to its rate of infusion."""

    options: Callable[[Arguments], Array]
    bolus: tuple[int, ...]
    infusion: tuple[int, ...]

    @property
    def infused(self) -> bool:
        """Whether there are infusions."""
        return any(k >= 0 for k in self.infusion)

    def firings(self, doses: Doses | None) -> int:
        """How many firings the doses of one series provide for."""
        return 0 if doses is None else doses.time.shape[-1] * (2 if self.infused else 1)


class Fallen(NamedTuple):
    """Firings of doses, in the order of the records, ends of infusions last: all (F,). `sound`: no option is impossible."""

    times: Any
    used: Any
    statements: Any
    amounts: Any
    sound: Any


def no_doses(count: int = 0, steady: bool = False) -> Doses:
    """A series without doses, padded to so many."""
    nothing = np.zeros(count)
    return Doses(nothing, nothing, nothing, nothing, nothing, np.zeros(int(steady)))


def fallen(table: DoseTable, doses: Doses, options: Any, xp: Any) -> Fallen:
    """When doses fall at these options (D, 4) and what they add, in NumPy or JAX (`xp`)."""
    f, which = DoseForm, xp.asarray(doses.statement).astype(int)
    lag, bioavailability, rate, duration = (xp.asarray(options)[which, k] for k in range(4))
    form, value, used = xp.asarray(doses.form), xp.asarray(doses.value), xp.asarray(doses.form) != f.UNUSED
    amount = bioavailability * doses.amount
    by_rate, by_duration = (form == f.RATE) | (form == f.MODELLED_RATE), (form == f.DURATION) | (form == f.MODELLED_DURATION)
    speed = xp.where(form == f.RATE, value, rate)
    length = xp.where(form == f.DURATION, value, duration)
    sound = ~used | ((lag >= 0) & (bioavailability >= 0) & (~by_rate | (speed > 0)) & (~by_duration | (length > 0)))
    speed = xp.where(by_rate, speed, amount / xp.where(by_duration & (length > 0), length, 1.0))
    length = xp.where(by_duration, length, amount / xp.where(by_rate & (speed > 0), speed, 1.0))
    begins, bolus = doses.time + lag, form == f.BOLUS
    statements = xp.asarray(np.asarray(table.bolus, int))[which]
    if not table.infused:
        return Fallen(begins, used, statements, amount, xp.all(sound))
    flows = xp.asarray(np.asarray(table.infusion, int))[which]
    return Fallen(
        xp.concatenate([begins, begins + length]),
        xp.concatenate([used, used & ~bolus]),
        xp.concatenate([xp.where(bolus, statements, flows), flows]),
        xp.concatenate([xp.where(bolus, amount, speed), -speed]),
        xp.all(sound),
    )


def stack_doses(each: Sequence[Doses | None]) -> Doses | None:
    """The doses of several series with a leading axis, padded to the longest; None where no series has any."""
    present = [d for d in each if d is not None]
    if not present:
        return None
    count, steady = max(d.time.shape[0] for d in present), any(d.interval.shape[0] for d in present)
    rows = [no_doses(count, steady) if d is None else _padded(d, count, steady) for d in each]
    return Doses(**{f.name: np.stack([np.asarray(getattr(row, f.name)) for row in rows]) for f in fields(Doses)})


def _padded(doses: Doses, count: int, steady: bool) -> Doses:
    def longer(a: AnyArray, n: int) -> AnyArray:
        return np.pad(np.asarray(a, float), (0, n - len(a)))

    names = ("time", "amount", "statement", "form", "value")
    return Doses(**{name: longer(getattr(doses, name), count) for name in names}, interval=longer(doses.interval, int(steady)))
