"""What a run was made from, so that `hybridode fit --resume DIR` goes on with that and with nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from hybridode.commands.fit import FitOptions

FREE = frozenset(
    {"out", "max_seconds", "resume", "dry_run", "workers", "only_fit"}
)  # options that do not shape the path of the search
SOLVER = ("engine", "method", "rtol", "atol", "checkpoints")  # options that stand together in `settings`


def origin(model: str, data: str, options: FitOptions, declarations: Declarations, settings: Path | None) -> dict[str, Any]:
    """Files with hashes of their contents, and options, as JSON. `settings` is the `fit.toml` that is in use."""
    return {
        "model": str(Path(model).resolve()),
        "data": str(Path(data).resolve()),
        "contents": {label: _hash(path) for label, path in _files(model, data, options, declarations, settings)},
        "options": _plain_options(options),
    }


def continued(stored: Mapping[str, Any], options: FitOptions) -> FitOptions:
    """The options of the run, with those of this command that do not shape it.

    Raises UsageError E0772 when an option was given that the run was begun without, or with another value.
    """
    before: dict[str, Any] = dict(stored["options"])
    nothing = _plain_options(type(options)())
    for name, value in _plain_options(options).items():
        was = before.get(name, nothing[name])
        if value not in (nothing[name], was):
            raise _changed(f"the option --{name.replace('_', '-')} was {_words(was)}, not {_words(value)}")
    kept = {f.name for f in fields(options)} & before.keys()
    settings = {name: before[name] for name in SOLVER if before.get(name) is not None}
    return replace(options, settings=settings, **{k: tuple(v) if isinstance(v := before[k], list) else v for k in kept})


def check_unchanged(stored: Mapping[str, Any], now: Mapping[str, Any], directory: Path) -> None:
    """Raises UsageError E0772 when a file of the run has another content than when it was begun."""
    before: Mapping[str, str] = stored["contents"]
    for label, value in now["contents"].items():
        if before.get(label) != value:
            raise _changed(f"{label} has changed since the run in `{directory}` was begun")
    for label in before:
        if label not in now["contents"]:
            raise _changed(f"{label} is missing, with which the run in `{directory}` was begun")


def _changed(message: str) -> UsageError:
    return UsageError(Diagnostic("E0772", message, hint="bring it back, or begin a new run without `--resume`"))


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "not given"
    return "not given" if value is None else f"`{value}`"


def _plain_options(options: FitOptions) -> dict[str, Any]:
    """The options that shape the search and the settings of the solver, as JSON gives them back; paths are absolute, so that a
    run goes on from any folder."""
    found = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in FREE and f.name != "settings"}
    found["sources"] = [f"{name.strip()}={Path(path.strip()).resolve()}" for name, _, path in map(_pair, options.sources)]
    for name in ("settings_file", "conditions"):
        if found[name] not in (None, "none"):
            found[name] = str(Path(found[name]).resolve())
    return json.loads(json.dumps({**found, **dict.fromkeys(SOLVER), **options.settings}))


def _pair(text: str) -> tuple[str, str, str]:
    return text.partition("=")


def _files(
    model: str, data: str, options: FitOptions, declarations: Declarations, settings: Path | None
) -> Iterable[tuple[str, Path]]:
    """Every file that a fit reads, with the words that name it to the user."""
    folder = Path(model).parent
    yield "the model", Path(model)
    yield "the data", Path(data)
    for network in declarations.networks:
        if network.weights:
            yield f"the file of weights `{network.weights}`", folder / network.weights
    given = {name.strip(): path.strip() for name, _, path in map(_pair, options.sources)}
    for source in sorted({source for signal in declarations.inputs for source, _ in signal.columns if source != "data"}):
        path = Path(given[source]) if source in given else folder / source
        if path.is_file():
            yield f"the source `{source}`", path
    if options.conditions is not None:
        yield "the table of conditions", Path(options.conditions)
    if settings is not None:
        yield f"the settings `{settings.name}`", settings


def _hash(path: Path) -> str:
    """Of a file's content; of one that is not there the word for that."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
