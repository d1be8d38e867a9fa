"""Structural identifiability against published results, and against what follows from a change of variables."""

from __future__ import annotations

import numpy as np
import pytest

import hybridode as ho
from hybridode.errors import UsageError
from hybridode.fit.inference.structural.analysis import Identifiability, identifiability
from hybridode.fit.inference.structural.series import P, null_space, residue


def analysed(params: str, body: str, **options) -> Identifiability:
    lines = "\n".join(f"param {name} = 1 in (0, inf) log" for name in params.split())
    return identifiability(ho.parse(f"model m\ntime t from 0\n{lines}\n{body}").declarations, **options)


def known(found: Identifiability) -> set[str]:
    return {text for s in found.symmetries for text in s.known}


def test_sir_with_an_unknown_share_reported():
    """N. Tuncer, T. T. Le, Math. Biosci. 299 (2018) 1; M. C. Eisenberg et al., J. Theor. Biol. 324 (2013) 84: the removal rate
    and products with the reporting share are known, not the share."""
    found = analysed("b g k S0 I0", """state S
state I
S(0) = S0
I(0) = I0
S' = -b*S*I
I' = b*S*I - g*I
cases = k*I
observe cases ~ normal(cases, 0.1)
""")  # fmt: skip
    assert found.identifiable == ("g",)
    (symmetry,) = found.symmetries
    assert symmetry.kind == "scaling" and symmetry.dimension == 1 and set(symmetry.names) == {"b", "k", "S0", "I0"}
    assert known(found) == {"b/k", "k*S0", "k*I0"} or known(found) == {"k/b", "b*S0", "b*I0"}


def test_sir_with_everything_reported_is_identifiable():
    found = analysed("b g S0 I0", """state S
state I
S(0) = S0
I(0) = I0
S' = -b*S*I
I' = b*S*I - g*I
observe I ~ normal(I, 0.1)
""")  # fmt: skip
    assert not found.not_identifiable and len(found.identifiable) == 4


def test_goodwin_oscillator():
    """As in A. Sedoglavic's and H. Hong et al.'s example (SIAN, Bioinformatics 35 (2019) 2873): alpha, gamma and the starts of x2
    and x3 are not identifiable when x1 is observed; the others are."""
    found = analysed("b c alpha beta gamma delta sigma X1 X2 X3 X4", """state x1
state x2
state x3
state x4
x1(0) = X1
x2(0) = X2
x3(0) = X3
x4(0) = X4
x1' = -b*x1 + 1/(c + x4)
x2' = alpha*x1 - beta*x2
x3' = gamma*x2 - delta*x3
x4' = sigma*x4*(gamma*x2 - delta*x3)/x3
observe x1 ~ normal(x1, 0.1)
""")  # fmt: skip
    assert set(found.not_identifiable) == {"alpha", "gamma", "X2", "X3"}
    assert sum(s.dimension for s in found.symmetries) == 2 and all(s.kind == "scaling" for s in found.symmetries)


HIV = """state TU
state TI
state V
TU(0) = u0
TI(0) = i0
V(0) = v0
TU' = lam - rho*TU - eta*TU*V
TI' = eta*TU*V - delta*TI
V' = n*delta*TI - c*V
observe V ~ normal(V, 0.1)
"""


def test_hiv_with_virus_and_cells_observed_is_identifiable():
    """H. Miao et al., SIAM Rev. 53 (2011) 3, section 6."""
    found = analysed("lam rho eta delta n c u0 i0 v0", HIV + "cells = TU + TI\nobserve cells ~ normal(cells, 0.1)\n")
    assert not found.not_identifiable and len(found.identifiable) == 9


def test_hiv_with_the_virus_alone_has_a_scale_of_cells():
    """X. Xia, C. H. Moog, IEEE Trans. Autom. Control 48 (2003) 330: lam and n only in a product."""
    found = analysed("lam rho eta delta n c u0 i0 v0", HIV)
    assert set(found.not_identifiable) == {"lam", "n", "u0", "i0"}
    assert set(found.identifiable) == {"rho", "eta", "delta", "c", "v0"}


