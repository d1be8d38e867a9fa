"""Kinds of files: DataFrames and Parquet give the same numbers to the last bit as they hold."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.data.experiments import experiments
from hybridode.data.files import read_table
from hybridode.errors import DataError
from tests.data.test_experiments import OBSERVED, PLAIN, model, values

FRAME = pd.DataFrame({"t": [0.0, 1.0], "prey": [30.0, 47.5], "predator": [4.0, 6.0]})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-300, 1e100), min_size=1, max_size=20), st.sampled_from(["float64", "float32", "object"]))
def test_floats_of_a_frame_survive_to_the_last_bit(numbers, kind):
    with np.errstate(over="ignore"):
        column = np.array(numbers).astype(kind)
    keep = np.isfinite(column.astype(float)) & (column.astype(float) > 0)
    if not keep.any():
        return
    frame = pd.DataFrame({"t": np.arange(keep.sum()), "prey": column[keep]})
    found = experiments(model(OBSERVED), frame).series[0].records
    assert found.value.tolist() == [float(v) for v in column[keep]]


def test_other_types_of_columns():
    frame = pd.DataFrame(
        {
            "t": pd.array([0, 1, 2], dtype="Int64"),
            "prey": pd.array([30, None, 47], dtype="Int64"),
            "predator": [pd.Interval(1, 2), 4.0, None],
            "id": pd.Categorical(["a", "a", "a"]),
        }
    )
    dataset = experiments(model(OBSERVED), frame)
    assert values(dataset) == [(0.0, 30.0, 0), (2.0, 47.0, 0)]
    assert values(dataset, "predator") == [(0.0, 1.0, 2), (1.0, 4.0, 0)]


def test_an_index_of_times_is_the_time():
    assert values(experiments(model(OBSERVED), FRAME.set_index("t"))) == PLAIN
    unnamed = FRAME.drop(columns="t").set_axis([0.0, 1.0], axis=0)
    assert values(experiments(model(OBSERVED), unnamed)) == PLAIN


def test_durations_are_seconds():
    frame = FRAME.assign(t=pd.to_timedelta(["0 s", "1 s 500 ms"]))
    table = read_table(frame)
    assert (table.headers[0].unit, table.column(0)) == ("s", ("0.000000000", "1.500000000"))
    assert read_table(FRAME.assign(t=pd.to_timedelta(["-250 ms", None]))).column(0) == ("-0.250000000", "")


def test_other_frames_are_converted():
    class Polars:
        def to_pandas(self):
            return FRAME

    assert values(experiments(model(OBSERVED), Polars())) == PLAIN  # type: ignore[arg-type]


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="reading Parquet is an extra")
    path = tmp_path / "d.parquet"
    FRAME.assign(prey=[0.1 + 0.2, 1 / 3]).to_parquet(path)
    found = experiments(model(OBSERVED), path)
    assert [v for _, v, _ in values(found)] == [0.1 + 0.2, 1 / 3]
    with pytest.raises(DataError) as caught:
        FRAME.assign(prey=["30", "many"]).to_parquet(path)
        experiments(model(OBSERVED), path)
    assert "d.parquet, row 2, column `prey`" in caught.value.diagnostics[0].message


def test_parquet_without_pyarrow_and_damaged(tmp_path, monkeypatch):
    path = tmp_path / "d.parquet"
    path.write_bytes(b"PAR1 and nothing that follows the format PAR1")
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert caught.value.diagnostics[0].code == "E0621"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert "pip install 'hybridode[parquet]'" in caught.value.diagnostics[0].hint


def test_all_rows_of_a_wrong_length_are_reported_at_once(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("t,prey,predator\n0,1\n1,2,3\n2,3,4,5\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert [d.span.line for d in caught.value.diagnostics] == [2, 4]
