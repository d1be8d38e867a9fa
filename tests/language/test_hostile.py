"""Text that means harm: an answer in words, quickly, and never a traceback."""

from __future__ import annotations

import time

import pytest

from hybridode.errors import Source, render
from hybridode.language.reader import parse, parse_expression

SECONDS = 60.0  # of this process: a guard against hangs and quadratic steps, which take minutes; 1 s or so is usual


def codes(text: str) -> list[str]:
    before = time.process_time()
    _, diagnostics = parse(Source("hostile.ode", text))
    assert render(diagnostics[:20]).isprintable() or "\n" in render(diagnostics[:20])
    assert time.process_time() - before < SECONDS
    return [d.code for d in diagnostics]


@pytest.mark.parametrize(
    "text",
    [
        "y = " + "(" * 10_000 + "x" + ")" * 10_000,
        "y = " + " + ".join(["x"] * 100_000),
        "y = " + "*".join(["x"] * 30_000),
        "y = " + " or ".join(["x"] * 30_000),
        "y = " + "-" * 100_000 + "x",
        "y = " + "not " * 20_000 + "x",
        "y = x" + "'" * 50_000,
        "y = f" + "(1)" * 20_000,
        "y = " + "^".join(["x"] * 20_000),
        "y = " + "if a then b else " * 20_000 + "c",
        "y = f(\n" * 20_000,
        "const g: " + "(" * 10_000 + "m" + ")" * 10_000 + " = 1",
    ],
    ids=lambda text: text[:8],
)
def test_limits_of_one_expression(text: str) -> None:
    assert codes(text) == ["E0142"]


@pytest.mark.parametrize("text", ["x" * 8_000_001, "+" * 2_000_001], ids=lambda text: repr(text[0]))
def test_limits_of_a_file(text: str) -> None:
    assert codes(text) == ["E0141"]


@pytest.mark.parametrize(
    "text",
    [" " * 2_000_000, "#" * 2_000_000, "a" * 1_000_000 + " = 1", "\\\n" * 100_000, "y = 1" + "\n" * 100_000],
    ids=lambda text: repr(text[:4]),
)
def test_long_and_harmless(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("y = " + "9" * 1_000_000, "E0143"),
        ("x y\n" * 20_000, "E0125"),
        ('param k = 1 "\n' * 10_000, "E0118"),
        ("x = {\n" * 50_000, "E0142"),
        ("x = {\n" * 900, "E0111"),
        ("x = f(\n" * 900, "E0111"),
        ("y = " + "1.." * 50_000, "E0116"),
        ("state " * 50_000, "E0121"),
        ("y = a\0b", "E0140"),
        ("\x1b[31mred", "E0102"),
        ("y = \u202ea", "E0102"),
        ("y = 1e5x", "E0103"),
    ],
    ids=lambda text: text[:8],
)
def test_answers(text: str, code: str) -> None:
    assert code in codes(text)[:2]


def test_many_errors_stop() -> None:
    assert len(codes("y = 2x\n" * 3_000)) == 501


def test_no_terminal_codes_in_messages() -> None:
    _, diagnostics = parse(Source("m", "y = \x1b]0;title\x07 + 1\nparm \x1b[2J = 3\n"))
    shown = render(diagnostics)
    assert diagnostics and "\x1b" not in shown and "\x07" not in shown


@pytest.mark.parametrize(
    "name", ["__import__", "lambda", "S", "E", "I", "N", "pi2", "exec", "None", "__class__", "jax", "self", "O", "Q"]
)
def test_names_of_other_languages_are_names(name: str) -> None:
    assert codes(f"state {name} = 1\n{name}' = -2*{name}\nd{name}/dt = {name}(0)") == []


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "y = __import__('os').system('true')",
        "y = (lambda: exec('1'))()",
        "y = x.__class__.__mro__[1]()",
        'param k = open("/etc/passwd")',
        "${jndi:ldap://x}",
        "y = `rm -rf`",
        "'; DROP TABLE models; --",
    ],
)
def test_code_is_not_run(text: str) -> None:
    codes(text)
    parse_expression(Source("--set", text))


def test_depth_within_the_limit_is_read() -> None:
    assert codes("y = " + "(" * 1_000 + "x" + ")" * 1_000) == []
    assert codes("y = " + "f(" * 900 + "x" + ")" * 900) == []
    assert codes("y = " + " + ".join(["x"] * 20_000)) == []


def test_a_model_of_a_thousand_equations_is_quick() -> None:
    lines = ["model big"]
    for i in range(1_000):
        lines += [f"state x{i} = 0.1", f"param k{i} = 0.5 in (0.1, 3) log"]
        lines.append(f"dx{i}/dt = k{i}*x{(i + 1) % 1000} - 0.5*x{i}^2/(1 + x{(i + 7) % 1000}) + sin(t)*k{(i + 3) % 1000}")
    before = time.process_time()
    tree, diagnostics = parse(Source("big.ode", "\n".join(lines)))
    assert time.process_time() - before < SECONDS
    assert len(tree.statements) == 3_001 and not diagnostics
