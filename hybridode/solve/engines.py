"""Which engine solves: the native one wherever it can, else Diffrax, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hybridode.errors import Diagnostic, UsageError
from hybridode.solve import native
from hybridode.solve.constrained import cannot_constrain, is_constrained
from hybridode.solve.events import EventPlan
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import Raw
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.steady import begins_steady, steady_start, with_code
from hybridode.solve.stiffness import choose_method
from hybridode.types import FloatArray


@dataclass(frozen=True)
class Choice:
    """Engine and method of a solve, with the reason in words. `settings` are the caller's with both filled in."""

    settings: Settings
    reason: str
    steps: int = 0  # that a solve at these numbers is expected to take, 0 where that was not measured

    @property
    def method(self) -> str:
        return self.settings.method


def choose(compiled: Compiled, args: Arguments, t0: float, t1: float, settings: Settings, y0: FloatArray | None = None) -> Choice:
    """Engine and method for a solve from t0 to t1 at these concrete numbers.

    Raises `UsageError` E0840 when the engine or method that was asked for cannot solve this model.
    """
    engine, why = engine_for(compiled, settings)
    method, reason, measured = choose_method(compiled, args, t0, t1, settings, y0)
    words = "; ".join(x for x in (reason, why) if x)
    found = chosen(engine, method, words, settings, compiled.tapes["rates"].count() if compiled.size else 0)
    needed = [measured.get("accuracy_steps", 0)] + [measured.get("stability_steps", 0)] * (not METHODS[found.method].implicit)
    return replace(found, steps=int(max(needed)))


def chosen(engine: str, method: str, reason: str, settings: Settings, instructions: int = 0) -> Choice:
    """The choice of this method, or of the engine's own of its kind (see `native.method_for`)."""
    method = native.method_for(method, settings, instructions) if engine == "native" else method
    return Choice(replace(settings, engine=engine, method=method), reason)


def engine_for(compiled: Compiled, settings: Settings) -> tuple[str, str]:
    """(engine, why not the native one, in words). Raises `UsageError` E0840, see `choose`."""
    only_native = settings.method != "auto" and "diffrax" not in METHODS[settings.method].engines
    unsolvable = cannot_constrain(compiled, settings.method)
    if unsolvable is not None:
        raise _refused(settings.engine, unsolvable, 'use method="auto"')
    if settings.engine == "diffrax":
        if is_constrained(compiled):
            raise _refused("diffrax", "its algebraic equations are the native engine's", 'use engine="native"')
        if compiled.system.when_events:
            raise _refused("diffrax", "the events of this model are located by the native engine only", 'use engine="native"')
        if only_native:
            raise _refused("diffrax", f"method {METHODS[settings.method].title} is the native engine's", 'use engine="native"')
        _check_kept(settings, "")
        return "diffrax", "engine diffrax was asked for"
    reason = native.cannot_run(compiled, settings)
    if reason is None:
        return "native", ""
    if compiled.system.when_events:
        known = "`at` statements" in reason and is_constrained(compiled)
        hint = f"write the known time as a condition: `event e when {compiled.declarations.time} > 5 {{ … }}`" if known else ""
        raise _refused("native", f"{reason}, and other engines do not locate events", hint)
    if is_constrained(compiled):
        raise _refused("native", f"{reason}, and the algebraic equations of this model are the native engine's only", "")
    if settings.engine == "native" or only_native:
        raise _refused("native", reason, 'use engine="auto" or "diffrax"')
    _check_kept(settings, f", and {reason}")
    return "diffrax", f"Diffrax, because {reason}"


def _check_kept(settings: Settings, why: str) -> None:
    if settings.checkpoints == "sqrt":
        raise _refused("diffrax", f'checkpoints="sqrt" is the native engine\'s{why}', "give the number of checkpoints")


def _from_steady(compiled: Compiled, args: Arguments, t0: Any, ts: Any, method: str, settings: Settings, gradient: str, y0: Any,
                 events: EventPlan | None) -> Raw:  # fmt: skip
    """One solve from the steady state under the first dose."""
    import jax.numpy as jnp

    t0 = jnp.asarray(t0, jnp.result_type(args.parameters))
    start = compiled.start(t0, args.at_start(t0)) if y0 is None else jnp.asarray(y0, t0.dtype)

    def solve(args: Arguments, ts: Any, y0: Any, gradient: str, plan: EventPlan) -> Raw:
        return integrate(compiled, args, t0, ts, method, settings, gradient, y0, plan)

    found, code = steady_start(compiled, args, t0, start, solve, gradient)
    doses = args.doses
    assert doses is not None
    args = replace(args, doses=replace(doses, interval=doses.interval[:0]))
    return with_code(integrate(compiled, args, t0, ts, method, settings, gradient, found, events), code)


def _refused(engine: str, reason: str, hint: str) -> UsageError:
    return UsageError(Diagnostic("E0840", f"the engine {engine} cannot solve this: {reason}", hint=hint))


def integrate(compiled: Compiled, args: Arguments, t0: Any, ts: Any, method: str, settings: Settings, gradient: str = "reverse",
              y0: Any = None, events: EventPlan | None = None) -> Raw:  # fmt: skip
    """One solve by `settings.engine` (as `choose` filled it in): see `diffrax.integrate`, `native.integrate`."""
    if begins_steady(args):
        return _from_steady(compiled, args, t0, ts, method, settings, gradient, y0, events)
    if settings.engine == "native":
        return native.integrate(compiled, args, t0, ts, method, settings, gradient, y0, events)
    from hybridode.solve import diffrax

    return diffrax.integrate(compiled, args, t0, ts, method, settings, gradient, y0, events)
