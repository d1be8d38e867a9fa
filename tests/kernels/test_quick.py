"""Code that is compiled without optimisation computes the same bits, in a third of the time; a program changes when that pays."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode import store
from hybridode.kernels.ffi import numbers, work
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.job import SLOT
from hybridode.kernels.llvm.machine import QUICK
from hybridode.solve import native, results
from tests.solve.native_models import ROBER, compiled
from tests.solve.test_engines_agree import ENDS, FILES, Both, loaded, methods, name

LANES = 11  # one group of 8 lanes and a part of another
BRIEFLY = ("decay", "influenza_sir", "bouncing_ball")
WAVES = """model waves
time t from 0
param a = 1.1 in (0.01, 10) log
param b = 0.4 in (0.001, 10) log
state x = 10
state y = 5
dx/dt = a*x - b*x*y
dy/dt = 0.1*x*y - 0.4*y
observe x ~ normal(x, 0.5)
"""


class Captured(Exception):
    """The program and the operands of a solve."""


def captured(model: Any, args: Any, t0: float, ts: np.ndarray, method: str, settings: Any) -> tuple[Program, numbers.Operands]:
    """What `solve_numbers` hands to the kernels."""

    def caught(program: Program, p: Any, w: Any, y0: Any, t0: Any, ts: Any, options: Any, s: Any) -> Any:
        operands = numbers.Operands.of(program, p, w, y0, t0, ts, options, s)
        raise Captured(program, operands)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Captured) as found:
        patch.setattr(native, "run_solve", caught)
        native.solve_numbers(model, args, t0, ts, method, settings)
    return found.value.args


def outcome(program: Program, operands: numbers.Operands, quick: bool) -> list[np.ndarray]:
    """Solves, tangents and adjoints of neighbours of a point, by optimised code or by the other."""
    program = replace(program, modules={}, quickly={}, work=work.Work(), identity="")
    rng = np.random.default_rng(0)
    spread = {key: np.repeat(np.atleast_2d(a), LANES, axis=0) for key, a in operands.arrays.items() if key in ("p", "y0")}
    spread["p"] = spread["p"] * (1 + 1e-3 * rng.normal(size=spread["p"].shape))
    operands = numbers.Operands({**operands.arrays, **spread}, operands.options)
    layout = program.lanes(LANES)
    solved = numbers.solve(program, operands, layout, program.capacity, quick)
    p_dot, y0_dot = (rng.normal(size=(2, LANES, k)) for k in (program.parameters, program.n))
    moved = numbers.tangents(program, operands, solved, p_dot, y0_dot, layout, quick)
    sizes = {"p_dot": program.parameters, "w_dot": program.weight_count, "s_dot": len(operands.arrays["s"]), "y0_dot": program.n}
    bars = {slot: np.zeros((1, LANES, size)) for slot, size in sizes.items()}
    ys_bar = rng.normal(size=(1, *solved.ys.shape))
    job = operands.job(1, info=solved.info, record=solved.record, ys_dot=ys_bar, **bars)
    job[SLOT["capacity"]] = solved.record.shape[1]
    numbers.run(program, "adjoint", layout, job, quick)
    made = program.quickly if quick else program.modules
    assert len(made) == 3 and all(m.text.startswith(QUICK) == (quick and not program.method.rolled) for m in made.values())
    assert np.mean(solved.info[:, 0] == results.SUCCESS) > 0.5 and np.any(moved) and np.any(bars["y0_dot"])
    return [solved.ys, solved.info, solved.end, moved, *bars.values()]


def same(program: Program, operands: numbers.Operands) -> None:
    for quick, optimised in zip(outcome(program, operands, True), outcome(program, operands, False), strict=True):
        np.testing.assert_array_equal(quick, optimised)


@pytest.mark.parametrize("path", [pytest.param(p, marks=() if name(p) in BRIEFLY else pytest.mark.slow, id=p) for p in FILES])
def test_models_of_the_tests_and_examples(path: str) -> None:
    model = loaded(path)
    if model is None or not model.size:
        return  # refused with a code that says so, which `loaded` asserts; nothing to solve
    both = Both(model, ENDS.get(name(path), 2.0))
    settings = replace(both.settings, rtol=1e-6, atol=1e-8)
    same(*captured(model, both.args, both.t0, both.ts, methods(both)[0], settings))


@pytest.mark.parametrize("method", ["tsit5", "dop853", "rodas5p"])
def test_methods(method: str) -> None:
    """With the products and sums of a dense output that stand in a block of their own, and of a fall-back."""
    model = compiled(ROBER if method.startswith("ro") else WAVES.rsplit("observe", 1)[0])
    args = model.arguments()
    same(*captured(model, args, 0.0, np.linspace(0, 8, 23), method, ho.Settings(method=method)))


def test_a_fit_changes_to_better_code_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, "off")
    ts = np.linspace(0.5, 8, 9)
    data = pd.DataFrame({"t": ts, "x": 8 + 4 * np.sin(ts)})
    starts = [{"a": a, "b": b} for a in (0.4, 1.5) for b in (0.1, 0.6)]
    found, tiers = {}, {}
    for enough in (0, 3000, 10**12):
        monkeypatch.setattr(work, "ENOUGH", enough)
        made: list[bool] = []
        write = Program._written

        def counted(self: Program, *a: Any, made: list[bool] = made, write: Any = write, **k: Any) -> Any:
            module = write(self, *a, **k)
            made.append(module.text.startswith(QUICK))
            return module

        with monkeypatch.context() as patch:
            patch.setattr(Program, "_written", counted)
            fit = ho.fit(ho.parse(WAVES), data, starts=starts)
        found[enough], tiers[enough] = fit.trace.drop(columns="seconds"), set(made)
    assert tiers == {0: {False}, 3000: {True, False}, 10**12: {True}}
    for enough in (0, 3000):
        pd.testing.assert_frame_equal(found[enough], found[10**12], check_exact=True)


def test_it_is_made_in_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time, so that it holds beside other work; code that is there already is used whatever it is."""
    monkeypatch.setenv(store.VARIABLE, "off")
    program = native.program_of(compiled(ROBER), "rodas4")
    seconds = {}
    for quick in (True, False):
        own = replace(program, modules={}, quickly={}, identity="")
        own.method.tangent  # noqa: B018  the tapes are not what is timed
        began = time.process_time()
        own.module("tangent", 8, False, quick)
        seconds[quick] = time.process_time() - began
    assert seconds[True] < 0.7 * seconds[False]
    assert not own.module("tangent", 8, False, quick=True)[0].text.startswith(QUICK)
