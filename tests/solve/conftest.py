"""The solve room's tests run in float64; what depends on the flag sets it itself."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
