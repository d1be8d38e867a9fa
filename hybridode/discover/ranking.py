"""Description length: what it costs to say the data with a formula, in natural logarithms.

    DL = (negative log-likelihood) + k/2 ln n + (which formula it is)

k numbers learnt from n records, each at the precision that the data give it (J. Rissanen, Automatica 14 (1978) 465). Which
formula it is: ln 2 for the kind, sparse or of a named form. A sparse one of k of P terms costs (k + 1) ln 2 for k, every further
term being half as probable, and ln C(P, k) for which they are: the price of looking through many terms, as in the extended BIC
with gamma = 1 (J. Chen, Z. Chen, Biometrika 95 (2008) 759). A named form costs ln of how many suit the slot, and each of its
numbers beyond the first as much as one term more: ln 2 + ln P.
"""

from __future__ import annotations

import math

HALF = math.log(2.0)


def sparse_structure(terms: int, chosen: int) -> float:
    """Of `chosen` out of `terms` terms."""
    choices = math.lgamma(terms + 1) - math.lgamma(chosen + 1) - math.lgamma(terms - chosen + 1)
    return HALF + (chosen + 1) * HALF + choices


def form_structure(forms: int, numbers: int, terms: int) -> float:
    """Of one of so many named forms, with so many numbers, beside a library of so many terms."""
    return HALF + math.log(max(forms, 1)) + 2 * HALF + (numbers - 1) * (HALF + math.log(max(terms, 2)))


def description_length(nll: float, numbers: float, records: int, structure: float) -> float:
    """`nll` with the priors' part, `numbers` learnt (of a network those that the data determine), `structure` of all formulas."""
    return nll + 0.5 * numbers * math.log(max(records, 2)) + structure
