"""Networks: sizes, options, and the names of inline ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from hybridode.declarations import Network, Shape, entry_names, size
from hybridode.language import syntax as s
from hybridode.language.findings import Place
from hybridode.language.frames import CONSTANTS, Elaboration, Frame, Usage
from hybridode.language.names import count, listing, nearest
from hybridode.language.values import MOST_ENTRIES

ACTIVATIONS = ("tanh", "softplus", "swish", "gelu", "relu", "rbf", "sin", "sigmoid")
_WORDS: dict[str, tuple[str, ...]] = {
    "act": ACTIVATIONS,
    "final": ("linear", *ACTIVATIONS),
    "init": ("small", "zero", "glorot"),
    "symmetry": ("odd", "even"),
}
_FLAGS = ("positive", "freeze")
OPTIONS = ("hidden", *_WORDS, "monotone", "zero_at", *_FLAGS, "reg", "seed", "weights", "scale", "shift", "out_scale")
_DIRECTIONS = ("up", "down", "none")


class Wrong(Exception):
    """An option's value is not what it should be: the message and how to write it."""

    def __init__(self, place: Place, message: str, hint: str = "", code: str = "E0504") -> None:
        super().__init__(message)
        self.place, self.message, self.hint, self.code = place, message, hint, code


class _Reader(NamedTuple):
    """Reads option values: words as words, numbers as constants."""

    el: Elaboration
    inputs: int

    def word(self, option: s.Option, value: Any, among: Iterable[str]) -> str:
        allowed = tuple(among)
        word = value.name if isinstance(value, s.Ref) else ""
        if word not in allowed:
            guess = nearest(word, allowed)
            found = f"`{word}`" if word else "this"
            hint = f"did you mean `{guess}`?" if guess else f"write {listing(allowed, 'or')}"
            raise Wrong(value or option, f"{found} is no value of `{option.name}`", hint)
        return word

    def numbers(self, option: s.Option, value: Any, hint: str) -> tuple[float, ...]:
        """A list of constants (a scalar gives one number)."""
        if value is None or isinstance(value, s.Text):
            raise Wrong(option, f"`{option.name}` needs a value", hint)
        frame = Frame(Usage(f"`{option.name}`", CONSTANTS))
        if isinstance(value, s.ListLiteral) and not value.items:
            return ()
        found = self.el.evaluate(value, frame)
        numbers = None if found is None or not self.el.is_number(found, value, frame) else self.el.constant(found, value, frame)
        if numbers is not None and not all(map(math.isfinite, numbers)):
            raise Wrong(value, f"`{option.name}` is made of finite numbers", hint)
        if numbers is None or found is None or len(found.shape) > 1:
            raise Wrong(value, "" if numbers is None else f"`{option.name}` is a plain list", hint)
        return numbers


def _hidden(read: _Reader, option: s.Option) -> dict[str, Any]:
    hint = "write `hidden=[16, 16]`"
    if not isinstance(option.value, s.ListLiteral):
        raise Wrong(option, "`hidden` is a list of layer sizes", hint)
    sizes = read.numbers(option, option.value, hint)
    if any(not 1 <= n <= 10_000 or n != int(n) for n in sizes):
        raise Wrong(option.value, "a layer's size is a whole number from 1 to 10000", hint)
    return {"hidden": tuple(int(n) for n in sizes)}


def _monotone(read: _Reader, option: s.Option) -> dict[str, Any]:
    if isinstance(option.value, s.ListLiteral):
        words = tuple(read.word(option, item, _DIRECTIONS) for item in option.value.items)
    else:
        words = (read.word(option, option.value, _DIRECTIONS),) * read.inputs
    if len(words) != read.inputs:
        hint = "one word per input: `up`, `down` or `none`"
        raise Wrong(option, f"`monotone` has {count(len(words), 'word')} for {count(read.inputs, 'input')}", hint)
    return {"monotone": words}


