"""XLA's programs of a fit kept on disk for the next process, by JAX's own persistent cache in a folder beside our machine code.

Half the processor time of a short fit is XLA compiling the program of its objective; from the cache it takes a twentieth of that,
and the numbers are the same to the last bit. JAX names an entry by the hash of the program, the compiler and its options; the
folder is named by the processor. JAX's settings are the caller's again afterwards, and a cache of the caller's is left alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from hybridode import store
from hybridode.kernels.llvm.machine import target_text

_FOLDER = "jax_compilation_cache_dir"
_LEAST_SECONDS = 0.03  # what compiles faster is not worth a file


def keep_programs() -> dict[str, Any]:
    """From now on what is compiled in this process is kept. JAX's settings as they were; none where nothing was changed."""
    folder = None if getattr(jax.config, _FOLDER) else store.programs(store.digest(target_text())[:16])
    if folder is None:
        return {}
    ours: dict[str, Any] = {
        _FOLDER: str(folder),
        "jax_persistent_cache_min_compile_time_secs": _LEAST_SECONDS,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    before = {name: getattr(jax.config, name) for name in ours}
    compilation_cache.reset_cache()
    for name, value in ours.items():
        jax.config.update(name, value)
    return before


@contextmanager
def programs_kept() -> Iterator[None]:
    """What is compiled inside is kept; failing to is no error."""
    before = keep_programs()
    if not before:
        yield
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
            yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
