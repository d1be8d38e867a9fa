"""Recorded calls (see `calls`) linked into a program in C, which valgrind watches.

    python -m tests.kernels.memory.calls FOLDER && python -m tests.kernels.memory.memcheck FOLDER

memcheck finds reads and writes outside buffers, decisions on values that were never written and memory that is not given back;
helgrind finds threads that touch the same memory at once. The code is the recorded text compiled for processors with AVX2,
which is what valgrind knows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.ffi
import llvmlite.binding as llvm
import numpy as np

from hybridode.kernels.llvm.machine import host

SOURCE = Path(__file__).with_name("memcheck.c")
PROCESSOR = "x86-64-v3"
TOOLS = {
    "memcheck": ("--tool=memcheck", "--leak-check=full", "--expensive-definedness-checks=yes"),
    "helgrind": ("--tool=helgrind",),
}
FOUND = 77  # valgrind's exit status where it found something


def lacking() -> str:
    """What is needed and not here, in words, or nothing."""
    if os.uname().machine != "x86_64":
        return "the recorded code is compiled for x86-64"
    missing = [tool for tool in ("gcc", "valgrind") if shutil.which(tool) is None]
    return f"no {' and no '.join(missing)} here" if missing else ""


@dataclass(frozen=True)
class Call:
    """A recorded call: the path of its files without their endings, and its handler."""

    path: Path
    handler: str


def recorded(folder: Path) -> list[Call]:
    return [Call(p.with_suffix(""), p.with_suffix(".handler").read_text()) for p in sorted(folder.glob("*.call"))]


def program(folder: Path, build: Path, fault: Callable[[str], str] = lambda text: text) -> Path:
    """The program with all recorded modules, each with a fault put in."""
    host()  # initialises LLVM
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(PROCESSOR, opt=1, reloc="pic", jit=False)
    build.mkdir(exist_ok=True)
    objects = []
    for text in sorted(folder.glob("*.ll")):
        module = llvm.parse_assembly(fault(text.read_text(encoding="utf-8")))
        module.verify()
        objects.append(build / f"{text.stem}.o")
        objects[-1].write_bytes(target.emit_object(module))
    names = sorted({call.handler for call in recorded(folder)})
    declared = "".join(f"void *{name}(void *);\n" for name in names)
    rows = "".join(f'  {{"{name}", {name}}},\n' for name in names)
    table = build / "table.c"
    head = "struct entry { const char *name; void *(*handler)(void *); };\n"
    table.write_text(f"{declared}{head}const struct entry handlers[] = {{\n{rows}  {{0, 0}}}};\n")
    made = build / "calls"
    flags = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{jax.ffi.include_dir()}", "-o", str(made)]
    subprocess.run(["gcc", *flags, str(SOURCE), str(table), *map(str, objects), "-lm", "-lpthread"], check=True)
    return made


def watch(made: Path, calls: Sequence[Call], tool: str) -> subprocess.CompletedProcess[str]:
    """The calls under a tool of valgrind; exit status FOUND where it found something."""
    words = [word for call in calls for word in (str(call.path), call.handler)]
    command = ["valgrind", *TOOLS[tool], "-q", f"--error-exitcode={FOUND}", str(made), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200)


def differing(calls: Sequence[Call]) -> list[str]:
    """The calls whose results are not those of the code that recorded them, but for other roundings."""
    wrong = []
    for call in calls:
        data, at = call.path.with_suffix(".results").read_bytes(), 0
        for name, expected in np.load(call.path.with_suffix(".npz")).items():
            found = np.frombuffer(data, expected.dtype, expected.size, at).reshape(expected.shape)
            at += expected.nbytes
            rtol, atol = (1e-3, 1e-4) if expected.dtype == np.float32 else (1e-6, 1e-9)
            if not np.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True):
                wrong.append(f"{call.path.name} {call.handler} {name}: {found} instead of {expected}")
    return wrong


def main() -> None:
    folder = Path(sys.argv[1])
    made = program(folder, folder / "build")
    failed = False
    for tool in TOOLS:
        done = watch(made, recorded(folder), tool)
        print(f"{tool}: exit status {done.returncode}", done.stderr, sep="\n")
        failed |= done.returncode != 0
    print(*differing(recorded(folder)), sep="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
