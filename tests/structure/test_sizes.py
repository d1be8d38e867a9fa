"""No file or function grows without a decision."""

from tests.structure import sizes


def test_nothing_is_too_large() -> None:
    assert sizes.too_large() == []
