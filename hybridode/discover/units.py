"""Units of coefficients: what a number must have so that its term has the unit of the rate that it stands in."""

from __future__ import annotations

from collections.abc import Sequence


def coefficient_unit(unit: str, units: Sequence[str], powers: Sequence[float]) -> str:
    """unit/(units^powers) as a text; "" where one that counts is not known."""
    used = [(u, p) for u, p in zip(units, powers, strict=True) if p]
    if not unit or any(not u for u, _ in used):
        return ""
    from pint import UnitRegistry
    from pint.errors import PintError

    registry = UnitRegistry()
    try:
        result = registry(unit).units
        for u, p in used:
            result = result / registry(u).units ** p
        return f"{result:~}".replace(" ", "") or "1"
    except (PintError, AttributeError):
        return ""
