"""`Declarations`: what a file says, checked, and nothing else.

Names are resolved, functions inlined, shapes known, numbers evaluated; every expression is a sequence of scalar
`Expr` (one entry per element, row-major; a scalar has one): a tuple, or `rolled.Rolled` where it is a large family. Nothing here
says how the model is solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from hybridode.errors import Diagnostic, Source, Span
from hybridode.expr import Expr

Shape = tuple[int, ...]

# What the language promises of `if` in dynamics (rule B12): located like an event, up to so many conditions and states.
MOST_LOCATED_CHOICES = 16  # looking at one costs about as much as an event
MOST_STATES_WITH_LOCATED_CHOICES = 100


def size(shape: Shape) -> int:
    """Number of entries of a shape."""
    n = 1
    for d in shape:
        n *= d
    return n


def entry_names(name: str, shape: Shape) -> tuple[str, ...]:
    """User's names of all entries: `x`, or `x[1]`, `x[2]`, …, or `w[1, 1]`, …"""
    if not shape:
        return (name,)
    labels = [""]
    for d in shape:
        labels = [f"{label}, {i}" if label else str(i) for label in labels for i in range(1, d + 1)]
    return tuple(f"{name}[{label}]" for label in labels)


def group_entry(name: str, label: str) -> str:
    """The value of an entry (or of a whole parameter) under a label: `k[north]`, `k[2][north]`, `x(0)[north]`."""
    return f"{name}[{label}]"


@dataclass(frozen=True)
class Parameter:
    """A learnable number or vector: a `param`, or the learnt start of a state (`name` is then `x(0)`).

    `lower`/`upper` are open bounds or None; `scale` is "linear", "log" or "logit"; `fixed` keeps it out of a fit. With `by`, a
    column of the data, each label in it has values of its own: `groups` holds those that are known, `values` stand for others.
    """

    name: str
    values: tuple[float, ...]
    shape: Shape = ()
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    scale: str = "linear"
    fixed: bool = False
    doc: str = ""
    span: Span | None = field(default=None, compare=False)
    start_of: str = ""  # the state whose start this is
    by: str = ""
    groups: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def values_of(self, label: str) -> tuple[float, ...]:
        """The values under a label of the column `by`; those that stand for all where it has none of its own."""
        return next((values for known, values in self.groups if known == label), self.values)


@dataclass(frozen=True)
class Constant:
    """A number that is never learnt. Expressions read it as a symbol of kind "constant"; passes may fold it."""

    name: str
    values: tuple[float, ...]
    shape: Shape = ()
    unit: str = ""
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class State:
    """A state with its dynamics and its start.

    `start` may read parameters, constants, start_input symbols, time (the start), nets, definitions and other
    states (their starts; the checker excludes circles). `rate` is the right side of x' = … . `velocity_of` names the
    position when this state was made by `x''` (this one is then called `x'`).

    An `implicit` state has no right side: `rate` is empty, and its derivative (a symbol of kind "derivative") is an unknown
    of `Declarations.equations`. `start_given` says where the start comes from: "value" (`state x = 1`), "equation"
    (`x(0) = …`), "learnt", or "" (nothing was said, `start` is 0).
    """

    name: str
    start: Sequence[Expr]
    rate: Sequence[Expr]
    shape: Shape = ()
    unit: str = ""
    doc: str = ""
    velocity_of: str = ""
    span: Span | None = field(default=None, compare=False)  # of the declaration
    rate_spans: tuple[Span, ...] = field(default=(), compare=False)  # of the equation(s), one per entry or one for all
    discrete: bool = False  # changed by events only: its rate is 0
    implicit: bool = False
    start_given: str = ""


