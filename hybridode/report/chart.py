"""A chart as data, and as SVG: small, the same bytes for the same numbers, with text as text.

Every mark is a path of absolute points, so that the page's script can move them when one zooms (templates/chart.js); places
are rounded to 0.01 of a pixel. On a page the colours are the style sheet's; a file of its own has them written out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from hybridode.report.axes import Axis
from hybridode.report.design import FONT, LIGHT, as_attributes
from hybridode.report.thinning import keep_line, keep_points

WIDTH, HEIGHT = 480, 290
_TOP, _RIGHT, _BOTTOM = 26, 14, 44
_LETTER = 6.7  # pixels of a letter at 12 pixels
MOST_LINE, MOST_POINTS = 1200, 1500
MOST_NAMES = 12  # in a key: more cannot be told apart
MOST_LETTERS = 22  # of a row's name, so that there is room for its values on a phone
_GLYPHS = {"up": ((-4, 3), (4, 3), (0, -4)), "down": ((-4, -3), (4, -3), (0, 4))}  # pixels round the point


@dataclass(frozen=True, eq=False)
class Mark:
    """Points of one look (`kind`, a class of design.LOOKS, or rings, up, down). color: 1 to 8, 0 muted. `name` is shown in the
    key and when one points at it. Bands have `upper`; bars their `base` and `width` in the units of x; `at` and `ends` are values
    of x, drawn over all heights."""

    kind: str
    x: np.ndarray
    y: np.ndarray
    color: int = 0
    name: str = ""
    upper: np.ndarray | None = None
    width: float | np.ndarray = 0.0


@dataclass(frozen=True, eq=False)
class Cells:
    """A heat map: values (rows, columns) between edges along x and y, coloured by `ramp` from `low` to `high`."""

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    low: float
    high: float
    ramp: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True, eq=False)
class Chart:
    """`name` is its file's name, `alt` says in words what is seen, `data` are the numbers behind it (for its CSV)."""

    name: str
    title: str
    alt: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    data: Mapping[str, Sequence[object]] = field(default_factory=dict)
    cells: Cells | None = None
    note: str = ""
    height: int = HEIGHT

    @property
    def key(self) -> list[tuple[int, str, str]]:
        """Color, kind and name of what has a name, each name once; empty where there is one only, or too many. Bars need no
        name."""
        named: dict[str, tuple[int, str, str]] = {}
        for mark in self.marks:
            points = int(np.isfinite(mark.y).sum())
            if mark.name and mark.kind != "bars" and points > (mark.kind in ("line", "thin", "band", "known")):
                named.setdefault(mark.name, (mark.color, mark.kind, mark.name))
        return list(named.values()) if 1 < len(named) <= MOST_NAMES else []


# ---- SVG ------------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float


def page_svg(chart: Chart) -> str:
    """The chart for use inside a page, which has its title and key beside it."""
    box = _box(chart, 0)
    x, y = chart.x, chart.y
    numbers = f'data-box="{box.left:g} {box.top:g} {box.right:g} {box.bottom:g}"'
    axes = "".join(f' data-{n}="{a.low!r} {a.high!r} {int(a.log)} {int(a.whole)}"' for n, a in (("x", x), ("y", y)))
    fixed = "".join(f' data-{n}ticks="{escape(json.dumps(a.ticks))}"' for n, a in (("x", x), ("y", y)) if a.ticks)
    label = f'role="img" aria-label="{escape(chart.alt)}"'
    return f'<svg viewBox="0 0 {WIDTH} {chart.height}" {label} {numbers}{axes}{fixed}>{_inside(chart, box)}</svg>'


