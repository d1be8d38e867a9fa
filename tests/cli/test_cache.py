"""The command that shows and clears compiled models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_cache_shows_and_clears(hybridode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYBRIDODE_CACHE", str(tmp_path))
    (tmp_path / "a.o").write_bytes(b"x" * 1000)
    assert f"{tmp_path}: 1 files" in hybridode("cache").out
    shown = json.loads(hybridode("cache", "--clear", "--json").out)
    assert shown["deleted"] == 1 and shown["files"] == 0 and not list(tmp_path.iterdir())
    monkeypatch.setenv("HYBRIDODE_CACHE", "off")
    assert "switched off" in hybridode("cache").out
