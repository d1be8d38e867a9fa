"""Every wrong equation in grammar/bad/equations has its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridode.errors import ModelError, Source, render
from hybridode.language.check import declare

BAD = Path(__file__).parents[2] / "grammar" / "bad" / "equations"
MODELS = sorted(BAD.glob("*.ode"))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_message(path: Path, golden) -> None:
    with pytest.raises(ModelError) as wrong:
        declare(Source(path.name, path.read_text(encoding="utf-8")))
    golden(path.with_suffix(".txt"), render(wrong.value.diagnostics) + "\n")
    expected = {"balanced_but_singular": 2, "undeclared_unknown": 3}.get(path.stem, 1)
    assert len([d for d in wrong.value.diagnostics if d.severity == "error"]) == expected, "one mistake, one error"


def test_no_golden_without_a_model() -> None:
    assert len(MODELS) >= 26
    assert {p.stem for p in BAD.glob("*.txt")} == {p.stem for p in MODELS}
