"""Lynx and hare: the records, a model compiled by hand, and an independent SciPy objective."""

from __future__ import annotations

import io

import jax.numpy as jnp
import numpy as np
import pandas as pd
import scipy.integrate

from hybridode.declarations import Declarations, Observation, Parameter, State
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import ZERO, Symbol, sym
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.signals import no_signals

CSV = """year,hare,lynx
1900,30.0,4.0
1901,47.2,6.1
1902,70.2,9.8
1903,77.4,35.2
1904,36.3,59.4
1905,20.6,41.7
1906,18.1,19.0
1907,21.4,13.0
1908,22.0,8.3
1909,25.4,9.1
1910,27.1,7.4
1911,40.3,8.0
1912,57.0,12.3
1913,76.6,19.5
1914,52.3,45.7
1915,19.5,51.1
1916,11.2,29.7
1917,7.6,15.8
1918,14.6,9.7
1919,16.2,10.1
1920,24.7,8.6
"""
FRAME = pd.read_csv(io.StringIO(CSV))
NAMES = ("alpha", "beta", "gamma", "delta", "s_hare", "s_lynx", "hare(0)", "lynx(0)")
VALUES = (0.5, 0.03, 0.8, 0.03, 0.3, 0.3, 30.0, 5.0)


def declarations() -> Declarations:
    parameters = tuple(
        Parameter(n, (v,), lower=0.0, upper=10.0 if v < 2 else 200.0, scale="log", start_of=n.split("(")[0] if "(" in n else "")
        for n, v in zip(NAMES, VALUES, strict=True)
    )
    p = {q.name: sym("parameter", q.name) for q in parameters}
    return Declarations(
        Source("lynx_hare.ode", ""), "lynx_hare", time="year", parameters=parameters,
        states=(State("hare", (p["hare(0)"],), (ZERO,)), State("lynx", (p["lynx(0)"],), (ZERO,))),
        observations=tuple(
            Observation(x, "lognormal", (("median", sym("state", x)), ("sd", p[f"s_{x}"]))) for x in ("hare", "lynx")
        ),
    )  # fmt: skip


def compiled() -> Compiled:
    """The model as the compiler would make it, without the compiler."""
    d = declarations()
    states = (Symbol("state", "hare"), Symbol("state", "lynx"))
    system = EquationSystem(d, states, tuple(Symbol("parameter", n) for n in NAMES), (), (), (ZERO, ZERO), (ZERO, ZERO))

    def rates(t, y, args):
        a, b, c, e = args.parameters[:4]
        return jnp.stack([a * y[0] - b * y[0] * y[1], e * y[0] * y[1] - c * y[1]])

    def arguments(set, data, dtype):
        p = np.array(VALUES, dtype)
        for name, value in (set or {}).items():
            p[NAMES.index(name)] = value
        return Arguments(p, {}, no_signals(dtype), np.zeros(0, dtype))

    return Compiled(
        declarations=d, system=system, tapes={}, rates=rates, plain_rates=rates,
        start=lambda t0, args: args.parameters[6:8],
        definitions=lambda t, y, args: jnp.zeros(0),
        observables=lambda t, y, args: jnp.stack([y[0], args.parameters[4], y[1], args.parameters[5]]),
        default_arguments=arguments,
        observable_index={("hare", "median"): 0, ("hare", "sd"): 1, ("lynx", "median"): 2, ("lynx", "sd"): 3},
        parameter_slices={n: slice(i, i + 1) for i, n in enumerate(NAMES)},
    )  # fmt: skip


def scipy_nll(p: np.ndarray, frame: pd.DataFrame = FRAME, quick: bool = False) -> float:
    """Negative log-likelihood with complete lognormal densities by SciPy alone; inf where the solve fails.

    Solved by DOP853 at tight tolerances, or (quick) by ODEPACK's LSODA, ten times faster.
    """
    a, b, c, e, s1, s2, h0, l0 = p
    t = frame["year"].to_numpy(float)

    def rates(t: float, y: np.ndarray) -> list[float]:
        return [a * y[0] - b * y[0] * y[1], e * y[0] * y[1] - c * y[1]]

    if quick:
        y, about = scipy.integrate.odeint(rates, [h0, l0], t, tfirst=True, rtol=1e-8, atol=1e-8, mxstep=2000, full_output=True)
        states, success = y.T, about["message"] == "Integration successful."
    else:
        solution = scipy.integrate.solve_ivp(rates, (t[0], t[-1]), [h0, l0], "DOP853", t, rtol=1e-9, atol=1e-10)
        states, success = solution.y, solution.success
    if not success or np.any(states <= 0):
        return np.inf
    total = 0.0
    for y, x, s in ((states[0], frame["hare"], s1), (states[1], frame["lynx"], s2)):
        total += np.sum(0.5 * (np.log(x / y) / s) ** 2 + np.log(s) + 0.5 * np.log(2 * np.pi) + np.log(x))
    return float(total)
