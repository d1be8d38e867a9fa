"""Profiles, spectrum and bands of a fit as findings: at the end of `hybridode fit`, and by `hybridode profile`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hybridode.commands.found import Found

if TYPE_CHECKING:
    from hybridode.fit.inference.believed import Believed
    from hybridode.fit.progress import Recorder
    from hybridode.fit.run import FitRun

ALONE = (
    "one start has trained the networks: where there are no data they might have learnt other functions, which this band does "
    "not know; `hybridode ensemble RUN` trains more"
)


@dataclass(frozen=True)
class Detail:
    """How much: `names` None: all parameters; `levels`: points of a profile from the optimum to the end of an interval."""

    names: Sequence[str] | None = None
    levels: int = 4


def after_fit(run: FitRun, seconds: float) -> Found | None:
    """What the end of a fit says; None where there is nothing to profile."""
    if run.finished is None or run.status != "converged":
        return None
    from hybridode.commands.structural import found_structure

    found = found_of(run, seconds)
    dataset = run.dataset
    fixed = run.result["settings"]["used"].get("fix") or ()
    structure = found_structure(dataset.declarations, dataset.given, fixed)
    return found if structure is None else replace(found, others={**found.others, "identifiability": structure})


def found_of(run: FitRun, seconds: float | None, detail: Detail = Detail(), recorder: Recorder | None = None) -> Found:
    """The finding `profiles`, with `spectrum` and `bands` beside it. Raises UsageError E0781, E0783."""
    from hybridode.fit.inference.believed import believed
    from hybridode.fit.inference.profiles import ROOT95

    assert run.finished is not None, "a fit with an optimum"
    finished = run.finished
    what = believed(finished.prepared, finished.theta, seconds, detail.names, ROOT95 / detail.levels, finished.members, recorder)
    known = what.spectrum
    others = {} if known is None else {"spectrum": Found({"sentences": known.sentences(), **known.content()})}
    if what.bands is not None:
        others["bands"] = _bands(what, finished.members, len(finished.theta) > finished.prepared.objective.n_parameters)
    notes = [f"left out: {line}; `hybridode profile RUN` takes the time that it needs" for line in what.left_out]
    return Found(profile_content(what), {"csv": _csv(what.profiled.curves)}, notes, others)


def profile_content(what: Believed) -> dict[str, Any]:
    """The fields of the finding `profiles`."""
    from hybridode.fit.inference.profiles import ROOT95

    table = what.profiled
    parameters: dict[str, Any] = {}
    curves = table.curves
    for row, profile in zip(table.table.to_dict("records"), table.profiles, strict=True):
        verdict, own = table.verdicts[profile.name], curves[curves["profile"] == profile.name]
        known = verdict.combination
        parameters[profile.name] = {
            "value": row["value"], "lower95": row["lower95"], "upper95": row["upper95"],
            **_reasons(profile.below.open, profile.above.open),
            "verdict": verdict.kind, "sentence": verdict.sentence,
            "combination": None if known is None else {
                "text": known.text, "value": known.value, "sd": known.sd, "relative": known.relative,
                "with": [table.space.names[i] for i in known.parts]},
            "curve": {"value": own["value"].tolist(), "rise": own["rise"].tolist()},
        }  # fmt: skip
    advice = [a for a in what.advice if a.helps or (table.verdicts.get(a.name) and table.verdicts[a.name].kind != "identified")]
    found = {
        "level": 0.95, "rise_of_interval": ROOT95**2 / 2, "parameters": parameters,
        "sentences": [*(f"`{name}`: {v.sentence}" for name, v in table.verdicts.items()), *(a.sentence for a in advice)],
        "next_measurements": [{"parameter": a.name, "sentence": a.sentence,
                               "observed": None if a.observed is None else vars(a.observed),
                               "anything": None if a.anything is None else vars(a.anything)} for a in advice],
        "left_out": list(what.left_out), "early": table.early, "better": None,
    }  # fmt: skip
    if table.better is not None:
        natural = table.space.natural(table.better[: table.space.size])
        found["better"] = {name: value.tolist() for name, value in natural.items()}
        found["sentences"].insert(0, "a profile met a better optimum than the fit: fit again with more `--starts`, or from there")
    return found


_OPEN = {
    "bound": "the bound of the parameter is reached first",
    "flat": "no value on this side can be excluded",
    "failed": "the model could not be solved there",
    "interrupted": "the profile was cut short",
    "better": "a better optimum was found there",
}


def _reasons(below: str, above: str) -> dict[str, str]:
    return {f"{side}_reason": _OPEN[why] for side, why in (("lower95", below), ("upper95", above)) if why}


def _bands(what: Believed, members: Sequence[Any], networks: bool) -> Found:
    assert what.bands is not None
    alone = [] if members or not networks else [ALONE]
    sentences = [*what.bands.sentences(), *alone]
    content = {"sentences": sentences, "level": 0.95, "how": what.bands.how, "unknown": what.bands.unknown,
               "members": len(members)}  # fmt: skip
    return Found(content, {"csv": _csv(what.bands.table)})


def _csv(table: Any) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()
