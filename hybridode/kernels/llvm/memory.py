"""A group's working memory: from the heap, so that no size of a model overflows a thread's stack."""

from __future__ import annotations

from hybridode.kernels.llvm.writer import Lanes

NEEDS = ("declare ptr @malloc(i64)", "declare void @free(ptr)")


def allocated(size: int) -> list[str]:
    """Lines that set `%frame` to memory of this size, 64 bytes aligned; `%poor` says that there was none."""
    return [
        f"  %memory = call ptr @malloc(i64 {size + 64})",
        "  %poor = icmp eq ptr %memory, null",
        "  %memory_at = ptrtoint ptr %memory to i64",
        "  %memory_up = add i64 %memory_at, 63",
        "  %memory_even = and i64 %memory_up, -64",
        "  %frame = inttoptr i64 %memory_even to ptr",
    ]


def fill_function(lanes: Lanes) -> str:
    """`void fill(row, count, value)`."""
    return f"""define internal void @fill(ptr %row, i64 %count, {lanes.scalar} %value) {{
entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %one ]
  %more = icmp slt i64 %k, %count
  br i1 %more, label %one, label %done
one:
  %at = getelementptr {lanes.scalar}, ptr %row, i64 %k
  store {lanes.scalar} %value, ptr %at, align {lanes.number_bytes}
  %next = add i64 %k, 1
  br label %loop
done:
  ret void
}}"""
