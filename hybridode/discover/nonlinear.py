"""Named laws fitted to what a network has learnt: which are worth a refit in the whole model, and where that begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
from scipy.optimize import least_squares

from hybridode.declarations import Declarations
from hybridode.discover.forms import FORMS, Form, Shape
from hybridode.discover.formula import Formula, Number
from hybridode.discover.library import promised
from hybridode.discover.ranking import form_structure
from hybridode.discover.regression import weights_of
from hybridode.discover.samples import Samples
from hybridode.discover.slots import Slot
from hybridode.discover.units import coefficient_unit
from hybridode.discover.written import free_names

MOST_FORMS = 5  # of one slot that are refitted
_WORSE = 5.0  # times what the best leaves: no more is refitted
_STARTS = 4  # of the shapes, the best of a grid, that are followed
_STEPS = 60
_LOWEST, _HIGHEST = 0.003, 3.0  # of a scale, times the largest size of its argument


@dataclass(frozen=True, eq=False)
class FittedForm:
    """A form with its arguments (places among the network's), numbers, and the weighted root mean square that it leaves."""

    form: Form
    places: tuple[int, ...]
    amplitudes: np.ndarray
    shapes: np.ndarray
    residual: float


def fitted_forms(slot: Slot, samples: Samples, forms: Sequence[Form] = FORMS) -> tuple[list[FittedForm], int]:
    """All forms that suit a slot, fitted to its samples, the best first; and how many there are."""
    values, weights = samples.values[:, slot.output], weights_of(samples, slot.output)
    found, count = [], 0
    for form in forms:
        orders = combinations if form.symmetric else permutations
        for places in orders(range(slot.inputs), form.arguments) if form.arguments == slot.inputs else ():
            arguments = [samples.points[:, i] for i in places]
            if not _suits(form, arguments):
                continue
            count += 1
            fitted = _fitted(form, places, arguments, values, weights)
            if fitted is None or not _within(fitted, arguments):
                continue
            if promised(slot.network, lambda z, f=fitted: _curve(f, z), samples.points):
                found.append(fitted)
    return sorted(found, key=lambda f: f.residual), count


def _suits(form: Form, arguments: list[np.ndarray]) -> bool:
    u, low = arguments[0], min(a.min() for a in arguments)
    checks = {"": True, "above": low >= 0, "positive": low > 0, "signs": u.min() < 0 < u.max()}
    return checks[form.needs] and all(a.min() >= 0 for a in arguments[1:])


def _within(f: FittedForm, arguments: list[np.ndarray]) -> bool:
    """Whether the scales lie where the data are: beyond them a law is in a limit in which a simpler one says the same."""
    for shape, value in zip(f.form.shapes, f.shapes, strict=True):
        size = float(np.max(np.abs(arguments[max(shape.of, 0)])))
        if shape.role == "scale" and not _LOWEST * size < value < _HIGHEST * size:
            return False
    return True


def _curve(f: FittedForm, points: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.stack(f.form.basis(*(points[:, i] for i in f.places), *f.shapes), axis=-1) @ f.amplitudes


def _fitted(
    form: Form, places: tuple[int, ...], arguments: list[np.ndarray], values: np.ndarray, weights: np.ndarray
) -> FittedForm | None:
    """By variable projection from the best points of a grid of shapes."""

    def projected(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shapes = _natural(form.shapes, z)
        with np.errstate(all="ignore"):
            columns = np.stack(form.basis(*arguments, *shapes), axis=-1) * weights[:, None]
        if not np.all(np.isfinite(columns)):
            return np.full(len(values), 1e6), np.zeros(columns.shape[1])
        amplitudes = np.linalg.lstsq(columns, values * weights, rcond=1e-12)[0]
        return columns @ amplitudes - values * weights, amplitudes

    grid = [np.array(z) for z in product(*(_grid(s, arguments) for s in form.shapes))]
    size = lambda z: float(np.sum(projected(z)[0] ** 2))  # noqa: E731
    best, best_size = None, np.inf
    for z in sorted(grid, key=size)[:_STARTS]:
        found = least_squares(lambda x: projected(x)[0], z, max_nfev=_STEPS)
        if 2 * found.cost < best_size:
            best, best_size = found.x, 2 * found.cost
    if best is None:
        return None
    shapes, amplitudes = _natural(form.shapes, best), projected(best)[1]
    if not (np.all(np.isfinite(shapes)) and np.all(np.isfinite(amplitudes)) and np.all(amplitudes != 0)):
        return None
    return FittedForm(form, places, amplitudes, shapes, float(np.sqrt(best_size / len(values))))


def _natural(shapes: tuple[Shape, ...], z: np.ndarray) -> np.ndarray:
    """Scales and powers are searched by their logarithms."""
    return np.array([np.exp(np.clip(x, -40, 40)) if s.role in ("scale", "power") else x for s, x in zip(shapes, z, strict=True)])


def _grid(shape: Shape, arguments: list[np.ndarray]) -> np.ndarray:
    """First values of a shape on the scale of the search."""
    if shape.role == "power":
        return np.log([0.5, 1.0, 2.0, 4.0])
    u = arguments[shape.of]
    size = float(np.max(np.abs(u))) or 1.0
    if shape.role == "scale":
        return np.log(size * np.array([0.03, 0.1, 0.3, 1.0, 3.0]))
    if shape.role == "rate":
        return np.array([-3.0, -1.0, -0.3, 0.3, 1.0, 3.0]) / size
    return np.quantile(u, [0.1, 0.3, 0.5, 0.7, 0.9])


def worth_a_refit(fitted: list[FittedForm]) -> list[FittedForm]:
    """The best few, none that leaves much more than the best."""
    return [f for f in fitted[:MOST_FORMS] if f.residual <= _WORSE * max(fitted[0].residual, 1.0)]


def _unit_of(shape: Shape, units: Sequence[str]) -> str:
    """The unit of a number inside, "" of none and where an argument has none."""
    if shape.of < 0 or not units[shape.of]:
        return ""
    chosen, powers = [units[shape.of]], [-shape.power]
    if shape.over >= 0:
        chosen, powers = [*chosen, units[shape.over]], [*powers, 1.0]
    return coefficient_unit("1", chosen, powers)


def form_formula(d: Declarations, slot: Slot, fitted: FittedForm, count: int, terms: int) -> Formula:
    """A fitted form as a formula of the slot, out of `count` that suit it, beside a library of `terms`."""
    form = fitted.form
    suffix = f"_{slot.label}" if slot.label else ""
    wanted = [("v" if n.name == "v0" else n.name) + suffix for n in (*form.amplitudes, *form.shapes)]
    names = list(free_names(d, wanted, slot.short).values())
    units = tuple(slot.units[i] for i in fitted.places)
    numbers = [
        Number(name, float(x), coefficient_unit(slot.unit, units, a.powers))
        for name, a, x in zip(names, form.amplitudes, fitted.amplitudes, strict=False)
    ]
    for name, s, x in zip(names[len(numbers) :], form.shapes, fitted.shapes, strict=True):
        numbers.append(Number(name, float(x), _unit_of(s, units), log=s.role in ("scale", "power")))
    letters = dict(zip("uv", (slot.arguments[i] for i in fitted.places), strict=False))
    for letter, unit in zip(list(letters), units, strict=True):
        letters[f"bare_{letter}"] = letters[letter] if unit in ("", "1") else f"({letters[letter]}/(1 [{unit}]))"
    spelled = dict(zip((n.name for n in (*form.amplitudes, *form.shapes)), names, strict=True))
    split = len(form.amplitudes)

    def curve(points: np.ndarray, values: Mapping[str, float]) -> np.ndarray:
        x = np.array([values[n] for n in names])
        with np.errstate(all="ignore"):
            return np.stack(form.basis(*(points[:, i] for i in fitted.places), *x[split:]), axis=-1) @ x[:split]

    said = form.kind
    if form.multiplied and slot.multiplied and slot.multiplied[fitted.places[0]]:
        said = f"a {form.kind}: times `{letters['u']}`, as it stands in the model, {form.multiplied}"
    structure = form_structure(count, len(numbers), terms)
    return Formula(form.text.format(**letters, **spelled), tuple(numbers), form.kind, structure, curve, said)
