"""The report: one page that needs no network. Built from a run's tables; the template holds the words and the looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hybridode.report.ending import remarks
from hybridode.report.equations import equation_groups
from hybridode.report.figures import Drawing, page_svg

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

TEMPLATES = Path(__file__).parent / "templates"
STATUS = {  # status of result.json -> (word, colour, explanation)
    "converged": ("converged", "good", ""),
    "stopped": ("stopped early", "warn", "A limit of iterations or of time was reached before the optimiser was satisfied."),
    "interrupted": ("interrupted", "warn", "The fit was interrupted; this is the best point found so far."),
    "failed": ("failed", "bad", "No acceptable fit was found. The numbers below are where it ended, not an answer."),
}


def significant(value: Any, digits: int = 4) -> str:
    """A number for reading: `digits` significant figures, no more; a dash for what does not exist."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    number = float(value)
    if number == 0:
        return "0"
    if 1e-4 <= abs(number) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
        return f"{number:.{decimals}f}".replace("-", "−")
    mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    return f"{mantissa}×10^{int(exponent)}".replace("-", "−")


def with_power(text: str) -> Markup:
    """`1.2×10^−5` with its exponent raised."""
    head, caret, exponent = text.partition("^")
    return Markup("{}<sup>{}</sup>").format(head, exponent) if caret else Markup("{}").format(text)


def with_code(text: str) -> Markup:
    """What stands in backquotes as code."""
    parts = text.split("`")
    marked = [Markup("<code>{}</code>").format(part) if i % 2 else Markup("{}").format(part) for i, part in enumerate(parts)]
    return Markup("").join(marked)


def duration(seconds: Any) -> str:
    """Seconds in words of a size that is read at a glance."""
    if seconds is None:
        return "–"
    return f"{float(seconds):.1f} s" if float(seconds) < 120 else f"{float(seconds) / 60:.1f} min"


def report_html(run: FitRun, drawings: Sequence[Drawing], command: str | None = None) -> str:
    """The page as text. `command` is the command line that reproduces the run."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["num"] = lambda value, digits=4: with_power(significant(value, digits))
    environment.filters["code"] = with_code
    environment.filters["duration"] = duration
    return environment.get_template("report.html").render(**_context(run, drawings, command))


def _context(run: FitRun, drawings: Sequence[Drawing], command: str | None) -> dict[str, Any]:
    result = run.result
    word, tone, explanation = STATUS[result["status"]]
    shown = [{**asdict(drawing), "svg": Markup(page_svg(drawing))} for drawing in drawings]
    return {
        "declarations": run.declarations,
        "result": result,
        "status": {"word": word, "tone": tone, "explanation": explanation},
        "equations": [
            {"title": g.title, "math": Markup(g.math), "more": g.more} for g in equation_groups(run.dataset.declarations)
        ],
        "figures": {name: [d for d in shown if d["section"] == name] for name in ("fit", "residuals", "convergence", "states")},
        "parameters": parameter_rows(run),
        "networks": network_rows(run),
        "remarks": remarks(run),
        "warnings": [line for line in run.log if line.startswith("warning ")],
        "has_limits": bool((run.residuals["censored"] != 0).any()),
        "has_priors": bool(run.declarations.priors),
        "inline_networks": any(network.inline for network in run.declarations.networks),
        "notes": tuple(run.dataset.notes),
        "log": tuple(run.log),
        "command": command,
    }


def parameter_rows(run: FitRun) -> list[dict[str, Any]]:
    """One row per entry of the parameters, with what the text says about each."""
    docs = {p.name: p.doc for p in run.dataset.declarations.parameters}
    rows = []
    for row in run.parameters_table.to_dict("records"):
        doc = docs.get(row["name"]) or docs.get(str(row["name"]).partition("[")[0], "")
        rows.append({**{str(k): _none_for_nan(v) for k, v in row.items()}, "doc": doc, "bar": _bar(row)})
    return rows


def _none_for_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _bar(row: Mapping[Any, Any]) -> dict[str, float] | None:
    """Where value and interval lie between the bounds, in percent; on a log scale when both ends are positive."""
    keys = ("lower_bound", "lower95", "value", "upper95", "upper_bound")
    numbers = [row.get(k) for k in keys]
    if any(n is None or not math.isfinite(float(n)) for n in numbers):
        return None
    low, left, value, right, high = (float(n) for n in numbers if n is not None)
    if not low < high:
        return None
    if low > 0 and high / low > 20:
        low, left, value, right, high = (math.log(max(n, 1e-300)) for n in (low, left, value, right, high))
    place = lambda x: min(100.0, max(0.0, 100 * (x - low) / (high - low)))  # noqa: E731
    return {"left": round(place(left), 2), "value": round(place(value), 2), "width": round(place(right) - place(left), 2)}


def network_rows(run: FitRun) -> list[dict[str, Any]]:
    """One row per network: what goes in, its layers, how many numbers were learnt."""
    described = run.result.get("networks", {})
    rows = []
    for network in run.declarations.networks:
        found = described.get(network.name, {})
        rows.append(
            {
                "name": network.name,
                "inputs": ", ".join(network.argument_texts) or f"{network.inputs} inputs",
                "layers": found.get("layers"),
                "act": network.act,
                "n_weights": found.get("n_weights"),
                "doc": network.doc,
            }
        )
    return rows
