"""The function that XLA calls, as IR: it reads the call frame of XLA's typed FFI, fills a job and runs it.

The structures are those of `xla/ffi/api/c_api.h` (every field is 8 bytes or padded to it). It never reports an error: what
goes wrong in a solve is in the solve's results.
"""

from __future__ import annotations

from hybridode.kernels.llvm.job import SLOTS, put
from hybridode.kernels.llvm.outcome import SPREAD, finish_text
from hybridode.kernels.llvm.writer import Lanes

# Operands and results of each kind in order, by the slot that they fill (options and the sizes apart).
_GIVEN = ("p", "w", "s", "y0", "t0", "ts", "options")
OPERANDS = {
    "solve": _GIVEN,
    "tangent": (*_GIVEN, "info", "record", "p_dot", "w_dot", "s_dot", "y0_dot"),
    "adjoint": (*_GIVEN, "info", "record", "ys_dot"),
}
RESULTS = {
    "solve": ("ys", "info", "end", "record", *SPREAD),
    "tangent": ("ys_dot",),
    "adjoint": ("p_dot", "w_dot", "s_dot", "y0_dot"),
}
OPTIONS = ("rtol", "atol", "first step", "largest step", "max_steps", "checkpoints", "threads")
_NUMBERS = ("max_steps", "checkpoints", "threads")  # options that are numbers of the job
_EXTENSION, ARGUMENTS, RESULTS_AT = 1, 9, 14  # words of XLA_FFI_CallFrame: extension_start, args.args, rets.rets
DATA, RANK, DIMENSIONS = 3, 4, 5  # words of XLA_FFI_Buffer


def word(base: str, k: int, register: str, kind: str = "ptr") -> str:
    """Lines that load word k behind a pointer."""
    return f"  {register}_at = getelementptr i64, ptr {base}, i64 {k}\n  {register} = load {kind}, ptr {register}_at, align 8"


HELPERS = f"""
define internal i64 @dimension(ptr %buffer, i64 %from_the_end) {{
{word("%buffer", RANK, "%rank", "i64")}
{word("%buffer", DIMENSIONS, "%dims")}
  %k = sub i64 %rank, %from_the_end
  %at = getelementptr i64, ptr %dims, i64 %k
  %d = load i64, ptr %at, align 8
  ret i64 %d
}}
define internal i64 @leading(ptr %buffer, i64 %trailing) {{
entry:
{word("%buffer", RANK, "%rank", "i64")}
{word("%buffer", DIMENSIONS, "%dims")}
  %count = sub i64 %rank, %trailing
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %product = phi i64 [ 1, %entry ], [ %more, %one ]
  %left = icmp slt i64 %k, %count
  br i1 %left, label %one, label %done
one:
  %at = getelementptr i64, ptr %dims, i64 %k
  %d = load i64, ptr %at, align 8
  %more = mul i64 %product, %d
  %next = add i64 %k, 1
  br label %loop
done:
  ret i64 %product
}}
define internal i64 @stride(ptr %buffer, i64 %trailing, i64 %row) {{
{word("%buffer", RANK, "%rank", "i64")}
  %batched = icmp sgt i64 %rank, %trailing
  %s = select i1 %batched, i64 %row, i64 0
  ret i64 %s
}}"""


def answer_text(api: tuple[int, int]) -> str:
    """Lines at a handler's entry: a request for metadata is answered with this version of the API, all else goes to `work`."""
    return f"""{word("%frame", _EXTENSION, "%extension")}
  %asked = icmp ne ptr %extension, null
  br i1 %asked, label %metadata, label %work
metadata:
{word("%extension", 3, "%answer")}
  %version = getelementptr i64, ptr %answer, i64 3
  store i32 {api[0]}, ptr %version, align 4
  %minor = getelementptr i32, ptr %version, i64 1
  store i32 {api[1]}, ptr %minor, align 4
  ret ptr null"""


