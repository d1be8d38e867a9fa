"""What the numbers are held against: (at least, aim) of the project's design, as ratios or seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`at_least` and `aim` of a number; `smaller` numbers are better for times."""

    words: str
    at_least: float
    aim: float
    smaller: bool = False

    def verdict(self, value: float | None) -> str:
        """In a word: whether a measured number reaches it."""
        if value is None:
            return "not measured"
        good = (lambda limit: value <= limit) if self.smaller else (lambda limit: value >= limit)
        return "aim reached" if good(self.aim) else "reached" if good(self.at_least) else "**missed**"


GOALS = {
    "stiff": Goal("stiff suite against the fastest of CVODES, libRoadRunner, pydiffsol, LSODA", 5, 10),
    "stiff_each": Goal("every stiff problem against the fastest of them", 1, 1),
    "stiff_diffrax": Goal("stiff suite against Diffrax's best stiff solver", 50, 200),
    "nonstiff_diffrax": Goal("non-stiff suite against Diffrax Tsit5, Dopri8", 5, 10),
    "nonstiff_scipy": Goal("non-stiff suite against SciPy DOP853", 100, 100),
    "gradient": Goal("POLLU, value and gradient in our fastest forward solves", 3.5, 2.5, smaller=True),
    "gradient_seconds": Goal("POLLU, value and gradient, microseconds", 180, 180, smaller=True),
    "ensemble": Goal("ensemble of 10,000 on one core, times the throughput of single solves", 3, 6),
    "step": Goal("POLLU, microseconds a step, single", 0.7, 0.7, smaller=True),
    "lane_step": Goal("POLLU, microseconds a step of one trajectory in lanes", 0.2, 0.2, smaller=True),
    "first_solve": Goal("text to first solve, n = 20, seconds after imports", 0.5, 0.3, smaller=True),
    "first_gradient": Goal("text to first gradient, n = 20, seconds after imports", 1, 0.5, smaller=True),
    "first_gradient_cached": Goal("the same from a warm cache", 0.1, 0.1, smaller=True),
    "lynx_cold": Goal("whole process, lynx and hare, seconds to the first gradient, cold cache", 3, 3, smaller=True),
    "lynx_warm": Goal("the same from a warm cache", 1.5, 1.5, smaller=True),
    "network": Goal("network 2-32-32-2, gradient, single, against Diffrax", 3, 5),
    "network_batch": Goal("network 2-32-32-2, gradient, batch of 256 on all cores, against Diffrax", 3, 6),
    "events": Goal("located events, against the quickest other that locates them", 5, 10),
    "events_gradient": Goal("the same, value and gradient, against Diffrax and torchdiffeq", 5, 10),
    "dae": Goal("differential-algebraic problems against the fastest of IDA, IDAS", 5, 10),
    "dae_step": Goal("a step with algebraic equations, in steps of plain equations, at most", 2, 1.5, smaller=True),
    "limit": Goal("POLLU step in lanes, times the physical limit", 3, 1.5, smaller=True),
    "fits_amici": Goal("fits from 50 starts, times faster than pyPESTO + AMICI, in the worst problem", 5, 5),
    "fits_diffrax": Goal("the same, than Diffrax + Optimistix by hand", 5, 5),
    "fits_scipy": Goal("the same, than SciPy", 5, 5),
    "sampling_stan": Goal("effective draws of a posterior a second, times Stan's", 5, 5),
    "sampling_numpyro": Goal("the same, times NumPyro + Diffrax's", 5, 5),
    "sampling_off": Goal("the means, in Monte Carlo errors from the published ones", 3, 3, smaller=True),
    "fits_share": Goal("share of those starts that arrive, over the largest of the others', in the worst case", 1, 1),
}
