"""Work-precision diagrams as SVG text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from tests.benchmarks.precision import Point

COLOURS = {
    "hybridode": "#c0392b", "libRoadRunner": "#2471a3", "pydiffsol": "#117a65", "CVODES (CasADi)": "#7d3c98",
    "IDAS (CasADi)": "#bb8fce", "CVODE (scikit-sundae)": "#a04000", "Diffrax": "#b7950b", "SciPy LSODA": "#566573",
    "SciPy Radau": "#aab7b8", "SciPy DOP853": "#aab7b8", "torchdiffeq": "#e67e22",
}  # fmt: skip
STROKES = ("-", "--", ":", "-.")
MARKERS = "osv^D"


def work_precision(title: str, curves: Mapping[str, Sequence[Point]], families: Mapping[str, str]) -> str:
    """Seconds against achieved error, both in logarithms; a colour a family, a stroke a solver of it."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same numbers give the same file
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.add_subplot()
    seen: dict[str, int] = {}
    for name, points in curves.items():
        family = families[name]
        k = seen.get(family, 0)
        seen[family] = k + 1
        if not points:
            continue
        ordered = sorted(points, key=lambda p: -p.rtol)
        width, colour = 2.2 if family == "hybridode" else 1.1, COLOURS.get(family, "black")
        axes.plot([p.error for p in ordered], [1e3 * p.seconds for p in ordered], STROKES[k % 4], marker=MARKERS[k % 5],
                  color=colour, markersize=3.5, linewidth=width, label=name)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="achieved error at the end", ylabel="ms a solve", title=title)
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.01, 0.5))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
