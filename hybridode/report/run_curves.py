"""The fitted curves of several runs as one table: what stands beside the finding `comparison`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

COLUMNS = ["run", "series", "time", "column", "location"]
_MOST_ROWS = 50_000  # of one run: of more series the first ones are kept


def run_curves(places: Sequence[str]) -> bytes:
    """COLUMNS as CSV: the curves of each run's predictions.csv; runs without that file are left out."""
    frames = []
    for place in places:
        path = Path(place) / "predictions.csv"
        if path.is_file():
            table = pd.read_csv(path, dtype={"series": str}, keep_default_na=False, na_values={"location": [""], "time": [""]})
            table = table[table["kind"] == "curve"].head(_MOST_ROWS)
            frames.append(table.assign(run=place)[COLUMNS])
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    return whole.to_csv(index=False, lineterminator="\n", float_format="%.8g").encode("utf-8")
