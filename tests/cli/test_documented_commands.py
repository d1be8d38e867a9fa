"""Every command that README, the pages and the examples print is accepted, finds its files, and says what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from hybridode.cli import app
from tests.cli.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
PRINTED = re.compile(r"^(?:\$ )?(?:.*&& )?(?:\.venv/bin/)?hybridode ([a-z].*)$", re.MULTILINE)
MENTIONED = re.compile(r"`hybridode ([a-z][^`]*)`")


def commands(page: Path, printed: bool) -> list[list[str]]:
    """The arguments of each command, in order: of those in blocks, or of those in sentences."""
    text = page.read_text(encoding="utf-8")
    fenced, prose = (
        "\n".join(re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL)),
        re.sub(r"```.*?```", "", text, flags=re.DOTALL),
    )
    found = PRINTED.findall(fenced) if printed else MENTIONED.findall(prose)
    return [shlex.split(line.partition(" #")[0]) for line in found]


FOUND = [(page, arguments) for page in PAGES for arguments in commands(page, True)]
NAMED = [(page, arguments) for page in PAGES for arguments in commands(page, False)]
FITS = sorted({tuple(a[1:3]) for _, a in FOUND if a[0] == "fit" and all(x.startswith("examples/") for x in a[1:3])})


def test_commands_are_found() -> None:
    assert len(FOUND) > 25
    assert len(NAMED) > 25
    assert len(FITS) > 10


def names(x: object) -> str:
    return x.name if isinstance(x, Path) else " ".join(x)[:60]  # type: ignore[call-overload]


@pytest.mark.parametrize(("page", "arguments"), FOUND, ids=names)
def test_a_printed_command_is_accepted(page: Path, arguments: list[str]) -> None:
    """Its name, options and their values; files in examples/ exist."""
    group = cast(Any, typer.main.get_command(app))
    group.commands[arguments[0]].make_context(arguments[0], arguments[1:])
    assert [w for w in arguments if w.startswith("examples/") and ".runs" not in w and not (ROOT / w).exists()] == []


@pytest.mark.parametrize(("page", "arguments"), NAMED, ids=names)
def test_a_mentioned_command_has_its_options(page: Path, arguments: list[str]) -> None:
    group = cast(Any, typer.main.get_command(app))
    known = {option for parameter in group.commands[arguments[0]].params for option in parameter.opts} | {"--help"}
    assert [word for word in arguments if word.startswith("-") and word not in known] == []


@pytest.mark.parametrize("files", FITS, ids=lambda f: Path(f[0]).stem)
def test_the_data_of_every_documented_fit_are_understood(hybridode, files, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    ran = hybridode("check", *files)
    assert ran.code == 0, ran.err


def test_the_output_on_the_data_page_is_what_is_printed(hybridode, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    shown = re.findall(r"```\n\$ hybridode (.*?)\n(.*?)```", page, re.DOTALL)
    assert shown
    for command, output in shown:
        assert hybridode(*shlex.split(command)).out.strip() == output.strip()


def test_the_ten_minutes_of_getting_started(hybridode, tmp_path, monkeypatch) -> None:
    """The page from its top to the forecast, with fewer starts."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    data = re.search(r"```\n(t,x\n.*?)```", page, re.DOTALL)
    assert data is not None
    Path("growth.csv").write_text(data[1], encoding="utf-8")
    wanted = [shlex.split(line)[1:] for line in re.findall(r"^hybridode .*$", page, re.MULTILINE)]
    tried = [c for c in wanted if c[0] in ("new", "check", "simulate", "predict") or c == ["fit", "growth.ode", "growth.csv"]]
    assert [c[0] for c in tried] == ["new", "check", "simulate", "fit", "simulate", "predict"]
    for command in tried:
        ran = hybridode(*command, *(["--starts", "1"] if command[0] == "fit" else []))
        assert ran.code == 0, ran.err
    assert Path("growth.svg").exists()
    assert len(Path("forecast.csv").read_text(encoding="utf-8").splitlines()) == 202
    error = re.search(r"```\n(growth\.ode:.*?)```", page, re.DOTALL)
    assert error is not None
    text = Path("growth.ode").read_text(encoding="utf-8")
    Path("growth.ode").write_text(text.replace("= growth - ", "= grwth - "), encoding="utf-8")
    assert error[1].strip() in hybridode("check", "growth.ode").err
