"""`python -m tests.benchmarks [--only NAME …] [--quick] [--out FOLDER]`: measures, prints and writes the tables.

Each table is measured in a process of its own (what one leaves in memory or caches is nothing to the next), on one processor
unless it says otherwise. What `--only` leaves out keeps the numbers that it had. `--write` makes the page again from them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.document import stored, write
from tests.benchmarks.machine import facts
from tests.benchmarks.measure import QUICK, Effort
from tests.benchmarks.peers import PACKAGES
from tests.benchmarks.tables import TABLES
from tests.benchmarks.tables.table import Table

ROOT = Path(__file__).parents[2]
LONGEST = 900.0  # seconds of one table


def in_this_process(table: Table, quick: bool, path: Path) -> None:
    """Measures one table and leaves its numbers in a file."""
    if table.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-table.cores :]))
    known, began = facts(PACKAGES), time.perf_counter()
    data = table.measure(QUICK if quick else Effort())
    data["facts"] = {**known, "quick": quick, "took": time.perf_counter() - began}
    path.write_text(json.dumps(data), encoding="utf-8")


def measured(table: Table, quick: bool) -> dict[str, Any] | None:
    """A table's numbers from a process of its own; None, and its last words, when it failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.json"
        command = [sys.executable, "-m", "tests.benchmarks", "--table", table.name, "--json", str(path), *["--quick"] * quick]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            print(f"{table.name} failed: it was not done after {LONGEST:g} s", file=sys.stderr)
            return None
        if done.returncode or not path.exists():
            print(f"{table.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
            return None
        return json.loads(path.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = [table.name for table in TABLES]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="a minute or two: few tolerances, few samples, small ensembles")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where benchmarks.md and benchmarks/ are written")
    parser.add_argument("--write", action="store_true", help="measure nothing, write the page from the numbers that are there")
    parser.add_argument("--table", choices=names, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.table:
        in_this_process(next(t for t in TABLES if t.name == given.table), given.quick, given.json)
        return 0
    results, failed = stored(given.out), 0
    for table in TABLES:
        if table.name in given.only and not given.write:
            print(f"measuring: {table.title} …", file=sys.stderr, flush=True)
            data = measured(table, given.quick)
            failed += data is None
            if data is not None:
                results[table.name] = data
                write(given.out, results)
    print(write(given.out, results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
