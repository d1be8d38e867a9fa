"""What a busy reader needs: what was fitted, whether it worked, how well, what can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hybridode.report.blocks import Facts, Heading, Items, Section, Text
from hybridode.report.called import arguments_of, function_text
from hybridode.report.ending import remarks
from hybridode.report.saved import Saved, names_in, unit_text
from hybridode.report.words import brief, counted, duration, gathered, listed, significant

STATUS = {  # status of result.json -> (word, tone, explanation)
    "converged": ("converged", "good", ""),
    "stopped": ("stopped early", "warn", "`hybridode fit --resume RUN` goes on, where there was a limit of time."),
    "interrupted": ("interrupted", "warn", "`hybridode fit --resume RUN` goes on from here."),
    "failed": (
        "failed",
        "bad",
        "There is no answer: the numbers below are where it began or ended. `hybridode simulate` "
        "shows what the declared values give; other starts or narrower bounds may lead to where the model can be solved.",
    ),
}
_FOUND = ("discovery",)  # findings whose first sentence is told under `What was found`
_BELIEVED = ("baselines", "residual_tests", "hold_outs", "posterior", "comparison")  # and under `What can be believed`
_MOST_VALUES = 8  # parameters whose values are told


def summary(saved: Saved) -> Section:
    """The first section."""
    result = saved.result
    blocks: list[Any] = []
    word, tone, explanation = STATUS[result["status"]]
    if explanation:
        reason = f": {result['status_reason'].rstrip('.')}" if result.get("status_reason") else ""
        reason = reason.replace(f": {result['status']} by", " by", 1)
        lead = f"The fit {'was ' if result['status'] != 'failed' else ''}{word}{reason}. {explanation}"
        blocks.append(Text(lead, "bad" if tone == "bad" else "warn"))
    for title, sentences in (("What was asked", _asked), ("What was found", _found), ("What can be believed", _believed)):
        lines = list(sentences(saved))
        blocks += [Heading(title), Items(lines, "lead")] if lines else []
    objective = result["objective"]
    blocks.append(
        Facts(
            [
                ("Status", word, tone),
                ("Neg. log-likelihood", significant(objective["nll"], 6), ""),
                ("AIC", significant(objective["aic"], 5), ""),
                ("BIC", significant(objective["bic"], 5), ""),
                ("Observations", str(objective["n_data"]), ""),
                ("Time", duration(result["timing"]["total"]), ""),
            ]
        )
    )
    said = remarks(result, saved.declarations, saved.parameter_rows())
    blocks += [Items(lines, tone) for lines, tone in ((said, "muted"), (saved.warnings, "warn")) if lines]
    return Section("summary", "Summary", blocks)


def _asked(saved: Saved) -> Iterator[str]:
    yield _what(saved)
    networks = saved.result["networks"]
    if networks:
        weights = sum(n.get("n_weights") or 0 for n in networks.values() if not n.get("frozen"))
        called = arguments_of(saved.declarations)
        inputs = ", ".join(f"`{function_text(n, called[n.name])}`" for n in saved.declarations.networks)
        how_many = counted(len(networks), "neural network")
        yield f"What the equations leave open is learnt by {how_many}: {inputs}, {weights} weights."


def _found(saved: Saved) -> Iterator[str]:
    yield from _how_well(saved)
    yield from _values(saved)
    yield from _first(saved, _FOUND)


def _believed(saved: Saved) -> Iterator[str]:
    yield from _identified(saved)
    yield from _first(saved, _BELIEVED)


def _first(saved: Saved, kinds: tuple[str, ...]) -> Iterator[str]:
    """The first sentence of each of these findings."""
    for kind in kinds:
        said = saved.findings.get(kind, {}).get("sentences") or ()
        if said:
            yield said[0]


def _values(saved: Saved) -> Iterator[str]:
    """The numbers themselves where they are few; their intervals are those of the profiles where there are some."""
    if saved.result["status"] == "failed":
        return
    profiles, done = saved.findings.get("profiles", {}).get("parameters") or {}, saved.result["status"] == "converged"
    rows = [row for row in saved.parameter_rows() if not row["fixed"]]
    if not 0 < len(rows) <= _MOST_VALUES:
        return
    parts = []
    for row in rows:
        known = profiles.get(str(row["name"]), {})
        sure = known if known.get("verdict", "unknown") != "unknown" else row
        unit = f" {unit_text(row['unit'])}" if row["unit"] else ""
        parts.append(
            f"`{row['name']}` {brief(row['value'], 4)}{unit}{_interval(sure.get('lower95'), sure.get('upper95')) if done else ''}"
        )
    head = "So far" if not done else "Found, with 95 % intervals" if any(" (" in p for p in parts) else "Found"
    yield f"{head}: {'; '.join(parts)}."


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f" (at most {brief(high)})" if low is None else f" (at least {brief(low)})"
    digits = next((d for d in (3, 4, 5) if brief(low, d) != brief(high, d)), 6)
    return f" ({brief(low, digits)} to {brief(high, digits)})"


def _what(saved: Saved) -> str:
    d, result = saved.declarations, saved.result
    columns = names_in(saved.residuals, "column")
    times = saved.residuals["time"][np.isfinite(saved.residuals["time"])]
    series = len(names_in(saved.residuals, "series"))
    free = result["objective"].get("n_free")
    learnt = counted(free, "number") if free is not None else "its numbers"
    span = f", {d.time} {brief(times.min(), 5)} to {brief(times.max(), 5)}" if times.size else ""
    place = f" in `{result['data']['name']}`" if result.get("data", {}).get("name") else ""
    n_states = sum(max(1, int(np.prod(s.shape))) for s in d.states)
    records = f"{counted(result['objective']['n_data'], 'observation')} of {listed(gathered(columns))}"
    many = f" in {series} series" if series > 1 else ""
    was = "was to be fitted" if result["status"] == "failed" else "was fitted"
    return f"A model of {counted(n_states, 'state')}, with {learnt} to learn, {was} to {records}{place}{many}{span}."


def _how_well(saved: Saved) -> Iterator[str]:
    """How much of each column the model explains, and how many records its band holds."""
    yield from _classes(saved)
    rows, shares = saved.numbers, {}
    used = (rows["used"] == "fit") & (rows["censored"] == 0)
    for column in names_in(rows, "column"):
        mine = used & (rows["column"] == column) & np.isfinite(rows["predicted"]) & np.isfinite(rows["observed"])
        total = float(np.sum((rows["observed"][mine] - rows["observed"][mine].mean()) ** 2)) if mine.any() else 0.0
        left = float(np.sum((rows["observed"][mine] - rows["predicted"][mine]) ** 2))
        if total > 0 and np.isfinite(left):
            shares[column] = 1 - left / total
    z = rows["residual"][used & np.isfinite(rows["residual"])]
    if not shares or not len(z):
        return
    parts = [f"{_percent(share)} of the variance of `{column}`" for column, share in shares.items()]
    if len(parts) > 3:
        worst = min(shares, key=lambda column: shares[column])
        ends = list(dict.fromkeys((_percent(shares[worst]), _percent(max(shares.values())))))
        parts = [f"{' to '.join(ends)} of the variance of each of {len(shares)} columns, least of `{worst}`"]
    outside = int((np.abs(z) > 1.96).sum())
    yield (
        f"The fitted curves explain {' and '.join(filter(None, (', '.join(parts[:-1]), parts[-1])))}; {outside} of {len(z)} "
        f"records lie outside their 95 % band, where {brief(0.05 * len(z), 2)} are expected."
    )


def _classes(saved: Saved) -> Iterator[str]:
    """How often the most probable class is the one that was observed."""
    rows = saved.residuals
    for column, classes in saved.classes.items():
        mine = (rows["column"] == column) & (rows["used"] == "fit") & np.isfinite(rows["predicted"])
        right, most = rows["observed"][mine] == rows["predicted"][mine], np.unique(rows["observed"][mine], return_counts=True)[1]
        if mine.any():
            yield (
                f"The most probable class is the one observed in {int(right.sum())} of {counted(int(mine.sum()), 'record')} of "
                f"`{column}` ({len(classes)} classes; always naming the most frequent one would be right in {int(most.max())})."
            )


def _percent(share: float) -> str:
    if share < 0:
        return "nothing"
    return f"{100 * share:.0f} %" if share < 0.99 else f"{100 * share:.1f} %" if share < 0.9995 else "more than 99.9 %"


def _identified(saved: Saved) -> Iterator[str]:
    """How many parameters are identified; from standard errors where there are no profiles."""
    profiles = saved.findings.get("profiles", {}).get("parameters") or {}
    known = {name: p["verdict"] == "identified" for name, p in profiles.items() if p["verdict"] != "unknown"}
    if known:
        good = sum(known.values())
        if good == len(known):
            every = "all " if good > 1 else ""
            yield f"The data determine {every}{counted(good, 'parameter')} that {'were' if good > 1 else 'was'} profiled."
        else:
            rest = [name for name, identified in known.items() if not identified]
            yield f"The data determine {good} of {counted(len(known), 'parameter')}, but not {listed(rest)}."
        return
    if saved.result["status"] != "converged":
        if saved.result["status"] != "failed":
            yield "No optimum was reached: standard errors, intervals and tests are of the point where the fit ended."
        return
    loose = [
        (row["se"] / abs(row["value"]), row["name"])
        for row in saved.parameter_rows()
        if row["se"] is not None and row["value"] and not row["fixed"]
    ]
    if loose:
        share, name = max(loose)
        yield f"By standard errors, the least certain parameter is `{name}`, known to ±{100 * 1.96 * share:.2g} %."
