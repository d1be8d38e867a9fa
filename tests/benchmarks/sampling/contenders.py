"""Who draws."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

from tests.benchmarks.sampling import by_hybridode, by_numpyro, by_stan

MINE = "hybridode"
CONTENDERS: dict[str, ModuleType] = {MINE: by_hybridode, "stan": by_stan, "numpyro": by_numpyro}


def missing(name: str) -> str:
    """What it would need, or ""."""
    absent = [package for package in CONTENDERS[name].NEEDS if find_spec(package) is None]
    return f"{', '.join(absent)} not installed" if absent else ""
