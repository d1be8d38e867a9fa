"""The fitted model as a text: the user's own file with the numbers overwritten where they stand.

Comments, layout and order stay. Added are only what the file left to us: the start of the time, inferred `observe`
lines with their parameters, and where the networks' weights are. Numbers are written so that they read back exactly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hybridode.declarations import Declarations, Observation, Parameter
from hybridode.errors import Source
from hybridode.expr import number_text, show
from hybridode.language import syntax as s
from hybridode.language.check import declare
from hybridode.language.edits import Edit, calls_of, edited, inline_call
from hybridode.language.reader import parse

WEIGHTS_FILE = "weights.safetensors"
_PLAIN_NAME = re.compile(r"[^\W\d]\w*(\[\d+\])?")
_RESERVED = frozenset("if then else and or not in for".split())


def fitted_text(
    fitted: Declarations,
    values: Mapping[str, Any],
    network_constants: Mapping[str, Mapping[str, Any]] | None = None,
    start: float | None = None,
    weights_file: str = WEIGHTS_FILE,
    groups: Mapping[str, Mapping[str, Any]] | None = None,
    date: str = "",
    time_unit: str = "",
) -> str:
    """The text of `fitted.source` with `values` (parameters, learnt starts `x(0)`, constants; natural units) put in.

    `fitted` may hold parameters and observations that the text lacks: they are appended. Networks named in
    `network_constants` (`out_scale` is written, the rest is in the file) get `weights="weights_file"`. `start` is where
    the data begin; it is written when the file names no start: as `date`, when the data have dates, with the `time_unit` in which
    they were counted when the file names none. `groups`: parameter with `by` -> label -> value; labels that are only in the text
    keep theirs.
    """
    text = fitted.source.text
    file, _ = parse(fitted.source)
    edits = [
        *_value_edits(file, values),
        *_group_edits(file, fitted, groups or {}),
        *_network_edits(file, fitted, network_constants or {}, weights_file),
    ]
    if start is not None:
        edits += _time_edits(file, fitted, start, date, time_unit)
    return edited(text, edits).rstrip("\n") + "\n" + _appended(file, fitted, values)


def source_text(declarations: Declarations) -> str:
    """The text of a model as it was fitted; of one that was fitted before, with the values that it had then."""
    text = declarations.source.text
    written = declare(Source(declarations.source.name, text))
    if (written.parameters, written.constants) == (declarations.parameters, declarations.constants):
        return text
    owners = (*declarations.parameters, *declarations.constants)
    shaped = {o.name: o.values if o.shape else o.values[0] for o in owners}
    groups = {p.name: {g: v if p.shape else v[0] for g, v in p.groups} for p in declarations.parameters if p.groups}
    return fitted_text(declarations, shaped, groups=groups)


# ---- numbers --------------------------------------------------------------------------------------------------------
def number_literal(value: Any) -> str:
    """A number, vector or matrix in the language's notation; what is printed reads back as the same number."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, list | tuple):
        return f"[{', '.join(number_literal(item) for item in listed)}]"
    number = float(listed)
    return "-0.0" if number == 0 and math.copysign(1.0, number) < 0 else number_text(number)


