"""Laws with a name in the place of a network: fitted to what it has learnt, the best few refitted in the whole model.

Of several runs together a law is fitted in each with numbers of its own, and said once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybridode.discover.begun import Begun
from hybridode.discover.formula import Formula
from hybridode.discover.nonlinear import FittedForm, fitted_forms, form_formula, worth_a_refit
from hybridode.discover.ranking import description_length
from hybridode.discover.refitted import Candidate, quick_refit
from hybridode.discover.slots import Slot
from hybridode.discover.symbolic import symbolic_formulas
from hybridode.discover.verdict import ADEQUATE, p_value
from hybridode.fit.progress import OutOfTime


@dataclass(frozen=True, eq=False)
class Joint(Candidate):
    """The same formulas in all runs, with numbers of their own in each: `parts`, in the order of the runs. `formulas` are the
    first run's."""

    parts: tuple[Candidate, ...] = ()


def joint(parts: Sequence[Candidate]) -> Joint:
    """Values, numbers and description lengths summed, the formula said once."""
    first, said = parts[0], parts[0].structure
    dl = sum(c.dl - c.structure for c in parts) + said
    value, numbers = sum(c.value for c in parts), sum(c.numbers for c in parts)
    failed = next((c.failed for c in parts if c.failed), "")
    return Joint(first.formulas, value, numbers, dl, first.how, first.errors, failed, tuple(parts))


def laws(
    all_begun: Sequence[Begun], sparse: Sequence[Joint], network: Candidate, symbolic: bool = False
) -> tuple[list[Joint], str]:
    """The named laws that suit a slot in all runs (and what PySR finds, of one run), each refitted in the whole models with the
    best formulas so far in the other slots, also those whose refit failed; and why that ended early. Where noise explains all
    that the network gains over a sparse formula, only laws that cost less to say are."""
    best = min(sparse, key=lambda c: c.dl, default=None)
    first = all_begun[0]
    if best is None and len(first.slots) > 1:
        return [], ""
    enough = best is not None and p_value(best, network) > ADEQUATE
    records = sum(b.records for b in all_begun)
    cost = lambda f: description_length(0.0, len(f.numbers), records, f.structure)  # noqa: E731
    found: list[Joint] = []
    for k, slot in enumerate(first.slots):
        for formulas, how in _proposed(all_begun, k, symbolic):
            if enough and best is not None and cost(formulas[0]) >= cost(best.formulas[slot]):
                continue
            try:
                found.append(_refitted(all_begun, k, formulas, best, how))
            except (KeyboardInterrupt, OutOfTime) as stop:
                return found, "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time"
        best = min([*solved(found), *sparse], key=lambda c: c.dl, default=None)
    return found, ""


def solved(found: Sequence[Joint]) -> list[Joint]:
    return [c for c in found if not c.failed]


def _proposed(all_begun: Sequence[Begun], k: int, symbolic: bool) -> list[tuple[list[Formula], str]]:
    """Formulas for slot number k, one of each run, and how they were found."""
    fitted = [fitted_forms(b.slots[k], b.samples[b.slots[k].network.name]) for b in all_begun]
    count = max(n for _, n in fitted)
    rows = _in_all([forms for forms, _ in fitted])
    found = [
        ([form_formula(b.declarations, b.slots[k], f, count, len(b.libraries[k])) for b, f in zip(all_begun, row, strict=True)],
         "nonlinear fit") for row in rows
    ]  # fmt: skip
    if symbolic:
        (b,) = all_begun
        slot, terms = b.slots[k], len(b.libraries[k])
        found += [([f], "PySR") for f in symbolic_formulas(b.declarations, slot, b.samples[slot.network.name], terms, b.seed)]
    return found


def _in_all(fitted: Sequence[Sequence[FittedForm]]) -> list[tuple[FittedForm, ...]]:
    """The forms that suit all runs and are worth a refit, judged by the root mean square that they leave over all."""
    by_form = [{(f.form.kind, f.places): f for f in row} for row in fitted]
    common = [tuple(row[key] for row in by_form) for key in by_form[0] if all(key in row for row in by_form)]
    whole = {id(row[0]): replace(row[0], residual=float(np.sqrt(np.mean([f.residual**2 for f in row])))) for row in common}
    graded = sorted(common, key=lambda row: whole[id(row[0])].residual)
    keep = len(worth_a_refit([whole[id(row[0])] for row in graded]))
    return graded[:keep]


def _refitted(all_begun: Sequence[Begun], k: int, formulas: Sequence[Formula], best: Joint | None, how: str) -> Joint:
    """One formula for slot k in every run. Raises KeyboardInterrupt and OutOfTime."""
    parts: list[Candidate] = []
    for r, (b, formula) in enumerate(zip(all_begun, formulas, strict=True)):
        others: Mapping[Slot, Formula] = {} if best is None else best.parts[r].formulas
        whole = {**others, b.slots[k]: formula}
        chosen = {s: whole[s] for s in b.slots}
        parts.append(quick_refit(b.declarations, b.run.dataset, chosen, b.options, b.recorder, how))
        if parts[-1].failed:
            break
    return joint(parts)
