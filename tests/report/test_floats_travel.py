"""Floats survive every file to the last bit: subnormal and huge ones, negative zero, neighbours of round numbers."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hybridode.commands.output import plain
from hybridode.declarations import Network
from hybridode.errors import Source
from hybridode.fit.keeper import trace_line
from hybridode.fit.outcome.result import parameter_entries
from hybridode.fit.progress import Progress
from hybridode.language.check import declare
from hybridode.networks.weights import load_weights
from hybridode.report.fitted_model import fitted_text
from hybridode.report.run_directory import table_text, weights_bytes

RNG = np.random.default_rng(20261121)


def random_doubles(count: int) -> np.ndarray:
    """Every exponent as likely as another, with the hard cases first."""
    hard = [5e-324, 2.2250738585072011e-308, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1 / 3, 2**53 + 2.0, 1e22, 1e23,
            9007199254740993.0, 123456789012345680.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), -5e-324, -1e-310,
            -0.0]  # fmt: skip
    bits = RNG.integers(0, 2**64, 2 * count, dtype=np.uint64).view(np.float64)
    finite = bits[np.isfinite(bits)]
    small = RNG.integers(1, 2**52, count // 4, dtype=np.uint64).view(np.float64)  # subnormals
    return np.concatenate([hard, small, finite])[:count]


def same_bits(found: Sequence[float] | np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(np.array(found, float).view(np.uint64), np.array(expected, float).view(np.uint64))


def test_fitted_ode_keeps_every_bit() -> None:
    values = random_doubles(300)
    lines = [f"param p{i} = 1" for i in range(299)] + ["param v[3] = [1, 2, 3]", "const c = 2", "state x = 1 in (-inf, inf)"]
    text = "model m\n" + "\n".join(lines) + "\nx' = -c*x*v[1]*v[2]*v[3]" + "".join(f" + p{i}" for i in range(299)) + "\n"
    declarations = declare(Source("m.ode", text))
    numbers: dict[str, Any] = {f"p{i}": float(v) for i, v in enumerate(values[:299])}
    numbers |= {"v": values[-3:], "c": float(values[7]), "x(0)": float(values[3])}
    again = declare(Source("fitted.ode", fitted_text(declarations, numbers, {}, 1 / 3)))
    found = {p.name: p.values for p in again.parameters}
    same_bits([found[f"p{i}"][0] for i in range(299)], values[:299])
    same_bits(found["v"], values[-3:])
    same_bits(found["x(0)"], values[3:4])
    same_bits(again.constants[0].values, values[7:8])
    from hybridode.data.evaluate import constant_value

    assert again.time_origin is not None
    same_bits([constant_value(again.time_origin, {})], np.array([1 / 3]))


def test_result_json_keeps_every_bit() -> None:
    values = random_doubles(400)
    declarations = declare(Source("m.ode", "model m\nparam v[400] = 1\nstate x = 1\nx' = -x*sum(i in 1..400, v[i])\n"))
    table = pd.DataFrame({
        "name": [f"v[{i + 1}]" for i in range(400)], "value": values, "se": values[::-1], "lower95": values, "upper95": values,
        "at_bound": False, "fixed": False, "reason": "",
    })  # fmt: skip
    entries = parameter_entries(declarations, table, {})
    read = json.loads(json.dumps(plain(entries), allow_nan=False))["v"]
    same_bits(read["value"], values)
    same_bits(read["se"], values[::-1])


def test_tables_keep_every_bit() -> None:
    values = random_doubles(500)
    text = table_text(pd.DataFrame({"time": values, "location": values[::-1]}))
    rows = list(csv.DictReader(io.StringIO(text)))
    same_bits([float(r["time"]) for r in rows], values)
    exact = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}  # the default from pandas 3 on
    read = pd.read_csv(io.StringIO(text), **exact)
    same_bits(read["location"].to_numpy(), values[::-1])
    for value in values[:50]:
        line = trace_line(Progress("stage", 1, 1, 1, value, abs(value), 0.1))
        same_bits([float(x) for x in line.split(",")[3:5]], np.array([value, abs(value)]))


def test_weights_keep_every_bit(tmp_path: Path) -> None:
    values = random_doubles(6 * 2 + 6 + 6 + 1)
    arrays = {
        "W0": values[:12].reshape(6, 2).T.copy().T, "b0": values[12:18], "W1": values[18:24].reshape(1, 6), "b1": values[24:25],
        "shift": values[:2], "scale": values[3:5], "out_scale": np.float64(values[0]),
    }  # fmt: skip
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights_bytes({"U": arrays}))
    declarations = declare(Source("m.ode", "model m\nnn U: 2 -> 1, hidden=[6]\nstate x = 1\nx' = U(x, x)\n"))
    network: Network = declarations.networks[0]
    read = load_weights(path, network)
    for name, array in arrays.items():
        same_bits(np.ravel(read[name]), np.ravel(array))


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324])
def test_zero_keeps_its_sign(value: float) -> None:
    declarations = declare(Source("m.ode", "model m\nparam p = 1\nstate x = 1\nx' = -p*x\n"))
    again = declare(Source("m.ode", fitted_text(declarations, {"p": value, "x(0)": 1.0}, {}, None)))
    assert struct.pack("d", again.parameters[0].values[0]) == struct.pack("d", value)
