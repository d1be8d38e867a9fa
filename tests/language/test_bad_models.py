"""Every model in the folders of grammar/bad has its message, and one mistake is one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridode.errors import ModelError, Source, render
from hybridode.language.check import declare

BAD = Path(__file__).parents[2] / "grammar" / "bad"
FOLDERS = {"equations": 26, "families": 24}  # folder: how many there are at least
MODELS = [path for folder in FOLDERS for path in sorted((BAD / folder).glob("*.ode"))]
MISTAKES = {"balanced_but_singular": 2, "undeclared_unknown": 3}


@pytest.mark.parametrize("path", MODELS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_message(path: Path, golden) -> None:
    with pytest.raises(ModelError) as wrong:
        declare(Source(path.name, path.read_text(encoding="utf-8")))
    golden(path.with_suffix(".txt"), render(wrong.value.diagnostics) + "\n")
    errors = [d for d in wrong.value.diagnostics if d.severity == "error"]
    assert len(errors) == MISTAKES.get(path.stem, 1), "one mistake, one error"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_golden_without_a_model(folder: str) -> None:
    models = {p.stem for p in (BAD / folder).glob("*.ode")}
    assert len(models) >= FOLDERS[folder]
    assert {p.stem for p in (BAD / folder).glob("*.txt")} == models
