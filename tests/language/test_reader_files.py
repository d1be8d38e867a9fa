"""Files that are read, and files that are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hybridode.errors import ModelError
from hybridode.language.reader import TEXT_LIMIT, load, parse

TEXT = 'model m "é"\nx = 1\n'


@pytest.mark.parametrize(
    "data",
    [TEXT.encode(), TEXT.encode("utf-8-sig"), TEXT.replace("\n", "\r\n").encode(), TEXT.replace("\n", "\r").encode()],
    ids=["plain", "byte order mark", "CRLF", "CR"],
)
def test_texts(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.ode"
    path.write_bytes(data)
    source = load(path)
    tree, diagnostics = parse(source)
    assert not diagnostics and len(tree.statements) == 2
    assert source.line_column(tree.statements[1].start) == (2, 1)
    assert source.line_text(1) == 'model m "é"'


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"model m\nx = \xe9\n", "E0140", "line 2"),
        (TEXT.encode("utf-16"), "E0140", "UTF-16"),
        (b"model m\n\0", "E0140", "null byte in line 2"),
        (b"# " + b"x" * TEXT_LIMIT, "E0141", "8,000,000"),
    ],
    ids=["Latin-1", "UTF-16", "null byte", "too large"],
)
def test_refused(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    path = tmp_path / "m.ode"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words) as caught:
        load(path)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_no_file(tmp_path: Path) -> None:
    (tmp_path / "lynx_hare.ode").touch()
    with pytest.raises(ModelError, match=r"did you mean .*lynx_hare\.ode"):
        load(tmp_path / "lynx_hair.ode")
    with pytest.raises(ModelError, match="no directory"):
        load(tmp_path / "nowhere" / "m.ode")
    with pytest.raises(ModelError, match="is a directory"):
        load(tmp_path)
    with pytest.raises(ModelError, match="E0139"):
        load("a\0b")
    with pytest.raises(ModelError, match="E0139"):
        load(tmp_path / ("x" * 5000))


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is not a file"):
        load(tmp_path / "pipe")