def _zero_at(read: _Reader, option: s.Option) -> dict[str, Any]:
    hint = "one number per input, or `none` where the output is 0 whatever this input is: `zero_at=[0, none]`"
    items = option.value.items if isinstance(option.value, s.ListLiteral) else (option.value,)
    if len(items) != read.inputs:
        raise Wrong(option, f"`zero_at` has {count(len(items), 'number')} for {count(read.inputs, 'input')}", hint)
    free = [isinstance(item, s.Ref) and item.name == "none" for item in items]
    if all(free):
        raise Wrong(option, "`zero_at` needs a number for at least one input", hint)
    pairs = zip(items, free, strict=True)
    return {"zero_at": tuple(None if none else _one(read, option, item, hint)[0] for item, none in pairs)}


def _flag(_: _Reader, option: s.Option) -> dict[str, Any]:
    if option.value is not None:
        raise Wrong(option, f"`{option.name}` takes no value", f"write `{option.name}` alone")
    return {option.name: True}


def _regularisation(read: _Reader, option: s.Option) -> dict[str, Any]:
    hint = "write `reg=l2(1e-4)` or `reg=l1(1e-5) + l2(1e-4)`"
    value = option.value
    terms = [value] if not isinstance(value, s.Chain) else [value.first, *(e for o, e in value.rest if o == "+")]
    if isinstance(value, s.Chain) and len(terms) != len(value.rest) + 1:
        raise Wrong(value, "`reg` is a sum", hint)
    found: dict[str, Any] = {}
    for term in terms:
        if not (isinstance(term, s.Call) and isinstance(term.function, s.Ref) and term.function.name in ("l1", "l2")):
            raise Wrong(term or option, "`reg` is made of `l1(…)` and `l2(…)`", hint)
        key = f"reg_{term.function.name}"
        if len(term.arguments) != 1 or key in found:
            raise Wrong(term, f"`{term.function.name}` stands once, with one number", hint)
        (found[key],) = _one(read, option, term.arguments[0], hint)
        if found[key] < 0:
            raise Wrong(term, "a penalty is not negative", hint)
    return found


def _one(read: _Reader, option: s.Option, value: Any, hint: str) -> tuple[float]:
    numbers = read.numbers(option, value, hint)
    if isinstance(value, s.ListLiteral) or len(numbers) != 1:
        raise Wrong(value, f"`{option.name}` is one number", hint)
    return (numbers[0],)


def _seed(read: _Reader, option: s.Option) -> dict[str, Any]:
    (seed,) = _one(read, option, option.value, "write `seed=1`")
    if not 0 <= seed < 2**32 or seed != int(seed):
        raise Wrong(option, "`seed` is a whole number from 0 to 4294967295", "write `seed=1`")
    return {"seed": int(seed)}


def _weights(_: _Reader, option: s.Option) -> dict[str, Any]:
    if not isinstance(option.value, s.Text) or not option.value.value:
        raise Wrong(option, "`weights` is a file name in quotes", 'write `weights="weights.safetensors"`')
    return {"weights": option.value.value}


def _per_input(read: _Reader, option: s.Option) -> dict[str, Any]:
    hint = f"write `{option.name}=[…]` with one number per input"
    if not isinstance(option.value, s.ListLiteral):
        raise Wrong(option, f"`{option.name}` is a list", hint)
    numbers = read.numbers(option, option.value, hint)
    if len(numbers) != read.inputs:
        message = f"`{option.name}` has {count(len(numbers), 'number')} for {count(read.inputs, 'input')}"
        raise Wrong(option, message, hint)
    if option.name == "scale" and any(n <= 0 for n in numbers):
        raise Wrong(option.value, "a scale is positive", hint)
    return {option.name: numbers}


def _out_scale(read: _Reader, option: s.Option) -> dict[str, Any]:
    (number,) = _one(read, option, option.value, "write `out_scale=1`")
    if number <= 0:
        raise Wrong(option, "a scale is positive", "write `out_scale=1`")
    return {"out_scale": number}


def _word(read: _Reader, option: s.Option) -> dict[str, Any]:
    return {option.name: read.word(option, option.value, _WORDS[option.name])}


