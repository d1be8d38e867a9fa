"""What a caller chooses about a solve, and the table of methods. Imports nothing heavy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from hybridode.errors import Diagnostic, UsageError


@dataclass(frozen=True)
class Method:
    """One Runge-Kutta method. `evaluations` of the right-hand side per step, None where Newton's iterations decide; `engines`
    that have it."""

    title: str
    order: int
    implicit: bool
    evaluations: int | None
    engines: tuple[str, ...] = ("diffrax",)


METHODS: dict[str, Method] = {
    "tsit5": Method("Tsit5", 5, False, 6, ("native", "diffrax")),
    "dopri8": Method("Dopri8", 8, False, 13),
    "dop853": Method("DOP853", 8, False, 12, ("native",)),
    "kvaerno3": Method("Kvaerno3", 3, True, None),
    "kvaerno5": Method("Kvaerno5", 5, True, None),
    "kencarp4": Method("KenCarp4", 4, True, None),
    "bosh3": Method("Bogacki-Shampine 3", 3, False, 3, ("native",)),
    "rosenbrock23": Method("Rosenbrock23", 2, True, 3, ("native",)),
    "rodas4": Method("Rodas4", 4, True, 6, ("native",)),
    "rodas5p": Method("Rodas5P", 5, True, 8, ("native",)),
}
ENGINES = ("auto", "native", "diffrax")
GRADIENTS = ("auto", "reverse", "forward", "adjoint")
DTYPES = ("float64", "float32")
KEPT = ("all", "sqrt")  # or a number: how many states of a solve are kept for its derivatives
LEAST_KEPT = 2


@dataclass(frozen=True)
class Settings:
    """Settings of a solve; hashable, so that a compiled program can be kept by them.

    `checkpoints`: what is kept of a solve for its derivatives. "all": every step (quickest); "sqrt": as many states as the square
    root of the number of steps; a number: so many states at most, whatever the steps. What lies between is solved again.
    A step is accepted when its estimated error is below `atol + rtol*|y|` in the root mean square over the states.
    Raises `UsageError` E0820 (a word that is not known) or E0821 (a number that makes no sense).
    """

    engine: str = "auto"
    method: str = "auto"
    gradient: str = "auto"
    rtol: float = 1e-6
    atol: float = 1e-8
    max_steps: int = 65536
    dtype: str = "float64"
    checkpoints: str | int = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", _one_of("method", self.method, ("auto", *METHODS)))
        object.__setattr__(self, "engine", _one_of("engine", self.engine, ENGINES))
        object.__setattr__(self, "gradient", _one_of("gradient", self.gradient, GRADIENTS))
        object.__setattr__(self, "dtype", _one_of("dtype", self.dtype, DTYPES))
        for name in ("rtol", "atol"):
            value = float(getattr(self, name))
            if not (math.isfinite(value) and value >= 0):
                raise _bad_number(name, value, "a positive number such as 1e-6")
            object.__setattr__(self, name, value)
        if self.rtol >= 1:
            raise _bad_number("rtol", self.rtol, "a number below 1, such as 1e-6: it is the relative error of a step")
        if self.rtol == 0 and self.atol == 0:
            raise _bad_number("rtol", 0.0, "at least one of rtol and atol above 0")
        if int(self.max_steps) < 1:
            raise _bad_number("max_steps", self.max_steps, "a whole number of at least 1")
        object.__setattr__(self, "max_steps", int(self.max_steps))
        object.__setattr__(self, "checkpoints", _kept(self.checkpoints))


def _one_of(what: str, word: str, allowed: Iterable[str]) -> str:
    allowed = tuple(allowed)
    if isinstance(word, str) and word.lower() in allowed:
        return word.lower()
    near = difflib.get_close_matches(str(word).lower(), allowed, 1)
    hint = f"did you mean `{near[0]}`?" if near else "one of " + ", ".join(allowed)
    raise UsageError(Diagnostic("E0820", f"unknown {what} `{word}`", hint=hint))


def _kept(chosen: str | int) -> str | int:
    if isinstance(chosen, str) and not chosen.strip().isdecimal():
        return _one_of("checkpoints", chosen, KEPT)
    if (isinstance(chosen, float) and not chosen.is_integer()) or int(chosen) < LEAST_KEPT:
        raise _bad_number("checkpoints", float(chosen), f"`all`, `sqrt` or a whole number of at least {LEAST_KEPT}")
    return int(chosen)


def _bad_number(name: str, value: float, expected: str) -> UsageError:
    return UsageError(Diagnostic("E0821", f"{name} = {value:g} makes no sense", hint=f"give {expected}"))
