"""fit.toml: strict, with places, and what stands in the call wins."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.data.fit_file import KINDS, SECTIONS, check_names_of, fit_file_text, keywords_of, merged, parse_fit_file
from hybridode.data.toml_places import places_of
from hybridode.errors import DataError, Source
from hybridode.language.check import declare

MODEL = declare(Source("m.ode", "model m\nparam k[2] = 1\nconst g = 2\nstate x = 1 in (0, 5)\nx' = -k[1]*x + k[2] + g\n"))
WHOLE = """
# a comment with [brackets] = 1
[fit]
starts = 20   # [fit]
hold_out = 'last:3'

[solver]
rtol = 1e-8
checkpoints = 64

[columns]
x = "Ha#re [a] = 2"
[sources]
protocol = "in/p.csv"

[set]
"k[1]" = 0.5
"x(0)" = 2
k = [
  1.0,  # first
  2.0,
]
[fix]
names = ["g"]
"""


def read(text: str):
    return parse_fit_file(text, Path("here/fit.toml"))


def problems(text: str) -> list[tuple[str, int, str]]:
    with pytest.raises(DataError) as error:
        read(text)
    return [(d.code, d.span.line if d.span else 0, f"{d.message} | {d.hint}") for d in error.value.diagnostics]


def test_everything_becomes_keywords():
    file = read(WHOLE)
    check_names_of(file, MODEL, {})
    assert keywords_of(file) == {
        "starts": 20, "hold_out": "last:3", "settings": {"rtol": 1e-8, "checkpoints": 64}, "columns": {"x": "Ha#re [a] = 2"},
        "sources": {"protocol": "here/in/p.csv"}, "set": {"k[1]": 0.5, "x(0)": 2, "k": [1.0, 2.0]}, "fix": {"g": None},
    }  # fmt: skip
    assert keywords_of(read("")) == {}


def test_every_wrong_key_is_named_with_its_line():
    found = problems("starts = 3\n[fit]\nstart = 20\nseed = 1.5\nrtol = 1\n[solvr]\n[set]\nk = 'one'\n[columns]\nx = 3\n")
    assert [(code, line) for code, line, _ in found] == [
        ("E0651", 1), ("E0651", 3), ("E0652", 4), ("E0651", 5), ("E0651", 6), ("E0652", 8), ("E0652", 10)]  # fmt: skip
    words = [w for *_, w in found]
    assert "under `[fit]`" in words[0]
    assert "did you mean `starts`?" in words[1]
    assert "a whole number, not `1.5`" in words[2]
    assert "belongs under `[solver]`" in words[3]
    assert "did you mean `solver`?" in words[4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[fit]\nstarts = twenty\n", 2),
        ("[set]\nx(0) = 1\n", 2),
        ("[fit]\nseed = 1\nseed = 2\n", 3),
        ("[fit\n", 1),
        ("[fit]\nhold_out = 'last:3\n", 2),
    ],
)
def test_what_is_no_toml_is_an_error_with_its_line(text: str, line: int):
    ((code, found, _),) = problems(text)
    assert (code, found) == ("E0650", line)


def test_names_are_looked_up_in_the_model():
    file = read("[set]\nk = [1, 2]\nkk = 3\n[fix]\nnames = ['x(0)', 'gg']\n'k[2]' = 1\n'k[3]' = 1\n")
    with pytest.raises(DataError) as error:
        check_names_of(file, MODEL, {})
    assert [(d.code, d.span.line) for d in error.value.diagnostics if d.span] == [("E0653", 3), ("E0653", 7), ("E0653", 5)]
    assert "did you mean `k`" in error.value.diagnostics[0].hint


def test_what_the_call_says_wins():
    file = read("[fit]\nstarts = 5\nseed = 3\n[set]\nk = 1\ng = 2\n[fix]\nk = 7\n[solver]\nrtol = 1e-8\natol = 1e-9\n")
    found = merged(file, {"starts": 2, "seed": None, "set": {"k": 4.0}, "settings": {"rtol": 1e-3}, "columns": {}})
    assert found == {"starts": 2, "seed": 3, "set": {"k": 4.0, "g": 2}, "fix": {"k": None}, "columns": {},
                     "settings": {"rtol": 1e-3, "atol": 1e-9}}  # fmt: skip
    assert merged(None, {"starts": 2}) == {"starts": 2}


def test_the_table_is_whole():
    for section in SECTIONS.values():
        for key in (*section.keys.values(), *([section.names] if section.names else [])):
            assert key.kind in KINDS
            assert key.doc
    page = (Path(__file__).parents[2] / "docs" / "fit-settings.md").read_text(encoding="utf-8")
    for name, section in SECTIONS.items():
        assert f"`[{name}" in page
        for key in section.keys:
            assert f"`{key}`" in page, f"docs/fit-settings.md does not say what {key} of [{name}] is"


def test_written_settings_read_back_the_same():
    keywords = keywords_of(read(WHOLE)) | {"fix": ["g", "x(0)"], "max_seconds": 0.1 + 0.2}
    again = keywords_of(parse_fit_file(fit_file_text(keywords, "about"), Path("fit.toml")))
    assert again == {**keywords, "fix": {"g": None, "x(0)": None}}


texts = st.text("ab[]{}#=\"'\\ .é\n", max_size=8)
names = texts.filter(bool)


values = st.one_of(st.integers(), texts, st.lists(texts, max_size=3))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=3))
def test_places_of_any_text_are_those_of_its_keys(content: dict):
    """Against tomllib: every key that it reads has a place, and the text there is that key as written."""
    import json

    quoted = lambda x: json.dumps(x, ensure_ascii=False).replace("\x7f", "\\u007f")  # noqa: E731
    lines = []
    for section, keys in content.items():
        lines += [f"[{quoted(section)}] # x = 1"]
        lines += [f"{quoted(k)}  = {quoted(v)} # [a]" for k, v in keys.items()]
    text = "\n".join(lines)
    read_back = tomllib.loads(text)
    places = places_of(Source("fit.toml", text))
    wanted = {(s,) for s in read_back} | {(s, k) for s, keys in read_back.items() for k in keys}
    assert {tuple(json.loads(f'"{part}"') for part in path) for path in places} == wanted
    for path, span in places.items():
        if len(path) == 2:
            assert text[span.start : span.end] == f'"{path[1]}"'
