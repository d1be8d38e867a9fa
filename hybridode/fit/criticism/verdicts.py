"""What is wrong with residuals, in the user's words: where, in which direction, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hybridode.fit.criticism import statistics
from hybridode.fit.criticism.records import Rows

Members = Sequence[tuple[Rows, np.ndarray]]  # records and their quantile residuals, series by series
_FAR = 3.5  # standard deviations at which one record is named


def trouble(test: str, column: str, series: str, statistic: float, members: Members) -> str:
    """A sentence about a test that failed."""
    where = f"`{column}`" if series == "all series" else f"`{column}` in series `{series}`"
    return _WORDS[test](where, statistic, members)


def _runs(where: str, statistic: float, members: Members) -> str:
    if statistic > 0:
        return _alternating(where)
    return f"the residuals of {where} come in long runs: the model misses a slow trend{_stretch(members)}"


def _autocorrelation(where: str, statistic: float, members: Members) -> str:
    rows, z = max(members, key=lambda m: len(m[1]))
    r = statistics.follow(z[np.argsort(rows.time, kind="stable")])
    if r < -0.2:
        return _alternating(where)
    if r < 0.2:
        return (
            f"the residuals of {where} repeat themselves a few records later: the model misses something periodic, or its period"
        )
    return (
        f"each residual of {where} follows the one before it (correlation {r:.2f}): the model misses something slower than the "
        f"records{_stretch(members)}; intervals that take records as independent are too narrow"
    )


def _alternating(where: str) -> str:
    return f"the residuals of {where} change sign more often than by chance: the model follows the noise, or they are smoothed"


def _stretch(members: Members) -> str:
    """Between which times records lie above or below, in the series where that is clearest."""
    found = []
    for rows, z in members:
        if len(z) > 2:
            order = np.argsort(rows.time, kind="stable")
            first, last, mean = statistics.longest_stretch(z[order][:2000])
            found.append((abs(mean) * np.sqrt(last - first + 1), rows.time[order][first], rows.time[order][last], mean))
    if not found:
        return ""
    _, begin, end, mean = max(found)
    side = "above" if mean > 0 else "below"
    return f" between t={begin:.4g} and t={end:.4g}, where records lie {abs(mean):.1f} standard deviations {side} it"


def _normality(where: str, statistic: float, members: Members) -> str:
    z = np.concatenate([z for _, z in members])
    line = np.concatenate([rows.line for rows, _ in members])
    time = np.concatenate([rows.time for rows, _ in members])
    far = np.flatnonzero(np.abs(z - np.median(z)) > _FAR * max(_robust_sd(z), 1e-300))
    centred = (z - z.mean()) / max(z.std(), 1e-300)
    skew, tails = float((centred**3).mean()), float((centred**4).mean() - 3)
    if 0 < len(far) <= max(0.05 * len(z), 2):
        named = ", ".join(f"line {line[i]} (t={time[i]:.4g}, {z[i]:+.1f})" for i in far[np.argsort(-np.abs(z[far]))][:3])
        some = "one record of" if len(far) == 1 else f"{len(far)} records of"
        lies = "lies" if len(far) == 1 else "lie"
        return f"{some} {where} {lies} far off: {named}, in standard deviations; look there, or choose `--loss huber`"
    if abs(skew) > max(0.7, 0.4 * tails):
        side = "above" if skew > 0 else "below"
        return f"the residuals of {where} are not symmetric, with a long tail {side}: another noise model (`lognormal`?) may fit"
    if tails > 1:
        return (
            f"the residuals of {where} have heavier tails than the noise model: `student` noise or `--loss huber` would bear them"
        )
    return (
        f"the residuals of {where} are not distributed as the noise model says (skewness {skew:.1f}, excess kurtosis {tails:.1f})"
    )


def _robust_sd(z: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(z - np.median(z))))


def _with_prediction(where: str, statistic: float, members: Members) -> str:
    if statistic > 0:
        remedy = "`lognormal(x, s)` or `normal(x, sqrt(a^2 + (b*x)^2))` says so"
        return f"the scatter of {where} grows with the prediction, the error is relative: {remedy}"
    return f"the scatter of {where} is larger where the prediction is small: the noise model weighs large values too little"


def _with_time(where: str, statistic: float, members: Members) -> str:
    grows, when = ("grows", "later") if statistic > 0 else ("falls", "at first")
    return f"the scatter of {where} {grows} with time: {when} the model is worse, or the measurement"


def _spread(where: str, statistic: float, members: Members) -> str:
    name = members[0][0].noise.name
    much = f"{np.sqrt(statistic):.2g} times as much as the noise model says"
    if statistic > 1:
        remedy = "`negbinomial(mean, k)` has a free scatter" if name == "poisson" else "learn the scale of the noise"
        return f"the records of {where} scatter {much}: {remedy}"
    return f"the records of {where} scatter only {much}: its scale is too large"


_WORDS: dict[str, Callable[[str, float, Members], str]] = {
    "runs": _runs,
    "autocorrelation": _autocorrelation,
    "normality": _normality,
    "size against prediction": _with_prediction,
    "size against time": _with_time,
    "spread": _spread,
}
