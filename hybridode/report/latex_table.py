"""The parameters of a run as a LaTeX table (booktabs), for a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hybridode.equations.latex_names import name_latex, text_latex
from hybridode.report.saved import Saved


def parameters_latex(saved: Saved) -> str:
    """A `table` with name, value, 95 % interval (of profiles where there are some), unit and meaning; needs `booktabs`."""
    profiles = saved.findings.get("profiles", {}).get("parameters", {})
    docs = {p.name: p.doc for p in saved.declarations.parameters}
    lines = [_line(row, profiles.get(str(row["name"])), docs) for row in saved.parameter_rows()]
    how = "profile likelihoods" if profiles else "standard errors"
    caption = f"Parameters of {text_latex(saved.declarations.name)}, with 95\\,\\% intervals from {how}."
    return "\n".join(
        [
            f"% {saved.command or 'hybridode fit'}",
            "% \\usepackage{booktabs}",
            "\\begin{table}",
            f"  \\caption{{{caption}}}",
            "  \\begin{tabular}{lrrll}",
            "    \\toprule",
            "    parameter & value & 95\\,\\% interval & unit & meaning \\\\",
            "    \\midrule",
            *(f"    {line} \\\\" for line in lines),
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
            "",
        ]
    )


def _line(row: Mapping[str, Any], profile: Mapping[str, Any] | None, docs: Mapping[str, str]) -> str:
    name = str(row["name"])
    base = name.removesuffix("(0)")
    symbol = name_latex(base) + ("(0)" if base != name else "")
    low, high = (row["lower95"], row["upper95"]) if profile is None else (profile["lower95"], profile["upper95"])
    digits = _digits(row["value"], low, high)
    doc = docs.get(name) or docs.get(name.partition("[")[0], "")
    remark = row["reason"] or ("fixed" if row["fixed"] else "")
    cells = [f"${symbol}$", number_latex(row["value"], digits), _interval(low, high, digits), text_latex(row["unit"] or ""),
             text_latex(doc or remark)]  # fmt: skip
    return " & ".join(cells)


def _interval(low: float | None, high: float | None, digits: int) -> str:
    if low is None and high is None:
        return "--"
    if low is None or high is None:
        return f"$\\ge$ {number_latex(low, digits)}" if high is None else f"$\\le$ {number_latex(high, digits)}"
    return f"{number_latex(low, digits)} to {number_latex(high, digits)}"


def _digits(value: float | None, low: float | None, high: float | None) -> int:
    """Significant figures of the value such that the interval's half width has two."""
    if not value or low is None or high is None or not high > low:
        return 4
    return int(min(8, max(2, math.floor(math.log10(abs(value))) - math.floor(math.log10((high - low) / 2)) + 2)))


def number_latex(value: float | None, digits: int) -> str:
    """A number in math mode, with a power of ten far from 1."""
    if value is None or not math.isfinite(value):
        return "--"
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"${value:.{decimals}f}$"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"${mantissa}\\times10^{{{int(exponent)}}}$"
