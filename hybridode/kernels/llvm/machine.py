"""LLVM IR text → machine code of this process, by llvmlite."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import llvmlite.binding as llvm


@cache
def _initialised() -> Any:
    """The target. LLVM's scheduler is switched off: instructions come in a better order (see `tape/schedule`) than it finds for
    thousands of them without a loop (a fifth of an adjoint's time, two fifths of compiling it)."""
    llvm.set_option("hybridode", "-enable-misched=false")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


QUICK = "; quick\n"  # how the text of a module begins that is compiled without optimisation (see `ffi/work`)


def host(level: int = 2) -> Any:
    """A target machine of this processor. An execution engine owns and disposes of its machine, so each gets its own."""
    features = llvm.get_host_cpu_features().flatten()
    return _initialised().create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=level, jit=True)


def target_text() -> str:
    """What code depends on beside its text: compiler, processor, its features."""
    version = "unscheduled 2 " + ".".join(str(v) for v in llvm.llvm_version_info)
    return f"{version} {llvm.get_process_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@cache
def host_lanes(dtype: str = "float64") -> int:
    """How many lanes the widest vector register of this processor holds."""
    features = llvm.get_host_cpu_features()
    bits = 512 if features.get("avx512f") else 256 if features.get("avx") else 128
    return bits // (64 if dtype == "float64" else 32)


@dataclass(frozen=True)
class Machine:
    """Compiled code; it and the tables that it reads live as long as this object."""

    engine: Any
    data: Any = field(default=None, compare=False, repr=False)

    def address(self, name: str) -> int:
        """Address of a function."""
        found = self.engine.get_function_address(name)
        assert found, f"{name} is not in the module"
        return found

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A function as a ctypes callable."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.address(name))


def object_code(text: str) -> bytes:
    """Parse, verify and compile a module to an object file. Each has a context of its own: several threads may do so at once."""
    machine = host(0 if text.startswith(QUICK) else 2)
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    return _emitted(machine, module)


def _emitted(machine: Any, module: Any) -> bytes:
    """`machine.emit_object(module)` without the lock that llvmlite holds during every call of LLVM: this call takes nearly all of
    the time, and works on a context and a machine that nobody else has."""
    library = llvm.ffi.lib
    emit = library.LLVMPY_TargetMachineEmitToMemory
    with llvm.ffi.OutputString() as problem:
        buffer = getattr(emit, "_cfn", emit)(machine, module, 1, problem)
        if not buffer:
            raise RuntimeError(str(problem))
    try:
        return ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer))
    finally:
        library.LLVMPY_DisposeMemoryBuffer(buffer)


def link(code: bytes) -> Machine:
    """An object file loaded into this process."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), host())
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Machine(engine)


def define_symbol(name: str, address: int) -> None:
    """Lets code that is linked later call this address by name."""
    llvm.add_symbol(name, address)


def compile_ir(text: str) -> Machine:
    """Text to code of this process."""
    return link(object_code(text))
