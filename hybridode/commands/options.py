"""Texts of options as values: `k=1.5`, `1,2,3`. Nothing is evaluated."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from hybridode.errors import Diagnostic, UsageError


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary. Raises UsageError E0804 for what is no pair or is said twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise _no_value(f"`{option} {text}` is not of the form NAME=VALUE", f"write {option} {name or 'NAME'}=VALUE")
        if name in found:
            raise _no_value(f"{option} gives `{name}` twice", "give it once")
        found[name] = value
    return found


def numbers_by_name(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """`k=1.5` and `k=[1, 2]` as a dictionary of numbers and lists. Raises UsageError E0804."""
    return {name: _number_or_list(option, name, value) for name, value in pairs(option, texts).items()}


def _number_or_list(option: str, name: str, text: str) -> Any:
    if text.startswith("["):
        try:
            return _checked_list(json.loads(text))
        except (ValueError, RecursionError):
            raise _no_value(f"{option} {name}={text} is no list of numbers", "write it as [1, 2, 3]") from None
    value = _number(text)
    if value is None:
        raise _no_value(f"{option} {name}={text}: `{text}` is no number", "give a plain number such as 0.5 or 1e-3")
    return value


def _checked_list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError
    for item in value:
        if isinstance(item, list):
            _checked_list(item)
        elif isinstance(item, bool) or not isinstance(item, int | float):
            raise ValueError
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def numbers(option: str, text: str) -> list[float]:
    """`1,2.5,3` as numbers. Raises UsageError E0805."""
    found = [_number(part) for part in text.replace(";", ",").split(",") if part.strip()]
    values = [value for value in found if value is not None]
    if not values or len(values) < len(found):
        message = f"`{option} {text}` is no list of times"
        raise UsageError(Diagnostic("E0805", message, hint=f"write {option} 0,1,2.5"))
    return values


def _no_value(message: str, hint: str) -> UsageError:
    return UsageError(Diagnostic("E0804", message, hint=hint))
