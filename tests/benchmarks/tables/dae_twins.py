"""Differential-algebraic models and the same systems as plain equations, written by hand: for what a step costs."""

from __future__ import annotations

from dataclasses import dataclass

from tests.problems import problems
from tests.problems.dae import dae_problems


@dataclass(frozen=True)
class Twin:
    """`dae` and `plain` are texts; `name` is what both are asked for at `end`."""

    title: str
    dae: str
    plain: str
    method: str
    end: float
    name: str


def twins() -> list[Twin]:
    """A pair for every class of algebraic equations."""
    text = {name: p.text for name, p in dae_problems().items()}
    rober = problems()["rober"].text.replace("y1", "A")
    swing = text["pendulum"].replace("alg lambda = 0\n", "")
    swing = swing.replace("x^2 + y^2 = L^2", "lambda = (x'^2 + y'^2 - g*y)/L^2")
    kinetics = text["chemakzo"].replace("alg   y6 = 0.36\n", "").replace("0 = Ks*y1*y4 - y6", "y6 = Ks*y1*y4")
    circuit, amplifier = text["diode_circuit"], text["transamp"]
    return [
        Twin("an unknown that an equation gives (CHEMAKZO)", text["chemakzo"], kinetics, "rodas5p", 180.0, "y1"),
        Twin("a balance instead of a rate (ROBER)", text["rober_dae"], rober, "rodas5p", 1e5, "A"),
        Twin(
            "a nonlinear unknown (a diode with a resistance; without)", circuit, plain_circuit(circuit), "rodas5p", 0.0225, "uC2"
        ),
        Twin("a singular mass matrix (TRANSAMP)", amplifier, plain_amplifier(amplifier), "rodas5p", 0.02, "y5"),
        Twin("index 3, stiff method (pendulum)", text["pendulum"], swing, "rodas5p", 10.0, "x"),
        Twin("index 3, explicit method (pendulum)", text["pendulum"], swing, "dop853", 10.0, "x"),
    ]


def plain_amplifier(text: str) -> str:
    """Every node's capacitor to ground: as many states and the same right-hand sides, not the same solution."""
    lines, k = [], 0
    for line in text.splitlines():
        left, equals, right = line.partition(" = ")
        if equals and left.lstrip(" -").startswith("C") and "'" in left:
            k += 1
            line = f"y{k}' = -({right})/C{(1, 1, 2, 3, 3, 4, 5, 5)[k - 1]}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def plain_circuit(text: str) -> str:
    """Without the diode's own resistance everything follows from the states."""
    kept = [line for line in text.splitlines() if line.startswith(("model", "param", "const", "state"))]
    laws = ["uD = uC1 - uC2", "iD = Is*(exp(uD/VT) - 1)", "iL' = (amplitude*sin(2*pi*f*t) - R1*iL - uC1)/L"]
    return "\n".join([*kept, *laws, "uC1' = (iL - iD)/C1", "uC2' = (iD - uC2/R2)/C2"]) + "\n"
