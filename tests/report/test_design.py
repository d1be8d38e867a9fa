"""Colours: contrast on their grounds, and told apart by eyes of every kind."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from hybridode.report.design import DARK, DASHES, DIVERGING, LIGHT, LOOKS, RAMP, SERIES, as_attributes, style_sheet

# G. Machado, M. Oliveira, L. Fernandes, "A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15
# (2009) 1291, severity 1.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(color: str) -> np.ndarray:
    v = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """WCAG 2.2."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear sRGB."""
    m = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (m @ np.clip(rgb, 0, 1)) / np.array([0.9505, 1.0, 1.089])
    f = [np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_everything_that_is_read_has_contrast(palette: dict[str, str]) -> None:
    inks = ["ink", "muted", "accent", "good", "bad", "warn", "learnt", *(f"c{i}" for i in range(1, SERIES + 1))]
    low = {(ink, ground): contrast(palette[ink], palette[ground]) for ink in inks for ground in ("page", "shade", "card")}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [None, *BLINDNESS])
def test_the_first_series_are_told_apart(palette: dict[str, str], kind: str | None) -> None:
    """Data and model (the first two) by far; the first three by eye, whoever looks; more differ by their dashes too."""
    seen = np.eye(3) if kind is None else np.array(BLINDNESS[kind])
    colors = [lab(seen @ linear(palette[f"c{i}"])) for i in (1, 2, 3)]
    apart = {(i + 1, j + 1): float(np.linalg.norm(a - b)) for (i, a), (j, b) in itertools.combinations(enumerate(colors), 2)}
    assert apart[1, 2] > 20
    assert min(apart.values()) > 10
    assert len(set(DASHES)) == SERIES


def test_maps_are_even() -> None:
    """Lightness rises steadily from one end to the other, or from the middle to both."""
    light = [float(lab(linear(c))[0]) for c in RAMP]
    assert np.all(np.diff(light) > 2)
    both = np.array([float(lab(linear(c))[0]) for c in DIVERGING])
    middle = len(both) // 2
    assert np.all(np.diff(both[: middle + 1]) > 2) and np.all(np.diff(both[middle:]) < -2)
    assert abs(both[0] - both[-1]) < 8


def test_a_page_and_a_file_have_the_same_looks() -> None:
    sheet = style_sheet()
    assert all(f"svg .{name}{{" in sheet for name in LOOKS)
    assert set(re.findall(r"var\(--(\w+)\)", sheet)) <= {*LIGHT, "c"}
    assert LIGHT.keys() == DARK.keys()
    drawn = as_attributes('<path class="line m2" d="M0 0"/><path class="core" d="M0 0"/>')
    assert (
        f'stroke="{LIGHT["c2"]}"' in drawn and f'stroke-dasharray="{DASHES[1]}"' in drawn and f'stroke="{LIGHT["page"]}"' in drawn
    )
