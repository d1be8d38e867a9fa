"""`--conditions` and `[conditions.LABEL]` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def test_conditions_from_a_table_and_from_settings(hybridode: Callable, tmp_path: Path) -> None:
    (tmp_path / "m.ode").write_text(
        "model m\nconst feed = 0\nparam k = 0.5 in (0, 5)\nstate x = 1\nx' = feed - k*x\nobserve x ~ normal(x, 0.01)\n",
        encoding="utf-8",
    )
    t = np.linspace(0, 2, 9)
    rows = [
        pd.DataFrame({"id": g, "t": t, "x": f / 1.5 + (x0 - f / 1.5) * np.exp(-1.5 * t)})
        for g, f, x0 in (("a", 0, 3), ("b", 2, 1))
    ]
    pd.concat(rows).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "c.csv").write_text("id,feed,x(0)\na,0,3\nb,2,1\n", encoding="utf-8")
    common = [tmp_path / "m.ode", tmp_path / "d.csv"]
    ran = hybridode("fit", *common, "--starts", "1", "--conditions", tmp_path / "c.csv", "--out", tmp_path / "run")
    assert ran.code == 0
    found = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert found["parameters"]["k"]["value"] == pytest.approx(1.5, rel=1e-4)
    assert found["data"]["experiments"][1]["numbers"] == {"feed": 2.0, "x(0)": 1.0}
    assert hybridode("check", *common, "--conditions", tmp_path / "c.csv").code == 0
    (tmp_path / "fit.toml").write_text(
        '[conditions.a]\n"x(0)" = 3\nfeed = 0\n[conditions.b]\nfeed = 2\n"x(0)" = 1\n', encoding="utf-8"
    )
    again = hybridode("fit", *common, "--starts", "1", "--out", tmp_path / "again")
    assert again.code == 0
    assert json.loads((tmp_path / "again" / "result.json").read_text(encoding="utf-8"))["objective"] == found["objective"]
    for run in ("run", "again"):  # what a run keeps repeats it, wherever it lies
        third = hybridode("fit", *common, "--settings", tmp_path / run / "settings.toml", "--out", tmp_path / f"{run}2")
        assert third.code == 0
        assert json.loads((tmp_path / f"{run}2" / "result.json").read_text(encoding="utf-8"))["objective"] == found["objective"]
    at = hybridode("predict", tmp_path / "run", "--series", "b", "--at", "4", "-o", "-").out.splitlines()[1].split(",")
    assert float(at[1]) == pytest.approx(2 / 1.5 + (1 - 2 / 1.5) * np.exp(-6), rel=1e-3)
    (tmp_path / "fit.toml").write_text("[conditions.A]\nfeed = 0\n", encoding="utf-8")
    ran = hybridode("fit", *common)
    assert (ran.code, "E0658" in ran.err) == (1, True)
