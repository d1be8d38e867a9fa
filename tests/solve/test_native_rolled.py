"""Rolled code against straight-line code: the same steps, the same numbers to rounding, whatever a model has in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.methods import choice
from hybridode.solve import native, results
from hybridode.solve.events import plan_events
from hybridode.solve.problem import Compiled
from hybridode.solve.settings import Settings

N = 13  # no multiple of any vector's length
TS = np.array([0.0, 0.2, 0.7, 1.3, 2.0])
SETTINGS = Settings(rtol=1e-7, atol=1e-8)
FACTORS = jnp.array([1.0, 1.1, 0.9])
KNOTS = np.linspace(0.0, 2.0, 6)


def cells(head: str, rate: str) -> str:
    """N cells in a ring with these rates; @ is a cell's own state, < and > its neighbours', # its number."""
    lines = [
        "model cells",
        "time t",
        "param k = 0.8",
        "param g = 0.3",
        head,
        *(f"state x{i} = {1 + i % 5 / 4}" for i in range(N)),
    ]
    for i in range(N):
        text = rate.replace("@", f"x{i}").replace("<", f"x{(i - 1) % N}").replace(">", f"x{(i + 1) % N}").replace("#", str(i))
        lines.append(f"x{i}' = {text}")
    return "\n".join(lines) + "\n"


MODELS = {
    "alike": cells("", "k*(< - 2*@ + >) - g*@^2"),
    "numbers of their own": cells("", "k*(< - 2*@ + >) - #*g*@/(1 + @) + sin(t*#)"),
    "conditions": cells(
        "", "k*(< - 2*@ + >) + (if @ LT 1.5 then g*sqrt(2 - @) else g*sqrt(0.5)) + (if @ LT 0.3 then 0.1*g else 0)"
    ),
    "inputs": cells("input u from data.u, interp=linear", "k*(< - 2*@ + >) + u*g*@"),
    "jumps": cells("input u from data.u, interp=previous", "k*(< - 2*@ + >) + u*g*@ + 0.1*sin(t)"),
    "at": cells("at 0.5 every 0.6 { x3 := x3 + g }", "k*(< - 2*@ + >) - g*@"),
    "network": cells("nn U: 2 -> 1, hidden=[6], act=tanh", "k*(< - 2*@ + >) + g*U(@, <)"),
}
MODELS["conditions"] = MODELS["conditions"].replace("LT", "<")
EVENTS = """model spiking
time t
param k = 0.8
param g = 0.3
state x[12]
discrete hits = 0
level = 1.2 + 0.1*k
x[i](0) = 0.2 + 0.05*i for i in 1..12
x[i]' = 1 + 0.07*i - k*x[i] + g*sin(t + i) for i in 1..12
event other when x[3] - x[4] { x[1] := 0.9*x[1] + 0.1*t }
event spike[i] when x[i] > level + 0.003*i {
    x[i] := x[i]*g
    x[j] := x[j] + 0.02*k*x[i] for j in 1..8 if j != i
    hits := hits + 1
} for i in 1..8
"""
MODELS["events"] = EVENTS.split("event spike")[0]
MODELS["many events"] = EVENTS
MODELS["all kinds of events"] = (
    EVENTS
    + """nn U: 1 -> 1, hidden=[4], act=tanh
event first when hits < 1 at start { x[7] := 0.7*k }
event second when x[2] - 0.9 falling { x[2] := x[2] + 0.1 + U(x[5]); x[6] := x[6] + level }
event last when hits >= 9 { stop }
"""
)
CASES = [
    ("alike", "rodas5p"), ("alike", "dop853"), ("numbers of their own", "rodas4"), ("conditions", "bosh3"), ("inputs", "rodas4"),
    ("jumps", "tsit5"), ("jumps", "rosenbrock23"), ("at", "tsit5"), ("network", "rodas4"),
    ("events", "bosh3"), ("many events", "tsit5"), ("all kinds of events", "rodas4"),
]  # fmt: skip


