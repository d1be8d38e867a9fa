"""What a fit ends with, in words: the table of parameters, the likelihood, and what a reader should look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hybridode.declarations import Declarations
from hybridode.expr import symbols
from hybridode.fit.outcome.shares import share_sentences
from hybridode.report.plain import short, table

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

NEAR = 1e-2  # in negative log-likelihood: starts that end so close are at one optimum
_MOST_DOUBTS = 12  # sentences about parameters that are not identified
_MOST = 5  # parameters at their bounds that are named


def ending_text(run: FitRun, profiles: Mapping[str, Any] | None = None) -> str:
    """The parameters, what is known of them, the statistics, and the sentences below them. profiles: the finding."""
    return "\n\n".join(part for part in (parameter_table(run, profiles), statistics_text(run), doubts_text(profiles)) if part)


def parameter_table(run: FitRun, profiles: Mapping[str, Any] | None = None) -> str:
    """Name, value, standard error, 95 % interval, unit and remarks of every parameter; "" for a model without any."""
    headers, rows = parameter_cells(run, profiles)
    return table(headers, rows, frozenset({1, 2, 3})) if rows else ""


def parameter_cells(run: FitRun, profiles: Mapping[str, Any] | None = None) -> tuple[list[str], list[list[str]]]:
    """The headers and rows of that table. Intervals are those of the profiles, where there are some."""
    known: Mapping[str, Any] = {} if profiles is None else profiles["parameters"]
    rows = []
    for row in run.parameters_table.to_dict("records"):
        interval = f"{short(row['lower95'], 4)} … {short(row['upper95'], 4)}" if short(row["lower95"]) != "–" else "–"
        remark = row["reason"] or ("fixed" if row["fixed"] else "at its bound" if row["at_bound"] else "")
        if str(row["name"]) in known:
            interval, verdict = _of_profile(known[str(row["name"])])
            remark = verdict or ("at its bound" if row["at_bound"] else "")
        rows.append([str(row["name"]), short(row["value"]), short(row["se"], 2), interval, row["unit"], remark])
    return ["parameter", "value", "std. error", "95 % interval", "unit", ""], rows


def _of_profile(found: Mapping[str, Any]) -> tuple[str, str]:
    """The interval, and the verdict in a few words where it is not `identified`."""
    low, high = found["lower95"], found["upper95"]
    if low is None and high is None:
        interval = "–"
    elif low is None:
        interval = f"< {short(high, 4)}"
    else:
        interval = f"> {short(low, 4)}" if high is None else f"{short(low, 4)} … {short(high, 4)}"
    kind, combination = found["verdict"], found["combination"]
    if kind == "combination" and combination is not None:
        return interval, f"only `{combination['text']}` is identified"
    return interval, {"identified": "", "bounded below": "bounded only from below", "bounded above": "bounded only from above",
                      "unknown": "not known", "not identified": "not identified"}.get(kind, kind)  # fmt: skip


def doubts_text(profiles: Mapping[str, Any] | None) -> str:
    """What the profiles say of parameters that are not identified, and which measurement would tell more."""
    if profiles is None:
        return ""
    doubtful = {name for name, p in profiles["parameters"].items() if p["verdict"] != "identified"}
    lines = [f"`{name}`: {p['sentence']}" for name, p in profiles["parameters"].items() if name in doubtful]
    lines += [a["sentence"] for a in profiles["next_measurements"] if a["parameter"] in doubtful]
    more = len(lines) - _MOST_DOUBTS
    return "\n".join(
        [*lines[:_MOST_DOUBTS], *([f"and {more} more sentence{'s' * (more > 1)} in findings/profiles.json"] if more > 0 else [])]
    )


def statistics_text(run: FitRun) -> str:
    """Likelihood, information criteria, status, what deserves a look, hold-out and time."""
    result = run.result
    objective = result["objective"]
    criteria = f" · AIC {short(objective['aic'], 6)} · BIC {short(objective['bic'], 6)}" if objective["aic"] is not None else ""
    likelihood = f"negative log-likelihood {short(objective['nll'], 7)} over {objective['n_data']} observations"
    lines = [f"{result['status']}: {likelihood}{criteria}"]
    if result["status"] != "converged":
        lines.append(str(result["status_reason"]))
    if result["status"] in ("stopped", "interrupted"):
        lines.append("no optimum was reached: standard errors and intervals are those of the point where it ended")
    lines += remarks(result, run.dataset.declarations, run.parameters_table.to_dict("records"))
    if result.get("hold_out"):
        score = result["hold_out"]
        of_classes = f" · {100 * score['accuracy']:.0f} % of the classes right" if "accuracy" in score else ""
        error = "" if score["rmse"] is None and of_classes else f" · rmse {short(score['rmse'])}"
        lines.append(f"held out: log score {short(score['log_score'])} per observation{error}{of_classes}")
    timing = result["timing"]
    lines.append(f"time: compile {timing['compile']:.1f} s · fit {timing['fit']:.1f} s · total {timing['total']:.1f} s")
    return "\n".join(lines)


def remarks(result: Mapping[str, Any], declarations: Declarations, parameters: Sequence[Mapping[Any, Any]]) -> list[str]:
    """How the starts compare, what networks explain, parameters at their bounds: sentences for a reader. `parameters`: the rows
    of parameters.csv; a bound that does not exist is NaN or None."""
    return [
        *_about_starts(result),
        *share_sentences(result["networks"]),
        *_about_weights(result),
        *_about_bounds(declarations, parameters),
    ]


def _about_starts(result: Mapping[str, Any]) -> list[str]:
    """`19 of 25 starts ended at this optimum; the next best one is 3.2 worse`."""
    ends = sorted(s["objective"] for s in result["starts"] if s["objective"] is not None and math.isfinite(s["objective"]))
    if len(result["starts"]) < 2 or not ends:
        return []
    there = sum(value - ends[0] < NEAR for value in ends)
    others = f"; the next best ended {short(ends[there] - ends[0], 3)} higher" if there < len(ends) else ""
    where = "ended at this optimum" if result["status"] == "converged" else "came this far"
    return [f"{there} of {len(result['starts'])} starts {where}{others}"]


def _about_weights(result: Mapping[str, Any]) -> list[str]:
    """What AIC and BIC count."""
    weights = sum(n["n_weights"] for n in result["networks"].values() if not n.get("frozen"))
    if not weights or result["objective"]["aic"] is None:
        return []
    return [f"AIC and BIC count each of the {weights} weights of networks as one number learnt"]


def _about_bounds(declarations: Declarations, parameters: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What it means that parameters press against their bounds."""
    noise = [e for o in declarations.observations for _, e in o.arguments[1:]]
    scales = {symbol.name for symbol in symbols(*noise)}
    lines = []
    for row in parameters:
        if not row["at_bound"]:
            continue
        numbers = (row[key] for key in ("lower_bound", "upper_bound", "value"))
        low, high, value = (math.nan if number is None else float(number) for number in numbers)
        name = str(row["name"])
        lower = not math.isfinite(high) or (math.isfinite(low) and abs(value - low) <= abs(high - value))
        what = f"`{name}` is at its {'lower' if lower else 'upper'} bound, {short(low if lower else high)}"
        if name.partition("[")[0] not in scales:
            lines.append(f"{what}: the data would take it further, so look whether the bound is right")
        elif lower:
            lines.append(
                f"{what}: the model follows the data more closely than this noise (few data, or a model that is too free)"
            )
        else:
            lines.append(f"{what}: the model does not follow the data more closely than this noise")
    more = len(lines) - _MOST
    return [*lines[:_MOST], *([f"and {more} more parameters are at their bounds"] if more > 0 else [])]