_READ: dict[str, Callable[[_Reader, s.Option], dict[str, Any]]] = {
    "hidden": _hidden, "monotone": _monotone, "zero_at": _zero_at, "positive": _flag, "freeze": _flag, "seed": _seed,
    "reg": _regularisation,
    "weights": _weights, "scale": _per_input, "shift": _per_input, "out_scale": _out_scale, **dict.fromkeys(_WORDS, _word),
}  # fmt: skip

_BENDING = frozenset({"swish", "gelu", "rbf", "sin"})  # activations that both rise and fall


def _directed(o: dict[str, Any]) -> bool:
    return any(word != "none" for word in o.get("monotone", ()))


def _free(o: dict[str, Any]) -> list[bool]:
    """Which inputs `zero_at` leaves open."""
    return [number is None for number in o.get("zero_at", ())]


_CONFLICTS: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
    ("an odd network cannot be `positive`", lambda o: o.get("symmetry") == "odd" and "positive" in o),
    ("an odd or even network has no `shift`", lambda o: bool(o.get("symmetry")) and any(o.get("shift", ()))),
    (
        "an even network is not `monotone`",
        lambda o: o.get("symmetry") == "even" and _directed(o),
    ),
    (
        f"a `monotone` network needs activations that only rise, not {listing(sorted(_BENDING), 'or')}",
        lambda o: _directed(o) and bool(_BENDING & {o.get("act", "tanh") if o.get("hidden", (16,)) else "", o.get("final", "")}),
    ),
    ("a `positive` network is 0 nowhere", lambda o: "positive" in o and bool(o.get("zero_at"))),
    ("an odd network is 0 at 0 already", lambda o: o.get("symmetry") == "odd" and bool(o.get("zero_at"))),
    (
        "an even network with `zero_at` has a number for each input, or only zeros",
        lambda o: o.get("symmetry") == "even" and any(_free(o)) and any(o["zero_at"]),
    ),
    (
        "an input with a direction cannot be `none` in `zero_at`: what is subtracted would change the direction",
        lambda o: any(f and word != "none" for f, word in zip(_free(o), o.get("monotone", ()), strict=False)),
    ),
    ("`positive` and `final` both shape the output", lambda o: "positive" in o and o.get("final", "linear") != "linear"),
)


def read_options(el: Elaboration, options: Iterable[s.Option], inputs: int, frame: Frame) -> dict[str, Any]:
    """The fields of `Network` that options set; wrong ones are reported and left out."""
    found: dict[str, Any] = {}
    places: dict[str, s.Option] = {}
    reader = _Reader(el, inputs)
    for option in options:
        try:
            if option.name not in _READ:
                guess = nearest(option.name, OPTIONS)
                hint = f"did you mean `{guess}`?" if guess else f"the options are {listing(OPTIONS, most=20)}"
                raise Wrong(option, f"a network has no option `{option.name}`", hint, "E0503")
            if option.name in places:
                raise Wrong(option, f"`{option.name}` stands twice", "keep one")
            places[option.name] = option
            found |= _READ[option.name](reader, option)
        except Wrong as wrong:
            if wrong.message:  # without one it was reported where it happened
                el.error(wrong.code, wrong.message, wrong.place, frame, wrong.hint)
    for message, conflicts in _CONFLICTS:
        if conflicts(found):
            el.error("E0510", message, list(places.values())[-1], frame, "keep one of the two options")
    return found


# ---- inline networks ------------------------------------------------------------------------------------------------
def inline_network(el: Elaboration, c: s.Call, inputs: int, texts: list[tuple[str, Shape]], frame: Frame) -> Network | None:
    """The network of one `NN(…)`, added to those of the file; None if it may not stand here."""
    if not _may_stand(el, c, inputs, frame):
        return None
    shared = el.indexed_networks.get(c.start) if frame.family is not None else None
    if shared is not None:  # one `NN(…)` in the text is one network, however many indices it is evaluated at (rule D1)
        if shared.inputs == inputs:
            return shared
        message = f"this network would have {count(shared.inputs, 'input')} for one index and {inputs} for another"
        el.error("E0501", message, c, frame, "give it the same number of inputs at every index")
        return None
    name = _inline_name(el, c, frame)
    if name is None:
        return None
    options = [a for a in c.arguments if isinstance(a, s.Option)]
    for flag in c.arguments:
        if isinstance(flag, s.Ref) and flag.name in _FLAGS:
            options.append(s.Option(flag.start, flag.end, flag.name, None))
    for option in options:
        if option.name in _FLAGS and option.value is None and option.name in el.scope.entities:
            entity = el.scope.entities[option.name]
            message = f"`{option.name}` in `NN(…)` is the option, but this file also declares a value of that name"
            el.error("E0508", message, option, frame, "rename the value", entity.span)
    fields = read_options(el, options, inputs, frame)
    arguments = tuple(label for text, shape in texts for label in entry_names(text, shape))
    span = el.findings.span(c)
    net = Network(
        name, inputs, frame.outputs, **fields, inline=True, equation=frame.usage.equation, argument_texts=arguments, span=span
    )
    el.networks[name] = net
    if frame.family is not None:
        el.indexed_networks[c.start] = net
    return net


