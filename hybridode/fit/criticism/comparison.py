"""Several fits side by side: information criteria, likelihood ratios where models are nested, hold-outs, LOO.

AICc: C. M. Hurvich, C.-L. Tsai, Biometrika 76 (1989) 297. Likelihood ratios: S. S. Wilks, Ann. Math. Stat. 9 (1938) 60; a
parameter held at its bound: S. G. Self, K.-Y. Liang, J. Am. Stat. Assoc. 82 (1987) 605.
Differences that say little or much: K. P. Burnham, D. R.
Anderson, Model Selection, 2002, 2.6; R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90 (1995) 773. PSIS-LOO: A. Vehtari,
A. Gelman, J. Gabry, Stat. Comput. 27 (2017) 1413 (from `hybridode sample`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from hybridode.declarations import Declarations, entry_names
from hybridode.fit.criticism.nested import Nesting, Side, nesting

SAME, CLEAR = 2.0, 10.0  # differences in AIC or BIC that say nothing, and that say much
ALIKE = 0.99  # share of an error that is no improvement
FEW = 4.0  # difference in elpd below which its standard error is not to be relied on (T. Sivula et al., arXiv:2008.10296)
COLUMNS = (
    "run", "model", "status", "n_data", "n_free", "log_likelihood", "aic", "aicc", "bic", "hold_out_n", "hold_out_log_score",
    "hold_out_rmse", "hold_out_crps", "elpd_loo", "elpd_loo_se",
)  # fmt: skip
_RATIO_COLUMNS = ["small", "large", "how", "statistic", "degrees", "p", "note"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A run to compare: its name, result.json, residuals.csv, the model as it was fitted (None: unknown), the effective number of
    its parameters where priors or penalties hold some, and its findings."""

    name: str
    result: Mapping[str, Any]
    residuals: pd.DataFrame
    declarations: Declarations | None = None
    free: float | None = None
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pointwise: pd.DataFrame | None = None  # of PSIS-LOO: series, row, time, column, elpd

    @property
    def n_free(self) -> float:
        return float(self.result["objective"]["n_free"]) if self.free is None else self.free

    @property
    def nll(self) -> float:
        value = self.result["objective"]["nll"]
        return np.nan if value is None else float(value)

    @property
    def criteria(self) -> bool:
        """Whether a likelihood was minimised."""
        return self.result["objective"]["aic"] is not None

    @cached_property
    def data(self) -> set[tuple[Any, ...]]:
        """What was fitted, record by record."""
        return self._records("fit")

    @cached_property
    def unseen(self) -> set[tuple[Any, ...]]:
        """What was held out."""
        return self._records("hold_out")

    def _records(self, used: str) -> set[tuple[Any, ...]]:
        rows = self.residuals[self.residuals["used"] == used]
        names = [str(s) if isinstance(s, str) else "" for s in rows["series"]]
        columns = (rows[c] for c in ("column", "time", "observed", "censored"))
        return {(s, c, f"{t:.9g}", f"{y:.7g}", int(z)) for s, (c, t, y, z) in zip(names, zip(*columns, strict=True), strict=True)}

    def row(self) -> dict[str, Any]:
        """A row of the table, NaN where something does not exist."""
        k, n, nll = self.n_free, float(self.result["objective"]["n_data"]), self.nll
        out: dict[str, Any] = {"run": self.name, "model": self.result["model"], "status": self.result["status"], "n_data": int(n),
                               "n_free": k, "log_likelihood": -nll}  # fmt: skip
        if self.criteria:
            out["aic"] = 2 * k + 2 * nll
            out["aicc"] = out["aic"] + 2 * k * (k + 1) / (n - k - 1) if n - k - 1 > 0 else np.nan
            out["bic"] = k * float(np.log(max(n, 1))) + 2 * nll
        return {**dict.fromkeys(COLUMNS, np.nan), **out, **self._unseen(), **self._loo()}

    def _unseen(self) -> dict[str, Any]:
        """The hold-out of the fit, else that of `--cross-validate`."""
        own, crossed = self.result.get("hold_out"), self.findings.get("hold_outs")
        if own is not None:
            return {"hold_out_n": own["n"], "hold_out_log_score": own["log_score"], "hold_out_rmse": own["rmse"]}
        if crossed is None:
            return {}
        whole = crossed["overall"]
        return {f"hold_out_{k}": whole[k] for k in ("n", "log_score", "rmse", "crps")}

    def _loo(self) -> dict[str, Any]:
        found = self.findings.get("posterior", {}).get("loo") or {}
        return {"elpd_loo": found.get("elpd"), "elpd_loo_se": found.get("se")}

    def side(self) -> Side | None:
        """For the check of nesting."""
        d = self.declarations
        if d is None:
            return None
        values, fixed = {}, set()
        for p in d.parameters:
            entry = self.result["parameters"].get(p.name)
            if entry is None:
                continue
            for name, value in zip(entry_names(p.name, p.shape), np.ravel(np.asarray(entry["value"], float)), strict=False):
                values[name] = float(value)
                fixed |= {name} if entry["fixed"] else set()
        return Side(d, values, frozenset(fixed))


