"""What a solve says of every trajectory, written by the handler: a start that is not finite and times that do not ascend are
results too (see `solve/results`), and each result has an array of its own, so that XLA need not cut it out."""

from __future__ import annotations

from hybridode.kernels.llvm.job import INFO, slot
from hybridode.kernels.llvm.writer import Lanes

COUNTED = ("accepted", "rejected", "pivoted")
SPREAD = ("result", "t_end", "y_end", *COUNTED)  # what info and end say
BAD_START, BAD_TIMES = 5, 8  # codes of `solve/results`

# On numbers of the type SCALAR, of so many BYTES.
_CHECKS = """
define internal i1 @ascending(SCALAR %t0, ptr %ts, i64 %times) {
entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %before = phi SCALAR [ %t0, %entry ], [ %t, %one ]
  %left = icmp slt i64 %k, %times
  br i1 %left, label %one, label %yes
one:
  %at = getelementptr SCALAR, ptr %ts, i64 %k
  %t = load SCALAR, ptr %at, align BYTES
  %falls = fcmp olt SCALAR %t, %before
  %first = fcmp olt SCALAR %t, %t0
  %bad = or i1 %falls, %first
  %next = add i64 %k, 1
  br i1 %bad, label %no, label %loop
yes:
  ret i1 true
no:
  ret i1 false
}
define internal i1 @finite(ptr %row, i64 %n) {
entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %left = icmp slt i64 %k, %n
  br i1 %left, label %one, label %yes
one:
  %at = getelementptr SCALAR, ptr %row, i64 %k
  %x = load SCALAR, ptr %at, align BYTES
  %rest = fsub SCALAR %x, %x
  %good = fcmp ord SCALAR %rest, %rest
  %next = add i64 %k, 1
  br i1 %good, label %loop, label %no
yes:
  ret i1 true
no:
  ret i1 false
}
define internal void @blank(ptr %row, i64 %count) {
entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %left = icmp slt i64 %k, %count
  br i1 %left, label %one, label %done
one:
  %at = getelementptr SCALAR, ptr %row, i64 %k
  store SCALAR 0x7FF8000000000000, ptr %at, align BYTES
  %next = add i64 %k, 1
  br label %loop
done:
  ret void
}
"""


def finish_text(n: int, lanes: Lanes) -> str:
    """`finish(job, result, t_end, y_end, accepted, rejected, pivoted)`: what a solve says of each trajectory, in arrays.

    result: the status, BAD_START where a start value is not finite, BAD_TIMES where the times do not ascend from t0 (all of ys
    is NaN then); info gets it too. t_end: the last time that was reached, by a solve that succeeded the last save point unless an
    event stopped it.
    """
    rows = "\n".join(slot("%job", name, f"%{name}", "ptr") for name in ("y0", "t0", "ts", "ys", "info", "end"))
    strides = "\n".join(slot("%job", f"{name}_stride", f"%{name}_stride") for name in ("y0", "t0", "ts"))
    return f"""{_CHECKS.replace("SCALAR", lanes.scalar).replace("BYTES", str(lanes.number_bytes))}
define internal void @finish(ptr %job, ptr %result, ptr %t_end, ptr %y_end, ptr %accepted, ptr %rejected, ptr %pivoted) {{
entry:
{rows}
{strides}
{slot("%job", "trajectories", "%count")}
{slot("%job", "times", "%times")}
  br label %loop
loop:
  %b = phi i64 [ 0, %entry ], [ %next, %write ]
  %left = icmp slt i64 %b, %count
  br i1 %left, label %one, label %done
{_asked(n, lanes)}
wrong:
  %numbers = mul i64 %times, {n}
{_row("%ys", "%b", "%numbers", "%values", lanes.scalar)}
  call void @blank(ptr %values, i64 %numbers)
  br label %write
{_written(n, lanes)}
  %next = add i64 %b, 1
  br label %loop
done:
  ret void
}}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"""


def _asked(n: int, lanes: Lanes) -> str:
    """The rows of a trajectory, its status, and whether what was asked makes sense."""
    return f"""one:
{_row("%y0", "%b", "%y0_stride", "%start", lanes.scalar)}
{_row("%t0", "%b", "%t0_stride", "%begin", lanes.scalar)}
{_row("%ts", "%b", "%ts_stride", "%points", lanes.scalar)}
{_row("%end", "%b", str(n + 1), "%reached", lanes.scalar)}
{_row("%info", "%b", str(len(INFO)), "%status_at", "i32")}
  %status = load i32, ptr %status_at, align 4
  %from = load {lanes.scalar}, ptr %begin, align {lanes.number_bytes}
  %there = load {lanes.scalar}, ptr %reached, align {lanes.number_bytes}
  %good = call i1 @finite(ptr %start, i64 {n})
  %checked = select i1 %good, i32 %status, i32 {BAD_START}
  %ascend = call i1 @ascending({lanes.scalar} %from, ptr %points, i64 %times)
  br i1 %ascend, label %write, label %wrong"""


def _written(n: int, lanes: Lanes) -> str:
    """The results of a trajectory."""
    return f"""write:
  %code = phi i32 [ %checked, %one ], [ {BAD_TIMES}, %wrong ]
  %nowhere = phi i1 [ false, %one ], [ true, %wrong ]
  store i32 %code, ptr %status_at, align 4
{_row("%result", "%b", "1", "%result_at", "i32")}
  store i32 %code, ptr %result_at, align 4
  %unbegun = icmp eq i32 %code, {BAD_START}
  %still = or i1 %unbegun, %nowhere
  %stopped = select i1 %still, {lanes.scalar} %from, {lanes.scalar} %there
{_row("%t_end", "%b", "1", "%t_end_at", lanes.scalar)}
  store {lanes.scalar} %stopped, ptr %t_end_at, align {lanes.number_bytes}
{_row("%y_end", "%b", str(n), "%y_end_at", lanes.scalar)}
  %state = getelementptr {lanes.scalar}, ptr %reached, i64 1
  %source = select i1 %still, ptr %start, ptr %state
  call void @llvm.memcpy.p0.p0.i64(ptr %y_end_at, ptr %source, i64 {lanes.number_bytes * n}, i1 false)
{_counts()}"""


def _counts() -> str:
    """The numbers of steps, each to an array of its own. Rows of the record that are events are no steps."""
    lines = []
    for name in (*COUNTED, "events"):
        lines += [
            f"  %{name}_in = getelementptr i32, ptr %status_at, i64 {INFO.index(name)}",
            f"  %n_{name} = load i32, ptr %{name}_in, align 4",
        ]
    lines.append("  %n_steps = sub i32 %n_accepted, %n_events")
    for name in COUNTED:
        number = "%n_steps" if name == "accepted" else f"%n_{name}"
        lines += [_row(f"%{name}", "%b", "1", f"%{name}_at", "i32"), f"  store i32 {number}, ptr %{name}_at, align 4"]
    return "\n".join(lines)


def _row(base: str, b: str, stride: str, register: str, kind: str) -> str:
    """Lines that set `register` to the address of row b."""
    return f"  {register}_of = mul i64 {b}, {stride}\n  {register} = getelementptr {kind}, ptr {base}, i64 {register}_of"
