"""Large families as `show` prints them: the first two members, the last, and how many stand between."""

from __future__ import annotations

import pytest

from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.show import show

MODEL = """model big
const n = 400
param k = 1 in (0, 10)
state x[n]
x[i](0) = if i > 3 then 0.1*i else 1 for i in 1..n
y[i] = exp(-x[i]) for i in 1..n
x[1]' = -x[1]
x[i]' = k*(y[i-1] - y[i]) for i in 2..n
"""


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [
        ("model", ["x[2]' = k*(y[1] - y[2])", "… 396 more of this shape", "x[400]' = k*(y[399] - y[400])", "starts at 0.1*400"]),
        ("equations", ["x[1]' = -x[1]", "y[2] = exp(-x[2])", "… 397 more of this shape", "x[3] = 1", "… 300 more"]),
        ("jacobian", ["799 of 160,000 entries", "d x[2]'/d x[1] = k*-exp(-x[1])", "d x[400]'/d x[399] = k*-exp(-x[399])"]),
        ("tape", ["exp(", "output  rates (400)"]),
    ],
)
def test_text(stage: str, wanted: list[str]) -> None:
    text = show(declare(Source("m.ode", MODEL)), stage)
    assert [part for part in wanted if part not in text] == []
    assert len(text.splitlines()) < 140


def test_latex() -> None:
    d = declare(Source("m.ode", MODEL))
    for stage in ("model", "equations", "jacobian"):
        text = show(d, stage, latex=True)
        assert r"\vdots" in text and len(text.splitlines()) < 30
    assert "simplified" not in show(d, "equations", simplify=False)


def test_small_families_are_written_out() -> None:
    text = show(declare(Source("m.ode", MODEL.replace("400", "5"))), "model")
    assert "more of this shape" not in text and "x[4]' = k*(y[3] - y[4])" in text
