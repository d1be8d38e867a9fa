"""XLA's compiler in the tests: cheap code, and what one process has compiled is read by the others.

XLA compiles several thousand programs in a run of all tests, most of them single operations: more than half of the processor time
of the tests of fits. Its code runs for milliseconds. Our own kernels are LLVM's (llvmlite) and stay as they are.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import version

import pytest

# Half the time of compiling, the same numbers. XLA ends the process at a flag that it does not know: where it was tried only.
CHEAP = "--xla_cpu_use_fusion_emitters=false"
TRIED = ("0.10.",)
KEPT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
}
FOLDER = "JAX_COMPILATION_CACHE_DIR"
MOST_PROGRAMS = 20_000  # of 10 to 100 kB


def cheap(config: pytest.Config) -> None:
    """Before JAX is imported, for this process and those it starts. What the caller has set stays; the slow tests run the code
    that users run. `pytest --cache-clear` empties the folder of programs."""
    if "jax" in sys.modules or config.option.markexpr != "not slow":
        return
    if "XLA_FLAGS" not in os.environ and version("jaxlib").startswith(TRIED):
        os.environ["XLA_FLAGS"] = CHEAP
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    cache = getattr(config, "cache", None)  # none under -p no:cacheprovider
    if cache is None or FOLDER in os.environ:
        return
    folder = cache.mkdir("xla")
    if sum(1 for _ in folder.iterdir()) > MOST_PROGRAMS:
        shutil.rmtree(folder, ignore_errors=True)
        folder = cache.mkdir("xla")
    os.environ |= KEPT | {FOLDER: str(folder)}
