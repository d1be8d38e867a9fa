"""Processor time of this process and of those that it started: wall-clock time says little on a machine that others use too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _of(pid: str) -> float:
    """Seconds of a process and of its children that ended; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    import os

    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(pid: str) -> list[str]:
    try:
        return [c for task in Path(f"/proc/{pid}/task").iterdir() for c in (task / "children").read_text().split()]
    except OSError:
        return []


def processor_time() -> float:
    """Seconds of all of them; of this process alone where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return time.process_time()
    total, found = 0.0, ["self"]
    while found:
        pid = found.pop()
        total += _of(pid)
        found += _children(pid)
    return total


class Clock:
    """`with clock("sample"):` adds up `seconds["sample"]` of processor time and `wall["sample"]`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.wall: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began, at = processor_time(), time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + processor_time() - began
        self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - at
