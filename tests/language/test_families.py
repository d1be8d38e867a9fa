"""Families say what the same equations written out say: `for`, `sum(j in …)`, indices."""

from __future__ import annotations

import pytest

from hybridode.declarations import Declarations
from hybridode.errors import ModelError, Source
from hybridode.expr import show
from hybridode.language.check import declare


def model(lines: str) -> Declarations:
    return declare(Source("m.ode", f"model m\n{lines}\n"))


def rates(lines: str, name: str = "x") -> list[str]:
    (state,) = [s for s in model(lines).states if s.name == name]
    return [show(e) for e in state.rate]


def starts(lines: str, name: str = "x") -> list[str]:
    (state,) = [s for s in model(lines).states if s.name == name]
    return [show(e) for e in state.start]


def means(lines: str, name: str = "y") -> list[str]:
    (definition,) = [d for d in model(lines).definitions if d.name == name]
    return [show(e) for e in definition.elements]


SAME = [  # a family, and what stands there written out
    ("x[i]' = -x[i] for i in 1..3", ["-x[1]", "-x[2]", "-x[3]"]),
    ("x[1]' = 0\nx[i]' = k*(x[i-1] - x[i]) for i in 2..n", ["0", "k*(x[1] - x[2])", "k*(x[2] - x[3])"]),
    ("x[i]' = x[mod(i, n) + 1] for i in 1..n", ["x[2]", "x[3]", "x[1]"]),
    ("x[n + 1 - i]' = i*x[i] for i in 1..n", ["3*x[3]", "2*x[2]", "1*x[1]"]),
    ("const left[n] = [3, 1, 2]\nx[i]' = x[left[i]] for i in 1..n", ["x[3]", "x[1]", "x[2]"]),
    ("x[i]' = if i > 1 then x[i-1] else 0 for i in 1..n", ["0", "x[1]", "x[2]"]),
    ("x[i]' = if i == 1 then k else if i == n then -k else x[i+1] for i in 1..n", ["k", "x[3]", "-k"]),
    ("x[i]' = if x[i] > i then 1 else x[1] for i in 1..n", [f"if x[{i}] > {i} then 1 else x[1]" for i in (1, 2, 3)]),
    ("x[i]' = i for i in 1..n if i != 2\nx[2]' = 7", ["1", "7", "3"]),
    ("x[i]' = sum(x)*i for i in 1..n", [f"(x[1] + x[2] + x[3])*{i}" for i in (1, 2, 3)]),
    ("x[i]' = sum(x[1..2])*i for i in 1..n", [f"(x[1] + x[2])*{i}" for i in (1, 2, 3)]),
    ("x[i]' = sum(x[1..i]) for i in 1..n", ["x[1]", "x[1] + x[2]", "x[1] + x[2] + x[3]"]),
    ("x[1]' = 1\nx[i]' = sum(x[i-1..i]) for i in 2..n", ["1", "x[1] + x[2]", "x[2] + x[3]"]),
    ("x[i]' = sum(j in 1..n if j != i, x[j] - x[i]) for i in 1..n",
     ["x[2] - x[1] + (x[3] - x[1])", "x[1] - x[2] + (x[3] - x[2])", "x[1] - x[3] + (x[2] - x[3])"]),
    ("x[i]' = sum(j in 1..i-1, x[j]) for i in 1..n", ["0", "x[1]", "x[1] + x[2]"]),
    ("x[i]' = prod(j in 1..i-1, x[j]) for i in 1..n", ["1", "x[1]", "x[1]*x[2]"]),
    ("x[i]' = max(j in 1..n if j != i, x[j]) for i in 1..n", ["max(x[2], x[3])", "max(x[1], x[3])", "max(x[1], x[2])"]),
    ("x[i]' = min(j in 1..n, k in 1..j if k != j, x[j]*k*i) for i in 1..n", []),
    ("x[i]' = sum(j in 1..2, m in 1..j, x[m]*j) for i in 1..n", ["x[1]*1 + x[1]*2 + x[2]*2"] * 3),
    ("x[i]' = sum(j in 1..2, sum(m in 1..j, x[m])*j) for i in 1..n", ["x[1]*1 + (x[1] + x[2])*2"] * 3),
    ("x[i]' = sum(j in 1..n, if j == i then 0 else x[j]) for i in 1..n",
     ["0 + (x[2] + x[3])", "0 + (x[1] + x[3])", "0 + (x[1] + x[2])"]),
    ("func f(a, b) = a*b\nx[i]' = f(x[i], i) for i in 1..n", ["x[1]*1", "x[2]*2", "x[3]*3"]),
    ("func g(a) = sum(i in 1..2, a*i)\nx[i]' = g(x[i]) for i in 1..n", [f"x[{i}]*1 + x[{i}]*2" for i in (1, 2, 3)]),
    ("func h(a) = sum(j in 1..2, p[j]*a)\nparam p[2] = 1\nx[i]' = sum(j in 1..2, h(x[j])*i) for i in 1..n",
     [f"(p[1]*x[1] + p[2]*x[1])*{i} + (p[1]*x[2] + p[2]*x[2])*{i}" for i in (1, 2, 3)]),
    ("x[i]' = y[i]' for i in 1..n\nstate y[n]\ny' = k*x", ["y[1]'", "y[2]'", "y[3]'"]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "wanted"), SAME, ids=[lines.replace("\n", "; ")[:60] for lines, _ in SAME])
