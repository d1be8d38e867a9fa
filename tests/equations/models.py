"""Models built by hand, without the front end."""

from __future__ import annotations

from hybridode.declarations import Constant, Declarations, Definition, InputSignal, Network, Observation, Parameter, State
from hybridode.errors import Source
from hybridode.expr import Expr, const, node, sym


def n(op: str, *args: Expr | float, data: object = None) -> Expr:
    """A node as the front end makes it: as written."""
    return node(op, [a if isinstance(a, Expr) else const(a) for a in args], data)


def minus(a: Expr | float, b: Expr | float) -> Expr:
    return n("add", a, n("neg", b))


def par(name: str) -> Expr:
    return sym("parameter", name)


def lotka_volterra() -> Declarations:
    """Known growth and death, a shared two-output net, an inline net and learnt starts."""
    x, y = sym("state", "x"), sym("state", "y")
    u = node("net", (x, n("mul", x, y)), "U")
    inline = node("net", (x, node("out", (u,), 1)), "NN_y")
    return Declarations(
        Source("lv.ode", ""),
        "lv",
        parameters=(Parameter("a", (1.3,)), Parameter("d", (1.8,)), Parameter("x(0)", (0.44,), start_of="x")),
        states=(
            State("x", (par("x(0)"),), (n("add", n("mul", par("a"), x), node("out", (u,), 0)),)),
            State(
                "y",
                (n("mul", 2.0, x),),
                (n("add", n("neg", n("mul", par("d"), y)), n("mul", sym("definition", "gain"), node("out", (inline,), 0))),),
            ),
        ),
        definitions=(Definition("gain", (n("tanh", n("mul", x, y)),)),),
        networks=(Network("U", 2, (2,)), Network("NN_y", 2, (), inline=True, equation="y")),
        observations=(Observation("hare", "normal", (("mean", x), ("sd", n("mul", 0.1, sym("derivative", "y"))))),),
    )


def hodgkin_huxley() -> Declarations:
    """samples/08_hodgkin_huxley.ode with its functions inlined."""
    v, c = sym("state", "V"), lambda name: sym("constant", name)
    d = lambda name: sym("definition", name)  # noqa: E731

    def linexp(k: float, u: Expr, s: float) -> Expr:
        return n("div", n("mul", k, n("div", u, s)), minus(1.0, n("exp", n("div", n("neg", u), s))))

    def falling(k: float, shift: float, s: float) -> Expr:
        return n("mul", k, n("exp", n("div", n("neg", n("add", v, shift)), s)))

    rates = {
        "alpha_m": linexp(1.0, n("add", v, 40.0), 10.0), "beta_m": falling(4.0, 65.0, 18.0),
        "alpha_h": falling(0.07, 65.0, 20.0),
        "beta_h": n("div", 1.0, n("add", 1.0, n("exp", n("div", n("neg", n("add", v, 35.0)), 10.0)))),
        "alpha_n": linexp(0.1, n("add", v, 55.0), 10.0), "beta_n": falling(0.125, 65.0, 80.0),
    }  # fmt: skip
    m, h, g = (sym("state", k) for k in "mhn")
    ion = n(
        "add",
        n("mul", par("gNa"), n("pow", m, 3.0), h, minus(v, c("ENa"))),
        n("mul", par("gK"), n("pow", g, 4.0), minus(v, c("EK"))),
        n("mul", par("gL"), minus(v, c("EL"))),
    )
    gates = [
        State(k, (n("div", d(f"alpha_{k}"), n("add", d(f"alpha_{k}"), d(f"beta_{k}"))),),
              (minus(n("mul", d(f"alpha_{k}"), minus(1.0, s)), n("mul", d(f"beta_{k}"), s)),))
        for k, s in (("m", m), ("h", h), ("n", g))
    ]  # fmt: skip
    current = n("div", minus(sym("input", "I"), d("I_ion")), c("C"))
    return Declarations(
        Source("hh.ode", ""),
        "hodgkin_huxley",
        parameters=(Parameter("gNa", (120.0,)), Parameter("gK", (36.0,)), Parameter("gL", (0.3,))),
        constants=(Constant("C", (1.0,)), Constant("ENa", (50.0,)), Constant("EK", (-77.0,)), Constant("EL", (-54.4,))),
        states=(State("V", (const(-65.0),), (current,)), *gates),
        definitions=(Definition("I_ion", (ion,)), *(Definition(k, (e,)) for k, e in rates.items())),
        inputs=(InputSignal("I", (("protocol", "I"),), interpolation="previous"),),
        observations=(Observation("V_obs", "normal", (("mean", v), ("sd", const(1.0)))),),
    )


POLLU_K = (.35, 26.6, 12300., .86e-3, .82e-3, 15000., .13e-3, 24000., 16500., 9000., .022, 12000., 1.88, 16300., 4.8e6, .35e-3,
           .0175, 1e8, .444e12, 1240., 2.1, 5.78, .0474, 1780., 3.12)  # fmt: skip
POLLU_READS = ((1,), (2, 4), (5, 2), (7,), (7,), (7, 6), (9,), (9, 6), (11, 2), (11, 1), (13,), (10, 2), (14,), (1, 6), (3,),
               (4,), (4,), (16,), (16,), (17, 6), (19,), (19,), (1, 4), (19, 1), (20,))  # fmt: skip
POLLU_SUMS = (
    (-1, -10, -14, -23, -24, 2, 3, 9, 11, 12, 22, 25), (-2, -3, -9, -12, 1, 21), (-15, 1, 17, 19, 22), (-2, -16, -17, -23, 15),
    (-3, 4, 4, 6, 7, 13, 20), (-6, -8, -14, -20, 3, 18, 18), (-4, -5, -6, 13), (4, 5, 6, 7), (-7, -8), (-12, 7, 9),
    (-9, -10, 8, 11), (9,), (-11, 10), (-13, 12), (14,), (-18, -19, 16), (-20,), (20,), (-21, -22, -24, 23, 25), (-25, 24),
)  # fmt: skip


def pollu() -> Declarations:
    """POLLU with its 25 rates as definitions (shared/data/ivp_reference_values.md)."""
    y = [sym("state", f"y{i}") for i in range(1, 21)]
    start = {2: 0.2, 4: 0.04, 7: 0.1, 8: 0.3, 9: 0.01, 17: 0.007}

    def flux(i: int) -> Expr:
        r = sym("definition", f"r{abs(i)}")
        return r if i > 0 else n("neg", r)

    sums = [flux(s[0]) if len(s) == 1 else n("add", *map(flux, s)) for s in POLLU_SUMS]
    return Declarations(
        Source("pollu.ode", ""),
        "pollu",
        constants=tuple(Constant(f"k{i}", (k,)) for i, k in enumerate(POLLU_K, 1)),
        states=tuple(State(f"y{i}", (const(start.get(i, 0.0)),), (rate,)) for i, rate in enumerate(sums, 1)),
        definitions=tuple(
            Definition(f"r{i}", (n("mul", sym("constant", f"k{i}"), *(y[j - 1] for j in reads)),))
            for i, reads in enumerate(POLLU_READS, 1)
        ),
    )