def handler_text(kind: str, n: int, parameters: int, weights: int, api: tuple[int, int], lanes: Lanes) -> str:
    """`ptr {handler}(frame)`, answering a request for metadata with this version of the API."""
    lines = [
        HELPERS,
        "define ptr @{handler}(ptr %frame) {",
        "entry:",
        "  %job = alloca i64, i64 " + str(len(SLOTS)) + ", align 8",
    ]
    lines.append(answer_text(api))
    lines += ["work:", f"  call void @llvm.memset.p0.i64(ptr %job, i8 0, i64 {8 * len(SLOTS)}, i1 false)"]
    lines += [word("%frame", ARGUMENTS, "%arguments"), word("%frame", RESULTS_AT, "%results")]
    for array, names in (("%arguments", OPERANDS[kind]), ("%results", RESULTS[kind])):
        for k, name in enumerate(names):
            lines += [word(array, k, f"%b_{name}"), word(f"%b_{name}", DATA, f"%d_{name}")]
            if name not in SPREAD:
                lines.append(put("%job", name, f"%d_{name}", "ptr"))
    lines += _sizes(kind, n, parameters, weights, lanes)
    lines.append("  call void @{run}(ptr %job)")
    if kind == "solve":
        lines.append("  call void @finish(ptr %job, " + ", ".join(f"ptr %d_{name}" for name in SPREAD) + ")")
        lines.insert(0, finish_text(n, lanes))
    lines += ["  ret ptr null", "}", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"]
    return "\n".join(lines)


def _sizes(kind: str, n: int, parameters: int, weights: int, lanes: Lanes) -> list[str]:
    """The job's numbers from the shapes of the buffers and from the options."""
    lines = [
        "  %count = call i64 @leading(ptr %b_info, i64 1)",
        put("%job", "trajectories", "%count"),
        put("%job", "total", "%count"),
    ]
    if kind == "solve":
        lines.append(put("%job", "seeds", "1"))
    else:
        lines += ["  %all = call i64 @leading(ptr %b_ys_dot, i64 2)", "  %some = call i64 @llvm.smax.i64(i64 %count, i64 1)"]
        lines += ["  %seeds = udiv i64 %all, %some", put("%job", "seeds", "%seeds")]
    if kind == "adjoint":
        lines += ["  %arrays = call i64 @leading(ptr %b_w_dot, i64 1)", "  %fewer = icmp slt i64 %arrays, %all"]
        lines += ["  %summed = zext i1 %fewer to i64", put("%job", "summed", "%summed")]
    lines += ["  %times = call i64 @dimension(ptr %b_ts, i64 1)", put("%job", "times", "%times")]
    lines += ["  %s_count = call i64 @dimension(ptr %b_s, i64 1)", put("%job", "s_count", "%s_count")]
    lines += ["  %capacity = call i64 @dimension(ptr %b_record, i64 2)", put("%job", "capacity", "%capacity")]
    lines += ["  %unrecorded = icmp eq i64 %capacity, 0", "  %record = select i1 %unrecorded, ptr null, ptr %d_record"]
    lines.append(put("%job", "record", "%record", "ptr"))
    rows = (("p", 1, str(parameters)), ("w", 1, str(weights)), ("s", 1, "%s_count"), ("y0", 1, str(n)), ("t0", 0, "1"),
            ("ts", 1, "%times"))  # fmt: skip
    for name, trailing, row in rows:
        lines.append(f"  %stride_{name} = call i64 @stride(ptr %b_{name}, i64 {trailing}, i64 {row})")
        lines.append(put("%job", f"{name}_stride", f"%stride_{name}"))
    for name in _NUMBERS:
        lines.append(f"  %r_{name}_at = getelementptr {lanes.scalar}, ptr %d_options, i64 {OPTIONS.index(name)}")
        lines.append(f"  %r_{name} = load {lanes.scalar}, ptr %r_{name}_at, align {lanes.number_bytes}")
        lines.append(f"  %i_{name} = fptosi {lanes.scalar} %r_{name} to i64")
        lines.append(put("%job", name, f"%i_{name}"))
    return lines
