"""Every model of the tests and examples that this version solves: the native engine against Diffrax, values and derivatives.

The derivative is that of a random combination of all states at all times, by all parameters, weights and starts at once: the
native gradient (reverse) times a random direction against Diffrax's forward mode along it. Both solves succeed first.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.data.evaluate import constant_value
from hybridode.declarations import entry_names
from hybridode.errors import ModelError
from hybridode.solve import diffrax, engines, native, results
from hybridode.solve.events import plan_events
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/problems", "tests/show", "tests/language/models", "tests/language/samples", "examples")
FILES = sorted(str(p.relative_to(ROOT)) for folder in FOLDERS for p in (ROOT / folder).rglob("*.ode"))
LATER = ("E09", "E0310", "E0301")  # parts of the language that this version does not have
# How far to solve: 2 units of time unless more is worth seeing, or less is all that two solves share (a chaotic system).
ENDS = {"pollu": 60.0, "hires": 320.0, "rober": 40.0, "orego": 30.0, "vdpol": 1.0, "ringmod": 1e-5, "lynx_hare": 20.0,
        "lynx_hare_hybrid": 20.0, "influenza_sir": 14.0, "tank": 40.0, "decay": 10.0, "everything": 0.3,
        "arenstorf": 1.0, "lorenz96": 0.2}  # fmt: skip
QUICK = ("decay", "influenza_sir", "lotka_volterra_ude", "01_lotka_volterra", "09_pendulum", "hires", "orego", "tank", "lorenz")
# Files of weights that nobody has; a start on a surface where the rates jump and push back (no solution in the usual sense).
CHANGED = {"everything": {', freeze, weights="rho.safetensors"': "", "= 1 in (0.1, 5)": "= 1.5 in (0.1, 5)"},
           "17_neural_cde": {', weights="field.safetensors", freeze': ""}}  # fmt: skip
# An `if` on the state is located natively and a kink to Diffrax, whose derivative lacks the jump: tests/solve/test_switches.
SWITCHED = ("bang_bang",)
RTOL = 1e-9


@cache
def loaded(path: str) -> Compiled | None:
    """The compiled model, None where the language of this version refuses it by a code of LATER."""
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
        for old, new in CHANGED.get(name(path), {}).items():
            assert old in text
            text = text.replace(old, new)
        return ho.parse(text).compiled()
    except ModelError as error:
        codes = [d.code for d in error.diagnostics if d.code.startswith("E")]
        assert any(code.startswith(LATER) for code in codes), codes
        return None


def numbers(model: Compiled, t0: float, end: float) -> Arguments:
    """Declared values; networks as they are initialised; inputs that wave, with a knot beyond the end."""
    rng, data = np.random.default_rng(0), {}
    for given in model.declarations.inputs:
        for name in entry_names(given.name, given.shape):
            data[name] = (np.linspace(t0, t0 + 1.1 * end, 9), 1 + 0.3 * rng.normal(size=9))
    return model.arguments(data=data or None)


class Both:
    """One model's solve by each engine as a function of what is differentiated: (parameters, weights, start)."""

    def __init__(self, model: Compiled, end: float) -> None:
        origin = model.declarations.time_origin
        constants = {c.name: c for c in model.declarations.constants}
        self.model, self.t0 = model, float(constant_value(origin, constants) or 0.0) if origin is not None else 0.0
        self.args = numbers(model, self.t0, end)
        self.ts = self.t0 + np.linspace(0, end, 5)
        start = model.numbers("start", self.t0, np.zeros(0), self.args.at_start(self.t0))
        self.point = jax.tree_util.tree_map(jnp.asarray, (self.args.parameters, self.args.weights, start))
        size = 1e-3 * max(float(np.max(np.abs(start))), 1e-3)
        self.settings = Settings(rtol=RTOL, atol=RTOL * size, max_steps=200_000)
        self.plan = plan_events(model, self.args, self.t0, self.ts[-1]) if model.events is not None else None
        rng = np.random.default_rng(1)
        self.weight = jnp.asarray(rng.normal(size=(len(self.ts), model.size)))
        self.direction = jax.tree_util.tree_map(lambda v: v * jnp.asarray(rng.normal(size=v.shape)) * 0.1, self.point)

    def raw(self, engine: Any, method: str, point: Any, gradient: str = "reverse") -> Any:
        p, w, start = point
        args = eqx.tree_at(lambda a: (a.parameters, a.weights), self.args, (p, w))
        return engine.integrate(self.model, args, self.t0, self.ts, method, self.settings, gradient, start, self.plan)


def methods(both: Both) -> tuple[str, str]:
    """What `auto` takes natively and, of the same kind, on Diffrax."""
    found = engines.choose(both.model, both.args, both.t0, both.ts[-1], both.settings)
    assert found.settings.engine == "native", found.reason
    stiff = found.method in ("rodas4", "rodas5p", "rosenbrock23")
    return found.method, "kvaerno5" if stiff else "dopri8"


def name(path: str) -> str:
    return Path(path).stem


@pytest.mark.parametrize("path", [pytest.param(p, marks=() if name(p) in QUICK else pytest.mark.slow, id=p) for p in FILES])
def test_values_and_derivatives(path: str) -> None:
    model = loaded(path)
    if model is None:
        return  # refused with a code that says so, which `loaded` asserts
    if model.system.when_events:
        return  # the native engine alone locates events: tests/solve/test_located_events, test_event_systems
    if any(model.system.algebraic) or model.system.invariants:
        return  # nor does Diffrax have mass matrices and projections: tests/solve/test_dae, test_dae_systems, test_random_daes
    both = Both(model, ENDS.get(name(path), 2.0))
    method, other = methods(both)
    mine = jax.jit(lambda q: both.raw(native, method, q))(both.point)
    assert mine.result == results.SUCCESS

    def theirs(q: Any) -> tuple[Any, Any]:
        raw = both.raw(diffrax, other, q, "forward")
        return (raw.ys, jnp.sum(both.weight * raw.ys)), raw.result

    (values, _), (_, moved), result = jax.jit(lambda q, v: jax.jvp(theirs, (q,), (v,), has_aux=True))(both.point, both.direction)
    assert result == results.SUCCESS
    size = np.max(np.abs(values), axis=0)
    np.testing.assert_allclose(mine.ys / (size + 1e-30), values / (size + 1e-30), atol=1e-5)
    if name(path) in SWITCHED:
        return
    found = jax.jit(jax.grad(lambda q: jnp.sum(both.weight * both.raw(native, method, q).ys)))(both.point)
    leaves = [jax.tree_util.tree_leaves(tree) for tree in (found, both.direction)]
    products = jnp.concatenate([jnp.ravel(a * b) for a, b in zip(*leaves, strict=True)])
    assert abs(float(jnp.sum(products)) - float(moved)) <= 1e-4 * float(
        jnp.sum(jnp.abs(products))
    )  # both 0: a dose that is not given
