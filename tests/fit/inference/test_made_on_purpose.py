"""The verdicts on models made on purpose: ten that are not identifiable, ten that are."""

from __future__ import annotations

import pytest

from tests.fit.inference.cases import Case
from tests.fit.inference.identifiable import IDENTIFIABLE
from tests.fit.inference.made_on_purpose import judged
from tests.fit.inference.non_identifiable import NON_IDENTIFIABLE

ALL = {case.name: case for case in (*NON_IDENTIFIABLE, *IDENTIFIABLE)}


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_verdict(case: Case):
    wrong = {name: said for name, said in judged(case).items() if not said[2]}
    assert not wrong


def test_there_are_ten_of_each():
    assert len(NON_IDENTIFIABLE) == len(IDENTIFIABLE) == 10 and len(ALL) == 20
