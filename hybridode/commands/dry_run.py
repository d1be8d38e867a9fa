"""`hybridode fit --dry-run`: what would be done and what it would cost. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hybridode.commands.output import Output
from hybridode.fit.time_left import duration
from hybridode.report.plain import short

if TYPE_CHECKING:
    from hybridode.data.experiments import Dataset
    from hybridode.declarations import Declarations
    from hybridode.fit.plan import Plan


class _Planned(Exception):
    """Ends a fit before its search."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan


def dry_run(declarations: Declarations, dataset: Dataset, chosen: Mapping[str, Any], directory: str, output: Output) -> int:
    """Prepares the fit up to its first evaluation, says what would follow (also when the declared values have no likelihood), and
    returns 0."""
    from hybridode.fit.run import fit

    def stop(plan: Plan) -> None:
        raise _Planned(plan)

    try:
        fit(declarations, dataset, planned=stop, **chosen)
    except _Planned as planned:
        plan = planned.plan
        output.data({"ok": True, "plan": asdict(plan)})
        output.result(plan_text(plan, directory, chosen, dataset.n_records))
    return 0


def plan_text(plan: Plan, directory: str, chosen: Mapping[str, Any], records: int) -> str:
    """The plan for a reader. `chosen`: the keywords of the fit; `records`: all that the data have."""
    limit, hold_out, told = chosen.get("max_seconds"), chosen.get("hold_out"), chosen.get("fix") or {}
    fixed = ", ".join(name if value is None else f"{name} = {short(value) if _is_number(value) else value}"
                      for name, value in told.items())  # fmt: skip
    names = ", ".join(plan.parameters[:12]) + (f" and {len(plan.parameters) - 12} more" if len(plan.parameters) > 12 else "")
    learnt = [names] if names else []
    if plan.weights:
        learnt.append(f"{plan.weights} weights of networks")
    lines = [
        f"learnt: {plan.numbers} numbers ({'; '.join(learnt)})"
        if plan.numbers
        else "learnt: nothing, the model is only evaluated",
        *([f"fixed: {fixed}"] if fixed else []),
        f"from: {plan.records} records in {plan.series} series"
        + (f"; {records - plan.records} more are held out ({hold_out})" if hold_out else ""),
        *plan.why,
        f"starts: {plan.starts}" + (f", {min(plan.width, plan.starts)} side by side" if min(plan.width, plan.starts) > 1 else ""),
        f"at the values it begins with: objective {short(plan.objective, 7)} (negative log-likelihood and what is added to it)",
        f"measured: {_small(plan.evaluation)} for an evaluation of one start, {plan.preparing:.1f} s to prepare",
        f"estimate: {_span(plan.least, plan.most)} for the search"
        + (f", and no more than {duration(limit)} (--max-seconds)" if limit is not None else ""),
        f"would be written to: {directory}",
        "dry run: nothing was fitted or written",
    ]
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _small(seconds: float) -> str:
    for most, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < most:
            return f"{short(seconds * factor, 2)} {unit}"
    return f"{short(seconds, 2)} s"


def _span(least: float, most: float) -> str:
    if most < 1:
        return "less than a second"
    return f"{duration(least) if least >= 1 else 'a second'} to {duration(most)}"
