"""Units of headers: conversions against fractions worked out by hand and against the definitions of the SI."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from hybridode.data.units import UnitProblem, conversion, parse_unit, seconds_of
from hybridode.errors import DataError
from tests.data.test_experiments import INPUT, read, values

FACTORS = {  # (from, to): exact factor, offset
    ("1000/yr", "1/yr"): (1000, 0),
    ("h", "s"): (3600, 0),
    ("yr", "d"): (Fraction(36525, 100), 0),
    ("degC", "K"): (1, Fraction(27315, 100)),
    ("°C", "K"): (1, Fraction(27315, 100)),
    ("degF", "degC"): (Fraction(5, 9), Fraction(-160, 9)),
    ("K", "degC"): (1, Fraction(-27315, 100)),
    ("mg/l", "kg/m3"): (Fraction(1, 1000), 0),
    ("km/h", "m s-1"): (Fraction(5, 18), 0),
    ("m²", "cm^2"): (10_000, 0),
    ("s⁻¹", "1/min"): (60, 0),
    ("1000 cells/ml", "cells/l"): (10**6, 0),
    ("%", "1"): (Fraction(1, 100), 0),
    ("µM", "mM"): (Fraction(1, 1000), 0),
    ("mg kg^-1 d^-1", "1/d"): (Fraction(1, 10**6), 0),
    ("Da", "kg"): (Fraction("1.66053906660e-27"), 0),  # CODATA 2018; exact to its digits
    ("per day", "1/h"): (Fraction(1, 24), 0),
}


@pytest.mark.parametrize("pair", FACTORS, ids=lambda p: f"{p[0]} to {p[1]}")
def test_exact_factors(pair):
    found = conversion(*pair)
    assert found is not None
    factor, offset = FACTORS[pair]
    assert float(found.factor) == pytest.approx(float(factor), rel=1e-9) if pair[0] == "Da" else found.factor == factor
    assert found.offset == offset


@pytest.mark.parametrize("pair", [("ug/ml", "mg/l"), ("W/(m^2 K)", "W/m^2/K"), ("cell", "cells"), ("m^2 s", "m*m*s"), ("-", "1")])
def test_the_same_unit_in_other_words(pair):
    assert conversion(*pair) is None


REFUSED = {
    ("kg", "1/yr"): "`kg` is mass, `1/yr` is 1/time",
    ("umol/l", "mg/l"): "`umol/l` is substance/length^3, `mg/l` is mass/length^3",
    ("degC/min", "K/min"): "product",
    ("dB", "1"): "logarithmic",
    ("pelts", "1"): "`pelts` is pelt",
    ("(m", "m"): "parenthesis",
    ("m)", "m"): "not understood",
    ("m/", "m"): "too early",
    ("m^x", "m"): "exponent",
    ("m^(1/0)", "m"): "exponent",
    ("2^999999999", "m"): "exponents go up to",
    ("m^9^9^9", "m"): "",
    ("(" * 5000, "m"): "characters",
    ("__import__('os')", "m"): "not understood",
}


@pytest.mark.parametrize("pair", REFUSED, ids=lambda p: p[0][:20])
def test_refused(pair):
    with pytest.raises(UnitProblem) as caught:
        conversion(*pair)
    assert REFUSED[pair] in str(caught.value)


def test_units_of_time():
    assert seconds_of("yr") == 31_557_600
    assert seconds_of("ms") == Fraction(1, 1000)
    assert seconds_of("fortnight") == 14 * 86400
    assert parse_unit("week").factor == 7 * 86400
    with pytest.raises(UnitProblem, match="no time"):
        seconds_of("kg")


KINETICS = """model kinetics
time t: h
param k: 1/h = 0.5 in (0, 10) log
const V: l = 2
state amount: mg = 10
conc = amount/V
damount/dt = -k*amount
param s = 0.3 in (0, 2) log
"""


def test_numbers_are_converted_to_the_nearest_float():
    of = KINETICS + "observe amount ~ lognormal(amount, s)\n"
    dataset = read("t [min],amount [ug]\n0,1.5\n6,0.3\n30,<0.1\n45,0.1..0.7\n", of)
    assert values(dataset, "amount") == [(0.0, 0.0015, 0), (0.1, 0.0003, 0), (0.5, 0.0001, -1), (0.75, 0.0001, 2)]
    assert dataset.series[0].records.upper[-1] == 0.0007
    assert any("`ug` to `mg`: multiplied by 0.001" in note for note in dataset.notes)
    assert any("`min` to `h`" in note for note in dataset.notes)


def test_the_unit_of_an_expression_is_known():
    """`amount/V` is in mg/l, though nothing declares it; a number by hand in a product leaves it open."""
    of = KINETICS + "observe c ~ lognormal(conc, s)\n"
    assert values(read("t,c [ug/l]\n0,500\n", of), "c") == [(0.0, 0.5, 0)]
    by_hand = KINETICS + "observe c ~ lognormal(1000*conc, s)\n"
    dataset = read("t,c [ug/l]\n0,500\n", by_hand)
    assert values(dataset, "c") == [(0.0, 500.0, 0)]
    assert any("no unit to compare with" in note for note in dataset.notes)


def test_refused_units_name_the_header_all_at_once():
    of = KINETICS + "observe amount ~ lognormal(amount, s)\n"
    with pytest.raises(DataError) as caught:
        read("# remark\nt [kg],amount [mmol]\n0,1\n", of)
    first, second = caught.value.diagnostics
    assert (first.code, first.span.line, first.span.column) == ("E0630", 2, 1)
    assert second.span.source.text[second.span.start : second.span.end] == "amount [mmol]"
    assert "d.csv, line 2, column `amount`" in second.message
    assert "substance" in second.message


def test_covariates_inputs_and_inferred_noise_are_converted():
    dataset = read("t,V [ml],amount [g]\n0,2500,1\n1,2500,3\n", KINETICS)
    assert dataset.series[0].numbers == {"V": 2.5}
    assert values(dataset, "amount") == [(0.0, 1000.0, 0), (1.0, 3000.0, 0)]
    assert next(p for p in dataset.declarations.parameters if p.name == "sd_amount").values == (100.0,)
    driven = INPUT.replace("input I from", "input I: A from")
    assert read("t,I [mA],x\n0,5,1\n1,7,2\n", driven).series[0].inputs["I"][1].tolist() == [0.005, 0.007]


def test_long_tables_convert_each_observable():
    of = KINETICS + "observe amount ~ lognormal(amount, s)\nobserve k2 ~ normal(k, 1)\n"
    assert values(read("t,observable,value [ug]\n0,amount,1500\n", KINETICS), "amount") == [(0.0, 1.5, 0)]
    with pytest.raises(DataError, match="E0630"):
        read("t,observable,value [ug]\n0,amount,1500\n0,k2,1\n", of)


def test_units_off_converts_nothing_and_says_so():
    of = KINETICS.replace("model kinetics", "model kinetics\nunits off") + "observe amount ~ lognormal(amount, s)\n"
    dataset = read("t,amount [ug]\n0,1500\n", of)
    assert values(dataset, "amount") == [(0.0, 1500.0, 0)]
    assert any("not converted" in note for note in dataset.notes)


def test_sources_are_converted(tmp_path: Path):
    (tmp_path / "p.csv").write_text("t [min],I [mA]\n0,5\n60,7\n", encoding="utf-8")
    of = "model driven\ntime t: h\ninput I: A from protocol.I\nstate x = 0\ndx/dt = I - x\nobserve x ~ normal(x, 1)\n"
    dataset = read("t,x\n0,1\n1,2\n", of, sources={"protocol": tmp_path / "p.csv"})
    t, v = dataset.series[0].inputs["I"]
    assert (t.tolist(), v.tolist()) == ([0.0, 1.0], [0.005, 0.007])


def test_pint_is_imported_only_when_units_differ():
    program = (
        "import sys\nfrom hybridode.data.delimited import parse_table\nfrom hybridode.data.experiments import experiments\n"
        "from hybridode.errors import Source\nfrom hybridode.language.check import declare\n"
        f"m = declare(Source('m.ode', {KINETICS!r}))\n"
        "experiments(m, parse_table('t [min],amount [mg]\\n0,1\\n', 'd.csv'))\n"
        "assert not {'pint', 'jax', 'sympy'} & set(sys.modules), sorted(sys.modules)\n"
        "experiments(m, parse_table('t,amount [ug]\\n0,1\\n', 'd.csv'))\n"
        "assert 'pint' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("text", ["0", "mg/0", "0*mg", "mg/0.0l", "0^-1", "mg/(0 l)"])
def test_a_factor_of_zero_is_no_unit(text) -> None:
    with pytest.raises(UnitProblem, match="factor 0"):
        parse_unit(text)