@dataclass(frozen=True)
class Ratio:
    """A likelihood-ratio test of `small` as a case of `large`; p is NaN where there is none, `why` says so or is a caveat."""

    small: str
    large: str
    how: str
    statistic: float
    degrees: float
    p: float
    why: str = ""

    @property
    def sentence(self) -> str:
        """In words."""
        words = f"{self.small} is {self.large} with {self.how}"
        if np.isnan(self.p):
            return f"{words}: {self.why}"
        verdict = "rejects that" if self.p < 0.05 else "does not reject that"
        return f"{words}: the likelihood ratio {verdict} (p = {self.p:.2g})" + (f"; {self.why}" if self.why else "")


@dataclass(frozen=True, eq=False)
class Comparison:
    """`table` (one row per run, best BIC first), likelihood `ratios`, `sentences`; `alike`: whether all were fitted to the same
    records."""

    table: pd.DataFrame
    ratios: tuple[Ratio, ...]
    sentences: tuple[str, ...]
    alike: bool

    def content(self) -> dict[str, Any]:
        """As plain data."""
        ratios = [[r.small, r.large, r.how, r.statistic, r.degrees, r.p, r.why or None] for r in self.ratios]
        runs = {"columns": list(self.table.columns), "rows": self.table.to_numpy(object).tolist()}
        return {"sentences": list(self.sentences), "same_data": self.alike, "runs": runs,
                "likelihood_ratios": {"columns": _RATIO_COLUMNS, "rows": ratios}}  # fmt: skip

    def __repr__(self) -> str:
        shown = self.table.dropna(axis=1, how="all").drop(columns="model", errors="ignore")
        return "\n".join([shown.to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"), "", *self.sentences])


def compared_runs(candidates: Sequence[Candidate]) -> Comparison:
    """The comparison of two or more runs."""
    first = candidates[0]
    different = [c.name for c in candidates[1:] if c.data != first.data]
    table = pd.DataFrame([c.row() for c in candidates], columns=list(COLUMNS)).infer_objects()
    sentences = []
    if different:
        sentences.append(_other_data(first, different, candidates))
    else:
        for name in ("aic", "bic"):
            values = table[name].to_numpy(float)
            table[f"d{name}"] = values - np.nanmin(values) if np.isfinite(values).any() else np.nan
        table = table.sort_values("bic", kind="stable", na_position="last", ignore_index=True)
        sentences += _by_criteria(table)
    ratios = () if different else tuple(_ratios(candidates))
    sentences += [r.sentence for r in ratios]
    sentences += _by_hold_out(candidates, table)
    sentences += [] if different else _by_loo(candidates, table)
    unsure = [(c.name, (c.findings.get("posterior", {}).get("loo") or {}).get("unsure")) for c in candidates]
    sentences += [f"PSIS-LOO of {name} is unsure of {count} records (Pareto's k is too large)" for name, count in unsure if count]
    sentences += [
        f"{c.name} has not converged but is {c.result['status']}" for c in candidates if c.result["status"] != "converged"
    ]
    sentences += [f"{c.name} has no AIC and BIC: {c.result['objective']['aic_reason']}" for c in candidates if not c.criteria]
    return Comparison(table, ratios, tuple(sentences), not different)


def _other_data(first: Candidate, different: Sequence[str], candidates: Sequence[Candidate]) -> str:
    other = next(c for c in candidates if c.name == different[0])
    shared = len(first.data & other.data)
    were = f"{' and '.join(different)} {'were' if len(different) > 1 else 'was'} fitted to other records than {first.name}"
    counts = f"{shared} of {len(first.data)} and {len(other.data)} are the same"
    return f"{were} ({counts}): likelihoods, AIC and BIC cannot be compared"


def _by_criteria(table: pd.DataFrame) -> list[str]:
    known = pd.DataFrame(table[np.isfinite(table["bic"].to_numpy(float))])
    if len(known) < 2:
        return []
    best, second = known.iloc[0], known.iloc[1]
    gap = float(second["bic"] - best["bic"])
    by_aic = known.sort_values("aic", kind="stable").iloc[0]
    if gap < SAME:
        out = [f"{best['run']} and {second['run']} cannot be told apart by BIC (a difference of {gap:.2g})"]
    else:
        strength = "clearly " if gap > CLEAR else ""
        out = [f"{best['run']} is {strength}the better description by BIC: {gap:.3g} before {second['run']}"]
    if by_aic["run"] != best["run"] and float(best["aic"] - by_aic["aic"]) > SAME:
        ahead = float(best["aic"] - by_aic["aic"])
        out.append(f"AIC, which charges less for parameters, prefers {by_aic['run']} by {ahead:.3g}")
    return out


def _by_hold_out(candidates: Sequence[Candidate], table: pd.DataFrame) -> list[str]:
    """Where all were judged by the same unseen records."""
    own = all(c.result.get("hold_out") is not None and c.unseen == candidates[0].unseen for c in candidates)
    specs = {c.findings["hold_outs"]["spec"] if "hold_outs" in c.findings else None for c in candidates}
    crossed = None not in specs and len(specs) == 1 and all(c.result.get("hold_out") is None for c in candidates)
    if not own and not crossed:
        some = any(c.result.get("hold_out") is not None or "hold_outs" in c.findings for c in candidates)
        return ["they were not judged by the same held-out records: hold-out scores cannot be compared"] if some else []
    rows = pd.DataFrame(table[np.isfinite(table["hold_out_rmse"].to_numpy(float))])
    if len(rows) < 2:
        return []
    key = "hold_out_crps" if np.isfinite(rows["hold_out_crps"].astype(float)).all() else "hold_out_rmse"
    rows = rows.sort_values(key, kind="stable")
    best, second = rows.iloc[0], rows.iloc[1]
    what = "CRPS" if key.endswith("crps") else "root mean square error"
    if best[key] > ALIKE * second[key]:
        sizes = f"{what} {best[key]:.3g} and {second[key]:.3g}"
        return [f"{best['run']} and {second['run']} predict held-out records about as well: {sizes}"]
    return [f"{best['run']} predicts held-out records best: {what} {best[key]:.4g}, next {second[key]:.4g} ({second['run']})"]


def _by_loo(candidates: Sequence[Candidate], table: pd.DataFrame) -> list[str]:
    """The best against each other one, with the standard error of the difference (Vehtari, Gelman and Gabry 2017, eq. 24)."""
    known = pd.DataFrame(table[pd.notna(table["elpd_loo"])]).sort_values("elpd_loo", ascending=False, kind="stable")
    by_name = {c.name: c for c in candidates}
    out, names = [], [str(n) for n in known["run"]]
    gaps = float(known["elpd_loo"].iloc[0]) - known["elpd_loo"].to_numpy(float) if len(known) else []
    for name, gap in list(zip(names, gaps, strict=True))[1:]:
        se = _se_of_difference(by_name[names[0]], by_name[name])
        size = f"{gap:.3g} ± {se:.2g}" if np.isfinite(se) else f"{gap:.3g}"
        words = f"leaving out one record at a time (PSIS-LOO), {names[0]} is {size} before {name} in log-likelihood"
        if gap < FEW or (np.isfinite(se) and gap < 2 * se):
            words += ": they cannot be told apart by that"
        out.append(words)
    return out


def _se_of_difference(a: Candidate, b: Candidate) -> float:
    """NaN where it is not known record by record."""
    if a.pointwise is None or b.pointwise is None:
        return np.nan
    keys = ["series", "row", "column"]
    both = a.pointwise.merge(b.pointwise, on=keys, suffixes=("_a", "_b"))
    if not len(both) == len(a.pointwise) == len(b.pointwise):
        return np.nan
    return float(np.sqrt(len(both) * np.var(both["elpd_a"].to_numpy(float) - both["elpd_b"].to_numpy(float))))


def _ratios(candidates: Sequence[Candidate]) -> list[Ratio]:
    """Of all nested pairs."""
    out = []
    sides = [(c, c.side()) for c in candidates if c.criteria and np.isfinite(c.nll)]
    for small, a in sides:
        for large, b in sides:
            more = large.result["objective"]["n_free"] - small.result["objective"]["n_free"]
            if a is not None and b is not None and more > 0 and (found := nesting(a, b)) is not None:
                out.append(_ratio(small, large, float(more), found))
    return out


def _ratio(small: Candidate, large: Candidate, more: float, found: Nesting) -> Ratio:
    statistic = 2 * (small.nll - large.nll)
    pair = small.name, large.name, found.how, statistic, more
    if statistic < -1e-3:
        why = "but the larger one fits worse, so it has not arrived at its optimum; begin it at that of the smaller (`--set`)"
        return Ratio(*pair, np.nan, why)
    if found.networks:
        gain = f"{statistic / 2:.3g} is gained in log-likelihood"
        why = f"{gain}; the weights of a network at 0 mean nothing, so that there is no chi-square test: see `--baselines`"
        return Ratio(*pair, np.nan, why)
    if large.result["objective"]["prior"] or large.result["objective"]["regulariser"]:
        return Ratio(*pair, np.nan, "priors or penalties were part of the fit, so there is no likelihood-ratio test")
    p = float(chi2.sf(max(statistic, 0.0), more))
    if not found.boundary:
        return Ratio(*pair, p)
    if more == 1:
        return Ratio(*pair, p / 2, "halved, as the value lies at the edge of what is allowed")
    return Ratio(*pair, p, "the true p is smaller, as values lie at the edge of what is allowed")
