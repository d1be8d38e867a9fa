"""`fit.toml`: what a fit needs that is not in the model. SECTIONS is the whole format; docs/fit-settings.md explains it.

The file is strict: a key that is not in the table is an error with its line, so that a misspelt setting is never ignored. What
stands in the command (or call) wins over the file: `merged` lays one over the other.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridode.data.groups import nameable
from hybridode.data.toml_places import places_of
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic, Source, Span

NAME = "fit.toml"
# What concerns the data: keyword of `fit` -> of `experiments`.
READING = {"columns": "columns_map", "sources": "sources", "conditions": "conditions", "numbers": "numbers", "weights": "weights",
           "equilibrate": "equilibrate"}  # fmt: skip
_AT = re.compile(r"\s*\(at line (\d+), column (\d+)\)")


# ---- what a value may be ------------------------------------------------------------------------------------------------
def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_numbers(value: Any) -> bool:
    """A number, or lists of numbers within lists (of a depth that TOML's reader takes)."""
    items = [value]
    while items:
        item = items.pop()
        if isinstance(item, list) and item:
            items += item
        elif not _is_number(item):
            return False
    return True


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_weight(value: Any) -> bool:
    return isinstance(value, str) or (_is_number(value) and value >= 0)


def _is_constraint(value: Any) -> bool:
    known = ("equals", "at_least", "at_most", "sd")
    return isinstance(value, dict) and "sd" in value and all(k in known and _is_number(v) for k, v in value.items())


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {  # a kind of value: how it is called, and which values are of it
    "number": ("a number", _is_number),
    "positive": ("a number above 0", lambda v: _is_number(v) and v > 0),
    "whole": ("a whole number", _is_whole),
    "count": ("a whole number of at least 1", lambda v: _is_whole(v) and v >= 1),
    "text": ('a text in quotes: "…"', lambda v: isinstance(v, str)),
    "text or whole": ('a text in quotes or a whole number', lambda v: isinstance(v, str) or _is_whole(v)),
    "numbers": ("a number or a list of numbers", _is_numbers),
    "number or text": ('a number or a text in quotes: "…"', lambda v: _is_number(v) or isinstance(v, str)),
    "fixed": ("the number it is fixed at (or `names = [\"k\"]` to fix parameters where they are)", _is_numbers),
    "weight": ("a number of at least 0, or the name of a column in quotes", _is_weight),
    "constraint": ("a target and how far off it may be: { equals = 1, sd = 0.1 }", _is_constraint),
    "names": ('a list of names: ["k", "x(0)"]', _is_texts),
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One key: the kind of its value (a row of KINDS), and what it says."""

    kind: str
    doc: str


@dataclass(frozen=True)
class Section:
    """`keys` by name; `names`: what any other key holds (keys are then the user's names). `nested`: one such section per label,
    `[conditions.LABEL]`."""

    doc: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    names: Key | None = None
    nested: bool = False


SECTIONS: dict[str, Section] = {
    "fit": Section(
        "the search",
        {
            "starts": Key("count", "begin at so many points and keep the best"),
            "seed": Key("whole", "seed of the starts and of the networks' first weights"),
            "hold_out": Key("text", "keep times from the fit: `last:5`, `fraction:0.2`"),
            "conditions": Key("text", "a table with what holds in each experiment, beside fit.toml"),
            "loss": Key("text", "against outliers: huber, soft_l1 or cauchy; likelihood (what the model says) if left out"),
            "max_seconds": Key("number", "stop after so long, keep the best"),
        },
    ),
    "solver": Section(
        "how the equations are solved",
        {
            "engine": Key("text", "auto, native or diffrax"),
            "method": Key("text", "the integration method; auto chooses by measured stiffness"),
            "rtol": Key("positive", "relative tolerance"),
            "atol": Key("positive", "absolute tolerance"),
            "checkpoints": Key("text or whole", "what gradients keep of a solve"),
        },
    ),
    "weights": Section("how much records count", names=Key("weight", "of an observed column (`\"*\"`: of all records)")),
    "constraints": Section("what the physics knows", names=Key("constraint", "of an expression in the names of the model")),
    "columns": Section("which column of the data is what", names=Key("text", "the column of a name of the model")),
    "sources": Section("files of inputs", names=Key("text", "the file behind `from NAME.column`, beside fit.toml")),
    "set": Section("other values", names=Key("numbers", "the value of a param, a const or a learnt start")),
    "fix": Section(
        "what is not learnt",
        {"names": Key("names", "not learnt, at their values")},
        names=Key("fixed", "not learnt, at this value"),
    ),
    "conditions": Section(
        "what holds in one experiment, by its label",
        names=Key("number or text", "a param, const, start or constant input as a number, a group as a text"),
        nested=True,
    ),
    "equilibrate": Section(
        'what holds before an experiment, which begins in the steady state under it, by its label (`"*"`: every one)',
        names=Key("number", "a param, const, start or constant input"),
        nested=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FitFile:
    """A checked file: `content` by section and key."""

    path: Path
    source: Source
    content: Mapping[str, Mapping[str, Any]]
    places: Mapping[tuple[str, ...], Span] = field(default_factory=dict, repr=False)

    def section(self, name: str) -> Mapping[str, Any]:
        return self.content.get(name, {})

    def place(self, *keys: str) -> Span | None:
        """Where a key stands; for one inside an inline table, where the table does."""
        return next((self.places[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.places), None)


# ---- reading ------------------------------------------------------------------------------------------------------------
def beside(model: str | Path) -> Path | None:
    """The `fit.toml` in the folder of a model, if there is one."""
    path = Path(model).parent / NAME
    return path if path.is_file() else None


def read_fit_file(path: str | Path) -> FitFile:
    """Reads and checks a file. Raises DataError E0650 when it cannot be read as TOML, E0651 and E0652 with everything in it that
    is not known or of the wrong kind."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError(Diagnostic("E0650", f"the settings file {path} cannot be read: {why}", None,
                                   "check the path; it is taken relative to the current directory")) from error  # fmt: skip
    return parse_fit_file(text, path)


def parse_fit_file(text: str, path: Path) -> FitFile:
    """A file from its text; `path` stands in messages."""
    source = Source(str(path), text)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(source, path.name, str(error)) from error
    file = FitFile(path, source, content, places_of(source))
    problems = [*_problems(file)]
    if problems:
        raise DataError(problems)
    return file


def _no_toml(source: Source, name: str, message: str) -> DataError:
    """The error of `tomllib`, whose message ends with the place, or says that the text ended too early."""
    place = _AT.search(message)
    if place is not None:
        start = sum(len(line) + 1 for line in source.text.split("\n")[: int(place[1]) - 1]) + int(place[2]) - 1
    else:
        start = max(len(source.text.rstrip()) - 1, 0)
    words = _AT.sub("", message).replace(" (at end of document)", " at the end of the file")
    remedy = 'texts, and names with brackets, stand in quotes: `method = "tsit5"`, `"x(0)" = 1`'
    span = source.span(start, start + 1)
    return DataError(Diagnostic("E0650", f"{name} is no TOML: {words[:1].lower()}{words[1:]}", span, remedy))


def _problems(file: FitFile) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name, value in file.content.items():
        row = SECTIONS.get(name)
        if row is None:
            owner = [s for s, r in SECTIONS.items() if name in r.keys]
            hint = f"write it under `[{owner[0]}]`" if owner else _near(name, list(SECTIONS), "sections")
            found.append(Diagnostic("E0651", f"{file.path.name} has no section `{name}`", file.place(name), hint))
        elif not isinstance(value, dict):
            found.append(Diagnostic("E0652", f"`{name}` is a section", file.place(name), f"write `[{name}]` and its keys below"))
        elif row.nested:
            for label, keys in value.items():
                if not isinstance(keys, dict):
                    found.append(Diagnostic("E0652", f"`{name}.{label}` is a section of its own", file.place(name, label),
                                            f"write `[{name}.LABEL]` and below it what holds there"))  # fmt: skip
                else:
                    found += _problems_of(file, row, (name, label), keys)
        else:
            found += _problems_of(file, row, (name,), value)
    return found


def _problems_of(file: FitFile, row: Section, path: tuple[str, ...], keys: Mapping[str, Any]) -> list[Diagnostic]:
    found = []
    for name, value in keys.items():
        key = row.keys.get(name, row.names)
        place = file.place(*path, name)
        if key is None:
            elsewhere = [s for s, r in SECTIONS.items() if name in r.keys]
            hint = f"it belongs under `[{elsewhere[0]}]`" if elsewhere else _near(name, list(row.keys), "keys")
            found.append(Diagnostic("E0651", f"`[{'.'.join(path)}]` has no key `{name}`", place, hint))
        elif not KINDS[key.kind][1](value):
            found.append(Diagnostic("E0652", f"`{name}` of `[{'.'.join(path)}]` is {KINDS[key.kind][0]}, not `{_shown(value)}`",
                                    place, f"{name}: {key.doc}"))  # fmt: skip
    return found


def _shown(value: Any) -> str:
    text = {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _near(name: str, known: Sequence[str], what: str) -> str:
    near = difflib.get_close_matches(name, known, 2)
    return "did you mean " + " or ".join(f"`{n}`" for n in near) + "?" if near else f"the {what} are {', '.join(known)}"


# ---- what it means for a fit ---------------------------------------------------------------------------------------------
def check_names_of(file: FitFile, declarations: Declarations, groups: Mapping[str, Sequence[str]]) -> None:
    """Raises DataError E0653 for names under `[set]` and `[fix]` that the model does not have. `declarations` are those with what
    the data add to them, `groups` the labels of the columns after `by`."""
    known = nameable(declarations, groups)
    named = [(("set", n), n) for n in file.section("set")]
    named += [(("fix", n), n) for n in file.section("fix") if n != "names"]
    named += [(("fix", "names"), n) for n in file.section("fix").get("names", ())]
    found = [
        Diagnostic(
            "E0653", f"the model has no param, const or learnt start `{n}`", file.place(*path), _near(n, sorted(known), "names")
        )
        for path, n in named
        if n not in known
    ]
    if found:
        raise DataError(found)


def keywords_of(file: FitFile) -> dict[str, Any]:
    """What a file says as keywords of `hybridode.fit`; `settings` holds the keywords of `Settings`."""
    fixed = {name: value for name, value in file.section("fix").items() if name != "names"}
    out: dict[str, Any] = {
        **{name: value for name, value in file.section("fit").items() if name != "conditions"},
        "conditions": str(file.path.parent / file.section("fit")["conditions"]) if "conditions" in file.section("fit") else None,
        "numbers": {label: dict(values) for label, values in file.section("conditions").items()},
        "equilibrate": {label: dict(values) for label, values in file.section("equilibrate").items()},
        "settings": dict(file.section("solver")),
        "columns": dict(file.section("columns")),
        "sources": {name: str(file.path.parent / path) for name, path in file.section("sources").items()},
        "weights": dict(file.section("weights")),
        "constraints": dict(file.section("constraints")),
        "set": dict(file.section("set")),
        "fix": {**dict.fromkeys(file.section("fix").get("names", ())), **fixed},
    }
    return {name: value for name, value in out.items() if value not in ({}, None)}


def merged(file: FitFile | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The file's keywords with what was `given` over them: a value replaces, tables are joined name by name. What is None or an
    empty table counts as not given."""
    out = dict(keywords_of(file)) if file is not None else {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            out[name] = {**out.get(name, {}), **value}
        elif value is not None:
            out[name] = value
    for name in given.get("set") or ():  # a value given now is not undone by one that the file fixes
        if name in out.get("fix", {}) and name not in (given.get("fix") or {}):
            out["fix"] = {**out["fix"], name: None}
    return out


# ---- writing ------------------------------------------------------------------------------------------------------------
def fit_file_text(keywords: Mapping[str, Any], about: str = "") -> str:
    """The inverse of `keywords_of`: a file that says the same. What is None is left out; paths stay as they are."""
    content = {"fit": {k: keywords[k] for k in SECTIONS["fit"].keys if keywords.get(k) is not None},
               "solver": {k: v for k, v in keywords.get("settings", {}).items() if k in SECTIONS["solver"].keys}}  # fmt: skip
    content |= {name: keywords.get(name, {}) for name in ("columns", "sources", "weights", "constraints", "set")}
    content["fix"] = {"names": list(keywords["fix"])} if keywords.get("fix") else {}
    content |= {f"conditions.{_toml_key(label)}": values for label, values in (keywords.get("numbers") or {}).items()}
    content |= {f"equilibrate.{_toml_key(label)}": values for label, values in (keywords.get("equilibrate") or {}).items()}
    lines = [f"# {about}"] if about else []
    for section, values in content.items():
        if values or section.startswith("equilibrate."):  # an empty one says something too
            lines += ["", f"[{section}]", *(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in values.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _toml_value(value: Any) -> str:
    """Numbers read back exactly; JSON's texts are TOML's."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)
