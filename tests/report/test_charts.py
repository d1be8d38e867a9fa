"""Charts: ticks, places, thinning, maps, and words about them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from hybridode.report.alt import turns
from hybridode.report.axes import Axis, axis, tick_text
from hybridode.report.chart import Chart, Mark, csv_text, file_svg, page_svg
from hybridode.report.heat import few, observed_map, vector_of, vectors
from hybridode.report.search_charts import waterfall_chart
from hybridode.report.thinning import keep_line, keep_points
from hybridode.report.words import brief, gathered, listed, sentence, significant


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (-0.03, 0.11, ["−0.02", "0", "0.02", "0.04", "0.06", "0.08", "0.10"]),
        (1900, 1920, ["1900", "1905", "1910", "1915", "1920"]),
        (0, 3e7, ["0", "5×10⁶", "10×10⁶", "1.5×10⁷", "2.0×10⁷", "2.5×10⁷", "3.0×10⁷"]),
    ],
)
def test_ticks_are_round_and_read_well(low: float, high: float, texts: list[str]) -> None:
    found = [text for _, text in Axis("", low, high).marks(6)]
    assert len(found) <= 8
    if high < 1e6:
        assert found == texts
    assert all(low - 1e-9 <= value <= high + 1e-9 for value, _ in Axis("", low, high).marks(6))


def test_decades_whole_numbers_and_names() -> None:
    assert [t for _, t in Axis("", 1e-6, 1e3, log=True).marks(5)] == ["10⁻⁶", "10⁻⁴", "0.01", "1", "100"]
    assert [t for _, t in Axis("", 0.4, 2.6, whole=True).marks(6)] == ["1", "2"]
    assert Axis("", 0, 2, ticks=((1.0, "k"),)).marks(3) == [(1.0, "k")]
    assert tick_text(0.30000000000000004, 0.1) == "0.3"


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [0.0, 0.0], [1e-300, 1e300], [-np.inf, 1.0]])
@pytest.mark.parametrize("log", [False, True])
def test_every_range_can_be_drawn(values: list[float], log: bool) -> None:
    found = axis("x", np.array(values), log=log)
    assert found.low < found.high and np.isfinite([found.low, found.high]).all()
    assert not log or found.low > 0
    chart = Chart("a", "a", "a", found, found, (Mark("line", np.array(values), np.array(values)),))
    ET.fromstring(file_svg(chart))


def test_places_in_the_drawing_are_those_of_the_values() -> None:
    """Read back from the path with the numbers that the page's script uses."""
    x, y = np.linspace(0, 10, 7), 10.0 ** np.linspace(-2, 3, 7)
    chart = Chart("c", "c", "c", Axis("t", 0, 10), Axis("v", 1e-2, 1e3, log=True), (Mark("line", x, y, 1, "a"),))
    svg = page_svg(chart)
    left, top, right, bottom = map(float, re.search(r'data-box="([^"]*)"', svg)[1].split())  # type: ignore[index]
    path = re.search(r'class="line m1" d="([^"]*)"', svg)[1]  # type: ignore[index]
    points = np.array([[float(v) for v in p.split()] for p in re.split("[ML]", path)[1:]])
    np.testing.assert_allclose((points[:, 0] - left) / (right - left) * 10, x, atol=1e-3)
    np.testing.assert_allclose(10 ** ((bottom - points[:, 1]) / (bottom - top) * 5 - 2), y, rtol=1e-3)


def test_thinning_keeps_what_is_seen() -> None:
    y = np.sin(np.linspace(0, 60, 50_000))
    y[31_234], y[40_000] = 7.0, np.nan
    kept = keep_line(y, 1200)
    assert len(kept) <= 1300 and 31_234 in kept and {0, len(y) - 1} <= set(kept.tolist())
    assert np.nanmin(y[kept]) == np.nanmin(y)
    assert 40_000 // 167 in {k // 167 for k in kept.tolist()}, "the gap's stretch is there"
    x = np.arange(50_000.0)
    cloud = keep_points(x, np.nan_to_num(y), 1500)
    assert len(cloud) <= 3100 and 31_234 in cloud
    assert list(keep_points(x[:10], y[:10], 1500)) == list(range(10))


def test_many_entries_become_one_map() -> None:
    columns = [f"u[{i}]" for i in range(1, 27)] + ["total"]
    found = vectors(columns)
    assert found == {"u": columns[:-1]} and few(found["u"]) == ["u[1]", "u[14]", "u[26]"]
    assert vectors(columns[:3]) == {}
    times = np.repeat(np.arange(5.0), 26)
    names = np.array(columns[:-1] * 5, dtype=object)
    values = times + np.tile(np.arange(26.0), 5)
    rows = {"series": np.full(130, "", dtype=object), "time": times, "column": names, "observed": values}
    chart = observed_map(vector_of("u", found["u"], "t", {"u[1]": "mg"}), rows)[0]
    assert chart.cells is not None and chart.cells.values.shape == (26, 5)
    assert chart.cells.values[3, 2] == 5.0 and chart.cells.label == "u [mg]"
    assert "from 0 to 29" in chart.alt
    assert csv_text(chart).splitlines()[:2] == ["entry,time,value", "u[1],0,0"]


def test_where_the_starts_ended() -> None:
    starts = [
        {"objective": v, "status": s} for v, s in ((3.0, "converged"), (5.0, "stopped"), (3.0, "converged"), (None, "failed"))
    ]
    chart = waterfall_chart(starts)[0]
    assert chart.alt.startswith("Final objective of 3 starts above the best, in order: 2 within 0.01 of the best")
    assert waterfall_chart(starts[:1]) == []


def test_words() -> None:
    assert turns(np.sin(np.linspace(0, 20, 400))) == 6
    assert turns(np.linspace(0, 1, 50)) == 0
    assert (significant(-0.0123456), significant(None), brief(1.5e-9), brief(20.0)) == ("−0.01235", "–", "1.5×10⁻⁹", "20")
    assert listed(["a", "b"]) == "`a` and `b`" and listed(list("abcdef")) == "`a`, `b`, `c`, `d` and 2 more"
    assert listed(gathered(["u[1]", "u[2]", "v"])) == "`u[1]` to `u[2]` and `v`"
    assert sentence("the chains have mixed") == "The chains have mixed." and sentence("`k` is 3:") == "`k` is 3:"
