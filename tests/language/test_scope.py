"""Names: near misses, look-alikes, and names that are hostile elsewhere and ordinary here."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.names import distance, listing, nearest


@pytest.mark.parametrize(
    ("name", "among", "meant"),
    [
        ("predater", ["predator", "prey"], "predator"),
        ("aplha", ["alpha", "beta"], "alpha"),
        ("K", ["k", "q"], "k"),
        ("Alpha", ["alpha"], "alpha"),
        ("kk", ["k"], "k"),
        ("x", ["y"], ""),
        ("zzz", ["alpha"], ""),
        ("а", ["a"], "a"),  # Cyrillic
        ("sigma1", ["sigma2", "sigma"], "sigma2"),
    ],
)
def test_nearest(name: str, among: list[str], meant: str) -> None:
    assert nearest(name, among) == meant


def levenshtein(a: str, b: str) -> int:
    """The textbook recursion with whole rows, neighbours swapped for one (restricted Damerau)."""
    d = {(i, j): i + j for i in range(len(a) + 1) for j in range(len(b) + 1) if i == 0 or j == 0}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return d[len(a), len(b)]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
@settings(max_examples=100, deadline=None)
def test_distance(a: str, b: str) -> None:
    exact = levenshtein(a, b)
    assert distance(a, b, 9) == exact
    assert min(distance(a, b, 2), 3) == min(exact, 3)


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=3), max_size=7))
@settings(max_examples=100, deadline=None)
def test_components_come_after_what_they_need(edges: dict[str, list[str]]) -> None:
    found = components(edges, edges)
    place = {name: i for i, component in enumerate(found) for name in component}
    for a, needs in edges.items():
        assert all(place[b] <= place[a] for b in needs)
    for component in found:
        if is_circle(component, edges):
            way = circle(component, edges)
            assert way[0] == way[-1] and all(b in edges[a] for a, b in pairwise(way))


def test_listing() -> None:
    assert listing(["a"]) == "`a`" and listing(["a", "b"], "or") == "`a` or `b`" and listing([]) == ""
    assert listing(["a", "b", "c", "d"], most=3) == "`a`, `b` and 2 more"


HOSTILE = ["__import__", "lambda", "S", "E", "I", "N", "pi2", "gamma", "beta", "class", "None", "self", "exec", "jnp", "add", "_",
           "dose", "input", "state", "const", "at", "event", "τ", "σ", "eval", "True", "oo", "zoo", "tanh2", "Q"]  # fmt: skip


def test_hostile_names_are_ordinary() -> None:
    lines = ["model m", *(f"param {name} = {i + 1}" for i, name in enumerate(HOSTILE)), "state x = 1"]
    d = declare(Source("m.ode", "\n".join([*lines, f"x' = {' + '.join(HOSTILE)}"]) + "\n"))
    assert [p.name for p in d.parameters] == HOSTILE and not d.warnings


def test_a_declared_name_hides_a_function() -> None:
    d = declare(Source("m.ode", "model m\nparam gamma = 0.1\nparam norm = 2\nstate x = 1\nx' = -gamma*x*norm\n"))
    assert [p.name for p in d.parameters] == ["gamma", "norm"] and not d.warnings


def test_the_language_room_starts_cold() -> None:
    """None of the heavy packages is imported by checking a file."""
    script = (
        "import sys; from hybridode.errors import Source; from hybridode.language.check import declare;"
        "declare(Source('m', 'model m\\nstate x = 1\\nx\\' = -x\\n'));"
        "print([m for m in ('numpy', 'sympy', 'jax', 'lark', 'pint', 'scipy', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