def test_two_compartments_with_loss_from_both():
    """R. Bellman, K. J. Astrom, Math. Biosci. 7 (1970) 329: no rate constant by itself; k01 + k21, k02 + k12 and k12*k21 are
    known, which is neither scaling nor translation."""
    found = analysed("k01 k02 k12 k21", """state x1 = 3
state x2 = 0
x1' = -(k01 + k21)*x1 + k12*x2
x2' = k21*x1 - (k02 + k12)*x2
observe x1 ~ normal(x1, 0.1)
""")  # fmt: skip
    assert set(found.not_identifiable) == {"k01", "k02", "k12", "k21"}
    (symmetry,) = found.symmetries
    assert symmetry.kind == "" and symmetry.dimension == 1


def test_two_compartments_with_loss_from_one_and_a_volume():
    found = analysed("k10 k12 k21 v", """state x1 = 3
state x2 = 0
x1' = -(k10 + k12)*x1 + k21*x2
x2' = k12*x1 - k21*x2
concentration = x1/v
observe concentration ~ lognormal(concentration, 0.1)
""")  # fmt: skip
    assert not found.not_identifiable


def test_saturated_loss_with_an_unknown_scale():
    found = analysed("V K x0 c", """state x
x(0) = x0
x' = -V*x/(K + x)
y = c*x
observe y ~ normal(y, 0.1)
""")  # fmt: skip
    assert set(found.not_identifiable) == {"V", "K", "x0", "c"}
    assert {"V*c", "K*c", "x0*c"} == known(found) or len(known(found)) == 3


def test_activation_energy_needs_several_temperatures():
    body = """state x = 2
rate = A*exp(-E/T)
x' = -rate*x
observe x ~ normal(x, 0.1)
"""
    alone = analysed("A E", "const T = 300\n" + body)
    assert set(alone.not_identifiable) == {"A", "E"} and alone.symmetries[0].dimension == 1
    assert not analysed("A E", "input T from data.T\n" + body).not_identifiable
    assert not analysed("A E T", body, given=["T"]).not_identifiable  # a column of the data sets it in each experiment


def test_powers_roots_and_circles():
    hill = "state x = 3\nx' = -v*x^n/(K^n + x^n)\nobserve x ~ normal(x, 0.1)\n"
    assert not analysed("v K n", hill).not_identifiable
    driven = "state x = 3\nx' = -k*sqrt(x) + a*sin(w*t)\nobserve x ~ normal(x, 0.1)\n"
    assert not analysed("k a w", driven).not_identifiable
    assert known(analysed("k a b", "state x = 3\nx' = -k*sqrt(x) + a*b*tanh(x)\nobserve x ~ normal(x, 0.1)\n")) == {"a*b"}


def test_translation():
    found = analysed("a b", "state x = 1\nx' = -(a - b)*x\nobserve x ~ normal(x, 0.1)\n")
    assert found.symmetries[0].kind == "translation" and known(found) <= {"a - b", "b - a"}


def test_what_has_no_series_is_refused_by_name():
    with pytest.raises(UsageError, match="`if`"):
        analysed("k", "state x = 1\nx' = if x > 1 then -k else 0\nobserve x ~ normal(x, 0.1)\n")
    with pytest.raises(UsageError, match="`abs`"):
        analysed("k", "state x = 1\nx' = -k*abs(x)\nobserve x ~ normal(x, 0.1)\n")


def test_null_space_modulo_a_prime():
    rng = np.random.default_rng(0)
    basis = rng.integers(0, 50, size=(3, 6))
    found = null_space(basis)
    assert found.shape == (3, 6)
    assert not np.any((basis.astype(object) @ found.astype(object).T) % P)
    assert residue(0.1) * 10 % P == 1
