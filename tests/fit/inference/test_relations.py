"""Combinations that are determined, against ones that are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.declarations import Parameter
from hybridode.fit.inference.relations import combination_of, partners
from hybridode.fit.parameters import parameter_space

T = np.linspace(0.1, 3, 12)
CASES = {
    "k1*k2": lambda p: p[0] * p[1] * np.exp(-p[2] * T),
    "k1/k2": lambda p: p[0] / p[1] * np.exp(-p[2] * T),
    "k1*k2^2": lambda p: p[0] * p[1] ** 2 * np.exp(-p[2] * T),
    "k1*k2/k3": lambda p: p[0] * p[1] / p[2] * T,
    "k1 + k2": lambda p: (p[0] + p[1]) * T + p[2],
    "k1 - k2": lambda p: (p[0] - p[1]) * T + p[2],
}
VALUES = {
    "k1*k2": lambda k1, k2, k3: k1 * k2,
    "k1/k2": lambda k1, k2, k3: k1 / k2,
    "k1*k2^2": lambda k1, k2, k3: k1 * k2**2,
    "k1*k2/k3": lambda k1, k2, k3: k1 * k2 / k3,
    "k1 + k2": lambda k1, k2, k3: k1 + k2,
    "k1 - k2": lambda k1, k2, k3: k1 - k2,
}
AT = {"k1 - k2": [3.0, 1.0, 0.5]}


def jacobian(model, x):
    h = 1e-6
    return np.stack([(model(x + h * e) - model(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=1)


def valley(text, x):
    """Points on which the combination is what it is at x, while k1 moves by a factor of e to both sides."""
    points = []
    for f in np.exp(np.linspace(-0.3, 0.3, 7)):
        k1 = x[0] * f
        k2 = {"k1*k2": x[1] / f, "k1/k2": x[1] * f, "k1*k2^2": x[1] / f**0.5, "k1*k2/k3": x[1] / f,
              "k1 + k2": x[0] + x[1] - k1, "k1 - k2": x[1] - x[0] + k1}[text]  # fmt: skip
        points.append([k1, k2, x[2]])
    return np.log(points)


@pytest.mark.parametrize("text", CASES)
def test_combination(text):
    space = parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in ("k1", "k2", "k3")))
    x = np.array(AT.get(text, [2.0, 1.3, 0.5]))
    j = jacobian(CASES[text], x) * x / 0.01  # with respect to logarithms
    found = combination_of(space, np.log(x), j.T @ j, 0, valley(text, x))
    assert found is not None and found.text == text
    np.testing.assert_allclose(found.value, VALUES[text](*x), rtol=1e-6)
    assert found.sd < 0.1
    assert 1 in partners(j.T @ j, 0)


def test_what_is_not_simple_is_not_named():
    """k1 + k2 k3 stays, no monomial and no sum does."""
    space = parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in ("k1", "k2", "k3")))
    x = np.array([2.0, 1.7, 0.6])
    j = jacobian(lambda p: (p[0] + p[1] * p[2]) * T, x) * x / 0.01
    path = np.log([[x[0] * f, (x[0] + x[1] * x[2] - x[0] * f) / x[2], x[2]] for f in np.linspace(0.8, 1.2, 5)])
    assert combination_of(space, np.log(x), j.T @ j, 0, path) is None
    assert set(partners(j.T @ j, 0)) == {1, 2}


def test_what_is_determined_has_no_combination():
    space = parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in ("k1", "k2", "k3")))
    assert combination_of(space, np.zeros(3), np.eye(3), 0, np.zeros((3, 3))) is None
    assert partners(np.eye(3), 0) == []
