"""Writes docs/errors.md from hybridode/explain/*.md. Run: python docs/make_errors.py"""

from __future__ import annotations

from pathlib import Path

from hybridode.codes import FAMILIES, all_codes, explanation

PAGE = Path(__file__).parent / "errors.md"


def text() -> str:
    """The page: all codes by family, each linked to its explanation."""
    explanations = [explanation(code) for code in all_codes()]
    parts = [
        "# Errors and warnings",
        "",
        "Written by `python docs/make_errors.py` from `hybridode/explain/`. In a terminal: `hybridode explain CODE`.",
    ]
    for family in FAMILIES.values():
        rows = [e for e in explanations if e.family == family]
        if rows:
            parts += ["", f"## {family}", "", "| code | what it says |", "|---|---|"]
            parts += [f"| [{e.code}](../hybridode/explain/{e.code}.md) | {e.title} |" for e in rows]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