@dataclass(frozen=True)
class Algebraic:
    """An algebraic unknown, `alg z = 0`: a quantity that equations determine at every instant, without a derivative.

    Expressions read it as a symbol of kind "algebraic". `guess` is where the search for consistent values begins at the start; it
    may read what a state's start may read, and stands for the unknown where the start of a state reads it.
    """

    name: str
    guess: Sequence[Expr]
    shape: Shape = ()
    unit: str = ""
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Equation:
    """What is neither a definition nor an explicit rate nor a start: `0 = …`, `lhs = rhs`, `C*V' = …`, `z = …` for an `alg z`.

    `residuals` has one expression per entry, lhs - rhs (the other side alone where one is the number 0); each is 0 at all times.
    They read states, derivatives, algebraic unknowns and whatever a right side may read. `sides` are the sides as written.
    """

    residuals: Sequence[Expr]
    shape: Shape = ()
    span: Span | None = field(default=None, compare=False)
    sides: tuple[str, str] = field(default=("", ""), compare=False)

    @property
    def text(self) -> str:
        """The equation as written, without its `for`."""
        return " = ".join(self.sides)


@dataclass(frozen=True)
class Definition:
    """An intermediate `y = expr`, retrievable by name. `boolean` ones hold conditions."""

    name: str
    elements: Sequence[Expr]
    shape: Shape = ()
    boolean: bool = False
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Network:
    """A learnable term. See language.md "Networks" for the meaning of the options.

    `scale`, `shift` (one per input) and `out_scale` (one number) are None until given in the text or taken from data.
    `equation` is the state (or definition) in whose equation an inline net stands: its size sets the outputs' scale.
    """

    name: str
    inputs: int
    outputs: Shape  # () for one scalar output, (2,), (8, 3), …
    hidden: tuple[int, ...] = (16, 16)
    act: str = "tanh"  # tanh softplus swish gelu relu rbf sin sigmoid
    final: str = "linear"  # linear or an activation
    init: str = "small"  # small zero glorot
    symmetry: str = ""  # odd even
    monotone: tuple[str, ...] = ()  # per input: up down none
    positive: bool = False
    zero_at: tuple[float | None, ...] = ()  # per input: the output is 0 where all inputs with a number have it
    reg_l1: float = 0.0
    reg_l2: float = 0.0
    freeze: bool = False
    seed: int | None = None
    weights: str = ""  # a safetensors file, relative to the model
    scale: tuple[float, ...] | None = None
    shift: tuple[float, ...] | None = None
    out_scale: float | None = None
    inline: bool = False
    equation: str = ""
    argument_texts: tuple[str, ...] = ()  # as written, for reports
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class InputSignal:
    """An exogenous signal. `columns` has one (source, column) per entry; source "data" is the fitted file,
    `"file.csv"` (quoted in the text) a file beside the model, any other name a `--source NAME=FILE`."""

    name: str
    columns: tuple[tuple[str, str], ...]
    shape: Shape = ()
    unit: str = ""
    interpolation: str = "linear"  # previous next linear cubic hermite akima rectilinear
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Table:
    """A lookup table of one or two arguments. 1-D: `axes` = (x,), `values` along x. 2-D: row-major over axes[0] x axes[1].
    Held constant outside. interpolation: linear, previous, next, cubic (natural spline), akima."""

    name: str
    arguments: tuple[str, ...]
    axes: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    interpolation: str = "linear"
    unit: str = ""
    doc: str = ""
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Assignment:
    """`state[entry] := value` in an event; `value` reads what was before."""

    state: str
    entry: int  # flat, 0-based; -1 for a scalar
    value: Expr
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AtEvent:
    """`at time every period until last { … }`. Times are expressions of parameters and constants only. `stop` ends the run."""

    time: Expr
    assignments: tuple[Assignment, ...]
    every: Expr | None = None
    until: Expr | None = None
    stop: bool = False
    span: Span | None = field(default=None, compare=False)


class DoseForm(IntEnum):
    """How a dosing record gives its amount: at once, with a rate or duration of its own, or with that of the `dose` statement."""

    UNUSED, BOLUS, RATE, DURATION, MODELLED_RATE, MODELLED_DURATION = range(6)


