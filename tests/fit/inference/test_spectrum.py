"""The spectrum against matrices whose directions are known."""

from __future__ import annotations

import numpy as np

from hybridode.declarations import Parameter
from hybridode.fit.inference.spectrum import spectrum
from hybridode.fit.parameters import parameter_space


def space_of(*names: str):
    return parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in names))


def test_product_and_ratio():
    product, ratio = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    found = spectrum(space_of("k1", "k2"), np.log([2.0, 3.0]), 400 * np.outer(product, product) + 1e-4 * np.outer(ratio, ratio))
    stiff, sloppy = found.directions
    assert stiff.text == "k1*k2" and sloppy.text in ("k1/k2", "k2/k1")
    np.testing.assert_allclose([stiff.eigenvalue, sloppy.eigenvalue], [400, 1e-4], rtol=1e-6)
    np.testing.assert_allclose(found.condition, 4e6, rtol=1e-5)
    assert stiff.determined and not sloppy.determined
    assert "1 of 2 directions" in found.sentences()[0] and "`k1*k2`" in found.sentences()[0]


def test_linear_parameters_count_in_shares_of_their_value():
    """y = a*t with sd 0.1: relative standard deviation of a is 0.1/(a sqrt(sum t^2)), whatever the scale of the search."""
    t = np.linspace(0, 2, 9)
    for scale, transform in (("linear", lambda a: a / 1.0), ("log", np.log)):
        space = parameter_space((Parameter("a", (1.0,), lower=0.0 if scale == "log" else None, scale=scale),))
        a = 2.5
        slope = a if scale == "log" else 1.0
        fisher = np.array([[np.sum((slope * t) ** 2) / 0.01]])
        found = spectrum(space, np.array([transform(a)]), fisher)
        np.testing.assert_allclose(found.directions[0].sd, 0.1 / (a * np.sqrt(np.sum(t**2))), rtol=1e-6)


def test_nothing_known_has_no_condition():
    found = spectrum(space_of("a", "b"), np.zeros(2), np.diag([4.0, 0.0]))
    assert found.condition == np.inf and found.content()["condition_reason"]
    assert [d.text for d in found.directions] == ["a", "b"]
    assert found.directions[1].sd == np.inf
