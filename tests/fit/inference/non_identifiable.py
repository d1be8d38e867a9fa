"""Ten models with parameters that cannot be known, on purpose."""

from __future__ import annotations

import numpy as np

from tests.fit.inference.cases import Case, T, decay, model_text

NON_IDENTIFIABLE = (
    Case(
        "product",
        model_text("""param k1 = 1 in (0, inf) log
param k2 = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 2
x' = -k1*k2*x
observe x ~ normal(x, s)
"""),
        {"k1": 0.5, "k2": 1.4},
        lambda p: [2.0],
        lambda y, p: [-p["k1"] * p["k2"] * y[0]],
        {"x": lambda y, p: y[0]},
        T,
        0.05,
        {"k1": ("combination", "k1*k2"), "k2": ("combination", "k1*k2"), "s": ("identified",)},
    ),
    Case(
        "unobserved predator",
        model_text("""param r = 1 in (0, inf) log
param b = 1 in (0, inf) log
param d = 0.3 in (0, inf) log
param m = 0.8 in (0, inf) log
param y0 = 1 in (0, inf) log
param s = 0.1 in (1e-3, 3) log
state x = 3
state y
y(0) = y0
x' = r*x - b*x*y
y' = d*x*y - m*y
observe x ~ normal(x, s)
"""),
        {"r": 1.1, "b": 0.8, "d": 0.25, "m": 0.9, "y0": 0.7},
        lambda p: [3.0, p["y0"]],
        lambda y, p: [p["r"] * y[0] - p["b"] * y[0] * y[1], p["d"] * y[0] * y[1] - p["m"] * y[1]],
        {"x": lambda y, p: y[0]},
        np.linspace(0.5, 20, 40),
        0.1,
        {
            "r": ("identified",),
            "b": ("combination", "b*y0"),
            "d": ("identified",),
            "m": ("identified",),
            "y0": ("combination", "y0"),
            "s": ("identified",),
        },
    ),
    Case(
        "unobserved loop",
        model_text("""param k = 1 in (0, inf) log
param a = 1 in (0, inf) log
param b = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 2
state y = 0
state z = 0
x' = -k*x
y' = k*x - a*y + b*z
z' = a*y - b*z
observe x ~ normal(x, s)
"""),
        {"k": 0.6, "a": 1.0, "b": 0.5},
        lambda p: [2.0, 0.0, 0.0],
        lambda y, p: [-p["k"] * y[0], p["k"] * y[0] - p["a"] * y[1] + p["b"] * y[2], p["a"] * y[1] - p["b"] * y[2]],
        {"x": lambda y, p: y[0]},
        T,
        0.05,
        {"k": ("identified",), "a": ("not identified",), "b": ("not identified",), "s": ("identified",)},
    ),
    Case(
        "rate far from saturation",
        model_text("""param v = 10 in (0, inf) log
param K = 10 in (0, inf) log
param s = 0.03 in (1e-3, 1) log
state x = 1
x' = -v*x/(K + x)
observe x ~ normal(x, s)
"""),
        {"v": 24.0, "K": 40.0},
        lambda p: [1.0],
        lambda y, p: [-p["v"] * y[0] / (p["K"] + y[0])],
        {"x": lambda y, p: y[0]},
        T,
        0.03,
        {"v": ("bounded below", "v/K"), "K": ("bounded below", "K/v"), "s": ("identified",)},
    ),
    Case(
        "saturated rate",
        model_text("""param v = 1 in (0, inf) log
param K = 1 in (0, inf) log
param s = 0.1 in (1e-3, 1) log
state x = 20
x' = -v*x/(K + x)
observe x ~ normal(x, s)
"""),
        {"v": 1.5, "K": 0.2},
        lambda p: [20.0],
        lambda y, p: [-p["v"] * y[0] / (p["K"] + y[0])],
        {"x": lambda y, p: y[0]},
        T,
        0.1,
        {"v": ("identified",), "K": ("bounded above",), "s": ("identified",)},
    ),
    Case(
        "growth seen too early",
        model_text("""param r = 1 in (0, inf) log
param K = 100 in (0, inf) log
param s = 0.1 in (1e-3, 3) log
state x = 0.1
x' = r*x*(1 - x/K)
observe x ~ normal(x, s)
"""),
        {"r": 0.7, "K": 1000.0},
        lambda p: [0.1],
        lambda y, p: [p["r"] * y[0] * (1 - y[0] / p["K"])],
        {"x": lambda y, p: y[0]},
        T,
        0.1,
        {"r": ("identified",), "K": ("bounded below",), "s": ("identified",)},
    ),
    decay(
        "one time point",
        np.array([2.0]),
        {"k": ("not identified",), "x0": ("bounded below",), "s": ("identified",)},
        guess=2,
        repeats=8,
    ),
    Case(
        "sum of two rates",
        model_text("""param k1 = 1 in (0, inf) log
param k2 = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 2
x' = -k1*x - k2*x
observe x ~ normal(x, s)
"""),
        {"k1": 0.5, "k2": 0.3},
        lambda p: [2.0],
        lambda y, p: [-(p["k1"] + p["k2"]) * y[0]],
        {"x": lambda y, p: y[0]},
        T,
        0.05,
        {"k1": ("bounded above",), "k2": ("bounded above",), "s": ("identified",)},
    ),
    Case(
        "a step too fast to see",
        model_text("""param k1 = 1 in (0, inf) log
param k2 = 5 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state A = 2
state B = 0
state C = 0
A' = -k1*A
B' = k1*A - k2*B
C' = k2*B
observe A ~ normal(A, s)
observe C ~ normal(C, s)
"""),
        {"k1": 0.5, "k2": 80.0},
        lambda p: [2.0, 0.0, 0.0],
        lambda y, p: [-p["k1"] * y[0], p["k1"] * y[0] - p["k2"] * y[1], p["k2"] * y[1]],
        {"A": lambda y, p: y[0], "C": lambda y, p: y[2]},
        T,
        0.05,
        {"k1": ("identified",), "k2": ("bounded below",), "s": ("identified",)},
    ),
    Case(
        "scale of a signal",
        model_text("""param k = 1 in (0, inf) log
param x0 = 1 in (0, inf) log
param c = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x
x(0) = x0
x' = -k*x
signal = c*x
observe signal ~ normal(signal, s)
"""),
        {"k": 0.4, "x0": 3.0, "c": 0.8},
        lambda p: [p["x0"]],
        lambda y, p: [-p["k"] * y[0]],
        {"signal": lambda y, p: p["c"] * y[0]},
        T,
        0.05,
        {"k": ("identified",), "x0": ("combination", "x0*c"), "c": ("combination", "c"), "s": ("identified",)},
    ),
)
