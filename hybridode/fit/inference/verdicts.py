"""What the data say about each parameter, in words: identified, bounded on one side, only in a combination, not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.fit.inference.profiles import Profile, Side
from hybridode.fit.inference.relations import Combination, combination_of, partners
from hybridode.fit.outcome.uncertainty import Z95, marginal_information
from hybridode.fit.parameters import ParameterSpace

KINDS = ("identified", "bounded below", "bounded above", "combination", "not identified", "unknown")
_UNFINISHED = {  # why a side is open though nothing is known of it
    "failed": "the model could not be solved there",
    "interrupted": "the profile was cut short",
    "better": "a better optimum was found",
}
_FELT = 1e-2  # objective by which a flat side must rise somewhere to be felt at all


@dataclass(frozen=True)
class Verdict:
    """Of one entry: a kind out of KINDS, the sentence for the user, the 95 % interval of the profile (NaN on an open side) and
    the combination that is known instead, if there is one."""

    name: str
    kind: str
    sentence: str
    interval: tuple[float, float]
    combination: Combination | None = None


def verdict_of(space: ParameterSpace, profile: Profile) -> Verdict:
    """From a profile that was followed to its end on both sides."""
    low, high = profile.interval(space)
    closed = profile.below.open == "", profile.above.open == ""
    row = _ROWS.get(closed, _both_open)
    return row(space, profile, low, high)


def _identified(space: ParameterSpace, profile: Profile, low: float, high: float) -> Verdict:
    value = profile.natural(space)[len(profile.below.levels)]
    away = max(high - value, value - low)
    wide = f", to within {100 * away / abs(value):.2g} %" if value and away < abs(value) else ""
    wide = f", known to a factor of {high / low:.2g} only" if low > 0 and high / low > 10 else wide
    return Verdict(profile.name, "identified", f"identified: {low:.4g} to {high:.4g}{wide}", (low, high))


def _from_below(space: ParameterSpace, profile: Profile, low: float, high: float) -> Verdict:
    return _one_side(space, profile, profile.above, "below", f"at least {low:.4g}", (low, high))


def _from_above(space: ParameterSpace, profile: Profile, low: float, high: float) -> Verdict:
    return _one_side(space, profile, profile.below, "above", f"at most {high:.4g}", (low, high))


def _one_side(
    space: ParameterSpace, profile: Profile, open_side: Side, which: str, limit: str, interval: tuple[float, float]
) -> Verdict:
    if open_side.open in _UNFINISHED:
        return Verdict(profile.name, "unknown", f"{limit}; the other limit is not known: {_UNFINISHED[open_side.open]}", interval)
    known = _known_instead(space, profile, open_side)
    words = f"bounded only from {which}: {limit}{_bound_words(open_side)}"
    if known is not None:
        larger = "larger" if which == "below" else "smaller"
        words += f"; for {larger} values only `{known.text}` matters, which is {_with_sd(known)}"
    return Verdict(profile.name, f"bounded {which}", words, interval, known)


def _both_open(space: ParameterSpace, profile: Profile, low: float, high: float) -> Verdict:
    sides = (profile.below, profile.above)
    interval = (low, high)
    reason = next((_UNFINISHED[side.open] for side in sides if side.open in _UNFINISHED), "")
    if reason:
        return Verdict(profile.name, "unknown", f"not known: {reason}", interval)
    longest = max(sides, key=lambda side: len(side.levels))
    known = _known_instead(space, profile, longest)
    if known is not None:
        others = ", ".join(f"`{space.names[j]}`" for j in known.parts)
        words = f"only `{known.text}` is identified ({_with_sd(known)}): it can be traded against {others}"
        return Verdict(profile.name, "combination", words, interval, known)
    k = space.size
    traded = ", ".join(f"`{space.names[j]}`" for j in partners(marginal_information(profile.best.fisher, k), profile.index))
    if traded:
        return Verdict(profile.name, "not identified", f"not identified: it can be traded against {traded}", interval)
    rise = max((level.value - profile.best.value for level in profile.levels), default=0.0)
    words = "not identified: the data do not depend on it" if rise < _FELT else (
        f"not identified: no value between {np.nanmin(profile.natural(space)):.3g} and "
        f"{np.nanmax(profile.natural(space)):.3g} can be excluded")  # fmt: skip
    return Verdict(profile.name, "not identified", words, interval)


_ROWS = {(True, True): _identified, (True, False): _from_below, (False, True): _from_above}


def _bound_words(side: Side) -> str:
    return ", the other limit is its declared bound" if side.open == "bound" else ""


def _known_instead(space: ParameterSpace, profile: Profile, side: Side) -> Combination | None:
    """What stays known on an open side, at its far end where only that is left."""
    if len(side.levels) < 3:
        return None
    k, far = space.size, side.levels[-3:]
    information = marginal_information(far[-1].fisher, k)
    return combination_of(space, far[-1].theta[:k], information, profile.index, np.array([level.theta[:k] for level in far]))


def _with_sd(known: Combination) -> str:
    if not known.relative:
        return f"{known.value:.4g}, 95 % {known.value - Z95 * known.sd:.4g} to {known.value + Z95 * known.sd:.4g}"
    factor = float(np.exp(Z95 * known.sd))
    return f"{known.value:.4g}, 95 % {known.value / factor:.4g} to {known.value * factor:.4g}"
