"""The table of rewrites in docs/pipeline.md says what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridode.equations.pipeline import equations_of
from hybridode.errors import Source
from hybridode.expr import show
from hybridode.language.check import declare

DOCUMENT = Path(__file__).parents[2] / "docs" / "pipeline.md"
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def definitions(texts: list[str]) -> list[str]:
    lines = ["model table", "param k = 1", "param s = 2", "param n = 2.5", "state x = 1", "x' = -x"]
    source = Source("table.ode", "\n".join([*lines, *(f"y{i} = {text}" for i, text in enumerate(texts))]) + "\n")
    system = equations_of(declare(source))
    return [show(d.expr) for d in sorted(system.definitions, key=lambda d: int(d.symbol.name[1:]))]


@pytest.mark.parametrize(("written", "becomes"), ROWS)
def test_row(written: str, becomes: str) -> None:
    got, expected = definitions([written, becomes])
    assert got == expected


def test_the_table_was_found() -> None:
    assert len(ROWS) > 10
