"""Hold-outs: the fit again without some records, and how well it predicts them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from hybridode.fit.criticism.folds import Fold, folds_of
from hybridode.fit.criticism.records import Rows, rows_of
from hybridode.fit.criticism.refits import refitted, typical, without
from hybridode.fit.criticism.scores import Scored, joined, scored
from hybridode.fit.criticism.side_by_side import as_csv, held_table
from hybridode.fit.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Predicted:
    """One fold: the optimum without it, how its records are predicted; `reason`: why they are not, "" if they are."""

    fold: str
    theta: np.ndarray
    scored: Scored
    reason: str = ""
    early: bool = False
    rows: tuple[Rows, ...] = ()  # its records, with what is predicted of them


@dataclass(frozen=True, eq=False)
class HoldOuts:
    """All folds of a `spec`. `unmade`: how many there was no time for, or were left out when it was `interrupted`."""

    spec: str
    columns: tuple[str, ...]
    folds: tuple[Predicted, ...]
    inside: Scored  # the records as the whole fit describes them
    unmade: int = 0
    interrupted: bool = False

    @property
    def whole(self) -> Scored:
        """All judged records."""
        return joined([f.scored for f in self.folds]) if self.folds else self.inside.where(np.zeros(self.inside.count, bool))

    @property
    def sentences(self) -> list[str]:
        """What to believe."""
        if not self.folds:
            return [f"nothing was held out ({self.spec}): {self._why}"]
        out = [_verdict(self.whole, self.inside, len(self.folds))]
        out += [f"{f.fold}: {f.reason}" for f in self.folds if f.reason]
        if self.unmade:
            out.append(f"{self.unmade} more folds were left out: {self._why}")
        return out

    @property
    def _why(self) -> str:
        return "interrupted" if self.interrupted else "there was no time"

    def cut(self, count: int) -> HoldOuts:
        """Its first folds only."""
        return replace(self, folds=self.folds[:count], unmade=self.unmade + len(self.folds) - count)

    def table(self, prepared: Prepared) -> bytes:
        """Every held-out record and its prediction, as a CSV file (see `side_by_side`)."""
        return as_csv([held_table(f.fold, prepared, f.rows) for f in self.folds])

    def content(self) -> dict[str, Any]:
        """As a finding."""
        names = ["n", "log_score", "rmse", "crps", "coverage95"]
        rows = [[f.fold, *(f.scored.entry()[n] for n in names), f.reason or None] for f in self.folds]
        by_column = [[c, *(self.whole.of_column(k).entry()[n] for n in names)] for k, c in enumerate(self.columns)]
        return {"sentences": self.sentences, "spec": self.spec, "overall": _explained(self.whole.entry()),
                "fitted": _explained(self.inside.entry()), "folds": {"columns": ["fold", *names, "reason"], "rows": rows},
                "by_column": {"columns": ["column", *names], "rows": by_column}}  # fmt: skip


def _explained(entry: dict[str, Any]) -> dict[str, Any]:
    """With a reason beside what is no number."""
    why = "there is no prediction, or it gives a record the density 0"
    return entry | {f"{k}_reason": why for k, v in entry.items() if not np.isfinite(v)}


def _verdict(out: Scored, inside: Scored, folds: int) -> str:
    a, b = out.entry(), inside.entry()
    refits = f"{folds} refits" if folds > 1 else "a refit"
    words = f"{a['n']} records that {refits} did not see are predicted with a root mean square error of {a['rmse']:.3g}"
    words += f" ({b['rmse']:.3g} where all are fitted)"
    coverage = a["coverage95"]
    if not np.isfinite(coverage):
        return words
    words += f"; {100 * coverage:.0f} % of them lie in their 95 % intervals"
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / max(a["n"], 1))
    if coverage < least:
        words += ": predictions are surer than they should be"
    return words


def hold_outs(
    prepared: Prepared, theta: np.ndarray, spec: str, seconds: float | None = None, first: Sequence[Fold] | None = None
) -> HoldOuts:
    """Refits without each fold of `spec` (see `folds`) from theta (d,), within about so many seconds; Ctrl-C keeps those that are
    made. first: the folds, if known.

    Raises UsageError E0790, E0852, DataError E0636 for a `spec` that does not fit the data."""
    began, made, interrupted = time.perf_counter(), [], False
    folds = folds_of(prepared.dataset, spec) if first is None else first
    with jax.enable_x64(True):
        inside = scored([r.seen() for r in rows_of(prepared, prepared.solve_curves(theta))])
        for fold in folds:
            left = None if seconds is None else seconds - (time.perf_counter() - began)
            if left is not None and left <= 0:
                break
            try:
                made.append(_predicted(prepared, theta, fold, left))
            except KeyboardInterrupt:
                interrupted = True
                break
    columns = tuple(prepared.dataset.columns)
    return HoldOuts(spec, columns, tuple(made), inside, len(folds) - len(made), interrupted)


def _predicted(prepared: Prepared, theta: np.ndarray, fold: Fold, seconds: float | None) -> Predicted:
    records = without(prepared, fold.unseen)
    begin, lost = typical(prepared, records, theta)
    end = refitted(prepared, begin, records, seconds)
    judged = [j & ~own for j, own in zip(fold.judged, prepared.held, strict=True)]
    rows = rows_of(prepared, prepared.solve_curves(end.theta), judged)
    unseen = tuple(r.seen("hold_out") for r in rows)
    found = scored(unseen)
    reason = end.reason
    if not reason and lost:
        reason = (
            f"nothing else says what {', '.join(f'`{n}`' for n in lost[:3])} is: the records are predicted with its fitted value"
        )
    return Predicted(fold.name, end.theta, found, reason, end.early, unseen)
