"""Every malformed model in grammar/bad has its message, and every explanation shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridode.codes import FOLDER
from hybridode.errors import Source, render
from hybridode.language.reader import parse

BAD = Path(__file__).parents[2] / "grammar" / "bad"
MODELS = sorted(BAD.glob("*.ode"))
SYNTAX_CODES = [p for p in sorted(FOLDER.glob("E01*.md")) if p.stem < "E0150"]  # later ones come from the checker
NOT_MODELS = {"E0139", "E0140", "E0141", "E0142"}  # their examples are commands, or too long to print


def _read(path: Path) -> Source:
    return Source(path.name, path.read_bytes().decode())


def test_there_are_enough_of_them() -> None:
    assert len(MODELS) >= 98


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_message(path: Path, golden) -> None:
    tree, diagnostics = parse(_read(path))
    assert diagnostics, "nothing is wrong with this model"
    golden(path.with_suffix(".txt"), render(diagnostics) + "\n")
    # The good statements round the bad one are read all the same.
    last = tree.statements[-1]
    assert tree.statements[0].word == "model"
    assert path.stem in ("unclosed_with_lines_after", "several_mistakes") or last.end >= len(_read(path).text) - 2


def test_no_golden_without_a_model() -> None:
    assert {p.stem for p in BAD.glob("*.txt")} == {p.stem for p in MODELS}


def test_most_mistakes_have_their_own_message() -> None:
    vague = [p.stem for p in MODELS if any(d.code == "E0101" for d in parse(_read(p))[1])]
    assert len(vague) <= 3, vague


@pytest.mark.parametrize("path", SYNTAX_CODES, ids=lambda p: p.stem)
def test_explanations_are_true(path: Path) -> None:
    if path.stem in NOT_MODELS:
        return
    wrong, right = re.findall(r"```\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    assert path.stem in {d.code for d in parse(Source("wrong", wrong))[1]}
    assert parse(Source("right", right))[1] == []


def test_every_syntax_code_has_an_example() -> None:
    seen = {d.code for p in MODELS for d in parse(_read(p))[1]}
    missing = {p.stem for p in SYNTAX_CODES} - seen - NOT_MODELS
    assert not missing
