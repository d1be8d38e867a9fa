"""Step size control as data: K. Gustafsson's PI controller (ACM TOMS 17 (1991) 533-554) with the usual limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Controller:
    """After a step with scaled error e the next step is h clip(safety e^-alpha e_before^beta, least, most); after a
    rejected one h max(least, safety e^(-1/k)), k = error order + 1."""

    alpha: float
    beta: float
    rejected: float
    safety: float = 0.9
    least: float = 0.2
    most: float = 8.0


def pi_controller(error_order: int, stiff: bool) -> Controller:
    """The exponents for an embedded error of this order; stiff methods react to the last error alone."""
    k = error_order + 1
    return Controller(1 / k, 0.0, 1 / k, most=6.0) if stiff else Controller(0.7 / k, 0.4 / k, 1 / k)
