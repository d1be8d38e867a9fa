"""Models that the native engine is tested on."""

from __future__ import annotations

import hybridode as ho
from hybridode.solve.problem import Compiled

FORCED = """model forced
time t
param a = 1.1
param b = 0.4
param c = 0.4
param d = 0.1
state x = 10
state y = 5*d/0.1
x' = a*x - b*x*y
y' = d*x*y - c*y + 0.1*sin(t)
"""
ROBER = """model rober
time t
param k1 = 0.04
param k2 = 3e7
param k3 = 1e4
state a = 1
state b = 0
state c = 0
a' = -k1*a + k3*b*c
b' = k1*a - k3*b*c - k2*b^2
c' = k2*b^2
"""
VAN_DER_POL = """model v
param mu = 10
param c = 1
state x = 2
state y = 0
x' = y
y' = mu*(1 - x^2)*y - c*x
"""
DECAY = "model decay\ntime t\nparam k = 1\nstate x = k\nx' = -k*x\n"
BLOW_UP = "model blow_up\ntime t\nparam k = 1\nstate x = 1\nx' = k*x^2\n"
ENDS = "model ends\ntime t\nparam k = 1\nstate x = 1\nx' = k*sqrt(0.5 - t)\n"


def compiled(text: str) -> Compiled:
    return ho.parse(text).compiled()
