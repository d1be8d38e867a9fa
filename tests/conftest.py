"""Options and fixtures of all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import xla


def pytest_configure(config: pytest.Config) -> None:
    xla.cheap(config)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write golden files anew instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """`golden(path, text)`: the text equals the file, or becomes it (--update-goldens or HYBRIDODE_UPDATE_GOLDENS=1)."""
    update = request.config.getoption("--update-goldens") or os.environ.get("HYBRIDODE_UPDATE_GOLDENS") == "1"

    def check(path: Path, text: str) -> None:
        if update:
            path.write_bytes(text.encode())
        assert path.is_file(), f"{path.name} is missing: run pytest --update-goldens and read what it wrote"
        assert text == path.read_bytes().decode(), f"{path.name} differs: run pytest --update-goldens and read the difference"

    return check


@pytest.fixture
def precision() -> Iterator[None]:
    """What a script switches on in JAX is switched back."""
    import jax

    before = jax.config.read("jax_enable_x64")
    yield
    jax.config.update("jax_enable_x64", before)