def made(text: str, monkeypatch: pytest.MonkeyPatch, rolled: bool) -> Compiled:
    monkeypatch.setattr(choice, "ROLLED_FROM", choice.LEAST_ROLLED if rolled else 10**6)
    monkeypatch.setattr(choice, "MANY_EVENTS", {"explicit": 10**6, "implicit": 10**6})
    return ho.parse(text).compiled()


@pytest.fixture(autouse=True)
def separate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is kept on disk says nothing of the threshold that is moved here."""
    monkeypatch.setenv("HYBRIDODE_CACHE", "off")
    with jax.enable_x64(True):
        yield


def arguments(compiled: Compiled) -> Any:
    data = {"u": (KNOTS, np.cos(3 * KNOTS))} if compiled.system.inputs else {}
    return jax.tree_util.tree_map(jnp.asarray, compiled.arguments(data=data))


def outcome(compiled: Compiled, method: str) -> dict[str, Any]:
    """Steps, values, and derivatives in both modes by everything; values in lanes."""
    args = arguments(compiled)
    weight = jnp.cos(jnp.arange(len(TS) * N)).reshape(len(TS), N)
    moving, rest = eqx.partition(args, eqx.is_inexact_array)
    events = plan_events(compiled, compiled.arguments(), 0.0, float(TS[-1])) if compiled.events is not None else None

    def solve(moving: Any) -> Any:
        return native.integrate(compiled, eqx.combine(moving, rest), 0.0, TS, method, SETTINGS, events=events)

    def loss(moving: Any) -> Any:
        return jnp.nansum(weight * solve(moving).ys)  # an event may stop the run

    raw = solve(moving)
    assert raw.result == results.SUCCESS
    direction = jax.tree_util.tree_map(lambda x: jnp.sin(1.0 + jnp.arange(x.size)).reshape(x.shape) * (x != 0), moving)
    return {
        "accepted": raw.stats["accepted"],
        "values": raw.ys,
        "reverse": jax.grad(loss)(moving),
        "forward": jax.jvp(loss, (moving,), (direction,))[1],
        "lanes": jax.vmap(lambda f: solve(eqx.tree_at(lambda a: a.parameters, moving, f * args.parameters)).ys)(FACTORS),
    }


@pytest.mark.parametrize("name, method", CASES)
def test_twins(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for rolled in (True, False):
        compiled = made(MODELS[name], monkeypatch, rolled)
        found[rolled] = outcome(compiled, method)
        assert native.program_of(compiled, method).method.rolled == rolled
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found[True]), jax.tree_util.tree_leaves(found[False]), strict=True
    ):
        # Where no step ends at a kink, derivatives by its place depend on how far from it steps end: rounding is seen in them.
        scale = (2e-6 if name == "inputs" else 1e-9) * (1.0 + np.nanmax(np.abs(b), initial=0.0))
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=scale, err_msg=jax.tree_util.keystr(path))


def test_one_lane_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some fail, some do not: those that fail say so, the others are not disturbed."""
    text = cells("", "k*@*(@ - 2) + 0*< + g*0")
    compiled = made(text, monkeypatch, True)
    args = arguments(compiled)
    starts = jnp.stack([jnp.full(N, 1.0), jnp.full(N, 3.0), jnp.full(N, 0.5)])  # above 2 they blow up in finite time
    settings = Settings(rtol=1e-6, atol=1e-8, max_steps=400)
    raw = jax.vmap(lambda y0: native.integrate(compiled, args, 0.0, TS, "rodas4", settings, y0=y0))(starts)
    assert [int(r) == results.SUCCESS for r in raw.result] == [True, False, True]
    alone = native.integrate(compiled, args, 0.0, TS, "rodas4", settings, y0=starts[2])
    np.testing.assert_allclose(raw.ys[2], alone.ys, rtol=1e-9)
    assert np.isnan(np.asarray(raw.ys[1])[-1]).all()
