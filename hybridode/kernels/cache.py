"""Machine code kept in memory, and on disk (see `store`) by a hash of what it was made from.

Object code is named by the hash of its IR text, the processor and the versions. An entry of the index says which object a model's
kernel is, so that a process that finds both need not write the text: its key is the model's tapes, the method and our sources.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import RLock
from typing import Any

import llvmlite
import numpy as np

from hybridode import store
from hybridode.kernels.llvm.machine import Machine, define_symbol, link, object_code, target_text
from hybridode.kernels.llvm.parts import Module

_LOADED: dict[str, Machine] = {}  # code lives as long as the process: XLA keeps addresses of it
_LOCK = RLock()


def loaded(module: Module) -> Machine:
    """The module's code, ready to run. The modules whose entries it calls must have been loaded before."""
    with _LOCK:
        found = _LOADED.get(module.run)
        return _linked(module, _object(module)) if found is None else found


def loaded_together(first: Module, write: Callable[[], Module]) -> Module:
    """Loads a module and another one, which is written meanwhile and may call it; the other one."""
    with ThreadPoolExecutor(1) as beside:
        making = beside.submit(_object, first)
        second = write()
        codes = _object(second), making.result()
    with _LOCK:
        for module, code in zip((first, second), reversed(codes), strict=True):
            if module.run not in _LOADED:
                _linked(module, code)
    return second


def indexed(key: str) -> Module | None:
    """The module of an entry of the index, its code loaded; None where there is none, or what it calls is not loaded. It has no
    text."""
    name = _entry(key)
    kept: Any = store.read_json(name)
    if kept is None:
        return None
    data = store.read(kept["data"]) if kept["data"] else b""
    if data is None:
        return None
    module = Module("", kept["run"], kept["handler"], tuple(kept["calls"]), data, kept["tables"])
    with _LOCK:
        if any(name not in _LOADED for name in module.calls):  # it goes with another solve than the one that this process has
            return None
        if module.run not in _LOADED:
            code = store.read(kept["object"])
            if code is None:
                return None
            _linked(module, code)
    return module


def index(key: str, module: Module) -> None:
    """Keeps which module a key stands for."""
    data = store.digest(module.data.hex()) + ".o" if module.data else ""
    if data:
        store.write(data, module.data)
    entry = {"run": module.run, "handler": module.handler, "calls": list(module.calls), "object": _file(module)}
    entry |= {"data": data, "tables": module.tables}
    store.write_json(_entry(key), entry)


def _entry(key: str) -> str:
    return store.digest("index", key, target_text(), llvmlite.__version__)


def _linked(module: Module, code: bytes) -> Machine:
    for name in module.calls:
        assert any(name == known for known in _LOADED), f"{name} has not been loaded"
    found = _LOADED[module.run] = _with_tables(link(code), module)
    define_symbol(module.run, found.address(module.run))
    return found


def _with_tables(machine: Machine, module: Module) -> Machine:
    """The code told where its tables are, which live as long as it does."""
    if not module.data:
        return machine
    data = np.frombuffer(module.data, np.float64).copy()
    machine.function(module.tables, None, ctypes.c_void_p)(data.ctypes.data)
    return replace(machine, data=data)


def _file(module: Module) -> str:
    return store.digest("\n".join([target_text(), llvmlite.__version__, module.text])) + ".o"


def _object(module: Module) -> bytes:
    name = _file(module)
    kept = store.read(name)
    if kept is None:
        kept = object_code(module.text)
        store.write(name, kept)
    return kept
