"""The same fit with and without an executor: threads, processes, one that loses its memory; what travels is plain data."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.fit import workers
from tests.fit.test_shooting import prey_data, prey_text

TEXT = """model decay
param k = 0.5 in (0.01, 10) log
param c = 0.2 in (0.001, 5) log
state x = 5
x' = -k*x/(c + x)
"""  # no `observe`: what is inferred from the data travels too
TIMES = np.linspace(0, 4, 12)
DATA = pd.DataFrame({"t": TIMES, "x": 5 * np.exp(-0.8 * TIMES) + 0.05 * np.random.default_rng(0).normal(size=12)})


class Elsewhere(Executor):
    """Does at once what it is given, pickled both ways: as another process would see it."""

    def __init__(self):
        self.sent = []

    def submit(self, fn, /, *args, **kwargs):
        done = Future()
        message = pickle.dumps((fn, args, kwargs))
        self.sent.append(len(message))
        fn, args, kwargs = pickle.loads(message)
        done.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        return done


def fitted(executor=None, starts=12):
    return ho.fit(ho.parse(TEXT), DATA, starts=starts, seed=3, executor=executor)


def bits(run):
    values = {name: np.float64(value).tobytes() for name, value in run.parameters.items()}
    starts = [(s["start"], s["objective"], s["iterations"], s["rejected_steps"]) for s in run.result["starts"]]
    return values, starts, run.trace["objective"].tolist(), [line for line in run.log if " s;" not in line]


@pytest.fixture(scope="module")
def alone():
    return fitted()


def test_the_same_bits_from_another_process_which_is_sent_the_problem_once(alone):
    executor = Elsewhere()
    assert bits(fitted(executor)) == bits(alone)
    large = max(executor.sent)
    assert 1 <= sum(size > large / 2 for size in executor.sent) <= 8  # the first round's parts, asked for before one was sent
    assert np.median(executor.sent) < large / 2


def test_threads_share_the_programs(alone):
    with ThreadPoolExecutor(4) as executor:
        assert bits(fitted(executor)) == bits(alone)


def test_a_process_that_forgets_is_sent_the_problem_again(alone, monkeypatch):
    monkeypatch.setattr(workers, "_ready", dict)  # an empty memory at every call
    made, original, made_once = [], workers.lanes_of, cache(lambda: original(made[0]))

    def lanes_of(problem):
        made.append(problem)
        return made_once()

    monkeypatch.setattr(workers, "lanes_of", lanes_of)
    assert bits(fitted(Elsewhere(), starts=3))[0] == bits(fitted(starts=3))[0]
    assert len(made) > 3


@pytest.mark.slow
@pytest.mark.parametrize("way", ["networks", "multiple shooting"])
def test_long_ways_end_at_the_same_bits_with_eight_workers(way):
    """Starts of networks are spread as others are; rungs of multiple shooting are not, which changes nothing."""
    if way == "networks":
        text, data, starts = TEXT.replace("/(c + x)", "*NN(x, hidden=[3])"), DATA, 3
    else:
        text, data, starts = prey_text(off=True), prey_data(30, 12), 1

    def run(executor=None):
        return ho.fit(ho.parse(text), data, starts=starts, seed=3, executor=executor)

    one = run()
    assert one.result["status"] == "converged"
    assert any(stage.startswith("physics" if way == "networks" else way) for stage in one.trace["stage"])
    with ThreadPoolExecutor(8) as executor:
        assert bits(run(executor)) == bits(one)
    assert bits(run(Elsewhere())) == bits(one)


@pytest.mark.slow
def test_processes(alone):
    with workers.worker_processes(2) as spread:
        run = ho.fit(ho.parse(TEXT), DATA, starts=12, seed=3, spread=spread)
    assert bits(run) == bits(alone)


@pytest.mark.slow
def test_workers_end_with_a_fit_that_is_killed(tmp_path):
    """Orphans would wait for work for ever."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\nfrom hybridode.fit import workers\n"
        "if __name__ == '__main__':\n"
        "    executor = workers.ProcessPoolExecutor(2, workers.get_context('spawn'), initializer=workers._deaf)\n"
        "    found = [executor.submit(os.getpid) for _ in range(8)]\n"
        "    print(*{f.result() for f in found}, flush=True)\n    time.sleep(300)\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers_of = [int(number) for number in process.stdout.readline().split()]
    assert workers_of
    process.kill()
    process.wait()
    until = time.monotonic() + 30
    while any(Path(f"/proc/{number}").exists() for number in workers_of) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [number for number in workers_of if Path(f"/proc/{number}").exists()]
