"""Every code that the source can give has an explanation, and every explanation is well made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridode.codes import FAMILIES, FOLDER, all_codes, explanation

ROOT = Path(__file__).parents[2]
USED = sorted(
    {
        code
        for path in (ROOT / "hybridode").rglob("*.py")
        for code in re.findall(r"""["'`]([EW]\d{4})["'`]""", path.read_text(encoding="utf-8"))
        if path.name != "codes.py"
    }
)


def test_every_used_code_is_explained() -> None:
    assert [code for code in USED if code not in all_codes()] == []


def test_only_codes_stand_in_the_folder() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{code}.md" for code in all_codes()}


@pytest.mark.parametrize("code", all_codes())
def test_explanations_are_well_made(code: str) -> None:
    found = explanation(code)
    text = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    assert text.startswith("# "), "the first line is the title"
    assert found.title
    assert not found.title.endswith(".")
    assert found.family in FAMILIES.values()
    assert len(found.text) > 80, "say what is wrong and how to mend it"
    assert text.count("```") % 2 == 0
