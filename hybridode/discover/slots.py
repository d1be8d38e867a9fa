"""The places of a model that a formula may fill: each output of each network, with the names of what it depends on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybridode.declarations import Declarations, Network, size
from hybridode.errors import Diagnostic, UsageError
from hybridode.expr import Expr, postorder, rebuild
from hybridode.language import syntax as s
from hybridode.language.edits import calls_of, inline_call
from hybridode.language.reader import parse

_PLAIN = re.compile(r"[^\W\d]\w*")
_ENTRY = re.compile(r"([^\W\d]\w*)\[([\d,\s]*)\]")
_TIGHT = re.compile(r"[^\W\d]\w*('+)?(\[[^\[\]]*\])?('+)?")  # an argument that needs no parentheses in a product

MOST_ENTRIES = 6  # of arguments, from which a network of vectors gets no formula


@dataclass(frozen=True)
class Slot:
    """Output number `output` (0-based) of a network. `arguments`: the texts by which formulas read its inputs; `short`: names for
    them inside names of parameters; `label`: tells the slot from others in names, "" of the only one; `title`: what the user
    calls it; `angles`: which arguments are angles; `unit`, `units`: of the value and of the arguments, "" where unknown."""

    network: Network
    output: int
    arguments: tuple[str, ...]
    short: tuple[str, ...]
    label: str
    title: str
    angles: tuple[bool, ...]
    unit: str = ""
    units: tuple[str, ...] = ()
    formals: tuple[str, ...] = ()  # of a function in the place of a named network; a vector stands once
    multiplied: tuple[bool, ...] = ()  # whether the model multiplies the value by the argument wherever it stands

    @property
    def inputs(self) -> int:
        return len(self.arguments)


def network_calls(d: Declarations, name: str) -> list[tuple[Expr, ...]]:
    """The arguments of every distinct evaluation of a network in the model."""
    found = {e.args: None for e in postorder(_expressions(d)) if e.op == "net" and e.data == name}
    return list(found)


def _expressions(d: Declarations) -> Iterator[Expr]:
    for state in d.states:
        yield from state.rate
    for definition in d.definitions:
        yield from definition.elements
    for equation in d.equations:
        yield from equation.residuals
    for observation in d.observations:
        yield from (e for _, e in observation.arguments)


def slots_of(d: Declarations) -> tuple[Slot, ...]:
    """All slots of a model, in the order of its networks.

    Raises UsageError E0795 when there is no network, E0796 when one cannot be replaced by a formula of named arguments."""
    networks = [n for n in d.networks if network_calls(d, n.name)]
    if not networks:
        message = f"there is nothing to discover in `{d.name}`: no network stands in it"
        raise UsageError(Diagnostic("E0795", message, hint="write NN(…) where you do not know an expression, fit, then discover"))
    file, _ = parse(d.source)
    places = [(n, k) for n in networks for k in range(size(n.outputs))]
    labels = _labels(d, places)
    found = []
    for network, k in places:
        texts, short, formals = _arguments(d, file, network)
        title = _titles(d, file, network)[k]
        angles = _angles(d, network)
        unknown = ("",) * network.inputs
        found.append(Slot(network, k, texts, short, labels[network.name, k], title, angles, "", unknown, formals,
                          _multiplied(d, network, k)))  # fmt: skip
    return tuple(found)


def _arguments(d: Declarations, file: s.File, network: Network) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """How formulas read the inputs of a network: the arguments as written of an inline one, formal names of a named one, entry by
    entry (`v[1]`) of vectors; short names of them; and the formal names."""
    formals: tuple[str, ...] = ()
    texts = network.argument_texts
    if not network.inline:
        calls = calls_of(file, network.name)
        firsts = [tuple(d.source.text[a.start : a.end] for a in call.arguments) for call in calls]
        formals = written = firsts[0] if firsts else ()
        if any(not _PLAIN.fullmatch(t) for t in written) or any(other != written for other in firsts):
            plain = [t if _PLAIN.fullmatch(t) and all(o[i] == t for o in firsts) else "" for i, t in enumerate(written)]
            formals = tuple(t or ("w" if len(written) == 1 else f"w{i + 1}") for i, t in enumerate(plain))
        texts = _entries(d, network, written, formals)
    if len(texts) != network.inputs:
        message = f"`{network.name}` takes a vector as an argument, which no formula of names can stand for"
        hint = "give it the entries one by one: NN(x[1], x[2])"
        raise UsageError(Diagnostic("E0796", message, network.span, hint=hint))
    short = tuple(_short(t.strip("( ")) or f"w{i + 1}" for i, t in enumerate(texts))
    return tuple(t if _TIGHT.fullmatch(t) else f"({t})" for t in texts), short, formals


def _short(text: str) -> str:
    """The name that an argument begins with, with the numbers of an entry: `v1` of `v[1]`."""
    if entry := _ENTRY.fullmatch(text):
        return entry[1] + "_".join(n.strip() for n in entry[2].split(","))
    return re.sub(r"\W.*", "", text)


def _entries(d: Declarations, network: Network, written: Sequence[str], formals: Sequence[str]) -> tuple[str, ...]:
    """Formal arguments entry by entry; as they are where it is not known which of them are vectors.

    Raises UsageError E0796 for vectors of more than MOST_ENTRIES."""
    if len(formals) == network.inputs:
        return tuple(formals)
    items = (*d.states, *d.algebraics, *d.parameters, *d.constants, *d.definitions)
    shapes = {item.name: item.shape for item in items}
    counts = [size(shapes[t]) if t in shapes else 0 for t in written]
    if counts.count(0) == 1:
        counts[counts.index(0)] = network.inputs - sum(counts)
    if sum(counts) != network.inputs or any(len(shapes.get(t, ())) > 1 for t in written):
        return tuple(formals)
    if network.inputs > MOST_ENTRIES:
        message = f"`{network.name}` takes a vector: {network.inputs} numbers, and formulas are looked for up to {MOST_ENTRIES}"
        hint = "give it fewer entries, those that matter, one by one: NN(x[1], x[2])"
        raise UsageError(Diagnostic("E0796", message, network.span, hint=hint))
    alone = [not shapes.get(t, (n,)) for t, n in zip(written, counts, strict=True)]
    pairs = zip(formals, counts, alone, strict=True)
    return tuple(e for name, n, one in pairs for e in ([name] if one else [f"{name}[{i + 1}]" for i in range(n)]))


def _titles(d: Declarations, file: s.File, network: Network) -> list[str]:
    """What the user calls each output: the names of `[a, b] = U(x, y)` and of `a = U(x)` where a network is called once, else
    its own name."""
    count = size(network.outputs)
    own = [network.name] if count == 1 else [f"{network.name}[{k + 1}]" for k in range(count)]
    if network.inline:
        calls = [inline_call(network, calls_of(file, "NN"))]
    else:
        calls = calls_of(file, network.name)
    spans = {(call.start, call.end) for call in calls}
    for statement in file.statements:
        if isinstance(statement, s.Equation) and (statement.right.start, statement.right.end) in spans and len(calls) == 1:
            left = statement.left.items if isinstance(statement.left, s.ListLiteral) else (statement.left,)
            if len(left) == count and all(isinstance(item, s.Ref) for item in left):
                return [d.source.text[item.start : item.end] for item in left]
    return own


def _labels(d: Declarations, places: Sequence[tuple[Network, int]]) -> dict[tuple[str, int], str]:
    """A word for each slot: the state whose rate alone it changes, where these differ; else its number."""
    if len(places) == 1:
        return {(places[0][0].name, 0): ""}
    fed: dict[tuple[str, int], set[str]] = {}
    definitions = {(x.name, i): e for x in d.definitions for i, e in enumerate(x.elements)}
    for state in d.states:
        for e in postorder(inlined(state.rate, definitions)):
            if e.op == "out" and e.args[0].op == "net":
                fed.setdefault((e.args[0].data, e.data), set()).add(state.name)
    alone = {place: next(iter(names)) for place, names in fed.items() if len(names) == 1}
    keys = [(n.name, k) for n, k in places]
    chosen = [alone.get(key, "") for key in keys]
    if all(chosen) and len(set(chosen)) == len(chosen) and all(_PLAIN.fullmatch(c) for c in chosen):
        return dict(zip(keys, chosen, strict=True))
    return {key: str(i + 1) for i, key in enumerate(keys)}


def inlined(exprs: Sequence[Expr], definitions: dict[tuple[str, int], Expr]) -> list[Expr]:
    """Expressions with definitions written out, one level after the other."""
    current = list(exprs)
    for _ in range(len(definitions) + 1):
        change = lambda e, _: definitions.get((e.data.name, max(e.data.index, 0))) if _is_definition(e) else None  # noqa: E731
        after = list(rebuild(current, change))
        if after == current:
            return current
        current = after
    return current


def _is_definition(e: Expr) -> bool:
    return e.op == "sym" and e.data.kind == "definition"


def _multiplied(d: Declarations, network: Network, output: int) -> tuple[bool, ...]:
    """Of each argument whether every value of a network's output is a factor beside it: `clearance(C)*C`."""
    mine = lambda e: e.op == "out" and e.args[0].op == "net" and e.args[0].data == network.name and e.data == output  # noqa: E731
    nodes = list(postorder(_expressions(d)))
    values = {e for e in nodes if mine(e)}
    found = [True] * network.inputs if values else [False] * network.inputs
    seen: set[Expr] = set()
    for e in nodes:
        for value in values.intersection(e.args):
            seen.add(value)
            found = [f and e.op == "mul" and a in e.args for f, a in zip(found, value.args[0].args, strict=True)]
    return tuple(f and seen == values for f in found)


def _angles(d: Declarations, network: Network) -> tuple[bool, ...]:
    """Whether an argument (or what it is a multiple or a sum of) stands under a sine or cosine somewhere in the model."""
    under = {a for e in postorder(_expressions(d)) if e.op in ("sin", "cos", "tan") for a in postorder(e.args)}
    under = {e for e in under if e.op in ("sym", "add") and not (e.op == "sym" and e.data.kind in ("parameter", "constant"))}
    calls = network_calls(d, network.name)
    return tuple(all(call[i] in under for call in calls) for i in range(network.inputs))
