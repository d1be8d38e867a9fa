"""The five problems. Rates are written twice: as text for hybridode and AMICI, by hand for SciPy and Diffrax."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.fits.problem import FitProblem, Network, Parameter


# ---- Lotka and Volterra -------------------------------------------------------------------------------------------------------
def _lotka_volterra(xp: Any, t: Any, y: Any, p: Any) -> Any:
    a, b, c, d = p[0], p[1], p[2], p[3]
    return [a * y[0] - b * y[0] * y[1], d * y[0] * y[1] - c * y[1]]


LOTKA_VOLTERRA = FitProblem(
    "lotka_volterra", "Lotka–Volterra",
    (Parameter("growth", 1.1, 1e-2, 1e1), Parameter("predation", 0.4, 1e-3, 1e1), Parameter("death", 0.4, 1e-2, 1e1),
     Parameter("conversion", 0.1, 1e-3, 1e1), Parameter("sigma", 0.5, 1e-2, 1e2)),
    (("x", 10.0), ("y", 5.0)),
    ("growth*x - predation*x*y", "conversion*x*y - death*y"),
    _lotka_volterra, lambda y, p: (y[0], y[1]), (("x", "x", "sigma"), ("y", "y", "sigma")), np.linspace(0.5, 20, 40),
)  # fmt: skip


# ---- a gene circuit that oscillates: M. B. Elowitz, S. Leibler, Nature 403 (2000) 335 -----------------------------------------
def _repressilator(xp: Any, t: Any, y: Any, p: Any) -> Any:
    alpha, basal, n, beta, decay = p[0], p[1], p[2], p[3], p[4]
    ma, mb, mc, a, b, c = y[0], y[1], y[2], y[3], y[4], y[5]
    return [
        decay * (alpha / (1 + c**n) + basal - ma), decay * (alpha / (1 + a**n) + basal - mb),
        decay * (alpha / (1 + b**n) + basal - mc), beta * (ma - a), beta * (mb - b), beta * (mc - c),
    ]  # fmt: skip


REPRESSILATOR = FitProblem(
    "repressilator", "repressilator",
    (Parameter("alpha", 216.0, 1e1, 1e3), Parameter("basal", 0.2, 1e-2, 1e1), Parameter("n", 2.0, 1.0, 4.0),
     Parameter("beta", 0.8, 1e-1, 1e1), Parameter("decay", 1.0, 1e-1, 1e1), Parameter("sigma", 2.0, 1e-1, 1e2)),
    (("ma", 0.0), ("mb", 0.0), ("mc", 0.0), ("a", 5.0), ("b", 1.0), ("c", 15.0)),
    ("decay*(alpha/(1 + c^n) + basal - ma)", "decay*(alpha/(1 + a^n) + basal - mb)", "decay*(alpha/(1 + b^n) + basal - mc)",
     "beta*(ma - a)", "beta*(mb - b)", "beta*(mc - c)"),
    _repressilator, lambda y, p: (y[3], y[4], y[5]),
    (("a", "a", "sigma"), ("b", "b", "sigma"), ("c", "c", "sigma")), np.linspace(0.5, 20, 40),
)  # fmt: skip


# ---- a signalling cascade: M. E. Boehm et al., J. Proteome Res. 13 (2014) 5685, on simulated data -----------------------------
SPECIFIC = 0.107  # of antibodies
CYTOPLASM, NUCLEUS = 1.4, 0.45


def _boehm(xp: Any, t: Any, y: Any, p: Any) -> Any:
    degradation, export_ab, export, import_ab, import_, phos = p[0], p[1], p[2], p[3], p[4], p[5]
    a, b, aa, ab, bb, naa, nab, nbb = y[0], y[1], y[2], y[3], y[4], y[5], y[6], y[7]
    epo = 1.25e-7 * xp.exp(-degradation * t) * phos
    vaa, vab, vbb = epo * a * a, epo * a * b, epo * b * b
    xaa, xab, xbb = export * naa, export_ab * nab, export * nbb
    flow = NUCLEUS / CYTOPLASM
    return [
        -2 * vaa - vab + flow * (2 * xaa + xab), -2 * vbb - vab + flow * (2 * xbb + xab),
        vaa - import_ * aa, vab - import_ab * ab, vbb - import_ * bb,
        import_ * aa / flow - xaa, import_ab * ab / flow - xab, import_ * bb / flow - xbb,
    ]  # fmt: skip


def _boehm_outputs(y: Any, p: Any) -> Any:
    a, b, aa, ab, bb = y[0], y[1], y[2], y[3], y[4]
    s, o = SPECIFIC, 1 - SPECIFIC
    return (
        (100 * ab + 200 * aa * s) / (ab + a * s + 2 * aa * s),
        (100 * ab + 200 * bb * o) / (ab + b * o + 2 * bb * o),
        (100 * ab + 100 * a * s + 200 * aa * s) / (2 * ab + a * s + 2 * aa * s + b * o + 2 * bb * o),
    )


BOEHM = FitProblem(
    "boehm", "signalling cascade (8 states, 9 parameters)",
    (Parameter("degradation", 0.027, 1e-5, 1e5), Parameter("export_ab", 2e-3, 1e-5, 1e5), Parameter("export_", 6e-3, 1e-5, 1e5),
     Parameter("import_ab", 0.016, 1e-5, 1e5), Parameter("import_", 0.3, 1e-5, 1e5), Parameter("phos", 15800.0, 1e-5, 1e5),
     Parameter("sd_a", 3.9, 1e-5, 1e5), Parameter("sd_b", 6.6, 1e-5, 1e5), Parameter("sd_r", 3.2, 1e-5, 1e5)),
    (("a", 143.8668), ("b", 63.7332), ("aa", 0.0), ("ab", 0.0), ("bb", 0.0), ("naa", 0.0), ("nab", 0.0), ("nbb", 0.0)),
    ("-2*vaa - vab + (2*xaa + xab)*0.45/1.4", "-2*vbb - vab + (2*xbb + xab)*0.45/1.4",
     "vaa - import_*aa", "vab - import_ab*ab", "vbb - import_*bb",
     "import_*aa*1.4/0.45 - xaa", "import_ab*ab*1.4/0.45 - xab", "import_*bb*1.4/0.45 - xbb"),
    _boehm, _boehm_outputs,
    (("pa", "(100*ab + 200*aa*0.107)/(ab + a*0.107 + 2*aa*0.107)", "sd_a"),
     ("pb", "(100*ab + 200*bb*0.893)/(ab + b*0.893 + 2*bb*0.893)", "sd_b"),
     ("ra", "(100*ab + 100*a*0.107 + 200*aa*0.107)/(2*ab + a*0.107 + 2*aa*0.107 + b*0.893 + 2*bb*0.893)", "sd_r")),
    np.array([0.0, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 160, 200, 240]),
    definitions=(
        ("epo", "1.25e-7*exp(-degradation*{t})*phos"), ("vaa", "epo*a*a"), ("vab", "epo*a*b"), ("vbb", "epo*b*b"),
        ("xaa", "export_*naa"), ("xab", "export_ab*nab"), ("xbb", "export_*nbb"),
    ),
    stiff=True,
)  # fmt: skip


# ---- stiff: H. H. Robertson (1966), rates over nine orders of magnitude -------------------------------------------------------
def _robertson(xp: Any, t: Any, y: Any, p: Any) -> Any:
    first, third = p[0] * y[0], p[2] * y[1] * y[2]
    second = p[1] * y[1] * y[1]
    return [third - first, first - third - second, second]


ROBERTSON = FitProblem(
    "robertson", "Robertson (stiff)",
    (Parameter("k1", 0.04, 1e-5, 1e2), Parameter("k2", 3e7, 1e3, 1e10), Parameter("k3", 1e4, 1e1, 1e7),
     Parameter("sigma", 0.02, 1e-4, 1e1)),
    (("A", 1.0), ("B", 0.0), ("C", 0.0)),
    ("k3*B*C - k1*A", "k1*A - k3*B*C - k2*B*B", "k2*B*B"),
    _robertson, lambda y, p: (y[0], 1e4 * y[1], y[2]), (("A", "A", "sigma"), ("b", "1e4*B", "sigma"), ("C", "C", "sigma")),
    np.geomspace(1e-1, 1e5, 25), stiff=True,
)  # fmt: skip


# ---- known growth and death, a network for what the two do to each other: arXiv:2001.04385 ------------------------------------
NETWORK = Network((2, 6, 2), ("x", "y"), ("u", "v"), (2.0, 2.0), (2.0, 2.0), 2.0)


def _ude(xp: Any, t: Any, y: Any, p: Any) -> Any:
    out = NETWORK.value(xp, y, p[2:])
    return [p[0] * y[0] + out[0], -p[1] * y[1] + out[1]]


UDE = FitProblem(
    "ude", "Lotka–Volterra with a network for the interaction",
    (Parameter("alpha", 1.3, 0.3, 5.0), Parameter("delta", 1.8, 0.3, 5.0)),
    (("x", 0.44249296), ("y", 4.6280594)),
    ("alpha*x + u", "-delta*y + v"),
    _ude, lambda y, p: (y[0], y[1]), (("x", "x", 0.1), ("y", "y", 0.1)), np.linspace(0.1, 3, 30), network=NETWORK,
    truth=lambda t, y: [1.3 * y[0] - 0.9 * y[0] * y[1], 0.8 * y[0] * y[1] - 1.8 * y[1]],
)  # fmt: skip

PROBLEMS = {p.name: p for p in (LOTKA_VOLTERRA, REPRESSILATOR, BOEHM, ROBERTSON, UDE)}
