"""The page docs/benchmarks.md and its diagrams, made from the JSON of all tables that have been measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.goals import GOALS
from tests.benchmarks.tables import TABLES
from tests.benchmarks.tables.table import grid

HEAD = """# Benchmarks

Made by `python -m tests.benchmarks`, which measures, and writes this page, `benchmarks/results.json` and the diagrams. Do not
edit it. Each table ran in a process of its own; its heading says when, on what and how busy the machine was. Medians of
interleaved runs (A B C A B C …). Ratios carry over between machines, times do not. Peers install with
`pip install "hybridode[benchmarks]"`; AMICI and pyPESTO, whose models are compiled by a C++ compiler, with
`pip install "hybridode[benchmarks,amici]"`.
"""


SHORTFALLS = Path(__file__).with_name("shortfalls.md")  # written by hand: why some rows are missed, from profiles


def stored(folder: Path) -> dict[str, Any]:
    """What was measured before: table → data."""
    path = folder / "benchmarks" / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(folder: Path, results: dict[str, Any]) -> str:
    """Writes JSON, SVG and Markdown into a folder and returns the Markdown."""
    pictures = folder / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    ordered = {t.name: results[t.name] for t in TABLES if t.name in results}
    (pictures / "results.json").write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for table in TABLES:
        if table.name in results:
            for name, svg in table.draw(results[table.name]).items():
                (pictures / f"{name}.svg").write_text(svg, encoding="utf-8")
    text = page(results)
    (folder / "benchmarks.md").write_text(text, encoding="utf-8")
    return text


def page(results: dict[str, Any]) -> str:
    lines = [HEAD, "## What was to be reached", "", *goals(results)]
    for table in TABLES:
        if table.name in results:
            data = results[table.name]
            lines += [f"## {table.title}", "", heading(data["facts"]), "", *table.write(data)]
    return "\n".join([*lines, SHORTFALLS.read_text(encoding="utf-8")]).rstrip() + "\n"


def goals(results: dict[str, Any]) -> list[str]:
    rows = []
    for table in TABLES:
        if table.name in results:
            for name, value in table.goals(results[table.name]):
                goal = GOALS[name]
                sign, unit = ("≤", "") if goal.smaller else ("≥", "×")
                limits = (f"{sign} {limit:g}{unit}" for limit in (goal.at_least, goal.aim))
                rows.append([goal.words, *limits, "–" if value is None else f"{value:.3g}", goal.verdict(value)])
    return grid(["", "at least", "aim", "measured", ""], rows)


def heading(facts: dict[str, Any]) -> str:
    """When, on what, with which versions."""
    load = ", ".join(f"{x:g}" for x in facts["load"])
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    quick = " A quick run: few samples." if facts.get("quick") else ""
    return (f"{facts['date']}; {facts['processor']}, {facts['cores']} cores; load before the run {load} (of others too); "
            f"{facts['took']:.0f} s.{quick} {versions}.")  # fmt: skip
