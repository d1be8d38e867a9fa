"""Exchanged columns are warned about, right ones are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridode.data.experiments import experiments
from hybridode.data.files import read_table
from hybridode.language.check import declare
from hybridode.language.reader import load
from tests.data.test_experiments import MODEL, OBSERVED, read

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((path, data) for path in (ROOT / "examples").rglob("*.ode") for data in path.parent.glob("*.csv"))


def codes(dataset) -> list[str]:
    return [w.code for w in dataset.warnings]


@pytest.mark.parametrize(("model", "data"), EXAMPLES, ids=lambda p: p.stem)
def test_the_examples_are_not_suspected(model, data):
    dataset = experiments(declare(load(str(model))), data, folder=model.parent)
    assert "W0643" not in codes(dataset)


def lynx_hare():
    folder = ROOT / "examples" / "lynx_hare"
    return declare(load(str(folder / "lynx_hare.ode"))), read_table(folder / "pelts.csv")


def test_hare_and_lynx_swapped_by_an_option():
    model, table = lynx_hare()
    dataset = experiments(model, table, {"hare": "lynx", "lynx": "hare"})
    found = [w for w in dataset.warnings if w.code == "W0643"]
    assert "column `hare` is read as `lynx`" in found[0].message
    assert "column `lynx` is read as `hare`" in found[1].message


def test_hare_and_lynx_swapped_in_the_header():
    model, table = lynx_hare()
    swapped = table.renamed({table.names.index("hare"): "lynx", table.names.index("lynx"): "hare"})
    anonymous = type(table)(
        table.name, tuple(type(h)(h.name, h.unit, h.position) for h in swapped.headers), table.rows, table.lines
    )
    found = [w for w in experiments(model, anonymous).warnings if w.code == "W0643"]
    assert len(found) == 1
    assert "they begin at 4 and 30, the model at 30 and 5" in found[0].message


def test_starts_that_do_not_tell_are_no_reason():
    """Guesses that are far from everything, equal, or no better after an exchange."""
    assert "W0643" not in codes(read("t,prey,predator\n0,300,4000\n1,47,6\n"))
    assert "W0643" not in codes(read("t,prey,predator\n0,5,30\n", OBSERVED.replace("= 30 in", "= 5 in")))
    assert "W0643" not in codes(
        read("t,prey,predator\n1,5,30\n2,5,30\n", OBSERVED.replace("model lv", "model lv\ntime t from 0"))
    )
    assert "W0643" in codes(read("t,prey,predator\n0,5.5,27\n1,5,30\n"))


def test_states_of_other_units_are_not_compared():
    of = MODEL.replace("state prey", "state prey: mg").replace("state predator", "state predator: ml")
    assert "W0643" not in codes(read("t,prey,predator\n0,5.5,27\n", of))