def test_dynamics(lines: str, wanted: list[str]) -> None:
    head = "const n = 3\nparam k = 1\nstate x[n] = 0\n"
    if not wanted:  # `k` is declared: an index may not hide it
        with pytest.raises(ModelError, match="E0209"):
            model(head + lines)
        return
    assert rates(head + lines) == wanted


def test_starts() -> None:
    head = "const n = 3\nstate x[n]\nx' = 0*x\n"
    assert starts(head + "x[i](0) = i/n for i in 1..n") == ["1/n", "2/n", "3/n"]
    assert starts(head + "x[1](0) = 5\nx[i](0) = x[i-1](0)/2 for i in 2..n") == ["5", "x[1]/2", "x[2]/2"]
    with pytest.raises(ModelError, match="E0306"):
        model(head + "x[i](0) = x[mod(i, n) + 1](0) for i in 1..n")


def test_second_order() -> None:
    d = model("const n = 3\nstate q[n] = 0\nq[i]'' = -q[i] - 0.1*q[i]' for i in 1..n\nq[i]'(0) = i for i in 1..n")
    assert [s.name for s in d.states] == ["q", "q'"]
    assert [show(e) for e in d.states[1].rate] == [f"-q[{i}] - 0.1*q'[{i}]" for i in (1, 2, 3)]
    assert [show(e) for e in d.states[1].start] == ["1", "2", "3"]


def test_matrices() -> None:
    d = model("const n = 2\nconst m = 3\nstate w[n, m] = 0\nw[i, j]' = i - j*w[i, 4 - j] for i in 1..n, j in 1..m")
    assert [show(e) for e in d.states[0].rate][:4] == ["1 - 1*w[3]", "1 - 2*w[2]", "1 - 3*w[1]", "2 - 1*w[6]"]
    with pytest.raises(ModelError, match=r"`w` has 2 entries, not 3 where `i` = 3"):
        model("state w[2, 3] = 0\nw[i, j]' = -w[i, j] for i in 1..3, j in 1..2")


def test_intermediates() -> None:
    head = "const n = 3\nstate x[n] = 0\nx' = -x\n"
    assert means(head + "y[i] = x[i]^2 for i in 1..n") == ["x[1]^2", "x[2]^2", "x[3]^2"]
    assert means(head + "y[1] = x[1]\ny[i] = y[i-1] + x[i] for i in 2..n") == ["x[1]", "y[1] + x[2]", "y[2] + x[3]"]
    assert means(head + "y[n] = 1\ny[i] = z[i] for i in 1..n-1\nz[i] = y[i+1] for i in 1..n-1") == ["z[1]", "z[2]", "1"]
    assert means(head + "y[i] = x[i] > i for i in 1..n") == ["x[1] > 1", "x[2] > 2", "x[3] > 3"]
    assert means(head + "y[i, j] = x[i]*j for i in 1..2, j in 1..2") == ["x[1]*1", "x[1]*2", "x[2]*1", "x[2]*2"]
    assert means(head + "y = sum(j in 1..n, x[j]^2)") == ["x[1]^2 + x[2]^2 + x[3]^2"]
    with pytest.raises(ModelError, match="E0315"):
        model(head + "y[1] = x[1] > 0\ny[2] = x[1]")


def test_one_network_for_all_indices() -> None:
    d = model(
        "const n = 4\nstate x[n] = 0\nx[1]' = NN(x[1])\nx[i]' = sum(j in 1..n if j != i, NN(x[j], x[i])) + NN(x[i]) for i in 2..n"
    )
    assert [(n.name, n.inputs, n.argument_texts) for n in d.networks] == [
        ("NN_x_1", 1, ("x[1]",)), ("NN_x", 2, ("x[j]", "x[i]")), ("NN_x_2", 1, ("x[i]",)),
    ]  # fmt: skip


def test_at_observe_and_prior() -> None:
    d = model(
        "const n = 3\nparam p[n] = 1\nstate x[n] = 0\nx' = -x*p\nat 2 { x[i] := x[i] + i for i in 1..n if i != 2; x[2] := 0 }\n"
        "observe y[i] ~ normal(x[i], i) for i in 1..2\nprior p[i] ~ lognormal(i, 0.5) for i in 2..n"
    )
    assert [(a.entry, show(a.value)) for a in d.at_events[0].assignments] == [(0, "x[1] + 1"), (2, "x[3] + 3"), (1, "0")]
    assert [(o.column, [show(e) for _, e in o.arguments]) for o in d.observations] == [
        ("y[1]", ["x[1]", "1"]),
        ("y[2]", ["x[2]", "2"]),
    ]
    assert [(p.entry, show(p.arguments[0][1])) for p in d.priors] == [(1, "2"), (2, "3")]


def test_an_empty_family_says_nothing() -> None:
    assert rates("const n = 2\nstate x[n] = 0\nx[1]' = 1\nx[i]' = x[i+7] for i in 2..n-1\nx[n]' = 2") == ["1", "2"]


def test_many_indices_round_each_other_are_refused() -> None:
    deep = "1"
    for k in range(40):
        deep = f"sum(j{k} in 1..1, {deep})"
    with pytest.raises(ModelError, match="E0142"):
        model(f"state x = 0\nx' = {deep}")
    with pytest.raises(ModelError, match="at most"):
        model("state x = 0\nx' = sum(i in 1..100000, j in 1..100000, i*j)")
