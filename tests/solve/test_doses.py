"""Doses against closed forms: a compartment with oral doses and infusions, superposed; both engines, both modes."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.data.doses import Schedule, with_infusions
from hybridode.declarations import DoseForm
from hybridode.solve import results
from hybridode.solve.doses import Doses, stack_doses
from hybridode.solve.engines import integrate
from hybridode.solve.events import plan_events
from hybridode.solve.native import solve_numbers
from hybridode.solve.settings import Settings

MODEL = """model pk
param ka = 1.1
param k = 0.2
param tlag = 0.3
param F = 0.8
param R = 7
param D = 2.5
state gut = 0
state central = 0
dose gut, lag=tlag, bioavailability=F
dose central, bioavailability=F/2, rate=R
dose central, lag=2*tlag, duration=D
gut' = -ka*gut
central' = ka*gut - k*central
"""
F = DoseForm
# (time, amount, statement, form, value)
RECORDS = [
    (0, 100, 0, F.BOLUS, 0), (12, 80, 0, F.BOLUS, 0), (12, 10, 1, F.BOLUS, 0), (3, 40, 1, F.RATE, 5),
    (4, 30, 0, F.DURATION, 3), (20, 50, 1, F.MODELLED_RATE, 0), (5, 20, 2, F.MODELLED_DURATION, 0), (12, 15, 2, F.BOLUS, 0),
]  # fmt: skip
TS = np.array([0.0, 0.2, 1.0, 3.0, 5.0, 6.5, 12.0, 12.4, 15.0, 20.0, 24.0, 30.0])
NAMES = ("ka", "k", "tlag", "F", "R", "D")


def schedule(records=RECORDS) -> Schedule:
    return Schedule(*(np.array(column, float) for column in zip(*records, strict=True)), np.zeros(0))


def model_with(records=RECORDS):
    given = schedule(records)
    compiled = ho.Model(with_infusions(ho.parse(MODEL).declarations, [given])).compiled()
    return compiled, replace(compiled.arguments(), doses=Doses(**vars(given)))


def _oral(ka, k, d):
    """The amount in the compartment so long after a unit in the gut."""
    d = jnp.maximum(d, 0.0)
    return ka / (ka - k) * (jnp.exp(-k * d) - jnp.exp(-ka * d))


def _oral_held(ka, k, d):
    """The same of a unit of rate that flows into the gut since d."""
    d = jnp.maximum(d, 0.0)
    return ka / (ka - k) * (-jnp.expm1(-k * d) / k + jnp.expm1(-ka * d) / ka)


def exact(p, amounts, records=RECORDS, ts=TS):
    """The compartment before what happens at the times ts (T,)."""
    ka, k, tlag, bio, rate_given, duration_given = p
    options = ((tlag, bio, None, None), (0.0, bio / 2, rate_given, None), (2 * tlag, 1.0, None, duration_given))
    total = jnp.zeros(len(ts))
    for (time, _, statement, form, value), amount in zip(records, amounts, strict=True):
        lag, factor, rate, duration = options[statement]
        amount, since = factor * amount, ts - time - lag
        oral = statement == 0
        if form == F.BOLUS:
            one = _oral(ka, k, since) if oral else jnp.where(since > 0, jnp.exp(-k * jnp.maximum(since, 0.0)), 0.0)
            total = total + amount * one
            continue
        rate = {F.RATE: value, F.MODELLED_RATE: rate}.get(form)
        duration = amount / rate if rate is not None else (value if form == F.DURATION else duration)
        held = (lambda d: _oral_held(ka, k, d)) if oral else (lambda d: -jnp.expm1(-k * jnp.maximum(d, 0.0)) / k)
        total = total + amount / duration * (held(since) - held(since - duration))
    return total


@pytest.mark.parametrize("engine", ["native", pytest.param("diffrax", marks=pytest.mark.slow)])
def test_values_and_derivatives_of_both_modes(engine):
    """With respect to all parameters, which occur only in doses but for two, and to the amounts: along a direction forwards, of
    a weighted sum backwards. Both weigh every number differently."""
    records = RECORDS if engine == "native" else RECORDS[2:7]
    compiled, args = model_with(records)
    settings = Settings(engine=engine, method="tsit5", rtol=1e-9, atol=1e-11)
    plan = plan_events(compiled, args, 0.0, TS[-1])
    assert args.doses is not None and [str(s) for s in compiled.system.states[2:]] == ["gut.infusion", "central.infusion"]
    rng = np.random.default_rng(1)

    def solve(p, amounts, gradient):
        given = replace(args, parameters=p, doses=replace(args.doses, amount=amounts))
        raw = integrate(compiled, given, 0.0, TS, "tsit5", settings, gradient, events=plan)
        return raw.ys_left[:, 1], raw.result

    point = jnp.asarray(args.parameters), jnp.asarray(args.doses.amount)
    way, weights = tuple(jnp.asarray(rng.normal(size=x.shape)) for x in point), jnp.asarray(rng.normal(size=len(TS)))
    wanted = jax.jacfwd(lambda p, a: exact(p, a, records), (0, 1))(*point)
    assert np.all(np.max(np.abs(wanted[0]), axis=0) > 1e-3)  # every option moves something

    forwards = jax.jit(lambda p, a, way: jax.jvp(lambda p, a: solve(p, a, "forward"), (p, a), way))
    (y, code), (moved, _) = forwards(*point, way)
    assert int(code) == results.SUCCESS
    np.testing.assert_allclose(y, exact(*point, records), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved, wanted[0] @ way[0] + wanted[1] @ way[1], rtol=2e-5, atol=2e-5)
    found = jax.jit(jax.grad(lambda p, a: weights @ solve(p, a, "reverse")[0], (0, 1)))(*point)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, weights @ other, rtol=2e-5, atol=2e-5)


def test_without_jax_and_in_long_steps():
    """The NumPy path; Rodas, whose steps are long."""
    compiled, args = model_with()
    for method in ("tsit5", "rodas5p"):
        settings = Settings(engine="native", method=method, rtol=1e-9, atol=1e-11)
        raw = solve_numbers(compiled, args, 0.0, TS, method, settings)
        assert int(raw.result) == results.SUCCESS
        np.testing.assert_allclose(raw.ys_left[:, 1], exact(args.parameters, args.doses.amount), rtol=1e-6, atol=1e-6)
        jump = 80 * 0.0 + 0.4 * 10  # at 12: the doses into `central` without lag; the others come later
        assert raw.ys[6, 1] - raw.ys_left[6, 1] == pytest.approx(jump)


def test_series_with_different_doses_in_one_batch():
    """Padded, mapped, compiled once: every series as it is alone, bit for bit."""
    each = [schedule(RECORDS), schedule(RECORDS[:2]), None, schedule(RECORDS[3:4])]
    compiled = ho.Model(with_infusions(ho.parse(MODEL).declarations, each)).compiled()
    base = compiled.arguments()
    stacked = stack_doses([None if s is None else Doses(**vars(s)) for s in each])
    settings = Settings(engine="native", method="tsit5", rtol=1e-8, atol=1e-10)
    plan = plan_events(compiled, replace(base, doses=jax.tree_util.tree_map(lambda a: a[0], stacked)), 0.0, TS[-1])

    def solve(doses):
        raw = integrate(compiled, replace(base, doses=doses), 0.0, TS, "tsit5", settings, events=plan)
        return raw.ys_left[:, 1], raw.result

    ys, codes = jax.jit(jax.vmap(solve))(stacked)
    assert np.all(np.asarray(codes) == results.SUCCESS)
    records = [RECORDS, RECORDS[:2], [], RECORDS[3:4]]
    for row, mine in enumerate(records):
        wanted = exact(base.parameters, [r[1] for r in mine], mine)
        np.testing.assert_allclose(ys[row], wanted, rtol=1e-6, atol=1e-6)


def test_impossible_options_are_a_result():
    """A negative lag is a failed solve with its words, in JAX and in NumPy."""
    compiled, args = model_with()
    args = replace(args, parameters=np.array([1.1, 0.2, -0.3, 0.8, 7, 2.5]))
    plan = plan_events(compiled, args, 0.0, TS[-1])
    settings = Settings(engine="native", method="tsit5", rtol=1e-6, atol=1e-8)
    assert int(integrate(compiled, args, 0.0, TS, "tsit5", settings, "forward", events=plan).result) == results.DOSE
    raw = solve_numbers(compiled, args, 0.0, TS, "tsit5", Settings(engine="native", method="tsit5"))
    assert int(raw.result) == results.DOSE


def test_doses_come_before_at_statements_of_their_time():
    """Rule E5; and a dose at the very start acts behind the start value."""
    model = ho.parse("model m\nstate x = 1\ndose x\nx' = 0*x\nat 2 { x := 10*x }\nat 0 { x := 3*x }\n")
    records = [(0, 5, 0, F.BOLUS, 0), (2, 4, 0, F.BOLUS, 0)]
    compiled = model.compiled()
    args = replace(compiled.arguments(), doses=Doses(**vars(schedule(records))))
    for engine in ("native", "diffrax"):
        settings = Settings(engine=engine, method="tsit5", rtol=1e-6, atol=1e-8)
        plan = plan_events(compiled, args, 0.0, 3.0)
        raw = integrate(compiled, args, 0.0, np.array([0.0, 1.0, 2.0, 3.0]), "tsit5", settings, "forward", events=plan)
        assert int(raw.result) == results.SUCCESS
        np.testing.assert_allclose(raw.ys[:, 0], [18, 18, 220, 220])
        np.testing.assert_allclose(raw.ys_left[:, 0], [1, 18, 18, 220])


STEADY = """model steady
param ka = 1.1
param k = 0.02
param tlag = 0.3
param total = 4
state gut = 0
state c = 0
state free = 3
x(0) = total - 3
state x
discrete n = 7
dose gut, lag=tlag
gut' = -ka*gut
c' = ka*gut - k*c
free' = -0.1*free*c + x
x' = 0.1*free*c - x
at 1000 { n := 8 }
"""


def steady_amounts(p, ts, interval=24.0):
    """The compartment under a dose of 100 forever, the next two of which are at 0 and 24: geometric series of the past."""
    ka, k, tlag = p[:3]
    since = ts[:, None] - tlag - jnp.array([0.0, 24.0])
    new = jnp.where(since > 0, _oral(ka, k, since), 0.0).sum(axis=1)
    past = ts - tlag + interval
    old = ka / (ka - k) * (jnp.exp(-k * past) / -jnp.expm1(-k * interval) - jnp.exp(-ka * past) / -jnp.expm1(-ka * interval))
    return 100 * (new + old)


def test_a_series_begins_in_its_steady_state():
    """One step of Newton's method to the exact geometric series, at a half-life of 35 h and doses every 24 h; what is conserved
    (free + x, a discrete state) stays as the start has it; derivatives of both modes. Beside it in the batch a series without,
    and one whose dose comes after its interval."""
    compiled = ho.parse(STEADY).compiled()
    args, ts = compiled.arguments(), np.array([0.0, 1.0, 5.0, 24.0, 48.0])
    one, two = schedule([(0, 100, 0, F.BOLUS, 0)]), schedule([(0, 100, 0, F.BOLUS, 0), (24, 100, 0, F.BOLUS, 0)])
    steady, plain, late = (replace(s, interval=np.array(i)) for s, i in ((two, [24.0]), (one, []), (one, [0.2])))
    each = [Doses(**vars(s)) for s in (steady, plain, late)]
    stacked = stack_doses(each)
    settings = Settings(engine="native", method="tsit5", rtol=1e-9, atol=1e-11)
    plan = plan_events(compiled, replace(args, doses=each[0]), 0.0, 48.0)

    def solve(p, gradient):
        def one(doses):
            given = replace(args, parameters=p, doses=doses)
            raw = integrate(compiled, given, 0.0, ts, "tsit5", settings, gradient, events=plan)
            return raw.ys_left, raw.result

        return jax.vmap(one)(stacked)

    p = jnp.asarray(args.parameters)
    ys, codes = jax.jit(lambda p: solve(p, "forward"))(p)
    assert codes.tolist() == [results.SUCCESS, results.SUCCESS, results.STEADY] and np.all(np.isnan(ys[2]))
    np.testing.assert_allclose(ys[0, :, 1], steady_amounts(p, ts), rtol=1e-8)
    np.testing.assert_allclose(ys[0, :, 2] + ys[0, :, 3], 4.0, rtol=1e-9)
    np.testing.assert_allclose(ys[0, :, 4], 7.0)
    np.testing.assert_allclose(ys[1, 1:, 1], 100 * _oral(1.1, 0.02, ts[1:] - 0.3), rtol=1e-7)
    wanted = jax.jacfwd(lambda p: steady_amounts(p, ts))(p)
    found = jax.jit(jax.jacfwd(lambda p: solve(p, "forward")[0][0, :, 1:4]))(p)
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[:, 1] + found[:, 2], np.outer(np.ones(5), [0, 0, 0, 1]), atol=1e-7)
    back = jax.jit(jax.grad(lambda p: jnp.sum(solve(p, "reverse")[0][0, :, 1] * jnp.arange(5.0))))(p)
    np.testing.assert_allclose(back, jnp.arange(5.0) @ wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_what_only_grows_has_no_steady_state():
    grows = ho.parse("model m\nparam k = 0.1\nstate c = 0\nstate sum = 0\ndose c\nc' = -k*c\nsum' = c\n").compiled()
    doses = Doses(**{**vars(schedule([(0, 100, 0, F.BOLUS, 0)])), "interval": np.array([12.0])})
    settings = Settings(engine="native", method="tsit5", rtol=1e-6, atol=1e-8)
    raw = integrate(grows, replace(grows.arguments(), doses=doses), 0.0, np.array([5.0]), "tsit5", settings)
    assert int(raw.result) == results.STEADY and np.all(np.isnan(raw.ys))
