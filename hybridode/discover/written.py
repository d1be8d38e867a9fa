"""Formulas written into a model's text in the place of its networks, and the data set of such a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hybridode.data.doses import with_infusions
from hybridode.data.experiments import Dataset
from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula
from hybridode.discover.slots import Slot
from hybridode.errors import Source
from hybridode.language import syntax as s
from hybridode.language.check import declare
from hybridode.language.edits import Edit, calls_of, edited, inline_call
from hybridode.language.reader import parse

Formulas = Mapping[Slot, Formula]


def with_formulas(d: Declarations, formulas: Formulas) -> str:
    """The text of the model with every network that has formulas for all of its outputs replaced by them. A named network becomes
    a function of the same name, an inline one what stood there; new parameters stand on lines of their own before."""
    text = d.source.text
    file, _ = parse(d.source)
    statements = {st.name.text: st for st in file.statements if isinstance(st, s.NetworkStatement)}
    edits: list[Edit] = []
    for slots in _by_network(formulas):
        network, found = slots[0].network, [formulas[slot] for slot in slots]
        lines = [n.line() for f in found for n in f.numbers]
        value = found[0].text if not network.outputs else f"[{', '.join(f.text for f in found)}]"
        if network.inline:
            call = inline_call(network, calls_of(file, "NN"))
            inside = value if network.outputs or _alone(file, call) or value.isidentifier() else f"({value})"
            edits.append(Edit(call.start, call.end, inside))
            at = _line_start(text, next(st.start for st in file.statements if st.start <= call.start < st.end))
            edits.append(Edit(at, at, "".join(f"{line}\n" for line in lines)))
        else:
            statement = statements[network.name]
            names = ", ".join(slots[0].formals)
            doc = f'  "{statement.doc}"' if statement.doc else ""
            edits.append(
                Edit(statement.start, statement.end, "\n".join([*lines, f"func {network.name}({names}) = {value}{doc}"]))
            )
    return edited(text, edits)


def _by_network(formulas: Formulas) -> list[list[Slot]]:
    found: dict[str, list[Slot]] = {}
    for slot in formulas:
        found.setdefault(slot.network.name, []).append(slot)
    return [sorted(slots, key=lambda slot: slot.output) for slots in found.values()]


def _alone(file: s.File, call: s.Call) -> bool:
    """Whether a call is the whole right side of an equation: what takes its place needs no parentheses."""
    return any(isinstance(st, s.Equation) and (st.right.start, st.right.end) == (call.start, call.end) for st in file.statements)


def _line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1


def declared(d: Declarations, formulas: Formulas) -> Declarations:
    """The model with formulas in the place of networks, declared from its text."""
    return declare(Source(d.source.name, with_formulas(d, formulas)))


def dataset_of(dataset: Dataset, d: Declarations) -> Dataset:
    """The same data for another model of the same states and observations: starts that columns give and infusions are carried
    over."""
    known = {p.name for p in d.parameters}
    given = [p for p in dataset.declarations.parameters if p.start_of and p.name not in known]
    starts = {p.start_of: state for p in given for state in dataset.declarations.states if state.name == p.start_of}
    states = tuple(
        replace(x, start=starts[x.name].start, start_given=starts[x.name].start_given) if x.name in starts else x
        for x in d.states
    )
    whole = replace(d, states=states, parameters=(*d.parameters, *given))
    return replace(dataset, declarations=with_infusions(whole, [series.doses for series in dataset.series]))


def free_names(d: Declarations, wanted: Sequence[str], taken_too: Sequence[str] = ()) -> dict[str, str]:
    """Names for new parameters that the model does not have yet: `k_x`, else `k_x_2`, …"""
    groups = (d.parameters, d.constants, d.states, d.algebraics, d.definitions, d.networks, d.inputs, d.tables)
    taken = {item.name for group in groups for item in group} | {d.time, *taken_too}
    found: dict[str, str] = {}
    for name in wanted:
        chosen, k = name, 1
        while chosen in taken:
            k += 1
            chosen = f"{name}_{k}"
        taken.add(chosen)
        found[name] = chosen
    return found
