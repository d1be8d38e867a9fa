"""The table of named laws: what is written into a model computes what was fitted, and each law is found in samples of itself."""

from __future__ import annotations

import numpy as np
import pytest

import hybridode.api as ho
from hybridode.declarations import Network
from hybridode.discover.forms import FORMS, Form
from hybridode.discover.nonlinear import fitted_forms
from hybridode.discover.samples import Samples
from hybridode.discover.slots import Slot

VALUES = {"scale": (0.9, 1.7), "power": (2.5, 1.3), "rate": (0.6,), "place": (1.2,)}


def numbers(form: Form) -> tuple[list[float], list[float]]:
    """Amplitudes and shapes to try a form at."""
    amplitudes = [0.7, -0.4, 0.3][: len(form.amplitudes)]
    seen: dict[str, int] = {}
    shapes = []
    for shape in form.shapes:
        shapes.append(VALUES[shape.role][seen.setdefault(shape.role, 0)])
        seen[shape.role] += 1
    return amplitudes, shapes


def points(form: Form) -> np.ndarray:
    low = -3.0 if form.needs == "signs" else 0.1
    return np.random.default_rng(1).uniform(low, 3.0, (40, form.arguments))


def test_texts_say_what_the_columns_compute() -> None:
    """Each law as a definition of one model, at the values of its parameters, against its columns in NumPy."""
    lines, expected = ["model forms", "state u = 0.3", "state v = 0.8", "u' = 0.3", "v' = 0.2"], {}
    t = np.linspace(0, 5, 11)
    u, v = 0.3 + 0.3 * t, 0.8 + 0.2 * t
    for k, form in enumerate(FORMS):
        amplitudes, shapes = numbers(form)
        names = {n.name: f"p{k}_{n.name}" for n in (*form.amplitudes, *form.shapes)}
        lines += [f"param {p} = {x}" for p, x in zip(names.values(), [*amplitudes, *shapes], strict=True)]
        lines.append(f"law{k} = {form.text.format(u='u', v='v', bare_u='u', bare_v='v', **names)}")
        expected[f"law{k}"] = np.stack(form.basis(*(u, v)[: form.arguments], *shapes), axis=-1) @ amplitudes
    sol = ho.parse("\n".join(lines) + "\n").simulate(at=t)
    for name, values in expected.items():
        np.testing.assert_allclose(sol[name], values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
def test_a_law_is_found_in_samples_of_itself(form: Form) -> None:
    """From first values that know its samples only."""
    z = points(form)
    amplitudes, shapes = numbers(form)
    values = np.stack(form.basis(*z.T, *shapes), axis=-1) @ amplitudes
    network = Network("N", form.arguments, ())
    names = ("u", "v")[: form.arguments]
    slot = Slot(network, 0, names, names, "", "N", (False,) * form.arguments, "", ("",) * form.arguments)
    samples = Samples(network, z, np.ones(len(z)), values[:, None], np.full((len(z), 1), np.nan), np.zeros((0, len(z), 1)))
    found, _ = fitted_forms(slot, samples, [form])
    mine = next(f for f in found if f.places == tuple(range(form.arguments)))
    assert mine.residual < 1e-3
    np.testing.assert_allclose(np.stack(form.basis(*z.T, *mine.shapes), axis=-1) @ mine.amplitudes, values, atol=1e-4)


def test_a_law_in_its_limit_is_left_out() -> None:
    """A straight line is Michaelis and Menten's law at an infinite K."""
    z = np.linspace(0.1, 1, 30)[:, None]
    network = Network("N", 1, ())
    slot = Slot(network, 0, ("u",), ("u",), "", "N", (False,), "", ("",))
    samples = Samples(network, z, np.ones(30), 2 * z, np.full((30, 1), np.nan), np.zeros((0, 30, 1)))
    tried = [form for form in FORMS if form.kind in ("Michaelis and Menten's law", "power law")]
    assert {f.form.kind for f in fitted_forms(slot, samples, tried)[0]} == {"power law"}
