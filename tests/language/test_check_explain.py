"""Every code of the checker is explained, and the examples of the explanations do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridode.errors import Diagnostic, ModelError, Source
from hybridode.language.check import declare

ROOT = Path(__file__).parents[2] / "hybridode"
USED = {
    code
    for path in (ROOT / "language").glob("*.py")
    for code in re.findall(r'"([EW]0[2-9]\d\d)"', path.read_text(encoding="utf-8"))
}
FILES = sorted(p for p in (ROOT / "explain").glob("*.md") if p.stem in USED | {"E0150", "E0151"})
BASE = "param k = 1\nstate x = 1\nx' = -k*x\n"


def examples(path: Path) -> list[str]:
    return re.findall(r"```\n(.*?)\n```", path.read_text(encoding="utf-8"), re.DOTALL)


def diagnostics(lines: str) -> tuple[Diagnostic, ...]:
    alone = lines.startswith(("model ", "state x "))
    text = lines if alone else "model m\n" + BASE + lines
    try:
        return declare(Source("m.ode", text + "\n")).warnings
    except ModelError as wrong:
        return wrong.diagnostics


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_examples(path: Path) -> None:
    wrong, right = examples(path)
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert path.stem in {d.code for d in diagnostics(wrong)}
    found = diagnostics(right)
    assert path.stem not in {d.code for d in found}
    assert not [d for d in found if d.severity == "error"]


def test_every_code_is_explained() -> None:
    assert USED <= {p.stem for p in FILES}
