"""How the sensitivities of a fit's predictions are computed: forwards, a tangent per number that is learnt, or backwards, an
adjoint per prediction. Counted in instructions of the step that a solve's derivative repeats."""

from __future__ import annotations

from dataclasses import dataclass

from hybridode.solve.native import program_of
from hybridode.solve.problem import Compiled

_WORTH = 1.5  # how many times cheaper the way back has to be: what is not counted (save points, XLA) is on its side


@dataclass(frozen=True)
class Mode:
    """`forward`, and why in words."""

    forward: bool
    reason: str


def cheaper_mode(compiled: Compiled, engine: str, method: str, numbers: int, predictions: int, series: int) -> Mode:
    """For `numbers` that are learnt and `predictions` in each of `series` (of which an adjoint goes through all)."""
    backward = predictions * series
    if engine != "native":
        return Mode(True, "forward: Diffrax's reverse mode is one prediction at a time")
    if backward >= numbers or compiled.size == 0:
        return Mode(True, f"forward: {numbers} tangents a solve (backward: {backward} adjoints)")
    tapes = program_of(compiled, method).method
    forwards, backwards = numbers * tapes.tangent.count(), backward * tapes.backward.count()
    words = f"{numbers} tangents would take {forwards} instructions a step, {backward} adjoints {backwards}"
    forward = forwards < _WORTH * backwards
    return Mode(forward, f"{'forward' if forward else 'backward'}: {words}")
