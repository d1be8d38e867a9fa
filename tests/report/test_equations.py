"""What the report typesets of a model."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.report.equations import equation_groups

TEXT = """model m
param k = 1 in (0, 5)
nn U: 1 -> 2, hidden=[2]
state x = 1 in (0, 3)
state v[2] = 2
[a, b] = U(x)
x' = a - k*x
v' = b*v
at 1 every 2 until 9 { x := x + 1; v[2] := 0 }
observe y ~ normal(x, 1)
prior k ~ halfnormal(2)
prior x(0) ~ uniform(0, 3)
"""


def lines(math: str) -> list[str]:
    """The text of each row of a group."""
    rows = ET.fromstring(math).iter("mtr")
    return ["".join(row.itertext()).replace("\u2062", "·").replace("\u2061", "").replace("\xa0", " ") for row in rows]


def test_equations_that_hold_together() -> None:
    text = "model m\nparam C = 2\nstate v = 1\nstate q\nalg i = 0\nC*v' = i - v\n0 = i + v^2\ni = q''\n"
    groups = {group.title: lines(group.math) for group in equation_groups(declare(Source("m.ode", text)))}
    assert groups == {
        "Dynamics": ["dqdt=q′"],
        "Equations that hold together": ["C·dvdt=i−v", "0=i+v2", "i=dq′dt"],
        "At the start": ["v(0)=1"],
    }


def test_every_part_of_a_model_is_shown() -> None:
    groups = {group.title: lines(group.math) for group in equation_groups(declare(Source("m.ode", TEXT)))}
    assert groups == {
        "Dynamics": ["dxdt=a−k·x", "dv1dt=b·v1", "dv2dt=b·v2"],
        "Definitions": ["a=U(x)1", "b=U(x)2"],
        "At the start": ["x(0)learnt", "v1(0)=2", "v2(0)=2"],
        "At known times": ["t=1 every 2 until 9:x←x+1", "v2←0"],
        "What is observed": ["y∼Normal(x,1)"],
        "What is known beforehand": ["k∼HalfNormal(2)", "x(0)∼Uniform(0,3)"],
    }


def test_long_sums_are_broken_and_long_models_cut() -> None:
    sum_ = " + ".join(f"k*x^{i}" for i in range(1, 40))
    (group, *_) = equation_groups(declare(Source("m.ode", f"model m\nparam k = 1\nstate x = 1\nx' = {sum_}\n")))
    found = lines(group.math)
    assert len(found) > 3
    assert "".join(found) == "dxdt=" + "+".join("k·x" + (str(i) if i > 1 else "1") for i in range(1, 40))
    many = "model m\n" + "".join(f"state x{i} = 1\nx{i}' = 0\n" for i in range(100))
    assert equation_groups(declare(Source("m.ode", many)))[0].more == 40
