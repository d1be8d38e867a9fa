"""One cold start, in a process of its own: `python -m tests.benchmarks.startup NAME solve|gradient` prints
{"imports": seconds, "seconds": from POLLU's text to the first result, "peak": MB, "imported": MB before}.

Nothing is compiled before the clock starts, but everything that a second model would find imported is.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import time
from pathlib import Path

RTOL, ATOL = 1e-6, 1e-10


def _peak() -> float:
    """MB that this process held at most. (`ru_maxrss` would count what the process that started this one held.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


OURS = (
    "jax", "llvmlite.binding", "sympy", "scipy.integrate", "scipy.sparse.csgraph",
    "hybridode.api", "hybridode.compile", "hybridode.language.check",
    "hybridode.data.evaluate", "hybridode.data.given", "hybridode.solve.solver", "hybridode.kernels.ffi.primitives",
    "hybridode.kernels.ffi.pack", "hybridode.kernels.llvm.module", "hybridode.methods.ready", "hybridode.methods.rolled",
    "hybridode.methods.explicit_tableaux", "hybridode.methods.rosenbrock_tableaux", "hybridode.equations.shapes",
    "hybridode.solve.trial",
)  # fmt: skip
# name → (modules that the peer imports late, module of the adapter, adapter, its arguments)
SOLVES = {
    "hybridode": (OURS, "ours", "prepare", {}),
    "libRoadRunner": (("antimony", "roadrunner"), "roadrunner", "prepare", {"stiff": True}),
    "pydiffsol": (("pydiffsol",), "pydiffsol", "prepare", {"method": "bdf"}),
    "CVODES (CasADi)": (("casadi",), "casadi", "prepare", {"plugin": "cvodes", "stiff": True}),
    "Diffrax Kvaerno5": (("diffrax",), "diffrax", "prepare", {"solver": "Kvaerno5"}),
}
GRADIENTS = {
    "hybridode": (OURS, "gradients", "prepare_ours", {"method": "auto"}),
    "pydiffsol": (("pydiffsol",), "gradients", "prepare_pydiffsol", {"adjoint": True}),
    "CVODES (CasADi)": (("casadi",), "gradients", "prepare_casadi", {}),
    "Diffrax Kvaerno5": (("diffrax",), "gradients", "prepare_diffrax", {"solver": "Kvaerno5"}),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SOLVES)
    parser.add_argument("what", choices=("solve", "gradient"))
    given = parser.parse_args()
    began = time.perf_counter()
    modules, module, function, options = (SOLVES if given.what == "solve" else GRADIENTS)[given.name]
    adapter = getattr(importlib.import_module(f"tests.benchmarks.peers.{module}"), function)
    for late in modules:
        importlib.import_module(late)
    if "jax" in modules or "diffrax" in modules:
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.jit(lambda x: x + 1)(1.0)  # the first call of all sets up JAX's own machinery
    from tests.problems import problems

    problem = problems()["pollu"]
    imports, imported = time.perf_counter() - began, _peak()
    began = time.perf_counter()
    adapter(problem, **options)(RTOL, ATOL)()
    seconds = time.perf_counter() - began
    print(json.dumps({"imports": imports, "seconds": seconds, "imported": imported, "peak": _peak()}))


if __name__ == "__main__":
    main()
