"""Labels of series, and what is said about groups: columns that are not there, labels that change, look alike or have no data."""

from __future__ import annotations

import pytest

from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, Source, UsageError
from hybridode.language.check import declare

MODEL = """model m
param k = 1 in (0, 5) by site
state x = 1
x' = -k*x
observe x ~ normal(x, 0.1)
"""


def read(text: str, model: str = MODEL, **options):
    return experiments(declare(Source("m.ode", model)), parse_table(text, "d.csv"), **options)


def codes(dataset) -> list[str]:
    return [w.code for w in dataset.warnings]


def test_labels_are_those_of_the_rows():
    d = read("experiment,Site,t,x\nA,north,0,1\nA,,1,2\nB,south,0,1\nC,north,0,1\n")
    assert [dict(s.labels) for s in d.series] == [{"site": "north"}, {"site": "south"}, {"site": "north"}]
    assert d.groups == {"site": ("north", "south")}
    assert [s.name for s in d.series] == ["A", "B", "C"]
    assert not d.warnings
    assert "`k`: one value per `site`, which has 2: `north`, `south`" in d.notes


def test_without_a_series_column_the_groups_are_the_series():
    d = read("site,t,x\nnorth,0,1\nsouth,0,1\nnorth,1,2\n")
    assert [(s.name, len(s.records.time)) for s in d.series] == [("north", 2), ("south", 1)]


def test_a_series_column_can_be_the_group_and_every_series_its_own():
    d = read("id,t,x\n1,0,1\n2,0,1\n", MODEL.replace("by site", "by id"))
    assert d.groups == {"id": ("1", "2")}
    d = read("experiment,id,t,x\na,1,0,1\na,2,0,1\nb,1,0,1\n", MODEL.replace("by site", "by series"))
    assert d.groups == {"series": ("a/1", "a/2", "b/1")}
    assert read("t,x\n0,1\n", MODEL.replace("by site", "by series")).groups == {"series": ("1",)}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("Siite,t,x\nnorth,0,1\n", "E0654", "did you mean `Siite`?"),
        ("id,site,t,x\n1,north,0,1\n1,south,1,1\n", "E0655", "line 3, column `site`: `south` after `north`"),
        ("id,site,t,x\n1,north,0,1\n2,,1,1\n", "E0655", "series `2` has no label"),
        ('id,site,t,x\n1,"no""rth",0,1\n', "E0655", "has a quote"),
        ("site,t,x\nnorth,0,1\n,1,1\n", "E0635", "belongs to no series"),
    ],
)
def test_mistakes(text: str, code: str, words: str):
    with pytest.raises(DataError) as error:
        read(text)
    (found,) = error.value.diagnostics
    assert found.code == code
    assert words in f"{found.message} | {found.hint}"


def test_the_column_can_be_mapped():
    d = read("Place,t,x\nnorth,0,1\nsouth,0,1\n", columns_map={"site": "Place"})
    assert d.groups == {"site": ("north", "south")}


def test_what_deserves_a_look_is_said():
    assert codes(read("site,t,x\nnorth,0,1\n")) == ["W0651"]
    lost = read("site,t,x\nnorth,0,1\nsouth,0,\neast,0,1\n")
    assert codes(lost) == ["W0625", "W0652"]
    assert lost.groups == {"site": ("north", "east")}
    assert codes(read("site,t,x\nnorth,0,1\nNorth ,0,1\nsouth,0,1\n")) == ["W0653"]
    known = MODEL.replace("by site", 'by site ("north" = 1, "south" = 2)')
    d = read("site,t,x\nnorth,0,1\nSouth,0,1\n", known)
    assert codes(d) == ["W0654", "W0655"]
    assert "did you mean `south`?" in d.warnings[0].hint
    assert not codes(read("site,t,x\nnorth,0,1\nsouth,0,1\n", known))


def test_a_column_named_as_the_parameter_wins_over_its_groups():
    d = read("site,k,t,x\nnorth,2,0,1\nsouth,3,0,1\n")
    assert "k" in d.given
    assert [s.numbers["k"] for s in d.series] == [2.0, 3.0]


def test_choosing_a_group():
    import hybridode as ho

    model = ho.parse(MODEL.replace("by site", 'by site ("north" = 0.5, "south" = 2)'))
    end = lambda **o: float(model.simulate(at=[1.0], rtol=1e-10, atol=1e-12, **o)["x"][0])  # noqa: E731
    from math import exp

    assert end() == pytest.approx(exp(-1), rel=1e-8)
    assert end(groups={"site": "south"}) == pytest.approx(exp(-2), rel=1e-8)
    assert end(groups={"site": "south"}, k=3) == pytest.approx(exp(-3), rel=1e-8)
    assert end(groups={"site": "west"}, k=3) == pytest.approx(exp(-3), rel=1e-8)
    assert end(groups={"site": "north"}, set={"k[north]": 4, "k[south]": 1}) == pytest.approx(exp(-4), rel=1e-8)
    with pytest.raises(DataError, match="E0656"):
        end(groups={"site": "North"})
    with pytest.raises(UsageError, match="E0657"):
        end(groups={"place": "north"})
