"""Every wrong family in grammar/bad/families has its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridode.errors import ModelError, Source, render
from hybridode.language.check import declare

BAD = Path(__file__).parents[2] / "grammar" / "bad" / "families"
MODELS = sorted(BAD.glob("*.ode"))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_message(path: Path, golden) -> None:
    with pytest.raises(ModelError) as wrong:
        declare(Source(path.name, path.read_text(encoding="utf-8")))
    golden(path.with_suffix(".txt"), render(wrong.value.diagnostics) + "\n")
    assert len([d for d in wrong.value.diagnostics if d.severity == "error"]) == 1, "one mistake, one error"


def test_no_golden_without_a_model() -> None:
    assert len(MODELS) >= 24
    assert {p.stem for p in BAD.glob("*.txt")} == {p.stem for p in MODELS}
