"""What a file with algebraic unknowns and implicit equations says: unknowns, residuals, orders, starts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hybridode.declarations import Declarations, Equation
from hybridode.errors import Source
from hybridode.expr import Expr, Symbol, show
from hybridode.language.check import declare, elaborate_expression
from hybridode.rolled import Rolled


def model(lines: str) -> Declarations:
    return declare(Source("m.ode", f"model m\n{lines}\n"))


def shown(elements: Sequence[Expr]) -> list[str]:
    return [show(e) for e in elements]


def residuals(d: Declarations) -> list[list[str]]:
    return [shown(e.residuals) for e in d.equations]


def only(d: Declarations) -> Equation:
    (equation,) = d.equations
    return equation


# ---- what an equation is --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "residual"),
    [
        ("0 = x + z - 1", "x + z - 1"),
        ("x + z - 1 = 0", "x + z - 1"),
        ("z = 2*x", "z - 2*x"),
        ("z^2 + x = 1", "z^2 + x - 1"),
        ("[z] = [x]", "z - x"),
        ("x' + z = 0", "x' + z"),
        ("log(z) = x - 1", "log(z) - (x - 1)"),
        ("f(z) = x - 1", "2*z - (x - 1)"),
        ("x = z", None),  # a state alone on the left is a mistake
    ],
)
def test_scalar_equations(line: str, residual: str | None) -> None:
    text = f"state x = 1\nalg z = 0\nx' = -x\nfunc f(a) = 2*a\n{line}"
    if residual is None:
        with pytest.raises(Exception, match="E0303"):
            model(text)
        return
    d = model(text)
    assert residuals(d) == [[residual]] and only(d).shape == () and only(d).text == line
    assert [(a.name, shown(a.guess)) for a in d.algebraics] == [("z", ["0"])]
    assert not d.states[0].implicit


def test_unit_doc_and_guess_of_an_unknown() -> None:
    d = model('param r = 2\nstate x = 1\nx\' = -x\nalg z: V = 3*r "voltage"\nalg w = z + x\nz = x\nw = x\nalg v\nv = x')
    z, w, v = d.algebraics
    assert (z.unit, z.doc, shown(z.guess)) == ("V", "voltage", ["3*r"])
    assert shown(w.guess) == ["z + x"] and shown(v.guess) == ["0"]
    assert w.guess[0].args[0].data == Symbol("algebraic", "z") and d.unit_of("z") == "V"
    assert [w.code for w in d.warnings] == ["W0304"]  # a guess alone says nothing about `r`


def test_a_second_definition_is_an_equation_beside_unknowns() -> None:
    d = model("state x = 1\nx' = -x\nalg i = 0\ny = sin(t)\ny = i*x\ni2 = 2*i")
    assert residuals(d) == [["y - i*x"]] and [x.name for x in d.definitions] == ["y", "i2"]


# ---- derivatives ----------------------------------------------------------------------------------------------------
def test_a_state_without_a_right_side_is_implicit() -> None:
    d = model("param C = 2\nstate V = 1\nstate w = 0\nC*V' = -V + w\nw' = V'")
    v, w = d.states
    assert (v.implicit, v.rate, v.start_given) == (True, (), "value")
    assert not w.implicit and w.rate[0].data == Symbol("derivative", "V")
    assert residuals(d) == [["C*V' - (-V + w)"]]


def test_the_highest_derivative_anywhere_is_the_order() -> None:
    d = model("state x = 1\nalg F = 0\n2*x'' = F - x'\n0 = F + x\na = x''")
    assert [(s.name, s.velocity_of, s.implicit, shown(s.rate)) for s in d.states] == [
        ("x", "", False, ["x'"]),
        ("x'", "x", True, []),
    ]
    assert residuals(d)[0] == ["2*x'' - (F - x')"] and shown(d.definitions[0].elements) == ["x''"]
    assert d.definitions[0].elements[0].data == Symbol("derivative", "x'")


def test_an_equation_for_a_lower_derivative_is_algebraic() -> None:
    d = model("state x = 1\nalg v = 0\nx' = v\nx'' = -x")
    assert residuals(d) == [["x' - v"]] and [s.name for s in d.states] == ["x", "x'"]
    assert only(d).residuals[0].args[0].data == Symbol("state", "x'")
    two = model("state x = 1\nalg v = 0\nx' = v\n3*x'' = -x")
    assert residuals(two) == [["x' - v"], ["3*x'' - -x"]]


def test_right_sides_that_need_each_other_are_equations() -> None:
    d = model("state x = 1\nstate y = 1\nstate q = 0\nx' = 2*y' + 1\ny' = p\np = x' - y\nq' = x'")
    assert [(s.name, s.implicit) for s in d.states] == [("x", True), ("y", True), ("q", False)]
    assert residuals(d) == [["x' - (2*y' + 1)"], ["y' - p"]]
    assert [e.text for e in d.equations] == ["x' = 2*y' + 1", "y' = p"]


def test_a_vector_with_some_explicit_entries() -> None:
    d = model("const n = 3\nparam m = 2\nstate x[n] = 1\nx[i]' = -x[i] for i in 1..2\nm*x[3]' = x[1]\n")
    assert d.states[0].implicit and residuals(d) == [["x[1]' - -x[1]", "x[2]' - -x[2]"], ["m*x[3]' - x[1]"]]
    circle = model("state x[2] = 1\nstate y = 0\nx' = [y', 2]\ny' = 2*x[1]' + x[2]")
    assert residuals(circle) == [["x[1]' - y'", "x[2]' - 2"], ["y' - (2*x[1]' + x[2])"]]


# ---- vectors and families -------------------------------------------------------------------------------------------
def test_vector_equations() -> None:
    d = model("state x[2] = 1\nx' = -x\nalg z[2] = [1, 2]\nalg w = 0\nz - 2*x = 0\n0 = w + sum(z)")
    assert residuals(d) == [["z[1] - 2*x[1]", "z[2] - 2*x[2]"], ["w + (z[1] + z[2])"]]
    assert d.equations[0].shape == (2,) and shown(d.algebraics[0].guess) == ["1", "2"]


def test_unknowns_together_on_the_left() -> None:
    d = model("state x = 1\nx' = -x\nalg a = 0\nalg b = 0\n[a, b] = NN(x, a)")
    net = d.networks[0]
    assert (net.name, net.outputs, net.equation) == ("NN_a", (2,), "a")
    assert residuals(d) == [["a - NN_a(x, a)", "b - NN_a(x, a)[2]"]]


def test_networks_are_named_after_the_unknown() -> None:
    text = "state x = 1\nx' = -x\nalg a = 0\nalg b[2] = 0\n0 = NN(x) - a\nb[1] = NN(x)\nb[2]*2 = NN(x)"
    assert [n.name for n in model(text).networks] == ["NN_a", "NN_b_1", "NN_b"]


def test_families_stay_rolled() -> None:
    n = 50
    d = model(f"const n = {n}\nstate x[n] = 1\nx' = -x\nalg z[n] = 0\n0 = z[i] - x[i]^2 for i in 1..n-1\n0 = sum(z)")
    family, last = d.equations
    assert isinstance(family.residuals, Rolled) and family.shape == (n - 1,)
    assert [p.family.count for p in family.residuals.pieces] == [n - 1]
    assert show(family.residuals[3]) == "z[4] - x[4]^2" and len(last.residuals) == 1
    two = model("const n = 3\nstate x[n] = 1\nx' = -x\nalg z[n] = 0\nz[i] = (if i == 2 then 0 else x[i]) for i in 1..n")
    assert sorted(residuals(two)[0]) == ["z[1] - x[1]", "z[2]", "z[3] - x[3]"]


def test_a_slice_in_a_family() -> None:
    d = model("state x[2] = 1\nx' = -x\nalg w[2, 2] = 0\nw[i, 1..2] = i*x for i in 1..2")
    assert residuals(d) == [["w[1] - 1*x[1]", "w[2] - 1*x[2]", "w[3] - 2*x[1]", "w[4] - 2*x[2]"]]


# ---- where unknowns may be read -------------------------------------------------------------------------------------
def test_unknowns_are_read_by_definitions_events_and_observations() -> None:
    text = (
        "state x = 1\nx' = -z\nalg z = 0\nz^3 + z = x\npower = z*x\nevent low when z < 0.1 { x := x + z }\n"
        "at 5 { x := z }\nobserve y ~ normal(z, 0.1)"
    )
    d = model(text)
    assert d.when_events[0].condition.args[0].data == Symbol("algebraic", "z")
    assert d.at_events[0].assignments[0].value.data == Symbol("algebraic", "z")
    assert dict(d.observations[0].arguments)["mean"].data == Symbol("algebraic", "z") and d.warnings == ()
    elements, shape = elaborate_expression(d, Source("", "2*z + power"))
    assert shape == () and show(elements[0]) == "2*z + power"


def test_a_start_may_read_an_unknown() -> None:
    d = model("state x\nx(0) = 2*z\nx' = -x\nalg z = 1\nz = cos(z)")
    assert d.states[0].start_given == "equation" and shown(d.states[0].start) == ["2*z"]
    assert d.states[0].start[0].args[1].data == Symbol("algebraic", "z")


# ---- starts and warnings --------------------------------------------------------------------------------------------
def test_where_starts_come_from() -> None:
    d = model("state a = 1\nstate b\nb(0) = 2\nstate c = 1 in (0, 5)\nstate e\na' = 1\nb' = 1\nc' = 1\ne' = 1")
    assert [s.start_given for s in d.states] == ["value", "equation", "learnt", ""]


def test_a_missing_start_is_warned_of_unless_equations_may_give_it() -> None:
    missing = lambda lines: [w.message for w in model(lines).warnings if w.code == "W0301"]  # noqa: E731
    assert missing("state x\nx' = -x\nalg z = 0\nz = x") == ["the state `x` has no start and begins at 0"]
    assert missing("param C = 1\nstate x\nC*x' = -x") == ["the state `x` has no start and begins at 0"]
    assert missing("state x = 1\nstate y\nalg z = 0\nx' = z\ny' = x\nx + y = 2") == []


def test_what_observations_depend_on_passes_through_equations() -> None:
    unknowns = "param a = 1\nparam b = 2\nparam c = 3\nstate x = 1\nx' = -x\nalg z = 0\nalg w = 0\n"
    text = unknowns + "a*z = p\np = b*x\nw = c*x\nobserve y ~ normal(z, 1)"
    assert [w.message for w in model(text).warnings if w.code == "W0304"] == ["no observation depends on `c`"]


def test_a_choice_in_an_equation_is_a_kink() -> None:
    d = model("state x = 1\nx' = -z\nalg z = 0\nz = if x > 0.5 then 1 else 2")
    assert [w.code for w in d.warnings] == ["W0305"]


def test_a_choice_by_a_discrete_is_none() -> None:
    d = model("state x = 1\ndiscrete on = 1\nx' = -z\nalg z = 0\nz = if on > 0.5 then x else 0\nevent e when x < 0.5 { on := 0 }")
    assert d.warnings == ()
