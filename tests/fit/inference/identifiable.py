"""Ten models whose parameters can all be known."""

from __future__ import annotations

import numpy as np

from tests.fit.inference.cases import Case, T, decay, model_text

IDENTIFIABLE = (
    decay("decay", T, {}),
    Case(
        "logistic growth",
        model_text("""param r = 1 in (0, inf) log
param K = 10 in (0, inf) log
param s = 0.1 in (1e-3, 3) log
state x = 0.2
x' = r*x*(1 - x/K)
observe x ~ normal(x, s)
"""),
        {"r": 1.5, "K": 6.0},
        lambda p: [0.2],
        lambda y, p: [p["r"] * y[0] * (1 - y[0] / p["K"])],
        {"x": lambda y, p: y[0]},
        T,
        0.1,
        {},
    ),
    Case(
        "predator and prey",
        model_text("""param r = 1 in (0, inf) log
param b = 1 in (0, inf) log
param d = 0.3 in (0, inf) log
param m = 0.8 in (0, inf) log
param s = 0.1 in (1e-3, 3) log
state x = 3
state y = 0.7
x' = r*x - b*x*y
y' = d*x*y - m*y
observe x ~ normal(x, s)
observe y ~ normal(y, s)
"""),
        {"r": 1.1, "b": 0.8, "d": 0.25, "m": 0.9},
        lambda p: [3.0, 0.7],
        lambda y, p: [p["r"] * y[0] - p["b"] * y[0] * y[1], p["d"] * y[0] * y[1] - p["m"] * y[1]],
        {"x": lambda y, p: y[0], "y": lambda y, p: y[1]},
        np.linspace(0.5, 15, 30),
        0.1,
        {},
    ),
    Case(
        "Michaelis and Menten",
        model_text("""param v = 1 in (0, inf) log
param K = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 6
x' = -v*x/(K + x)
observe x ~ normal(x, s)
"""),
        {"v": 1.6, "K": 1.5},
        lambda p: [6.0],
        lambda y, p: [-p["v"] * y[0] / (p["K"] + y[0])],
        {"x": lambda y, p: y[0]},
        T,
        0.05,
        {},
    ),
    Case(
        "two compartments",
        model_text("""param ke = 1 in (0, inf) log
param k12 = 1 in (0, inf) log
param k21 = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state c = 10
state p = 0
c' = -ke*c - k12*c + k21*p
p' = k12*c - k21*p
observe c ~ normal(c, s)
"""),
        {"ke": 0.7, "k12": 0.9, "k21": 0.4},
        lambda p: [10.0, 0.0],
        lambda y, p: [-(p["ke"] + p["k12"]) * y[0] + p["k21"] * y[1], p["k12"] * y[0] - p["k21"] * y[1]],
        {"c": lambda y, p: y[0]},
        T,
        0.05,
        {},
    ),
    Case(
        "epidemic",
        model_text("""param beta = 2 in (0, inf) log
param gamma = 1 in (0, inf) log
param s = 1 in (1e-2, 100) log
state S = 990
state I = 10
S' = -beta*S*I/1000
I' = beta*S*I/1000 - gamma*I
observe I ~ normal(I, s)
"""),
        {"beta": 2.2, "gamma": 0.7},
        lambda p: [990.0, 10.0],
        lambda y, p: [-p["beta"] * y[0] * y[1] / 1000, p["beta"] * y[0] * y[1] / 1000 - p["gamma"] * y[1]],
        {"I": lambda y, p: y[1]},
        T,
        8.0,
        {},
    ),
    Case(
        "chain of reactions",
        model_text("""param k1 = 1 in (0, inf) log
param k2 = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state A = 2
state B = 0
A' = -k1*A
B' = k1*A - k2*B
observe A ~ normal(A, s)
observe B ~ normal(B, s)
"""),
        {"k1": 0.5, "k2": 0.9},
        lambda p: [2.0, 0.0],
        lambda y, p: [-p["k1"] * y[0], p["k1"] * y[0] - p["k2"] * y[1]],
        {"A": lambda y, p: y[0], "B": lambda y, p: y[1]},
        T,
        0.05,
        {},
    ),
    Case(
        "cooperative degradation",
        model_text("""param v = 1 in (0, inf) log
param K = 1 in (0, inf) log
param n = 2 in (0.5, 8)
param s = 0.03 in (1e-3, 1) log
state x = 5
x' = -v*x^n/(K^n + x^n)
observe x ~ normal(x, s)
"""),
        {"v": 1.2, "K": 1.5, "n": 2.5},
        lambda p: [5.0],
        lambda y, p: [-p["v"] * y[0] ** p["n"] / (p["K"] ** p["n"] + y[0] ** p["n"])],
        {"x": lambda y, p: y[0]},
        np.linspace(0.2, 10, 50),
        0.03,
        {},
    ),
    Case(
        "damped oscillation",
        model_text("""param w = 2 in (0, inf) log
param c = 0.3 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 1
state v = 0
x' = v
v' = -w^2*x - c*v
observe x ~ normal(x, s)
"""),
        {"w": 2.3, "c": 0.4},
        lambda p: [1.0, 0.0],
        lambda y, p: [y[1], -(p["w"] ** 2) * y[0] - p["c"] * y[1]],
        {"x": lambda y, p: y[0]},
        np.linspace(0.2, 8, 40),
        0.05,
        {},
    ),
    Case(
        "production and loss",
        model_text("""param p = 1 in (0, inf) log
param d = 1 in (0, inf) log
param s = 0.05 in (1e-3, 1) log
state x = 0
x' = p - d*x
observe x ~ normal(x, s)
"""),
        {"p": 2.0, "d": 0.8},
        lambda p: [0.0],
        lambda y, p: [p["p"] - p["d"] * y[0]],
        {"x": lambda y, p: y[0]},
        T,
        0.05,
        {},
    ),
)
