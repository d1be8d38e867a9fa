"""Dosing records: `dose gut, lag=tlag, bioavailability=F` says what the doses of the data do to a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.declarations import Dose
from hybridode.expr import Expr, Symbol
from hybridode.language import syntax as s
from hybridode.language.events import target_entries, value_of_parameters
from hybridode.language.frames import Elaboration
from hybridode.language.names import listing, nearest

# option -> (what it is called, whether it is a time, smallest number, whether that number itself is allowed)
OPTIONS: Mapping[str, tuple[str, bool, float, bool]] = {
    "lag": ("the lag of this dose", True, 0.0, True),
    "bioavailability": ("the bioavailability of this dose", False, 0.0, True),
    "rate": ("the rate of this infusion", False, 0.0, False),
    "duration": ("the duration of this infusion", True, 0.0, False),
}
_REMEDY = "it is made of numbers, constants and parameters; a column named like a parameter sets it per series"


def doses(
    el: Elaboration, statements: Sequence[s.DoseStatement], time_unit: s.Unit | None, meanings: Mapping[Symbol, Expr]
) -> list[Dose]:
    """All `dose` statements in the order of the file, those without a mistake."""
    return [made for st in statements if (made := _dose(el, st, time_unit, meanings)) is not None]


def _dose(el: Elaboration, st: s.DoseStatement, time_unit: s.Unit | None, meanings: Mapping[Symbol, Expr]) -> Dose | None:
    entries = target_entries(el, st.target, "E0335", "a dose goes into a state")
    said: dict[str, tuple[s.Option, Expr | None]] = {}
    for option in st.options:
        if option.name not in OPTIONS:
            near = nearest(option.name, tuple(OPTIONS))
            hint = f"did you mean `{near}=…`?" if near else f"it has {listing(tuple(f'`{name}=…`' for name in OPTIONS))}"
            el.findings.error("E0208", f"`dose` has no option `{option.name}`", option, hint)
        elif option.name in said:
            first = [(said[option.name][0], "first here")]
            el.findings.error("E0328", f"`{option.name}` stands twice", option, "keep one", first)
        else:
            said[option.name] = option, _value(el, option, time_unit, meanings)
    if "rate" in said and "duration" in said:
        el.findings.error(
            "E0336", "an infusion has a rate or a duration, not both", said["duration"][0],
            "the amount and one of them give the other", [(said["rate"][0], "first here")],
        )  # fmt: skip
        return None
    if entries is None or any(value is None for _, value in said.values()):
        return None
    if len(entries) != 1:
        name = st.target.name
        hint = f"write one statement per entry: `dose {name}[1]`"
        el.findings.error("E0335", f"`{name}` has {len(entries)} entries, a dose goes into one", st.target, hint)
        return None
    state, entry = entries[0]
    values = {name: value for name, (_, value) in said.items()}
    lag, bioavailability, rate, duration = (values.get(name) for name in OPTIONS)
    return Dose(state, entry, lag, bioavailability, rate, duration, span=el.findings.span(st))


def _value(el: Elaboration, option: s.Option, time_unit: s.Unit | None, meanings: Mapping[Symbol, Expr]) -> Expr | None:
    what, is_time, least, allowed = OPTIONS[option.name]
    if option.value is None or isinstance(option.value, s.Text):
        el.findings.error("E0336", f"`{option.name}` needs a number or a parameter", option, f"write `{option.name}=…`")
        return None
    unit = time_unit if is_time else None
    made = value_of_parameters(el, option.value, what, unit, meanings, _REMEDY)
    if made is None:
        return None
    e, known = made
    if known is not None and not (known > least or (allowed and known == least)):
        wanted = "0 or more" if allowed else "positive"
        el.findings.error("E0336", f"{what} is {known:g}", option, f"it must be {wanted}")
        return None
    return e
