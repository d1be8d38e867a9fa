"""`python -m tests.benchmarks.sampling CONTENDER --json FILE`: one sample, in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from tests.benchmarks.sampling import contenders
from tests.benchmarks.sampling.clock import Clock
from tests.benchmarks.sampling.problem import DRAWS, judged

CACHED = 0.5  # seconds below which nothing was compiled


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=list(contenders.CONTENDERS))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    clock = Clock()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HYBRIDODE_CACHE"] = cache  # cold; Stan's C++ compiler takes minutes, so its own cache stays
        draws = contenders.CONTENDERS[given.contender].sample(clock, given.draws)
    content = {"seconds": clock.seconds, "wall": clock.wall, "draws": int(draws.shape[1]), **judged(draws)}
    if clock.seconds["compile"] < CACHED:
        content |= {"seconds": {**clock.seconds, "compile": None}, "remark": "its compiling: the program was in its cache"}
    given.json.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