def _may_stand(el: Elaboration, c: s.Call, inputs: int, frame: Frame) -> bool:
    if frame.call is not None:
        hint = "name it: `nn f: 1 -> 1`, and call `f(…)` in the function"
        el.error("E0506", "an inline network cannot stand in a function: every call would share it silently", c, frame, hint)
        return False
    if not frame.usage.net_stem:
        el.error("E0506", f"a network cannot stand in {frame.usage.what}", c, frame, "define it: `y = NN(…)`, and use `y`")
        return False
    if frame.many:
        hint = f"name it: `nn f: {inputs} -> N`, so that the number of outputs is written"
        el.error("E0507", f"this network would give one number for the {frame.many}", c, frame, hint)
        return False
    if inputs == 0:
        el.error("E0509", "a network needs an input", c, frame, "`NN(x)`; a number to be learnt is a `param`")
        return False
    return True


def _inline_name(el: Elaboration, c: s.Call, frame: Frame) -> str | None:
    """`NN_prey`, the second in one equation `NN_prey_2`."""
    stem = "NN_" + frame.usage.net_stem
    n = el.net_counts[stem] = el.net_counts.get(stem, 0) + 1
    name = stem if n == 1 else f"{stem}_{n}"
    entity, net = el.scope.entities.get(name), el.networks.get(name)
    if entity is None and net is None:
        return name
    taken = entity.span if entity else net.span if net else None
    hint = f"name the network: `nn f_{frame.usage.net_stem}: … -> …`, and call it here"
    el.error("E0505", f"the network here would be called `{name}`, and that name is taken", c, frame, hint, taken)
    return None


# ---- named networks -------------------------------------------------------------------------------------------------
def named_network(el: Elaboration, statement: s.NetworkStatement) -> None:
    """`nn U: 2 -> 2, …` is added to the networks of the file, unless its sizes are wrong."""
    name = statement.name.text
    frame = Frame(Usage(f"the sizes of `{name}`", CONSTANTS))
    inputs = _sizes(el, statement.inputs, frame)
    outputs = _sizes(el, statement.outputs, frame)
    if inputs is None or outputs is None:
        return
    n = size(inputs)
    shape = () if outputs == (1,) and not isinstance(statement.outputs, s.ListLiteral) else outputs
    span = el.findings.span(statement.name)
    options = read_options(el, statement.options, n, frame)
    el.networks[name] = Network(name, n, shape, **options, doc=statement.doc, span=span)


def _sizes(el: Elaboration, node: s.Expression, frame: Frame) -> Shape | None:
    """Whole numbers of `2`, `h` or `[h, 4]`."""
    parts = node.items if isinstance(node, s.ListLiteral) else (node,)
    found: list[int] = []
    for part in parts:
        n = el.whole(el.evaluate(part, frame), part, frame, "a size")
        if n is None:
            return None
        if n < 1 or n > MOST_ENTRIES:
            el.error(
                "E0504", f"a network has 1 to {MOST_ENTRIES} inputs and outputs, not {n}", part, frame, "write `nn U: 2 -> 1`"
            )
            return None
        found.append(n)
    if not found:
        el.error("E0504", "a size is missing", node, frame, "write `nn U: 2 -> 1`")
        return None
    return tuple(found)
