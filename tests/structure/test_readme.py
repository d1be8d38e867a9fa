"""README's commands are the ones that are tested."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """The one-command blocks of README, in order."""
    return [
        block.strip() for block in re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    ]


def test_ci_runs_the_second_command() -> None:
    assert commands()[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_first_command_fits_the_example() -> None:
    first = commands()[0]
    assert first.startswith("python3 -m venv .venv && ")
    assert first.endswith("hybridode fit examples/lynx_hare/lynx_hare.ode examples/lynx_hare/pelts.csv")


def test_every_linked_file_exists() -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [t for t in targets if not (ROOT / t).exists()] == []
