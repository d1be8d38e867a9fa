"""How far the starts agree on the best optimum: for the log, for result.json, and as a warning where it rests on one start.

With w different optima found by n starts that converged, the share of starts which would end in an optimum not seen yet is
expected to be w(w + 1)/(n(n - 1)) (C. G. E. Boender, A. H. G. Rinnooy Kan, Math. Program. 37 (1987) 59, posterior mean for equal
prior odds).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.search.attainable import compared
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.rungs import LOSS
from hybridode.fit.search.starts import StartResult, best_of

_SAME = 1e-2  # starts whose log-likelihoods differ by less ended at one optimum
_NEAR = 0.5  # a start that ended this near the best one confirms it: the rest of the way is flat
_SEVERAL = 4  # starts from which on agreement can be asked for
_AT_THE_CURVE = 1.1  # of what a smooth curve leaves, beyond what that is known to
_LISTED, _NAMED = 4, 8  # other optima that the log lists, with so many parameters


def optima_of(results: Sequence[StartResult]) -> list[list[StartResult]]:
    """The starts that converged, by optimum, the best first."""
    good = sorted((r for r in results if np.isfinite(r.objective) and r.status == "converged"), key=lambda r: r.objective)
    groups: list[list[StartResult]] = []
    for r in good:
        if groups and r.objective - groups[-1][0].objective < _SAME:
            groups[-1].append(r)
        else:
            groups.append([r])
    return groups


def unseen_share(results: Sequence[StartResult]) -> float | None:
    """The expected share of starts that would end in an optimum not seen yet; None for fewer than two that converged."""
    groups = optima_of(results)
    w, n = len(groups), sum(map(len, groups))
    return None if n < 2 else min(1.0, w * (w + 1) / (n * (n - 1)))


def agreement_entry(results: Sequence[StartResult], stiff: int) -> dict[str, Any]:
    """For result.json: what became of the starts, in numbers. stiff: points that were solved by an implicit method."""
    best, share = best_of(results), unseen_share(results)
    entry: dict[str, Any] = {
        "agreeing": 0 if best is None else sum(r.objective - best.objective < _SAME for r in results if np.isfinite(r.objective)),
        "optima": len(optima_of(results)),
        "unseen_share": share,
        "stopped_early": sum(r.stopped_early for r in results),
        "not_continued": sum(r.waited for r in results),
        "failed": sum(r.status == "failed" for r in results),
        "resampled": sum(r.resampled for r in results),
        "stiff_points": stiff,
    }
    return entry if share is not None else entry | {"unseen_share_reason": "fewer than two starts converged"}


def doubt(results: Sequence[StartResult]) -> str:
    """Why the best result may not be the best there is, with what to do, or ""."""
    best = best_of(results)
    if best is None or len(results) < _SEVERAL:
        return ""
    near = sum(r.objective - best.objective < _NEAR for r in results if np.isfinite(r.objective))
    more = f"ask for more starts (--starts {4 * len(results)}), another --seed, or narrower bounds"
    if near < 2:
        return (
            f"only one of {len(results)} starts reached the best objective {best.objective:.6g}: a better one may exist; {more}"
        )
    share = unseen_share(results)
    if share is not None and share > 0.5 and 2 * near < len(results):
        return (
            f"{near} of {len(results)} starts came near the best objective {best.objective:.6g}, the others to "
            f"{len(optima_of(results)) - 1} other optima: a better one may exist; {more}"
        )
    return ""


def doubt_of(lanes: Lanes, results: Sequence[StartResult]) -> str:
    """As `doubt`, but nothing where the best result leaves of every column what a smooth curve leaves: what another optimum could
    gain is noise."""
    words, best, objective = doubt(results), best_of(results), lanes.objective
    if not words or best is None or cannot_predict(objective, lanes.batch) is not None:
        return words
    attained = compared(objective, lanes.batch, lanes.batch, locations(objective, lanes.batch, best.theta))
    whole = len(attained) == objective.n_observed
    return "" if whole and all(a.ratio <= _AT_THE_CURVE and a.structure <= LOSS for a in attained) else words


def starts_note(results: Sequence[StartResult], planned: int) -> str:
    """One line on how the starts compare."""
    good = sorted(r.objective for r in results if np.isfinite(r.objective))
    counts = agreement_entry(results, 0)
    same = counts["agreeing"]
    parts = [f"{same} of {len(results)} starts reached the best objective {good[0]:.6g}" if good else "no start succeeded"]
    if len(good) > same:
        parts.append(f"the next best is {good[same]:.6g}")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    if counts["stopped_early"]:
        parts.append(f"{counts['stopped_early']} were stopped early, far behind the best")
    if counts["not_continued"]:
        parts.append(f"{counts['not_continued']} led to where the model is stiff and were not continued")
    if counts["resampled"]:
        parts.append(f"{counts['resampled']} starting points that could not be evaluated were drawn anew")
    if len(results) < planned:
        parts.append(f"{planned - len(results)} were not begun")
    return "; ".join(parts)


def optima_notes(results: Sequence[StartResult], space: ParameterSpace) -> list[str]:
    """A line on each other optimum that starts converged to (duplicates merged), best first, with its parameters."""
    lines = []
    for group in optima_of(results)[1 : 1 + _LISTED]:
        x = space.vector(group[0].theta[: space.size])
        values = ", ".join(f"{name} = {v:.6g}" for name, v in list(zip(space.names, x, strict=True))[:_NAMED])
        more = ", …" if space.size > _NAMED else ""
        count = f"{len(group)} starts" if len(group) > 1 else f"start {group[0].start}"
        lines.append(f"local optimum of {count}: objective {group[0].objective:.6g} at {values}{more}")
    return lines