def file_svg(chart: Chart) -> str:
    """The chart as a file of its own, with title and key, for papers and slides."""
    key = chart.key[:8]
    lines = _key_lines(key)
    extra = 22 + 18 * len(lines)
    height = chart.height + extra
    texts = [f'<text class="title" x="0" y="18">{escape(chart.title)}</text>']
    for k, line in enumerate(lines):
        at = 0.0
        for color, kind, name in line:
            mid = 36 + 18 * k
            texts.append(f'<g transform="translate({at:g} {mid - 9})">{sample(kind, color)}</g>')
            texts.append(f'<text class="label" x="{at + 26:g}" y="{mid}">{escape(name)}</text>')
            at += 44 + _LETTER * len(name)
    body = f'<g transform="translate(0 {extra})">{_inside(chart, _box(chart, 0))}</g>'
    wide = WIDTH + 20
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" viewBox="-12 0 {wide} {height}" role="img" '
        f"font-family='{FONT}'><title>{escape(chart.title)}</title><desc>{escape(chart.alt)}</desc>"
        f'<rect x="-12" width="{wide}" height="{height}" fill="{LIGHT["card"]}"/>{"".join(texts)}{body}</svg>\n'
    )
    return as_attributes(svg)


def sample(kind: str, color: int) -> str:
    """How a mark looks in the key: 20 by 10 pixels."""
    if kind in ("dots", "small", "rings"):
        core = '<path class="core" d="M10 5h0"/>' if kind == "rings" else ""
        return f'<path class="{"small" if kind == "small" else "dots"} m{color}" d="M10 5h0"/>{core}'
    if kind in _GLYPHS:
        return f'<path class="glyph m{color}" d="{_glyph(10, 5, _GLYPHS[kind])}"/>'
    if kind in ("band", "known", "bars"):
        return f'<path class="{kind} m{color}" d="M0 0L20 0L20 10L0 10Z"/>'
    return f'<path class="{kind} m{color}" d="M0 5L20 5"/>'


def _key_lines(key: Sequence[tuple[int, str, str]]) -> list[list[tuple[int, str, str]]]:
    lines: list[list[tuple[int, str, str]]] = []
    room = 0.0
    for item in key:
        need = 44 + _LETTER * len(item[2])
        if not lines or need > room:
            lines.append([])
            room = WIDTH - 16.0
        lines[-1].append(item)
        room -= need
    return lines


def _box(chart: Chart, extra: float) -> _Box:
    widest = max((len(shortened(text)) for _, text in chart.y.marks(5)), default=1)
    right = 74 if chart.cells is not None else _RIGHT
    return _Box(round(max(26.0, 9 + _LETTER * widest)), _TOP + extra, WIDTH - right, chart.height - _BOTTOM)


def _inside(chart: Chart, box: _Box) -> str:
    clip = f"{chart.name}-clip"
    cells = _cells(chart.cells, chart, box) if chart.cells is not None else ""
    under = "".join(_mark(mark, chart, box) for mark in chart.marks if mark.kind in ("span", "zone"))
    over = "".join(_mark(mark, chart, box) for mark in chart.marks if mark.kind not in ("span", "zone"))
    area = f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.right - box.left:g}" height="{box.bottom - box.top:g}"/>'
    return (
        f'<clipPath id="{clip}">{area}</clipPath><g class="marks" clip-path="url(#{clip})">{under}</g>'
        f'<g class="frame">{_frame(chart, box)}</g><g class="marks" clip-path="url(#{clip})">{cells}{over}</g>'
        f"{_ramp(chart.cells, box) if chart.cells is not None else ''}"
    )


def _frame(chart: Chart, box: _Box) -> str:
    parts = []
    last = -1e9
    for value, text in chart.x.marks(6):
        at = box.left + float(chart.x.place(value)) * (box.right - box.left)
        if not box.left - 0.5 <= at <= box.right + 0.5:
            continue
        parts.append(f'<path class="grid" d="M{at:.1f} {box.top:g}V{box.bottom:g}"/>')
        if at - last >= _LETTER * len(text) + 6:
            parts.append(f'<text class="tick" x="{at:.1f}" y="{box.bottom + 16:g}" text-anchor="middle">{escape(text)}</text>')
            last = at
    for value, text in chart.y.marks(5):
        at = box.bottom - float(chart.y.place(value)) * (box.bottom - box.top)
        if not box.top - 0.5 <= at <= box.bottom + 0.5:
            continue
        parts.append(f'<path class="grid" d="M{box.left:g} {at:.1f}H{box.right:g}"/>')
        parts.append(
            f'<text class="tick" x="{box.left - 7:g}" y="{at + 4:.1f}" text-anchor="end">{escape(shortened(text))}</text>'
        )
    parts.append(f'<path class="edge" d="M{box.left:g} {box.bottom:g}H{box.right:g}"/>')
    half = _LETTER * len(chart.x.label) / 2
    middle = max(half, min((box.left + box.right) / 2, box.right + _RIGHT - half))  # a long label stays within the drawing
    parts.append(
        f'<text class="label" x="{middle:g}" y="{box.bottom + 36:g}" text-anchor="middle">{escape(chart.x.label)}</text>'
    )
    parts.append(f'<text class="label" x="0" y="{box.top - 11:g}">{escape(chart.y.label)}</text>')
    return "".join(parts)


