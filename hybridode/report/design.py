"""The one design of report, `hybridode watch` and figure files: colours, and how each kind of mark looks.

Colours are the style sheet's variables on a page and plain attributes in a file, which then any program can draw.
Contrast: text and inks >= 4.5 on their ground, light and dark; neighbouring series colours stay apart for the colour-blind, and
differ by dash and marker as well (tests/report/test_design.py holds both to it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "page": "#fdfdfc", "card": "#ffffff", "ink": "#1b1f24", "muted": "#5a6370", "line": "#dfe3e8", "shade": "#eef1f4",
    "accent": "#1f5fb4", "good": "#1a7048", "bad": "#b3341f", "warn": "#8a5a00", "learnt": "#7a3fb0",
    "c1": "#1f5fb4", "c2": "#b54a08", "c3": "#0f766e", "c4": "#7a3fb0", "c5": "#8a5a00", "c6": "#b02a5b", "c7": "#4d6a12",
    "c8": "#4b5563",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "page": "#14171b", "card": "#1a1e23", "ink": "#e6e8eb", "muted": "#a0a9b5", "line": "#323942", "shade": "#222830",
    "accent": "#84b4f5", "good": "#62cc9b", "bad": "#f28f7e", "warn": "#e3b557", "learnt": "#c79df0",
    "c1": "#84b4f5", "c2": "#f5a065", "c3": "#5cccc0", "c4": "#c79df0", "c5": "#e3b557", "c6": "#f08fb2", "c7": "#b2d06a",
    "c8": "#b0b8c3",
}  # fmt: skip
SERIES = 8  # colours of series
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 4", "6 2 1 2")  # of the lines of series 1 to 8

# class of a mark -> attributes; `C` is the colour of its series, other words are variables
LOOKS: Mapping[str, Mapping[str, str]] = {
    "line": {"fill": "none", "stroke": "C", "stroke-width": "1.8", "stroke-linejoin": "round"},
    "thin": {"fill": "none", "stroke": "C", "stroke-width": "1", "stroke-opacity": ".55"},
    "stem": {"fill": "none", "stroke": "C", "stroke-width": "1", "stroke-opacity": ".6"},
    "dots": {"fill": "none", "stroke": "C", "stroke-width": "6", "stroke-linecap": "round"},
    "small": {"fill": "none", "stroke": "C", "stroke-width": "3.4", "stroke-linecap": "round", "stroke-opacity": ".6"},
    "core": {"fill": "none", "stroke": "page", "stroke-width": "3.4", "stroke-linecap": "round"},
    "glyph": {"fill": "page", "stroke": "C", "stroke-width": "1.3", "stroke-linejoin": "round"},
    "band": {"fill": "C", "fill-opacity": ".16", "stroke": "none"},
    "known": {"fill": "C", "fill-opacity": ".30", "stroke": "none"},
    "bars": {"fill": "C", "fill-opacity": ".55", "stroke": "page", "stroke-width": ".6"},
    "zone": {"fill": "shade", "stroke": "none"},
    "span": {"fill": "shade", "stroke": "none"},
    "rule": {"fill": "none", "stroke": "muted", "stroke-width": "1"},
    "at": {"fill": "none", "stroke": "C", "stroke-width": "1.8"},  # a value along x, over all heights; `ends`: of an interval
    "ends": {"fill": "none", "stroke": "C", "stroke-width": "1.4", "stroke-dasharray": "5 3"},
    "reach": {"fill": "none", "stroke": "C", "stroke-width": "1.8"},  # an interval along x
    "limit": {"fill": "none", "stroke": "muted", "stroke-width": "1", "stroke-dasharray": "4 3"},
    "rug": {"fill": "none", "stroke": "muted", "stroke-width": "1", "stroke-opacity": ".7"},
    "cell": {"stroke": "none"},
    "grid": {"fill": "none", "stroke": "line", "stroke-width": "1"},
    "edge": {"fill": "none", "stroke": "muted", "stroke-width": "1"},
    "tick": {"fill": "muted", "font-size": "12"},
    "label": {"fill": "ink", "font-size": "12"},
    "title": {"fill": "ink", "font-size": "13", "font-weight": "600"},
}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'
_CLASS = re.compile(r'class="(\w+)(?: m(\d+))?"')
RAMP = (  # viridis by S. van der Walt and N. Smith (CC0), 16 steps: even to the eye, also to the colour-blind
    "#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e", "#1f988b", "#22a884", "#35b779",
    "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725",
)  # fmt: skip
DIVERGING = (  # blue to red round a light middle (PuOr's lightness, cyan and orange kept apart for the colour-blind), 15 steps
    "#0b3c6f", "#1b5490", "#356eac", "#5588c0", "#7aa3d0", "#a2bfdf", "#cbdaec", "#f2f0ec", "#f3d9c0", "#edbd94", "#e09f68",
    "#cc8040", "#b3621f", "#93480b", "#703300",
)  # fmt: skip


def style_sheet() -> str:
    """Variables for light, dark and print, and the looks of marks, as CSS."""
    light, dark = (";".join(f"--{name}:{color}" for name, color in palette.items()) for palette in (LIGHT, DARK))
    looks = "".join(f"svg .{name}{{{_declarations(look)}}}" for name, look in LOOKS.items())
    series = "".join(f".m{i}{{--c:var(--c{i})}}" for i in range(1, SERIES + 1)) + ".m0{--c:var(--muted)}"
    dashes = "".join(f"svg .line.m{i}{{stroke-dasharray:{dash}}}" for i, dash in enumerate(DASHES, 1) if dash)
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"@media print{{:root{{color-scheme:light;{light};--page:#fff}}}}"
        f"{series}{looks}{dashes}svg text{{font-family:inherit;font-variant-numeric:tabular-nums;stroke:none}}"
    )


def _declarations(look: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{_value(name, value)}" for name, value in look.items())


def _value(name: str, value: str) -> str:
    if name == "font-size":
        return f"{value}px"
    if name not in ("fill", "stroke") or value == "none":
        return value
    return "var(--c)" if value == "C" else f"var(--{value})"


def as_attributes(svg: str) -> str:
    """The same drawing with every class written out in the colours of paper."""

    def written(match: re.Match[str]) -> str:
        look, number = LOOKS.get(match[1]), int(match[2] or 0)
        if look is None:
            return ""
        color = LIGHT[f"c{number}"] if number else LIGHT["muted"]
        parts = [f'{name}="{color if value == "C" else LIGHT.get(value, value)}"' for name, value in look.items()]
        dash = DASHES[number - 1] if match[1] == "line" and number else ""
        return " ".join([*parts, *([f'stroke-dasharray="{dash}"'] if dash else [])])

    return _CLASS.sub(written, svg)
