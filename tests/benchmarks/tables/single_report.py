"""What the work-precision curves say: ratios at equal achieved error, and diagrams."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.diagrams import work_precision
from tests.benchmarks.precision import Comparison, Point, compare, geometric_mean, time_at
from tests.benchmarks.tables.table import Data, grid, ratio_text, time_text

ERRORS = (1e-4, 1e-6, 1e-8)
OURS, AUTO = "hybridode", "hybridode auto"
Family = Callable[[str], bool]


def is_diffrax(family: str) -> bool:
    return family == "Diffrax"


def is_dop853(family: str) -> bool:
    return family == "SciPy DOP853"


def is_other(family: str) -> bool:
    return family != OURS and not is_diffrax(family)


def curves(problem: Data) -> dict[str, list[Point]]:
    """Solver → its points."""
    return {name: [Point(p["rtol"], p["error"], p["seconds"]) for p in row["points"]] for name, row in problem.items()}


def comparisons(problem: Data, rivals: Family, error: float) -> Comparison:
    """`hybridode auto` against the quickest of some rivals."""
    points = curves(problem)
    others = {name: points[name] for name, row in problem.items() if row["family"] != OURS and rivals(row["family"])}
    return compare(points.get(AUTO, []), others, error)


def ratios(data: Data, rivals: Family) -> dict[str, list[float]]:
    """Problem → ratios at the errors where both arrive."""
    rows = {}
    for name, problem in data["problems"].items():
        found = [comparisons(problem, rivals, error).ratio for error in ERRORS]
        rows[name] = [r for r in found if r is not None]
    return rows


def mean_ratio(data: Data, rivals: Family) -> float | None:
    """Geometric mean over errors, then over problems."""
    means = [m for values in ratios(data, rivals).values() if (m := geometric_mean(values)) is not None]
    return geometric_mean(means)


def goals(data: Data) -> list[tuple[str, float | None]]:
    if not data["stiff"]:
        return [("nonstiff_diffrax", mean_ratio(data, is_diffrax)), ("nonstiff_scipy", mean_ratio(data, is_dop853))]
    every = [r for values in ratios(data, is_other).values() for r in values]
    least = min(every) if every else None
    return [("stiff", mean_ratio(data, is_other)), ("stiff_each", least), ("stiff_diffrax", mean_ratio(data, is_diffrax))]


def write(data: Data) -> list[str]:
    lines = [
        "Times at equal achieved error (not equal tolerance), read off each solver's work-precision curve. `hybridode` is the "
        "choice that the product makes by itself (`method=\"auto\"`); in brackets its best method.",
        "",
    ]  # fmt: skip
    rows = []
    for name, problem in data["problems"].items():
        points = curves(problem)
        best = [p for solver, row in problem.items() if row["family"] == OURS for p in points[solver]]
        for error in ERRORS:
            other, diffrax = comparisons(problem, is_other, error), comparisons(problem, is_diffrax, error)
            rows.append([
                f"{name} to {error:.0e}", f"{time_text(other.ours)} ({time_text(time_at(best, error))})",
                f"{time_text(other.others)} {other.other or ''}", ratio_text(other.ratio),
                f"{time_text(diffrax.others)} {diffrax.other or ''}", ratio_text(diffrax.ratio),
            ])  # fmt: skip
    lines += grid(["problem and error", "hybridode", "quickest other", "ratio", "Diffrax's best", "ratio"], rows)
    for title, rivals in (("the quickest other", is_other), ("Diffrax's best", is_diffrax), ("SciPy DOP853", is_dop853)):
        mean = mean_ratio(data, rivals)
        if mean is not None:
            least = min((r for values in ratios(data, rivals).values() for r in values), default=None)
            lines.append(f"- Against {title}: {ratio_text(mean)} in the geometric mean, {ratio_text(least)} at the least.")
    lines.append("")
    lines += [f"![{name}](benchmarks/{name}.svg)" for name in data["problems"]]
    return [*lines, "", *notes(data)]


def notes(data: Data) -> list[str]:
    """What is missing, once each."""
    found: dict[str, list[str]] = {}
    for name, problem in data["problems"].items():
        for solver, row in problem.items():
            if row["note"]:
                found.setdefault(f"{solver}: {row['note']}", []).append(name)
    if not found:
        return []
    rows = [f"- {note} ({', '.join(names)})" for note, names in sorted(found.items())]
    return ["Not measured:", "", *rows, ""]


def draw(data: Data) -> dict[str, str]:
    """A diagram a problem."""
    return {name: work_precision(name, curves(problem), {s: row["family"] for s, row in problem.items()})
            for name, problem in data["problems"].items()}  # fmt: skip
