"""Lotka and Volterra's equations over fifteen periods, from declared values off by half: single shooting finds nothing there."""

from __future__ import annotations

import numpy as np

PREY = """model prey
param a = 2.2 in (0.01, 20) log
param b = 0.7 in (0.01, 20) log
param c = 4.5 in (0.01, 20) log
param d = 0.7 in (0.01, 20) log
state x = 5 in (0.01, 50) log
state y = 2 in (0.01, 50) log
dx/dt = a*x - b*x*y
dy/dt = d*x*y - c*y
param s = 0.2 in (0.001, 2) log
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
"""
TRUE = {"a": 1.5, "b": 1.0, "c": 3.0, "d": 1.0, "x(0)": 5.0, "y(0)": 2.0, "s": 0.1}


def rates(t, u):
    """At the true values."""
    return [1.5 * u[0] - u[0] * u[1], u[0] * u[1] - 3 * u[1]]


def noisy(y):
    """With lognormal noise of 0.1."""
    return y * np.exp(0.1 * np.random.default_rng(0).normal(size=y.shape))
