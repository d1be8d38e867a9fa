"""Checkpoints: the answers of a fit in files, a few seconds apart, so that a fit that was killed goes on (docs/run-directory.md).

`checkpoint/state.json` says of what run they are, `checkpoint/NNNNNN.safetensors` hold the answers of `Memory`. Each file is
written under a temporary name and renamed. Small files are joined as they come (each two neighbours of which the older is
not much larger), so that there are only as many as the logarithm of their size.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from hybridode.errors import DataError, Diagnostic, UsageError
from hybridode.files import write_whole
from hybridode.fit.memory import Answer, Memory

SCHEMA = 1
FOLDER, STATE, LOCK = "checkpoint", "state.json", "lock"
_KEYS = "keys"
MOST_BYTES = 1 << 30  # of all answers: beyond it the oldest go, and are computed again by a fit that goes on
_LARGEST = 64 << 20  # a file of answers that is not joined any more


@dataclass
class Checkpoint:
    """The checkpoint of one run directory. `run` is what it was made from (see `changes`), as JSON."""

    directory: Path
    run: Mapping[str, Any]
    _lock: int | None = None
    _sizes: dict[int, int] = field(default_factory=dict)  # number of a file -> its bytes, oldest first

    @property
    def folder(self) -> Path:
        return self.directory / FOLDER

    @property
    def written(self) -> bool:
        """There is something to go on from."""
        return (self.folder / STATE).is_file()

    def open(self) -> None:
        """Takes the folder for this process. Raises UsageError E0773 when another process works on this run, OSError."""
        self.folder.mkdir(exist_ok=True)
        for _ in range(5):  # who watches touches the lock for a moment
            try:
                self._lock = _locked(self.folder / LOCK, self.directory)
                break
            except UsageError:
                time.sleep(0.02)
        else:
            self._lock = _locked(self.folder / LOCK, self.directory)
        self._sizes = {int(path.stem): path.stat().st_size for path in _answer_files(self.folder)}

    def close(self) -> None:
        """Lets other processes work on this run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, answers: Mapping[bytes, Answer], elapsed: float) -> None:
        """Adds answers; `elapsed` seconds were spent on the fit. Raises OSError."""
        if answers:
            self._append(answers)
        state = {"schema": SCHEMA, "written": time.time(), "elapsed": elapsed, "run": self.run}
        write_whole(self.folder / STATE, (json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode(), lasting=True)

    def remove(self) -> None:
        """The run is complete: nobody will need the checkpoint."""
        self.close()
        for path in (*_answer_files(self.folder), self.folder / STATE, self.folder / LOCK, *self.folder.glob(".*.part")):
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    # ---- the files of answers -------------------------------------------------------------------------------------------
    def _append(self, answers: Mapping[bytes, Answer]) -> None:
        number = max(self._sizes, default=0) + 1
        self._save(number, _tensors(answers))
        while len(self._sizes) > 1:
            older, newer = sorted(self._sizes)[-2:]
            if self._sizes[older] > 2 * self._sizes[newer] or self._sizes[older] + self._sizes[newer] > _LARGEST:
                break
            self._save(older, _joined(load_file(self._path(older)), load_file(self._path(newer))))
            self._drop(newer)  # a kill before this line leaves answers twice, which does no harm
        while sum(self._sizes.values()) > MOST_BYTES and len(self._sizes) > 1:
            self._drop(min(self._sizes))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"

    def _save(self, number: int, tensors: dict[str, np.ndarray]) -> None:
        content = save(tensors, metadata={"format": f"hybridode answers {SCHEMA}"})
        write_whole(self._path(number), content, lasting=True)
        self._sizes[number] = len(content)

    def _drop(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        del self._sizes[number]


def _tensors(answers: Mapping[bytes, Answer]) -> dict[str, np.ndarray]:
    """Answers of one kind (same names, shapes, types) as one stack: `0.keys` (n, 16), `0.value` (n,), `0.gradient` (n, d), …"""
    kinds: dict[tuple[Any, ...], list[bytes]] = {}
    for key, answer in answers.items():
        kinds.setdefault(tuple((name, a.shape, a.dtype.str) for name, a in sorted(answer.items())), []).append(key)
    out = {}
    for number, (kind, keys) in enumerate(kinds.items()):
        out[f"{number}.{_KEYS}"] = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), 16)
        for name, _, _ in kind:
            out[f"{number}.{name}"] = np.stack([answers[key][name] for key in keys])
    return out


def _groups(tensors: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The stacks of one file, each as name -> array."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        number, _, part = name.partition(".")
        found.setdefault(number, {})[part] = array
    return [found[number] for number in sorted(found, key=int)]


def _joined(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    kinds: dict[tuple[Any, ...], list[dict[str, np.ndarray]]] = {}
    for group in (*_groups(first), *_groups(second)):
        kinds.setdefault(tuple((name, a.shape[1:], a.dtype.str) for name, a in sorted(group.items())), []).append(group)
    return {
        f"{number}.{name}": np.concatenate([group[name] for group in groups])
        for number, groups in enumerate(kinds.values())
        for name in groups[0]
    }


def _answer_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if path.stem.isdecimal()) if folder.is_dir() else []


# ---- going on -----------------------------------------------------------------------------------------------------------
def read_state(directory: Path) -> dict[str, Any]:
    """`state.json` of a run that can go on. Raises DataError E0770 (nothing to go on with), E0771 (of a newer version)."""
    path = directory / FOLDER / STATE
    if not path.is_file():
        if not directory.is_dir():
            raise _nothing(f"`{directory}` does not exist", "give the directory of a run that was cut off")
        if (directory / "result.json").is_file():
            raise _nothing(f"the run in `{directory}` is finished", "nothing is left to do: begin a new one without `--resume`")
        raise _nothing(
            f"`{directory}` has no checkpoint", "a run writes its first one after a few seconds: begin anew without `--resume`"
        )
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        schema = int(state["schema"])
        whole = schema > SCHEMA or (isinstance(state["elapsed"], float | int) and isinstance(state["run"], dict))
        if not whole:
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise _nothing(f"`{path}` cannot be read as a checkpoint", "was it edited? Begin anew without `--resume`") from error
    if schema > SCHEMA:
        message = f"`{path}` has schema {schema}; this version of hybridode reads up to {SCHEMA}"
        raise DataError(Diagnostic("E0771", message, hint="go on with the hybridode that began the run, or install a newer one"))
    return state


def read_memory(directory: Path, log: list[str]) -> Memory:
    """The answers of an earlier process. A file that cannot be read is named in the log: its answers are computed again."""
    memory = Memory(keeping=True)
    for path in _answer_files(directory / FOLDER):
        try:
            with safe_open(path, "np") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError) as error:
            log.append(f"the checkpoint `{path.name}` cannot be read and its part is computed again: {error}")
            continue
        for group in _groups(tensors):
            memory.learn(group.pop(_KEYS), group)
    return memory


def _nothing(message: str, hint: str) -> DataError:
    return DataError(Diagnostic("E0770", message, hint=hint))


def in_work(directory: Path) -> bool:
    """A process works on this run now."""
    path = directory / FOLDER / LOCK
    if not path.is_file():
        return False
    try:
        handle = _locked(path, directory)
    except UsageError:
        return True
    os.close(handle)
    return False


def _locked(path: Path, directory: Path) -> int:
    """A file descriptor that holds the lock; the system lets go of it when the process ends, however it ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        message = f"another process works on the run in `{directory}`"
        raise UsageError(Diagnostic("E0773", message, hint="wait for it or end it; `hybridode watch DIR` shows it")) from error
    return handle