def is_known(value: Any) -> bool:
    """False for NaN anywhere: a parameter that a column of the data sets has no one value."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    return all(map(is_known, listed)) if isinstance(listed, list | tuple) else not math.isnan(float(listed))


def _value_edits(file: s.File, values: Mapping[str, Any]) -> Iterator[Edit]:
    for statement in file.statements:
        if not isinstance(statement, s.ValueStatement) or statement.kind not in ("param", "const", "state"):
            continue
        name = statement.name.text + ("(0)" if statement.kind == "state" else "")
        if name not in values or not is_known(values[name]):
            continue
        place = statement.value
        literal = number_literal(values[name])
        if place is not None:
            yield Edit(place.start, place.end, literal + _unit_of(place))
        else:
            at = _end_of_head(statement)
            yield Edit(at, at, f" = {literal}")


def _group_edits(file: s.File, fitted: Declarations, groups: Mapping[str, Mapping[str, Any]]) -> Iterator[Edit]:
    """Values by group, behind their `by NAME`: `by site ("north" = 1.2, "south" = 0.7)`."""
    parameters = {p.name: p for p in fitted.parameters}
    for statement in file.statements:
        if not isinstance(statement, s.ValueStatement) or statement.modifiers is None or not statement.modifiers.groups:
            continue
        name = statement.name.text + ("(0)" if statement.kind == "state" else "")
        if name not in groups:
            continue
        p, place = parameters[name], statement.modifiers.groups[0]
        known = {label: values[0] if not p.shape else list(values) for label, values in p.groups}
        pairs = ", ".join(f'"{label}" = {number_literal(v)}' for label, v in {**known, **groups[name]}.items())
        yield Edit(place.name.start, place.end, f"{quoted(p.by)} ({pairs})")


def _unit_of(value: s.Expression) -> str:
    """` [unit]` when the value was a literal with one."""
    while isinstance(value, s.Sign):
        value = value.operand
    return f" [{value.unit.text}]" if isinstance(value, s.Number) and value.unit is not None else ""


def _end_of_head(statement: s.ValueStatement) -> int:
    """Where ` = value` belongs in a declaration without one: after its name, shape and unit."""
    if statement.unit is not None:
        return statement.unit.end
    if statement.shape:
        return statement.shape[-1].end + 1
    return statement.name.end


# ---- networks -------------------------------------------------------------------------------------------------------
def _network_edits(
    file: s.File, fitted: Declarations, constants: Mapping[str, Mapping[str, Any]], weights_file: str
) -> Iterator[Edit]:
    named = {st.name.text: st for st in file.statements if isinstance(st, s.NetworkStatement)}
    calls = calls_of(file, "NN")
    for network in fitted.networks:
        if network.name not in constants:
            continue
        statement = named.get(network.name)
        if statement is not None:
            last = statement.options[-1].end if statement.options else statement.outputs.end
            options: Sequence[s.Option] = statement.options
        else:
            call = inline_call(network, calls)
            options = tuple(a for a in call.arguments if isinstance(a, s.Option))
            last = call.arguments[-1].end if call.arguments else call.end - 1
        wanted = {"weights": f'"{weights_file}"', **_scale_option(constants[network.name])}
        present = {option.name: option for option in options}
        for word in wanted.keys() & present.keys():
            yield Edit(present[word].start, present[word].end, f"{word}={wanted[word]}")
        added = [f"{word}={value}" for word, value in wanted.items() if word not in present]
        if added:
            yield Edit(last, last, "".join(f", {option}" for option in added))


def _scale_option(constants: Mapping[str, Any]) -> dict[str, str]:
    scale = constants.get("out_scale")
    return {} if scale is None else {"out_scale": number_text(float(scale))}


# ---- time -----------------------------------------------------------------------------------------------------------
def _time_edits(file: s.File, fitted: Declarations, start: float, date: str, time_unit: str) -> Iterator[Edit]:
    if fitted.time_origin is not None or (start == 0 and not date):
        return
    origin = f'from "{date}"' if date else f"from {number_text(start)}"
    unit = f": {time_unit}" if date and not fitted.time_unit else ""
    for statement in file.statements:
        if isinstance(statement, s.TimeStatement):
            at = statement.unit.end if statement.unit is not None else statement.name.end
            yield Edit(at, at, f"{unit} {origin}")
            return
    model = next(st for st in file.statements if isinstance(st, s.ModelStatement))
    yield Edit(model.end, model.end, f"\n\ntime {fitted.time}{unit} {origin}  # where the data begin")


# ---- what the file left to us ---------------------------------------------------------------------------------------
def _appended(file: s.File, fitted: Declarations, values: Mapping[str, Any]) -> str:
    declared = {st.name.text for st in file.statements if isinstance(st, s.ValueStatement)}
    parameters = [p for p in fitted.parameters if p.name not in declared and not p.start_of]
    observations = [o for o in fitted.observations if o.inferred]
    if not (parameters or observations):
        return ""
    lines = ["", "# Added by the fit: what the file above leaves open."]
    lines += [_parameter_line(p, values.get(p.name)) for p in parameters]
    lines += [_observation_line(o) for o in observations]
    return "\n".join(lines) + "\n"


def _parameter_line(parameter: Parameter, value: Any) -> str:
    shape = f"[{', '.join(map(str, parameter.shape))}]" if parameter.shape else ""
    unit = f": {parameter.unit}" if parameter.unit else ""
    literal = number_literal(value) if value is not None else number_literal(_declared(parameter))
    bounds = ""
    if parameter.lower is not None or parameter.upper is not None:
        lower = "-inf" if parameter.lower is None else number_text(parameter.lower)
        upper = "inf" if parameter.upper is None else number_text(parameter.upper)
        bounds = f" in ({lower}, {upper})"
    scale = f" {parameter.scale}" if parameter.scale != "linear" else ""
    doc = f'  "{parameter.doc}"' if parameter.doc else ""
    return f"param {quoted(parameter.name)}{shape}{unit} = {literal}{bounds}{scale}{' fixed' if parameter.fixed else ''}{doc}"


def _declared(parameter: Parameter) -> Any:
    return parameter.values[0] if not parameter.shape else list(parameter.values)


def _observation_line(observation: Observation) -> str:
    arguments = ", ".join(show(expr, lambda symbol: quoted(str(symbol))) for _, expr in observation.arguments)
    return f"observe {quoted(observation.column)} ~ {observation.distribution}({arguments})"


def quoted(name: str) -> str:
    """A name as it is written: in backquotes where it is a reserved word or no plain name."""
    return name if _PLAIN_NAME.fullmatch(name) and name not in _RESERVED else f"`{name}`"
