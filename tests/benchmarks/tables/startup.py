"""From a text to its first solve and its first gradient, and what it takes of memory; whole processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.cold_start import FIRST_GRADIENT, LYNX
from tests.benchmarks.measure import Effort, seconds
from tests.benchmarks.startup import GRADIENTS, SOLVES
from tests.benchmarks.tables.table import Data, Table, grid, time_text

ROOT = Path(__file__).parents[3]
COLD, WARM = "cold", "warm"


def child(command: list[str], cache: Path) -> str:
    """The output of a fresh interpreter with its own cache of machine code. Raises RuntimeError."""
    environment = {**os.environ, "HYBRIDODE_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    return done.stdout


def one(command: list[str], cache: Path, runs: int, cold: bool) -> Data:
    """Medians of several processes, after one that leaves the bytecode. A cold one has an empty cache; a warm one finds what
    another left."""
    found = []
    for k in range(runs + 1):
        place = cache / str(k) if cold else cache / "shared"
        found.append(json.loads(child(command, place).strip().splitlines()[-1]))
    return {key: statistics.median(row[key] for row in found[1:]) for key in found[0]}


def measure(effort: Effort) -> Data:
    """{"rows": [{"name", "what", "cache", "imports", "seconds", "imported", "peak", "note"}], "processes": {title: seconds}}"""
    runs = max(1, effort.rounds // 5)
    rows = []
    for what, names in (("solve", SOLVES), ("gradient", GRADIENTS)):
        for name in names:
            for cache in (COLD, WARM) if name == "hybridode" else (COLD,):
                row: Data = {"name": name, "what": what, "cache": cache, "note": ""}
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        row |= one(["-m", "tests.benchmarks.startup", name, what], Path(folder), runs, cache == COLD)
                    except RuntimeError as error:
                        row["note"] = str(error)[:160]
                rows.append(row)
    return {"rows": rows, "processes": processes(runs)}


def processes(runs: int) -> dict[str, float]:
    """Whole processes, from an empty interpreter to the first gradient of the likelihood of lynx and hare."""
    script = FIRST_GRADIENT.format(model=str(LYNX / "lynx_hare.ode"), gradient="reverse", mode="jax.grad")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for cache in (COLD, WARM):
            places = [Path(folder) / (str(k) if cache == COLD else "shared") for k in range(runs)]
            if cache == WARM:
                child(["-c", script], places[0])
            found[cache] = statistics.median(seconds(lambda place=place: child(["-c", script], place)) for place in places)
    return found


def value(data: Data, what: str, cache: str) -> float | None:
    rows = [r for r in data["rows"] if (r["name"], r["what"], r["cache"]) == ("hybridode", what, cache)]
    return rows[0].get("seconds") if rows else None


def goals(data: Data) -> list[tuple[str, float | None]]:
    return [
        ("first_solve", value(data, "solve", COLD)),
        ("first_gradient", value(data, "gradient", COLD)),
        ("first_gradient_cached", value(data, "gradient", WARM)),
        ("lynx_cold", data["processes"].get(COLD)),
        ("lynx_warm", data["processes"].get(WARM)),
    ]


def write(data: Data) -> list[str]:
    rows = []
    for r in data["rows"]:
        cache = f", {r['cache']} cache" if r["name"] == "hybridode" else ""
        name = f"{r['name']}, first {r['what']}{cache}"
        if r["note"]:
            rows.append([name, r["note"], "–", "–", "–"])
        else:
            memory = [f"{r['imported']:.0f} MB", f"{r['peak'] - r['imported']:.0f} MB"]
            rows.append([name, time_text(r["seconds"]), time_text(r["imports"]), *memory])
    whole = ", ".join(f"{time_text(s)} from a {cache} cache" for cache, s in data["processes"].items())
    return [
        "POLLU, from its text, after all imports; medians of fresh processes that may use all processors. Memory: the most that "
        "the process held when all was imported, and what the first result added.",
        "",
        *grid(["what", "text to result", "imports before", "imported", "added"], rows),
        f"Whole processes, from an empty interpreter to the first gradient of the likelihood of lynx and hare: {whole}.",
        "",
    ]


TABLE = Table("startup", "First results and memory", measure, write, goals, cores=0)
