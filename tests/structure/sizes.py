"""The largest files and functions. Growth is a decision: what passes a limit needs a line with its reason in ALLOWED.

Run by `.ci/run` (prints the report) and by test_sizes.py.
"""

from __future__ import annotations

import ast
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("hybridode", "tests", "examples", ".ci")
FILE_LIMIT = 450
FUNCTION_LIMIT = 80
ALLOWED: dict[str, str] = {}  # "path" or "path:function" -> why it may be larger


@dataclass(frozen=True)
class Size:
    lines: int
    name: str  # "path" or "path:function"


def python_files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def measure() -> tuple[list[Size], list[Size]]:
    """Files and functions, largest first."""
    files, functions = [], []
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        files.append(Size(text.count("\n"), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(Size((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}:{node.name}"))
    order = lambda size: (-size.lines, size.name)  # noqa: E731
    return sorted(files, key=order), sorted(functions, key=order)


def too_large() -> list[str]:
    """What passes a limit without a reason in ALLOWED, and reasons that are no longer needed."""
    files, functions = measure()
    over = [s for s in files if s.lines > FILE_LIMIT] + [s for s in functions if s.lines > FUNCTION_LIMIT]
    found = [f"{s.name} has {s.lines} lines" for s in over if s.name not in ALLOWED]
    return found + [f"{name} is in ALLOWED but within the limit" for name in ALLOWED if name not in {s.name for s in over}]


def main() -> int:
    files, functions = measure()
    own = [s.lines for s in files if s.name.startswith("hybridode/")]
    print(f"hybridode: {len(own)} files, {sum(own)} lines, median {statistics.median(own):.0f}")
    print(f"limits: {FILE_LIMIT} lines a file, {FUNCTION_LIMIT} a function")
    for title, sizes in (("largest files", files[:8]), ("largest functions", functions[:8])):
        print(f"{title}:")
        for s in sizes:
            print(f"  {s.lines:5} {s.name}")
    problems = too_large()
    for problem in problems:
        print(f"too large: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