@dataclass(frozen=True)
class Dose:
    """`dose state[entry], lag=…, bioavailability=…`: what the doses of the data do. The options are expressions of parameters and
    constants; None: no lag, all of the amount arrives, no modelled rate or duration.

    `infused`: the data have infusions into it (see `data/doses`); there is then a discrete state `infusion`, the rate that flows
    in, which the rate of the state holds as a term.
    """

    state: str
    entry: int  # flat, 0-based; -1 for a scalar
    lag: Expr | None = None
    bioavailability: Expr | None = None
    rate: Expr | None = None
    duration: Expr | None = None
    infused: bool = False
    span: Span | None = field(default=None, compare=False)

    @property
    def target(self) -> str:
        """What the user calls it."""
        return self.state if self.entry < 0 else f"{self.state}[{self.entry + 1}]"

    @property
    def infusion(self) -> str:
        """The name of the rate of infusion."""
        return f"{self.target}.infusion"

    @property
    def options(self) -> dict[str, Expr]:
        """What was said, by the word that says it."""
        named = {"lag": self.lag, "bioavailability": self.bioavailability, "rate": self.rate, "duration": self.duration}
        return {name: e for name, e in named.items() if e is not None}


@dataclass(frozen=True)
class WhenEvent:
    """`event name when condition { … }`, one per index of an indexed event (`spike[3]`).

    A condition fires when it turns true; a number (`boolean` is False) when it changes sign: `direction` is "rising", "falling"
    or "either" ("rising" for conditions). `at_start`: it also fires at the start, if it is true (0) there. `stop` ends the run.
    """

    name: str
    condition: Expr
    boolean: bool
    assignments: tuple[Assignment, ...]
    direction: str = "rising"
    at_start: bool = False
    stop: bool = False
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Observation:
    """One column of data and its distribution. `arguments` maps the canonical argument names of the distribution
    (normal: mean, sd; lognormal: median, sd; student: df, loc, scale; poisson: mean; negbinomial: mean, k;
    bernoulli: p or logit; categorical: logits[1], logits[2], … of the classes) to scalar expressions.
    A vector observation is one of these per entry (`y[1]`, …)."""

    column: str
    distribution: str
    arguments: tuple[tuple[str, Expr], ...]
    at: str = ""  # "", "end", "start"
    censored_below: Expr | None = None
    censored_above: Expr | None = None
    unit: str = ""
    doc: str = ""
    inferred: bool = False  # written by us because the file has no `observe`
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Prior:
    """`prior k ~ …`: `parameter` names a Parameter, `entry` its flat entry or -1 for all; arguments are expressions of constants.
    Distributions: those of observe, and uniform(lower, upper), beta(a, b), gamma(shape, rate), halfnormal(sd),
    exponential(rate), laplace(loc, b)."""

    parameter: str
    entry: int
    distribution: str
    arguments: tuple[tuple[str, Expr], ...]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Declarations:
    """A checked model. Tuples are in file order (learnt starts after the params, made velocities after their positions)."""

    source: Source
    name: str
    doc: str = ""
    time: str = "t"
    time_unit: str = ""
    time_origin: Expr | None = None
    time_date: str = ""  # the instant at which the time is 0 (ISO 8601), when the file gives one: `from "1978-01-22"`
    units: str = ""  # warn | off | "" (no unit was given)
    parameters: tuple[Parameter, ...] = ()
    constants: tuple[Constant, ...] = ()
    states: tuple[State, ...] = ()
    algebraics: tuple[Algebraic, ...] = ()
    equations: tuple[Equation, ...] = ()
    definitions: tuple[Definition, ...] = ()
    networks: tuple[Network, ...] = ()
    inputs: tuple[InputSignal, ...] = ()
    tables: tuple[Table, ...] = ()
    at_events: tuple[AtEvent, ...] = ()
    when_events: tuple[WhenEvent, ...] = ()
    doses: tuple[Dose, ...] = ()
    observations: tuple[Observation, ...] = ()
    priors: tuple[Prior, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    starts_read: frozenset[str] = frozenset()  # states whose starts dynamics read as `x(0)`: they stand written out there
    starts_followed: frozenset[str] = frozenset()  # these, and states whose starts the starts of others read

    def unit_of(self, name: str) -> str:
        """The declared unit of a param, const, state, alg or input, "" if none."""
        for group in (self.parameters, self.constants, self.states, self.algebraics, self.inputs):
            for item in group:
                if item.name == name:
                    return item.unit
        return ""
