"""Systems of algebraic equations that say too little, too much or nothing: errors by lines, in the user's terms."""

from __future__ import annotations

import pytest

import hybridode as ho
from hybridode.errors import ModelError, NumericsError

HEAD = "model m\nstate x = 1\nalg z = 0\nalg w = 0\nx' = z - x\n"
SWING = """model swing
const g = 9.81
param L = 1
{starts}
alg force = 0
x'' = -force*x
y'' = -force*y - g
x^2 + y^2 = L^2
"""


def diagnosis(text: str) -> tuple[str, set[int], str]:
    """(code, the lines that the first error shows, all its words) when a model is read or simulated."""
    with pytest.raises(ModelError) as caught:
        ho.parse(text).simulate(to=1, points=3)
    shown = str(caught.value)
    found = caught.value.diagnostics[0]
    return found.code, lines_of(shown), shown


def lines_of(shown: str) -> set[int]:
    """The numbers in the margin."""
    margins = (line.split("|")[0].strip() for line in shown.splitlines() if "|" in line)
    return {int(m) for m in margins if m.isdigit()}


@pytest.mark.parametrize(
    ("equations", "code", "lines"),
    [
        ("0 = x + z + w", "E0332", {4, 6}),  # one equation for two unknowns
        ("0 = x + z + w\n0 = z - w\n0 = z + 2*w", "E0333", {8}),  # three for two
        ("0 = x + z + w\n0 = 2*x + 2*z + 2*w - 1", "E0360", {6, 7}),  # the same in other numbers
        ("0 = sin(t) - exp(z - w) + exp(w - z)\n0 = x - exp(z - w) + exp(w - z)", "E0360", {6, 7}),  # a difference alone occurs
    ],
)
def test_singular_systems(equations: str, code: str, lines: set[int]) -> None:
    found, shown, words = diagnosis(HEAD + equations + "\n")
    assert found == code, words
    assert lines <= shown, words


@pytest.mark.parametrize(
    ("starts", "code", "lines"),
    [
        ("state x = 1.5\nstate y = 0", "E0710", {4, 9}),  # a plain value, and the equation that it contradicts
        ("state x\nx(0) = 1\nstate y\ny(0) = 0.5", "E0709", {4, 6, 11}),  # equations for both, and nothing to compute
        ("state x = 1\nstate y = 0\nx'(0) = 1", "E0710", {5, 10}),  # a velocity out of the circle
    ],
)
def test_starts_that_contradict_the_equations(starts: str, code: str, lines: set[int]) -> None:
    with pytest.raises(NumericsError) as caught:
        ho.parse(SWING.format(starts=starts)).simulate(to=1, points=3)
    words = str(caught.value)
    assert code in words
    assert lines <= lines_of(words), words


def test_an_equation_that_nothing_satisfies_and_one_that_ends() -> None:
    """z^2 = -2, and z^2 = x until x passes 0."""
    for equation, code, words in (("0 = z^2 + x + 1", "E0709", "differ by"), ("0 = z^2 - x", "E0702", "no longer")):
        text = f"model m\nstate x = 1\nalg z = 1\nx' = -1\n{equation}\n"
        with pytest.raises(NumericsError) as caught:
            ho.parse(text).simulate(to=2, points=3)
        assert code in str(caught.value) and words in str(caught.value) and 5 in lines_of(str(caught.value))