def _pixels(chart: Chart, box: _Box, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Far outside is brought near, so that numbers stay short and no drawing program stumbles."""
    px = box.left + np.clip(chart.x.place(x), -4, 5) * (box.right - box.left)
    py = box.bottom - np.clip(chart.y.place(y), -4, 5) * (box.bottom - box.top)
    return px, py


def _mark(mark: Mark, chart: Chart, box: _Box) -> str:
    x, y = np.asarray(mark.x, float), np.asarray(mark.y, float)
    upper = None if mark.upper is None else np.asarray(mark.upper, float)
    kind, name = mark.kind, f' data-name="{escape(mark.name)}"' if mark.name else ""
    if kind in ("line", "thin", "band", "known"):
        keep = keep_line(y, MOST_LINE)
    elif kind in ("dots", "rings", "small", "stem", "up", "down"):
        keep = keep_points(x, y, MOST_POINTS)
    else:
        keep = np.arange(len(x))
    px, py = _pixels(chart, box, x[keep], y[keep])
    look = {"rings": "dots", "up": "glyph", "down": "glyph"}.get(kind, kind)
    if upper is not None and kind in ("band", "known", "zone", "span", "stem", "rug", "bars"):
        d = _between(kind, mark, chart, box, x[keep], y[keep], upper[keep])
    elif kind in ("dots", "rings", "small"):
        d = "".join(f"M{_n(a)} {_n(b)}h0" for a, b in zip(px, py, strict=True) if np.isfinite(a + b))
    elif kind in ("at", "ends"):
        d = "".join(f"M{_n(a)} {box.top:g}L{_n(a)} {box.bottom:g}" for a in px if np.isfinite(a))
    elif kind in _GLYPHS:
        d = "".join(_glyph(a, b, _GLYPHS[kind]) for a, b in zip(px, py, strict=True) if np.isfinite(a + b))
        name += ' data-glyph="3"'
    else:
        d = _polyline(px, py)
    if not d:
        return ""
    drawn = f'<path class="{look} m{mark.color}" d="{d}"{name}/>'
    return drawn + (f'<path class="core" d="{d}"/>' if kind == "rings" else "")


def shortened(text: str) -> str:
    """A row's name as there is room for it."""
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _n(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _polyline(px: np.ndarray, py: np.ndarray) -> str:
    parts, pen = [], False
    for a, b in zip(px, py, strict=True):
        if not np.isfinite(a + b):
            pen = False
            continue
        parts.append(f"{'L' if pen else 'M'}{_n(a)} {_n(b)}")
        pen = True
    return "".join(parts)


def _glyph(a: float, b: float, corners: Iterable[tuple[float, float]]) -> str:
    (x0, y0), *rest = corners
    return f"M{_n(a + x0)} {_n(b + y0)}" + "".join(f"L{_n(a + x)} {_n(b + y)}" for x, y in rest) + "Z"


def _between(kind: str, mark: Mark, chart: Chart, box: _Box, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """What lies between two values at each x: a band, stems, bars, or spans of x (from `low` to `high`, over all heights)."""
    if kind == "span":
        left, _ = _pixels(chart, box, low, np.full(len(x), np.nan))
        right, _ = _pixels(chart, box, high, np.full(len(x), np.nan))
        edges = zip(left, right, strict=True)
        return "".join(
            f"M{_n(a)} {box.top:g}L{_n(b)} {box.top:g}L{_n(b)} {box.bottom:g}L{_n(a)} {box.bottom:g}Z" for a, b in edges
        )
    px, bottom = _pixels(chart, box, x, low)
    _, top = _pixels(chart, box, x, high)
    if kind == "bars":
        left, _ = _pixels(chart, box, x - mark.width / 2, low)
        right, _ = _pixels(chart, box, x + mark.width / 2, low)
        rows = zip(left, right, bottom, top, strict=True)
        return "".join(f"M{_n(a)} {_n(c)}L{_n(a)} {_n(e)}L{_n(b)} {_n(e)}L{_n(b)} {_n(c)}Z" for a, b, c, e in rows)
    rows = [(a, c, e) for a, c, e in zip(px, bottom, top, strict=True) if np.isfinite(a + c + e)]
    if kind not in ("band", "known", "zone"):
        return "".join(f"M{_n(a)} {_n(c)}L{_n(a)} {_n(e)}" for a, c, e in rows)
    if len(rows) < 2:
        return ""
    there = "L".join(f"{_n(a)} {_n(e)}" for a, _, e in rows)
    back = "L".join(f"{_n(a)} {_n(c)}" for a, c, _ in reversed(rows))
    return f"M{there}L{back}Z"


def _cells(cells: Cells, chart: Chart, box: _Box) -> str:
    """One path for each colour, of all cells that have it."""
    px, _ = _pixels(chart, box, cells.x, np.full(len(cells.x), np.nan))
    _, py = _pixels(chart, box, np.full(len(cells.y), np.nan), cells.y)
    levels = len(cells.ramp)
    with np.errstate(invalid="ignore"):
        steps = np.clip((cells.values - cells.low) / (cells.high - cells.low or 1.0) * levels, 0, levels - 1)
    paths: dict[int, list[str]] = {}
    for i, row in enumerate(np.where(np.isfinite(steps), steps, -1).astype(int)):
        ends = [*(np.flatnonzero(np.diff(row)) + 1), len(row)]  # equal neighbours are one rectangle
        for j, k in zip([0, *ends], ends, strict=False):
            if row[j] >= 0:
                a, b, c, d = px[j], px[k], py[i], py[i + 1]
                paths.setdefault(int(row[j]), []).append(f"M{_n(a)} {_n(c)}L{_n(b)} {_n(c)}L{_n(b)} {_n(d)}L{_n(a)} {_n(d)}Z")
    return "".join(
        f'<path class="cell m0" fill="{cells.ramp[k]}" shape-rendering="crispEdges" data-level="{_level(cells, k)}" '
        f'd="{"".join(parts)}"/>'
        for k, parts in sorted(paths.items())
    )


def _level(cells: Cells, k: int) -> str:
    step = (cells.high - cells.low) / len(cells.ramp)
    return f"{cells.low + k * step:.3g} to {cells.low + (k + 1) * step:.3g}"


def _ramp(cells: Cells, box: _Box) -> str:
    """The colours with their values, to the right."""
    count, left = len(cells.ramp), box.right + 14
    tall = (box.bottom - box.top) / count
    rects = "".join(
        f'<rect x="{left:g}" y="{box.bottom - (k + 1) * tall:.2f}" width="10" height="{tall + 0.3:.2f}" fill="{color}"/>'
        for k, color in enumerate(cells.ramp)
    )
    scale = Axis("", cells.low, cells.high if cells.high > cells.low else cells.low + 1)
    height = lambda value: box.bottom - float(scale.place(value)) * (box.bottom - box.top) + 4  # noqa: E731
    texts = "".join(
        f'<text class="tick" x="{left + 14:g}" y="{height(value):.1f}">{text}</text>' for value, text in scale.marks(4)
    )
    return f'<g class="ramp">{rects}{texts}<text class="label" x="{left:g}" y="{box.top - 11:g}">{escape(cells.label)}</text></g>'


# ---- CSV ------------------------------------------------------------------------------------------------------------------
def csv_text(chart: Chart) -> str:
    """The numbers behind the chart, six significant figures; empty where the chart has no table."""
    names = list(chart.data)
    if not names:
        return ""
    rows = zip(*(chart.data[name] for name in names), strict=True)
    return "\n".join([",".join(map(_cell, names)), *(",".join(map(_cell, row)) for row in rows)]) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "" if not np.isfinite(value) else f"{float(value):.6g}"
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text
