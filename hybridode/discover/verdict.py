"""Formula, network or physics alone: what the data support, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from scipy.stats import chi2

from hybridode.discover.refitted import Candidate

C = TypeVar("C", bound=Candidate)

CLEAR = 2.0  # nats by which a description must be shorter to be called clearly better
ADEQUATE = 0.01  # p value of the network's gain over a formula from which nothing speaks for the network
_INADEQUATE = 0.001


def preferred(found: Sequence[C]) -> list[C]:
    """By description length; but among those that are nearly as good as the best, one with the fewest numbers stands first: what
    the data cannot tell apart is said in the simplest way."""
    ranked = sorted(found, key=lambda c: c.dl)
    close = [c for c in ranked if c.dl - ranked[0].dl < CLEAR]
    first = min(close, key=lambda c: (c.numbers, c.dl), default=None)
    return [] if first is None else [first, *(c for c in ranked if c is not first)]


def verdict_of(winner: Candidate | None, physics: Candidate | None, network: Candidate) -> str:
    """ "formula", "network" or "physics": the shortest description; but a formula beats the network too where noise explains all
    that the network gains over it, and the physics alone wins where nothing is clearly better."""
    lengths = {"network": network.dl}
    if winner is not None:
        lengths["formula"] = winner.dl
    if physics is not None:
        lengths["physics"] = physics.dl
    verdict = min(lengths, key=lambda kind: lengths[kind])
    if verdict != "physics" and lengths.get("physics", math.inf) - lengths[verdict] < CLEAR:
        return "physics"
    if verdict == "network" and winner is not None and p_value(winner, network) > ADEQUATE:
        return "formula" if physics is None or winner.dl < physics.dl else "physics"
    return verdict


def p_value(formula: Candidate, network: Candidate) -> float:
    """How often noise alone would let the network gain as much as it does over the formula (a likelihood ratio test)."""
    more = network.numbers - formula.numbers
    gain = 2 * (formula.value - network.value)
    return float(chi2.sf(gain, more)) if more > 0 and gain > 0 else 1.0


def _compared(name: str, nats: float) -> str:
    return f"in {abs(nats):.1f} nats {'less' if nats >= 0 else 'more'} than {name}"


def sentences_of(verdict: str, ranked: Sequence[Candidate], physics: Candidate | None, network: Candidate) -> tuple[str, ...]:
    """What to believe."""
    found: list[str] = []
    best = ranked[0] if ranked else None
    if verdict == "formula" and best is not None:
        found.append(f"The data support {best.text()}.")
        found += [f"`{slot.title}` is {f.said}." for slot, f in best.formulas.items() if f.said]
        than = [("the network", network)] + ([("the physics alone", physics)] if physics is not None else [])
        found.append("It describes the data " + " and ".join(_compared(name, c.dl - best.dl) for name, c in than) + ".")
        adequate = p_value(best, network)
        if adequate < _INADEQUATE:
            found.append(f"The network follows the data better than noise explains (p = {adequate:.1g}): something is left out.")
        close = sorted((c for c in ranked[1:] if c.dl - best.dl < CLEAR), key=lambda c: c.dl)[:3]
        if close:
            found.append(f"Nearly as good: {'; '.join(c.text() for c in close)}.")
    elif verdict == "physics":
        found.append("Nothing is needed in the place of the network: the physics alone describes the data as well.")
    else:
        found.append("Nothing simpler than the network is supported.")
        if best is not None:
            found.append(f"The best formula, {best.text()}, takes {best.dl - network.dl:.1f} nats more.")
    return tuple(found)
