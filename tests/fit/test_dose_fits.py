"""Fits of models with doses: what only a dose reads is learnt; the likelihood is that of the closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.fit.objective.batch import build_batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import parameter_space
from hybridode.solve.events import EventPlan
from hybridode.solve.settings import Settings

MODEL = """model oral
param ka = 1.2 in (0.1, 10) log
param k = 0.15 in (0.01, 2) log
param tlag = 0.4 in (0, 2)
param F = 0.7 in (0, 1) logit
param D = 2 in (0.1, 10) log
param s = 0.1 in (0.01, 1) log
state gut = 0
state central = 0
dose gut, lag=tlag, bioavailability=F
dose central, duration=D
gut' = -ka*gut
central' = ka*gut - k*central
observe c ~ normal(central, s*50)
"""
TRUTH = {"ka": 1.0, "k": 0.2, "tlag": 0.55, "F": 0.6, "D": 3.0, "s": 0.02}
DOSES = {"a": [(0, 100, 1), (12, 50, 2)], "b": [(0, 80, 2)], "c": [(0, 60, 1), (8, 60, 1), (16, 30, 1)]}
TIMES = np.array([0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 11.0, 13.0, 14.0, 17.0, 20.0])


def central(p, doses, t):
    """The closed form, superposed."""
    oral = lambda d: jnp.where(d > 0, p["ka"] / (p["ka"] - p["k"]) * (jnp.exp(-p["k"] * d) - jnp.exp(-p["ka"] * d)), 0.0)  # noqa: E731
    held = lambda d: jnp.where(d > 0, -jnp.expm1(-p["k"] * jnp.maximum(d, 0.0)) / p["k"], 0.0)  # noqa: E731
    total = jnp.zeros(len(t))
    for time, amount, statement in doses:
        if statement == 1:
            total = total + p["F"] * amount * oral(t - time - p["tlag"])
        else:
            total = total + amount / p["D"] * (held(t - time) - held(t - time - p["D"]))
    return total


def rows() -> tuple[str, dict[str, np.ndarray]]:
    rng, seen = np.random.default_rng(3), {}
    lines = ["ID,t,c,AMT,CMT,EVID"]
    for name, doses in DOSES.items():
        lines += [f"{name},{time},,{amount},{cmt},1" for time, amount, cmt in doses]
        seen[name] = np.asarray(central(TRUTH, doses, TIMES)) + rng.normal(size=len(TIMES))
        lines += [f"{name},{t},{v!r},,,0" for t, v in zip(TIMES.tolist(), seen[name].tolist(), strict=True)]
    return "\n".join(lines) + "\n", seen


def test_what_only_a_dose_reads_has_its_gradient_and_is_learnt(tmp_path) -> None:
    """Value, gradient and Fisher matrix of three series with different doses against the closed form's; then the fit."""
    text, seen = rows()
    path = tmp_path / "data.csv"
    path.write_text(text)
    model = ho.parse(MODEL)
    with jax.enable_x64(True):
        data = experiments(model.declarations, path)
        compiled = ho.Model(data.declarations).compiled()
        space = parameter_space(data.declarations.parameters, frozenset(), data.given)
        batch, _ = build_batch(compiled, data, space)
        args = compiled.arguments()
        settings = Settings(engine="native", method="tsit5", rtol=1e-9, atol=1e-11)
        assert compiled.events is not None and compiled.events.doses is not None
        plan = EventPlan((), compiled.events.doses.firings(batch.doses))
        objective = Objective(compiled, space, (), np.array(args.parameters), {}, (), "tsit5", settings, plan, (False,))
        names = [e.name for e in space.entries]

        def exact(theta):
            p = dict(zip(names, space.vector(theta, jnp), strict=True))
            found = 0.0
            for name, doses in DOSES.items():
                z = (seen[name] - central(p, doses, TIMES)) / (50 * p["s"])
                found = found + jnp.sum(0.5 * z**2 + jnp.log(50 * p["s"]) + 0.5 * jnp.log(2 * jnp.pi))
            return found

        theta = jnp.asarray(space.unconstrain({}))
        forward, reverse = objective.with_fisher(theta, batch), objective.with_gradient(theta, batch)
        value, gradient = jax.value_and_grad(exact)(theta)
        for found in (forward, reverse):
            assert np.all(np.asarray(found.results) == 0)
            np.testing.assert_allclose(found.value, value, rtol=1e-7)
            np.testing.assert_allclose(found.gradient, gradient, rtol=1e-5, atol=1e-5)
    assert np.all(np.abs(gradient) > 0.1) and np.all(np.linalg.eigvalsh(np.asarray(forward.fisher)) > 0)
    run = ho.fit(model, path)
    assert run.status == "converged"
    for name, entry in run.result["parameters"].items():
        low, high = entry["interval95"]
        assert low - 0.3 * (high - low) < TRUTH[name] < high + 0.3 * (high - low), name
    assert any("doses into `gut`: 4 at once, in 2 series" in line for line in run.log)
    assert "central.infusion" in set(run.predictions["column"])
