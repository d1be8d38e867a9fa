"""Distributions after `~`: their arguments, their support, and where each may stand (rule F3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame
from hybridode.language.later import refuse
from hybridode.language.names import count, listing, nearest
from hybridode.language.values import NotConstant, Value, evaluate


class Distribution(NamedTuple):
    """`arguments` in positional order; of `choices` exactly one is given (the first may be positional). Those in `vectors` are
    vectors that belong to one observation.

    `lower`, `upper` bound the support; names in `positive` must be above 0. `centre` is a typical value."""

    arguments: tuple[str, ...]
    positive: tuple[str, ...] = ()
    observes: bool = False
    prior: bool = True
    choices: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    lower: float | None = None
    upper: float | None = None
    centre: Callable[..., float] = lambda first, *_: first

    def usage(self, name: str) -> str:
        if self.choices:
            return f"{name}({self.choices[0]}) or {name}({self.choices[1]}=…)"
        if self.vectors:
            return f"{name}({', '.join(f'{a}=…' for a in self.arguments)})"
        return f"{name}({', '.join(self.arguments)})"


DISTRIBUTIONS: dict[str, Distribution] = {
    "normal": Distribution(("mean", "sd"), ("sd",), observes=True),
    "lognormal": Distribution(("median", "sd"), ("median", "sd"), observes=True, lower=0.0),
    "student": Distribution(("df", "loc", "scale"), ("df", "scale"), observes=True, centre=lambda df, loc, scale: loc),
    "laplace": Distribution(("loc", "b"), ("b",), observes=True),
    "poisson": Distribution(("mean",), (), observes=True, prior=False),
    "negbinomial": Distribution(("mean", "k"), ("k",), observes=True, prior=False),
    "bernoulli": Distribution((), (), observes=True, prior=False, choices=("p", "logit")),
    "categorical": Distribution(("logits",), (), observes=True, prior=False, vectors=("logits",)),
    "uniform": Distribution(("lower", "upper"), centre=lambda a, b: 0.5 * (a + b)),
    "beta": Distribution(("a", "b"), ("a", "b"), lower=0.0, upper=1.0, centre=lambda a, b: a / (a + b)),
    "gamma": Distribution(("shape", "rate"), ("shape", "rate"), lower=0.0, centre=lambda a, b: a / b),
    "halfnormal": Distribution(("sd",), ("sd",), lower=0.0),
    "exponential": Distribution(("rate",), ("rate",), lower=0.0, centre=lambda rate: 1 / rate),
}
_LATER = ("mvnormal",)
_FOREIGN = {
    "gaussian": "normal", "norm": "normal", "gauss": "normal", "studentt": "student", "t": "student", "student_t": "student",
    "negative_binomial": "negbinomial", "nbinom": "negbinomial", "neg_binomial": "negbinomial", "binomial": "bernoulli",
    "multinomial": "categorical", "softmax": "categorical", "categories": "categorical",
    "half_normal": "halfnormal", "log_normal": "lognormal", "expon": "exponential", "logistic": "student",
}  # fmt: skip


def find(el: Elaboration, d: s.Distribution, observing: bool) -> Distribution | None:
    """The row of a distribution that may stand here, or a report."""
    row = DISTRIBUTIONS.get(d.name)
    name_place = el.findings.source.span(d.start, d.start + len(d.name))
    if row is not None and (row.observes if observing else row.prior):
        return row
    if d.name in _LATER:
        refuse(el.findings, "distribution", name_place, f"the distribution `{d.name}`")
        return None
    names = [n for n, r in DISTRIBUTIONS.items() if (r.observes if observing else r.prior)]
    if row is not None:
        place = "an observation" if observing else "a prior (it is for counts and classes)"
        el.findings.error("E0319", f"`{d.name}` cannot be {place}", name_place, f"write {listing(names, 'or', 12)}")
        return None
    guess = _FOREIGN.get(d.name.casefold()) or nearest(d.name, names)
    hint = f"did you mean `{guess}`?" if guess in names else f"write {listing(names, 'or', 12)}"
    el.findings.error("E0319", f"there is no distribution `{d.name}`", name_place, hint)
    return None


def arguments(el: Elaboration, d: s.Distribution, row: Distribution, frame: Frame) -> dict[str, Value] | None:
    """The values of a distribution's arguments by their canonical names; None after an error."""
    given = _by_name(el, d, row)
    if given is None:
        return None
    values: dict[str, Value] = {}
    sound = True
    for name, node in given.items():
        value = el.evaluate(node, frame)
        if value is None or not el.is_number(value, node, frame):
            sound = False
            continue
        values[name] = value
        sound = (name not in row.positive or _is_positive(el, value, name, d, row.usage(d.name), node)) and sound
    return values if sound else None


def _by_name(el: Elaboration, d: s.Distribution, row: Distribution) -> dict[str, s.Node] | None:
    """Positional and named arguments in canonical order."""
    usage = f"write `{row.usage(d.name)}`"
    names = row.arguments or row.choices
    positional = [a for a in d.arguments if not isinstance(a, s.Option)]
    most = len(row.arguments) or 1
    if len(positional) > most:
        el.findings.error("E0319", f"`{d.name}` takes {count(most, 'argument')}, {len(positional)} are given", d, usage)
        return None
    given: dict[str, s.Node] = dict(zip(names, positional, strict=False))
    for option in d.arguments:
        if not isinstance(option, s.Option):
            continue
        if option.name not in names:
            guess = nearest(option.name, names)
            hint = f"did you mean `{guess}`?" if guess else usage
            el.findings.error("E0319", f"`{d.name}` has no argument `{option.name}`", option, hint)
            return None
        if option.name in given or option.value is None or isinstance(option.value, s.Text):
            what = "is given twice" if option.name in given else "needs a value"
            el.findings.error("E0319", f"`{option.name}` of `{d.name}` {what}", option, usage)
            return None
        given[option.name] = option.value
    if row.choices:
        if len(given) == 1:
            return given
        el.findings.error("E0319", f"`{d.name}` takes one of {listing(row.choices, 'and')}", d, usage)
        return None
    missing = [name for name in names if name not in given]
    if missing:
        el.findings.error("E0319", f"`{d.name}` lacks {listing(missing)}", d, usage)
        return None
    return {name: given[name] for name in names}


def _is_positive(el: Elaboration, value: Value, name: str, d: s.Distribution, row_usage: str, place: s.Node) -> bool:
    """False (and a report) if a constant argument is 0 or negative; what is not constant is seen when it runs."""
    for element in value.elements:
        try:
            number = evaluate(element, el.scope.known)
        except NotConstant:
            continue
        if not number > 0:
            el.findings.error(
                "E0319", f"`{name}` of `{d.name}` must be positive, this is {number:g}", place, f"it is `{row_usage}`"
            )
            return False
    return True
