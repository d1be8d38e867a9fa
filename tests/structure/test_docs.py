"""The documentation is complete and up to date where that can be checked."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])


def test_errors_page_is_up_to_date() -> None:
    """Mend with: python docs/make_errors.py"""
    assert runpy.run_path(str(ROOT / "docs" / "make_errors.py"))["text"]() == (ROOT / "docs" / "errors.md").read_text(
        encoding="utf-8"
    )


def properties(schema: Any) -> Iterator[str]:
    """Names of all fields of a JSON schema, the explanations of nulls left out."""
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield from (name for name in node.get("properties", {}) if not name.endswith("_reason") or name == "status_reason")
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def test_every_field_of_a_result_is_documented() -> None:
    schema = json.loads((ROOT / "hybridode" / "fit" / "outcome" / "result_schema.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "run-directory.md").read_text(encoding="utf-8")
    assert [name for name in sorted(set(properties(schema))) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
    assert [t for t in targets if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda p: p.name)
def test_models_in_the_documentation_are_fine(page: Path) -> None:
    """Every fenced block that begins with `model` is a whole model without errors."""
    from hybridode.errors import Source
    from hybridode.language.check import declare

    for text in re.findall(r"```\n(model .*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        declare(Source(page.name, text))
