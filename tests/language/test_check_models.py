"""What a right file says: declarations, expression by expression."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hybridode.declarations import Declarations, Definition, State
from hybridode.errors import ModelError, Source
from hybridode.expr import Expr, Symbol, postorder, show, symbols
from hybridode.language.check import declare
from hybridode.language.reader import load

SAMPLES = Path(__file__).parent / "samples"
MODELS = Path(__file__).parent / "models"


def model(lines: str) -> Declarations:
    return declare(Source("m.ode", "model m\n" + lines + "\n"))


def state(d: Declarations, name: str) -> State:
    return next(s for s in d.states if s.name == name)


def definition(d: Declarations, name: str) -> Definition:
    return next(x for x in d.definitions if x.name == name)


def rates(d: Declarations, name: str = "x") -> list[str]:
    return [show(e) for e in state(d, name).rate]


def starts(d: Declarations, name: str = "x") -> list[str]:
    return [show(e) for e in state(d, name).start]


def means(d: Declarations, name: str = "y") -> list[str]:
    return [show(e) for e in definition(d, name).elements]


# ---- whole models ---------------------------------------------------------------------------------------------------
def test_lotka_volterra() -> None:
    d = declare(load(SAMPLES / "01_lotka_volterra.ode"))
    assert d.name == "lotka_volterra" and d.doc.startswith("Prey and predator") and d.time == "t" and d.units == "warn"
    assert [(p.name, p.values, p.lower, p.upper, p.scale, p.unit) for p in d.parameters] == [
        ("alpha", (1.3,), 0.0, 10.0, "log", "1/yr"),
        ("delta", (1.8,), 0.0, 10.0, "log", "1/yr"),
        ("sigma", (0.05,), 1e-4, 1.0, "log", ""),
    ]
    assert [(s.name, show(s.start[0]), show(s.rate[0])) for s in d.states] == [
        ("prey", "0.44", "alpha*prey - loss"),
        ("predator", "4.63", "gain - delta*predator"),
    ]
    assert [(x.name, show(x.elements[0])) for x in d.definitions] == [
        ("loss", "U(prey, predator)"),
        ("gain", "U(prey, predator)[2]"),
    ]
    (net,) = d.networks
    assert (net.name, net.inputs, net.outputs, net.hidden, net.act, net.inline) == ("U", 2, (2,), (5, 5), "tanh", False)
    assert [(o.column, o.distribution, [(n, show(e)) for n, e in o.arguments]) for o in d.observations] == [
        ("prey_obs", "lognormal", [("median", "prey"), ("sd", "sigma")]),
        ("predator_obs", "lognormal", [("median", "predator"), ("sd", "sigma")]),
    ]
    assert d.warnings == ()


def test_hodgkin_huxley_without_strict_units() -> None:
    text = (SAMPLES / "08_hodgkin_huxley.ode").read_text(encoding="utf-8").replace("units strict", "units warn")
    d = declare(Source("hh.ode", text))
    assert means(d, "alpha_m") == ["1*((V + 40)/10)/(1 - exp(-(V + 40)/10))"]
    assert starts(d, "m") == ["alpha_m/(alpha_m + beta_m)"] and starts(d, "V") == ["-65"]
    assert rates(d, "V") == ["(I - I_ion)/C"]
    (signal,) = d.inputs
    assert (signal.columns, signal.interpolation, signal.unit) == ((("protocol", "I"),), "previous", "uA/cm^2")
    assert {c.name: c.values for c in d.constants} == {"C": (1.0,), "ENa": (50.0,), "EK": (-77.0,), "EL": (-54.4,)}
    assert not d.warnings


def test_second_order_makes_a_velocity() -> None:
    d = declare(load(SAMPLES / "09_pendulum.ode"))
    assert [(s.name, s.velocity_of, show(s.start[0]), show(s.rate[0])) for s in d.states] == [
        ("theta", "", "0.5", "theta'"),
        ("theta'", "theta", "0", "-g/L*sin(theta) - friction(theta'*1)*1"),
    ]
    velocity = state(d, "theta'").rate[0]
    assert Symbol("state", "theta'") in symbols(velocity)


def test_controlled_equation_with_vectors() -> None:
    d = declare(load(SAMPLES / "04_neural_cde.ode"))
    z = state(d, "z")
    assert z.shape == (8,) and len(z.rate) == 8
    assert show(z.start[2]) == "embed(X[1](0), X[2](0), X[3](0))[3]"
    net = "field(z[1], z[2], z[3], z[4], z[5], z[6], z[7], z[8])"
    assert show(z.rate[1]) == f"{net}[4]*X[1]' + {net}[5]*X[2]' + {net}[6]*X[3]'"
    assert d.inputs[0].columns == (("data", "t"), ("data", "x1"), ("data", "x2"))
    (label,) = d.observations
    assert (label.at, label.distribution, label.arguments[0][0]) == ("end", "bernoulli", "logit")


LATER_IN_SAMPLES = {
    "03": ["E0903"], "05": ["E0902"], "06": ["E0904"] * 2, "07": ["E0906"] * 4,
    "08": ["E0914"], "12": ["E0909"] * 6, "15": ["E0914"],
    "16": ["E0903"], "18": ["E0902"] * 2, "19": ["E0906"] * 9, "20": ["E0905"],
    "21_": ["E0910"] * 3, "23": ["E0310", "E0904", "E0904"],
    "24": ["E0904", "E0904"], "25": ["E0902"],
}  # fmt: skip


@pytest.mark.parametrize("number", sorted(LATER_IN_SAMPLES))
def test_samples_beyond_this_version_give_one_error_each(number: str) -> None:
    (path,) = SAMPLES.glob(f"{number}*.ode")
    with pytest.raises(ModelError) as caught:
        declare(load(path))
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == LATER_IN_SAMPLES[number]


def test_samples_of_this_version_check() -> None:
    within = [p for p in sorted(SAMPLES.glob("*.ode")) if not p.name.startswith(tuple(LATER_IN_SAMPLES))]
    assert [p.name[:2] for p in within] == ["01", "02", "04", "09", "10", "11", "13", "14", "17", "21", "22", "26"]
    for path in [*within, *sorted(MODELS.glob("*.ode"))]:
        declare(load(path))


# ---- expressions are as written -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a - b + 2*a - a", "a - b + 2*a - a"),
        ("a*b/a*b*a/b", "a*b/a*b*a/b"),
        ("-a^2", "-a^2"),
        ("(-a)^2", "(-a)^2"),
        ("a^b^2", "a^b^2"),
        ("2^-3 + 0*a", "2^-3 + 0*a"),
        ("step(a, b)", "sigmoid(b*a)"),
        ("ln(a) + log(a)", "log(a) + log(a)"),
        ("hill(a, b, 2) + mm(a, b)", "hill(a, b, 2) + mm(a, b)"),
        ("exprel(a) + softplus(b) + relu(a) + heaviside(b)", "exprel(a) + softplus(b) + relu(a) + heaviside(b)"),
        ("norm([a, b])", "sqrt(a^2 + b^2)"),
        ("sum([a, b, a])", "a + b + a"),
        ("prod([a, b])", "a*b"),
        ("dot([a, b], [b, 2])", "a*b + b*2"),
        ("[a, b] @ [1, 2]", "a*1 + b*2"),
        ("max(a, b, 1)", "max(a, b, 1)"),
        ("min([a, b])", "min(a, b)"),
        ("mod(a, 3) + floor(b) + atan2(a, b)", "mod(a, 3) + floor(b) + atan2(a, b)"),
        ("if a < b and not a > 1 then a else b", "if a < b and not a > 1 then a else b"),
        ("piecewise(a < 1, 1, a < 2, b, 3)", "if a < 1 then 1 else if a < 2 then b else 3"),
        ("+a + pi", "a + 3.141592653589793"),
        ("f(a, f(b, 1))", "a*(2*c + b*(2*c + 1))"),
        ("interp(a, [0, 1], [5, b])", "if a <= 0 then 5 else if a < 1 then 5 + (b - 5)*(a - 0)/(1 - 0) else b"),
    ],
)
def test_expression(written: str, meant: str) -> None:
    d = model(
        f"param a = 1\nparam b = 1\nconst c = 3\nfunc f(u, v) = u*(2*c + v)\nstate x = 0\nx' = y + c + f(a, b)\ny = {written}"
    )
    assert means(d) == [meant]


def test_vectors_go_entry_by_entry() -> None:
    d = model(
        "param v[3] = [1, 2, 3]\nparam w[2, 2] = [[1, 2], [3, 4]]\nstate x = 0\nx' = -x + sum(v) + sum(w[1, 1..2])\n"
        "y = 2*v + v^2\nz = w @ [x, 1]\nu = v[2..3]\nq = [1, 2] @ w\np = w[1..2, 2]\nr = exp(v)"
    )
    assert means(d) == [f"2*v[{i}] + v[{i}]^2" for i in (1, 2, 3)]
    w = [Symbol("parameter", "w", i) for i in range(4)]
    assert [symbols(e)[0] for e in definition(d, "z").elements] == [w[0], w[2]]
    assert means(d, "u") == ["v[2]", "v[3]"]
    assert [symbols(e) for e in definition(d, "q").elements] == [[w[0], w[2]], [w[1], w[3]]]
    assert [e.data for e in definition(d, "p").elements] == [w[1], w[3]]
    assert len(definition(d, "r").elements) == 3
    assert d.parameters[1].values == (1.0, 2.0, 3.0, 4.0) and d.parameters[1].shape == (2, 2)


def test_entries_of_a_state_one_by_one() -> None:
    d = model("state x[3] = [1, 2, 3]\nx[1]' = x[2]\nx[2..3]' = [x[1], 7]")
    assert rates(d) == ["x[2]", "x[1]", "7"] and starts(d) == ["1", "2", "3"]
    assert [span.line for span in state(d, "x").rate_spans] == [3, 4, 4], "each entry knows its line"
    d = model("state x[2]\nx' = -x\nx[2](0) = 5\nx[1](0) = 2*x[2]")
    assert rates(d) == ["-x[1]", "-x[2]"] and starts(d) == ["2*x[2]", "5"]
    d = model("state x[2] = 3\nx' = 1")
    assert starts(d) == ["3", "3"] and rates(d) == ["1", "1"]


def test_higher_orders() -> None:
    d = model("state x = 1\nx''' = -x - x' - 2*x''\nx''(0) = 3\ny = x'''*0.5\nstate z = 0\nz' = y")
    assert [(s.name, s.velocity_of) for s in d.states[:3]] == [("x", ""), ("x'", "x"), ("x''", "x'")]
    assert [starts(d, n) for n in ("x", "x'", "x''")] == [["1"], ["0"], ["3"]]
    assert definition(d, "y").elements[0].args[0].data == Symbol("derivative", "x''")


def test_definitions_in_any_order_keep_file_order() -> None:
    d = model("state x = 1\nx' = -a\na = b + 1\nb = c*x\nc = 2")
    assert [x.name for x in d.definitions] == ["a", "b", "c"]


def test_derivative_on_the_right() -> None:
    d = model("state x = 1\nstate z = 0\nx' = -x\nz' = x' + p\np = 2*x'")
    assert Symbol("derivative", "x") in symbols(state(d, "z").rate[0])


def test_boolean_definitions() -> None:
    d = model("state x = 1\nx' = if hot then 1 else 2\nhot = x > 1 or x < 0.5")
    assert definition(d, "hot").boolean and not d.parameters


# ---- constants, parameters, starts ----------------------------------------------------------------------------------
def test_constants_in_any_order() -> None:
    d = model("state x = 0\nx' = a + sum(v) + M[2, 1]\nconst a = 2*b\nconst b = f(3)\nfunc f(u) = u + c\nconst c = 1\n"
              "const v = [1, 2, n]\nconst n = 3\nconst M = [[0, 1], [2, 3]] @ [[1, 0], [0, 2]]\n"
              "param p[n] = 0\ny = p")  # fmt: skip
    assert {c.name: (c.values, c.shape) for c in d.constants} == {
        "a": ((8.0,), ()), "b": ((4.0,), ()), "c": ((1.0,), ()), "v": ((1.0, 2.0, 3.0), (3,)), "n": ((3.0,), ()),
        "M": ((0.0, 2.0, 2.0, 6.0), (2, 2)),
    }  # fmt: skip
    assert d.parameters[0].shape == (3,)


def test_bounds_without_a_value() -> None:
    d = model("state x = 0\nx' = a + b + c\nparam a in (2, 6)\nparam b in (0.01, 100) log\nparam c in (0, 1) logit fixed")
    assert [(p.values[0], p.scale, p.fixed) for p in d.parameters] == [
        (4.0, "linear", False), (pytest.approx(1.0), "log", False), (0.5, "logit", True),
    ]  # fmt: skip


def test_infinite_bounds_are_none() -> None:
    d = model("state x = 0\nx' = a\nparam a = 1 in (-inf, inf)")
    assert (d.parameters[0].lower, d.parameters[0].upper) == (None, None)


def test_learnt_starts() -> None:
    d = model(
        'param k = 1\nstate x: mM = 1 in (0.1, 5) log "concentration"\nstate z\nstate w[2] = 1 in (0, 3)\n'
        "x' = -k*x\nz'' = -z + 2*x\nw' = -w\nprior x(0) ~ lognormal(1, 0.5)\nprior z'(0) ~ normal(2, 1)\nz(0) = x(0) + k"
    )
    assert [(p.name, p.values, p.lower, p.upper, p.scale, p.start_of, p.unit) for p in d.parameters] == [
        ("k", (1.0,), None, None, "linear", "", ""),
        ("x(0)", (1.0,), 0.1, 5.0, "log", "x", "mM"),
        ("z'(0)", (2.0,), None, None, "linear", "z'", ""),
        ("w(0)", (1.0, 1.0), 0.0, 3.0, "linear", "w", ""),
    ]
    assert state(d, "x").start[0].data == Symbol("parameter", "x(0)")
    assert state(d, "w").start[1].data == Symbol("parameter", "w(0)", 1)
    assert starts(d, "z") == ["x + k"] and state(d, "z'").start[0].data == Symbol("parameter", "z'(0)")
    assert [(p.parameter, p.entry, p.distribution) for p in d.priors] == [("x(0)", -1, "lognormal"), ("z'(0)", -1, "normal")]


def test_a_prior_alone_makes_a_start_learnt() -> None:
    d = model("state x = 2\nx' = -x\nprior x(0) ~ gamma(2, 1)\nstate y\ny' = x\nprior y(0) ~ uniform(1, 3)")
    assert [(p.name, p.values, p.lower, p.upper) for p in d.parameters] == [
        ("x(0)", (2.0,), 0.0, None),
        ("y(0)", (2.0,), 1.0, 3.0),
    ]


def test_starts_read_inputs_at_the_start() -> None:
    d = model("input I from data.I\nparam k = 1\nstate x\nx(0) = k*I + I(0) + a\na = t*k\nx' = I")
    kinds = [s.kind for s in symbols(state(d, "x").start[0])]
    assert kinds == ["parameter", "start_input", "definition"]


def test_x0_in_dynamics_is_what_the_start_is_made_of() -> None:
    d = model(
        "param k = 1\nstate x = 1 in (0, 3)\nstate z\nz(0) = 2*x + k\nx' = x/x(0)\n"
        "z' = z(0) + a\na = z(0)*k\nobserve q ~ normal(z - z(0), 1)"
    )
    assert [symbols(e) for e in state(d, "x").rate] == [[Symbol("state", "x"), Symbol("parameter", "x(0)")]]
    assert rates(d, "z") == ["2*x(0) + k + a"] and means(d, "a") == ["(2*x(0) + k)*k"]
    assert show(d.observations[0].arguments[0][1]) == "z - (2*x(0) + k)"


def test_x0_that_needs_the_time_of_the_start_waits() -> None:
    with pytest.raises(ModelError, match="E0916"):
        model("state x\nx(0) = sin(t)\nx' = -x/x(0)")
    d = model("time t from 3\nstate x\nx(0) = 2*t\nx' = -x/x(0)")
    assert rates(d) == ["-x/(2*3)"] and d.time_origin is not None


def test_time_renamed() -> None:
    d = model("time tau: yr from 1900\nstate x = 1\ndx/dtau = sin(tau)*x\nparam dt0 = 2\ny = dt0")
    assert (d.time, d.time_unit) == ("tau", "yr") and d.time_origin is not None and d.time_origin.value == 1900
    assert Symbol("time", "tau") in symbols(state(d, "x").rate[0])


# ---- networks -------------------------------------------------------------------------------------------------------
def test_inline_networks_are_named_after_their_equation() -> None:
    d = model(
        "state prey = 1\nstate q[2]\nstate theta = 0\ndprey/dt = NN(prey) - prey*NN(prey, t, hidden=[8], act=relu)\n"
        "q[1]' = NN(q)\nq[2]' = 1\ntheta'' = NN(theta')\n[a, b] = NN(prey)\ny = 2*NN(q, positive, seed=3)\n"
        "observe out ~ normal(NN(prey), 0.1)\nq(0) = NN(prey)"
    )
    by_name = {n.name: n for n in d.networks}
    assert list(by_name) == ["NN_prey", "NN_prey_2", "NN_q_1", "NN_theta", "NN_a", "NN_y", "NN_out", "NN_q_start"]
    assert by_name["NN_prey_2"].hidden == (8,) and by_name["NN_prey_2"].act == "relu" and by_name["NN_prey_2"].inputs == 2
    assert by_name["NN_prey"].equation == "prey" and by_name["NN_prey"].inline and by_name["NN_prey"].outputs == ()
    assert by_name["NN_a"].outputs == (2,) and means(d, "b") == ["NN_a(prey)[2]"]
    assert by_name["NN_y"].argument_texts == ("q[1]", "q[2]") and by_name["NN_y"].positive and by_name["NN_y"].seed == 3
    assert by_name["NN_q_start"].outputs == (2,)


def test_vector_left_side_asks_for_its_size() -> None:
    d = model("state z[3] = 0\nz' = -z + NN(z)\nobserve y ~ normal(z, 1)")
    assert d.networks[0].outputs == (3,)
    assert rates(d, "z")[1] == "-z[2] + NN_z(z[1], z[2], z[3])[2]"
    assert [o.column for o in d.observations] == ["y[1]", "y[2]", "y[3]"]
    with pytest.raises(ModelError, match="E0507"):
        model("state z[3] = 0\nz' = -z*NN(z)")


def test_a_fitted_file_says_everything() -> None:
    d = model(
        'nn U: 2 -> [2, 2], hidden=[], act=swish, final=tanh, init=glorot, monotone=[up, none], reg=l2(1e-4) + l1(2e-5), freeze, '
        'weights="f.safetensors", scale=[1, 2.5], shift=[0, -1], out_scale=3e-2 "learned"\nstate x = 1\n'
        "x' = sum(U(x, 1)[1..2, 2]) + NN(x, scale=[2], shift=[1], out_scale=0.5, weights=\"f.safetensors\")"
    )  # fmt: skip
    u, inline = d.networks
    assert (u.outputs, u.hidden, u.act, u.final, u.init, u.monotone) == ((2, 2), (), "swish", "tanh", "glorot", ("up", "none"))
    assert (u.reg_l1, u.reg_l2, u.freeze, u.weights) == (2e-5, 1e-4, True, "f.safetensors")
    assert (u.scale, u.shift, u.out_scale, u.doc) == ((1.0, 2.5), (0.0, -1.0), 0.03, "learned")
    assert (inline.name, inline.scale, inline.shift, inline.out_scale) == ("NN_x", (2.0,), (1.0,), 0.5)


def test_one_network_called_twice_is_one_network() -> None:
    d = model("nn U: 1 -> 1\nstate x = 1\nx' = U(x) + U(2*x)\nfunc g(a) = U(a)^2\ny = g(x)")
    assert [n.name for n in d.networks] == ["U"]
    assert {e.data for e in postorder([*state(d, "x").rate, *definition(d, "y").elements]) if e.op == "net"} == {"U"}


# ---- signals, events, observations ----------------------------------------------------------------------------------
def test_inputs() -> None:
    d = model(
        'input a from data.A, interp=akima\ninput b: mV from "calendar.csv", interp=next "days"\ninput c[2] from protocol.c\n'
        "state x = 0\nx' = a + b + sum(c) + da/dt + a'"
    )
    assert [(i.columns, i.interpolation) for i in d.inputs] == [
        ((("data", "A"),), "akima"),
        ((('"calendar.csv"', "b"),), "next"), ((("protocol", "c[1]"), ("protocol", "c[2]")), "linear"),
    ]  # fmt: skip
    assert Symbol("input_rate", "a") in symbols(state(d, "x").rate[0])


def test_tables() -> None:
    d = model("table f(u: ms): mV = [[0, 0], [50, 12], [2*k, 3]], interp=cubic\nconst k = 100\n"
              "table g(u, v) = [[1, 0, 5], [0, 0, 3], [0, 1, 4], [1, 1, 6]]\nstate x = 0\nx' = f(t) + g(x, 1)")  # fmt: skip
    f, g = d.tables
    assert (f.arguments, f.axes, f.values, f.interpolation, f.unit) == (
        ("u",),
        ((0.0, 50.0, 200.0),),
        (0.0, 12.0, 3.0),
        "cubic",
        "mV",
    )
    assert (g.axes, g.values) == (((0.0, 1.0), (0.0, 1.0)), (3.0, 4.0, 5.0, 6.0))
    assert rates(d) == ["f(t) + g(x, 1)"]


def test_at_events() -> None:
    d = model(
        "param T = 5\nconst h = 2\nstate x = 1\nstate v[2] = 0\nx'' = -x\nv' = -v\nlag = T/2\n"
        "at lag every h until 10*h { x := x + v[1]; x' := -0.5*x'\n v := [x, 2*x] }\nat 3 { v[2] := 7 }"
    )
    first, second = d.at_events
    assert (show(first.time), show(first.every), show(first.until)) == ("T/2", "h", "10*h")  # type: ignore[arg-type]
    assert [(a.state, a.entry, show(a.value)) for a in first.assignments] == [
        ("x", -1, "x + v[1]"), ("x'", -1, "-0.5*x'"), ("v", 0, "x"), ("v", 1, "2*x"),
    ]  # fmt: skip
    assert [(a.state, a.entry, show(a.value)) for a in second.assignments] == [("v", 1, "7")]


def test_observations() -> None:
    d = model(
        "param s = 1\nstate x: mM = 1\nx' = -s*x\n"
        "observe x ~ normal(x, sqrt(s^2 + (0.1*x)^2)) censored below 0.01 censored above 5*s\n"
        "observe a ~ student(4, x, 0.1)\nobserve b ~ negbinomial(mean=x, k=3)\nobserve c ~ bernoulli(x/2)\n"
        "observe d[2] ~ poisson(x) at start\nobserve e ~ laplace(b=2, loc=x)"
    )
    assert [(o.column, o.distribution, [n for n, _ in o.arguments], o.at) for o in d.observations] == [
        ("x", "normal", ["mean", "sd"], ""),
        ("a", "student", ["df", "loc", "scale"], ""), ("b", "negbinomial", ["mean", "k"], ""),
        ("c", "bernoulli", ["p"], ""), ("d[2]", "poisson", ["mean"], "start"), ("e", "laplace", ["loc", "b"], ""),
    ]  # fmt: skip
    x = d.observations[0]
    assert show(x.censored_below) == "0.01" and show(x.censored_above) == "5*s" and x.unit == "mM"  # type: ignore[arg-type]


def test_priors_on_entries() -> None:
    d = model(
        "param w[2, 2] = 1\nstate x = 1\nx' = sum(w[1, 1..2]) + w[2, 1] + w[2, 2]\n"
        "prior w[2, 1] ~ beta(2, 3)\nprior w[1, 2] ~ halfnormal(1)"
    )
    assert [(p.parameter, p.entry, p.distribution) for p in d.priors] == [("w", 2, "beta"), ("w", 1, "halfnormal")]


# ---- numbers of constant expressions, against Python ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2^3^2", 2.0 ** (3.0**2)), ("-2.5^2", -6.25), ("7/2/7", 0.5), ("mod(-7, 3)", 2.0), ("mod(7, -3)", -2.0),
        ("hill(2, 1, 2)", 0.8), ("hill(-1, 1, 2)", 0.0), ("mm(3, 1)", 0.75), ("exprel(1e-9)", math.expm1(1e-9) / 1e-9),
        ("softplus(800)", 800.0), ("sigmoid(-800)", 0.0), ("step(2, 3)", 1 / (1 + math.exp(-6))), ("heaviside(0)", 1.0),
        ("sign(0)", 0.0), ("gamma(5)", 24.0), ("erf(1)", math.erf(1)), ("atan2(1, -1)", math.atan2(1, -1)),
        ("if 2 > 1 and not 1 > 2 then 5 else 1/0", 5.0), ("max(1, 3, 2) - min(4, 2)", 1.0), ("norm([3, 4])", 5.0),
        ("piecewise(1 > 2, 1, 3 > 2, 2, 3)", 2.0), ("interp(0.25, [0, 1], [10, 20])", 12.5), ("interp(9, [0, 1], [1, 2])", 2.0),
        ("prod([2, 3, 4])", 24.0), ("log10(1000) + log2(8) + ln(1)", 6.0), ("0^0", 1.0), ("tanh(0.3)", math.tanh(0.3)),
    ],
)  # fmt: skip
def test_numbers(written: str, value: float) -> None:
    d = model(f"const c = {written}\nstate x = c\nx' = -x")
    assert d.constants[0].values[0] == pytest.approx(value, rel=1e-15, abs=1e-300)


def test_every_expression_is_one_scalar_per_entry() -> None:
    d = declare(load(SAMPLES / "04_neural_cde.ode"))
    for s in d.states:
        n = 1
        for length in s.shape:
            n *= length
        assert len(s.rate) == len(s.start) == n
        assert all(isinstance(e, Expr) for e in (*s.rate, *s.start))
