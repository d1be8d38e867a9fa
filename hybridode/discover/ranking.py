"""Description length: what it costs to say the data with a formula, in natural logarithms.

    DL = (negative log-likelihood) + k/2 ln n + (which formula it is)

k numbers learnt from n records, each at the precision that the data give it (J. Rissanen, Automatica 14 (1978) 465). Which
formula it is: ln 2 for the kind, sparse or of a named form; a sparse one of k of P terms costs ln(P + 1) + ln C(P, k), a form ln
of how many forms are known. So the price of looking through many terms is paid: twice the DL is the extended BIC with gamma = 1
(J. Chen, Z. Chen, Biometrika 95 (2008) 759).
"""

from __future__ import annotations

import math

KINDS = math.log(2.0)


def sparse_structure(terms: int, chosen: int) -> float:
    """Of `chosen` out of `terms` terms."""
    choices = math.lgamma(terms + 1) - math.lgamma(chosen + 1) - math.lgamma(terms - chosen + 1)
    return KINDS + math.log(terms + 1) + choices


def form_structure(forms: int) -> float:
    """Of one of so many named forms."""
    return KINDS + math.log(max(forms, 1))


def description_length(nll: float, numbers: float, records: int, structure: float) -> float:
    """`nll` with the priors' part, `numbers` learnt (of a network those that the data determine), `structure` of all formulas."""
    return nll + 0.5 * numbers * math.log(max(records, 2)) + structure
