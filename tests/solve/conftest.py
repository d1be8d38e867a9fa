"""The solve room's tests run in float64; what depends on the flag sets it itself."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    import jax  # after `tests.xla` has chosen how it compiles: pytest reads this file before

    with jax.enable_x64(True):
        yield
