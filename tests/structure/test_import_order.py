"""A file imports only from rooms above its own, or from its own room without a cycle; some rooms never import some packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hybridode"
ROOMS = (  # in import order: docs/architecture.md says what lives where
    "version",
    "collector",
    "errors",
    "types",
    "codes",
    "store",
    "files",
    "expr",
    "rolled",
    "matching",
    "declarations",
    "language",
    "equations",
    "tape",
    "methods",
    "kernels",
    "networks",
    "solve",
    "compile",
    "data",
    "fit",
    "discover",
    "report",
    "interop",
    "show",
    "api_after",
    "api",
    "commands",
    "cli_options",
    "cli_runs",
    "cli",
    "__main__",
)
FRONT = {"sympy", "jax", "jaxlib", "jaxtyping", "pint", "rich", "numpy", "scipy", "pandas", "equinox", "diffrax"}
FORBIDDEN = {  # room -> packages it never imports, not even inside a function
    "errors": FRONT,
    "codes": FRONT,
    "store": FRONT,
    "files": FRONT,
    "expr": FRONT,
    "rolled": FRONT,
    "matching": FRONT,
    "declarations": FRONT,
    "language": FRONT,
    "equations": {"jax", "jaxlib", "equinox", "diffrax", "pandas"},
    "tape": {"jax", "jaxlib", "equinox", "diffrax", "pandas", "sympy"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module with whether it is imported at run time (not only under TYPE_CHECKING)."""
    typing_only: set[int] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            typing_only |= {id(child) for statement in node.body for child in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in typing_only
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module), id(node) not in typing_only


def of_ours(path: Path) -> list[str]:
    return [name for name, at_run_time in imports(path) if name.split(".")[0] == "hybridode" and at_run_time]


def test_every_room_is_listed() -> None:
    assert {room_of(m) for m in MODULES} - {""} <= set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_from_rooms_above(path: Path) -> None:
    room = room_of(module_name(path))
    if not room:
        return  # hybridode/__init__.py re-exports lazily
    below = [name for name in of_ours(path) if room_of(name) and ROOMS.index(room_of(name)) > ROOMS.index(room)]
    assert below == []


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_rooms_keep_heavy_packages_out(path: Path) -> None:
    banned = FORBIDDEN.get(room_of(module_name(path)), set())
    assert [name for name, at_run_time in imports(path) if at_run_time and name.split(".")[0] in banned] == []


def test_no_cycle() -> None:
    graph = {module_name(path): set(of_ours(path)) - {module_name(path)} for path in FILES}
    while graph:
        free = [name for name, needs in graph.items() if not needs & graph.keys()]
        assert free, f"these import each other in a circle: {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in free}
