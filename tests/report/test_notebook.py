"""The notebook of a run, executed to its end by a kernel of its own: of a plain fit, and of a hybrid one with findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import hybridode as ho
from hybridode.commands.afterwards import AFTERWARDS
from hybridode.commands.found import keep
from hybridode.commands.output import Output
from hybridode.commands.report import report
from tests.report.test_opened import LEARNT, TIMES

PLAIN = "model plain\ntime t from 0\nparam k = 0.3 in (0.01, 5) log\nstate x = 1\nx' = -k*x\nobserve x ~ normal(x, 0.05)\n"


def executed(directory: Path) -> list[Any]:
    """The code cells with their outputs; raises what a cell raises."""
    place = directory.parent / "look.ipynb"
    assert report(str(directory), None, str(place), False, Output(quiet=True)) == 0
    notebook = nbformat.read(place, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(directory.parent)}}
    ).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def data() -> pd.DataFrame:
    return pd.DataFrame({"t": TIMES, "x": np.exp(-0.5 * TIMES) + 0.02 * np.random.default_rng(3).normal(size=8)})


@pytest.mark.parametrize(("text", "kinds"), [(PLAIN, ()), (LEARNT, ("learnt", "profiles"))], ids=["plain", "hybrid"])
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kinds: tuple[str, ...]) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(ho.__file__).parents[1]))  # the kernel takes this tree, whatever is installed
    run = ho.fit(ho.parse(text), data(), starts=2)
    assert run.status == "converged"
    run.save(tmp_path / "run")
    for kind, find in AFTERWARDS:
        if kind in kinds:
            found = find(run.fitted, 20.0)
            assert found is not None
            keep(tmp_path / "run", kind, found, None, 1.0)
    cells = executed(tmp_path / "run")
    shown = ["".join(str(out.get("data", {})) for out in cell.outputs) for cell in cells]
    assert "<svg" in shown[1], "the run shows itself"
    assert "image/png" in shown[3] and "image/png" in shown[4], "data and fit, residuals"
    assert len(cells) == (7 if kinds else 6) and "identified" in shown[-1]
    if kinds:
        assert "image/png" in shown[5], "what the network has learnt"
    assert not any(out.output_type == "error" for cell in cells for out in cell.outputs)
