"""XLA's programs of a fit on disk: used by the next fit, harmless when damaged, the caller's settings untouched.

Student's noise, because the objectives of the plain ones need no program of XLA."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from jax.experimental.compilation_cache import compilation_cache

import hybridode as ho
from hybridode import store

TEXT = """model m
param k = 0.7 in (0.05, 5) log
param s = 0.1 in (0.01, 5) log
state x = 2 in (0.1, 50)
x' = -k*x
observe x ~ student(5, x, s)
"""
TIMES = np.linspace(0, 6, 25)
DATA = pd.DataFrame({"t": TIMES, "x": 3 * np.exp(-0.4 * TIMES) + 0.05 * np.sin(9 * TIMES)})
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture(autouse=True)
def no_programs_of_the_tests() -> Iterator[None]:
    """The caller of these tests has no folder of programs (`tests.xla`)."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    for name, value in zip(SETTINGS, (None, 1.0, 0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def fitted() -> tuple:
    """A fit as a new process would do it: nothing compiled is in memory."""
    jax.clear_caches()
    run = ho.fit(ho.parse(TEXT), DATA, starts=2)
    assert run.status == "converged"
    return run.result["objective"]["value"], {name: run.parameters[name] for name in ("k", "s", "x(0)")}


def test_the_next_fit_reads_what_the_first_has_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("cache_hits") else None)
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cache"))
    before = [getattr(jax.config, name) for name in SETTINGS]
    first = fitted()
    kept = lambda: sorted(path for path in (tmp_path / "cache" / "xla").glob("*/*") if path.is_file())  # noqa: E731
    files = kept()
    assert files and not hits
    assert store.size()[0] >= len(files)
    second = fitted()
    assert hits and set(files) <= set(kept())  # on a busy machine another program takes long enough to be kept
    files = kept()
    assert second == first  # the same bits
    assert [getattr(jax.config, name) for name in SETTINGS] == before
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted() == first
    assert store.clear() >= len(files) and not kept()


def test_a_cache_of_the_caller_and_a_folder_that_others_can_write_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "ours"
    monkeypatch.setenv(store.VARIABLE, str(ours))
    ours.mkdir()
    ours.chmod(0o777)
    assert store.programs("p") is None
    ours.chmod(0o700)
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    try:
        fitted()
        assert getattr(jax.config, SETTINGS[0]) == str(tmp_path / "theirs")
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
    assert not (ours / "xla").exists()
    monkeypatch.setenv(store.VARIABLE, "off")
    assert store.programs("p") is None


def test_the_oldest_programs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    monkeypatch.setattr(store, "MOST_PROGRAMS", 3)
    folder = store.programs("p")
    assert folder is not None and folder.stat().st_mode & 0o077 == 0
    for i in range(5):
        (folder / f"{i}").write_bytes(b"x")
        os.utime(folder / f"{i}", (1000 + i, 1000 + i))
    store.programs("p")
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3", "4"]
