"""`python -m tests.benchmarks.fits CONTENDER PROBLEM`: one contender on one problem in this process, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.fits.contenders import CONTENDERS
from tests.benchmarks.fits.problem import STARTS
from tests.benchmarks.fits.problems import PROBLEMS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fits", description=__doc__)
    parser.add_argument("contender", choices=list(CONTENDERS))
    parser.add_argument("problem", choices=list(PROBLEMS))
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which no start begins")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    problem, contender = PROBLEMS[given.problem], CONTENDERS[given.contender]
    starts, _ = problem.starts(given.starts), problem.data
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HYBRIDODE_CACHE"] = cache  # cold
        began = os.times()
        outcome = contender.function()(problem, starts, given.limit)
        outcome.processor = sum(os.times()[:4]) - sum(began[:4])  # with its children
    if given.json is not None:
        given.json.write_text(json.dumps(outcome.plain()), encoding="utf-8")
        return 0
    best = min((e.objective for e in outcome.ended), default=float("inf"))
    near = sum(e.objective < best + 0.1 for e in outcome.ended)
    print(f"setup {outcome.setup:.2f} s, total {outcome.total:.2f} s ({outcome.processor:.2f} s of processors)")
    print(f"{len(outcome.ended)} starts ended, {near} near {best:.4f}; truth {problem.at_truth:.4f}\n{outcome.note}")
    print(" ".join(f"{e.objective - best:.3g}" for e in sorted(outcome.ended, key=lambda e: e.objective)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
