"""Structural identifiability in commands: `hybridode check --identifiability`, and the finding at the end of a fit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hybridode.commands.found import Found
from hybridode.declarations import Declarations
from hybridode.errors import UsageError


def structure(declarations: Declarations, given: Collection[str] = (), fixed: Collection[str] = ()) -> dict[str, Any]:
    """The fields of the finding, or one sentence about why there is no answer, and `identifiable` null."""
    from hybridode.fit.inference.structural.analysis import identifiability

    try:
        return identifiability(declarations, tuple(given), tuple(fixed)).content()
    except UsageError as error:
        message = error.diagnostics[0].message
        return {"sentences": [message], "identifiable": None, "identifiable_reason": message}


def found_structure(declarations: Declarations, given: Collection[str], fixed: Collection[str]) -> Found | None:
    """As a finding; None where there is no answer."""
    content = structure(declarations, given, fixed)
    return None if content["identifiable"] is None else Found(content)
