"""How the run was made: the command, settings, versions, the model's text, the log; and what could be added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridode.report.blocks import Code, Fold, Heading, Items, Section, Table, Text
from hybridode.report.saved import Saved
from hybridode.report.words import duration

ADDS = {  # kind of finding -> what a reader would get, and the command
    "residual_tests": ("tests of the residuals in words", "hybridode fit"),
    "learnt": ("the learnt functions where the data reach, with their uncertainty", "hybridode fit"),
    "profiles": ("profile likelihoods, and a verdict on each parameter", "hybridode profile"),
    "ensemble": ("bands that widen where there are no data: the networks trained from other first weights", "hybridode ensemble"),
    "bootstrap": ("intervals from refits to data drawn anew", "hybridode bootstrap"),
    "posterior": ("the posterior by NUTS", "hybridode sample"),
    "hold_outs": ("scores on records that were held out, by series or by time", "hybridode hold-out"),
    "baselines": ("the physics alone, the network alone and a constant, side by side with the fit", "hybridode compare"),
    "discovery": ("formulas for what the networks have learnt", "hybridode discover"),
}
_HYBRID = {"learnt", "ensemble", "baselines", "discovery"}  # only where there is a network


def missing(saved: Saved, commands: frozenset[str]) -> list[str]:
    """A sentence for each finding that the run lacks and that one of `commands` would add."""
    hybrid = bool(saved.declarations.networks)
    lines = []
    for kind, (what, command) in ADDS.items():
        if kind in saved.findings or (kind in _HYBRID and not hybrid) or command.partition(" ")[2] not in commands:
            continue
        lines.append(f"`{command} RUN` adds {what}.")
    return lines


def made(saved: Saved, commands: frozenset[str]) -> Section:
    """The last section."""
    result = saved.result
    blocks: list[Any] = []
    if saved.command:
        blocks += [Text("This command makes the run again:"), Code(saved.command, "command")]
    more = [f["command"] for f in saved.findings.values() if f.get("command") and f["command"] != saved.command]
    if more:
        blocks += [Text("What came after it:"), Code("\n".join(dict.fromkeys(more)), "commands after the fit")]
    absent = missing(saved, commands)
    blocks += [Heading("What can be added"), Items(absent)] if absent else []
    settings: Mapping[str, Any] = result.get("settings", {})
    rows = [["seed", result["seed"]], *([k.replace("_", " "), _said(v)] for k, v in settings.items())]
    rows += [[f"time: {name}", duration(value)] for name, value in result["timing"].items()]
    rows += [[f"time: {kind.replace('_', ' ')}", duration(f.get("seconds"))] for kind, f in saved.findings.items()]
    blocks.append(Fold("Settings and times", [Table("Settings and times", ["what", "value"], rows, code=frozenset())]))
    versions = [[name, value] for name, value in result["versions"].items()]
    blocks.append(Fold("Versions", [Table("Versions", ["package", "version"], versions, code=frozenset())]))
    blocks.append(Fold("The fitted model's text", [Code(saved.declarations.source.text, "fitted.ode")]))
    if saved.log:
        blocks.append(Fold(f"Log ({len(saved.log)} lines)", [Code("\n".join(saved.log), "log")]))
    return Section("made", "How it was made", blocks)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_said(v)}" for k, v in value.items()) or "nothing"
    if isinstance(value, list | tuple):
        return ", ".join(_said(v) for v in value) or "nothing"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
