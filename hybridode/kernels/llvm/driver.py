"""The functions that work on a whole batch: threads over its groups of lanes; solving again where a record is missing."""

from __future__ import annotations

from hybridode.kernels.llvm.cost_order import cost_order
from hybridode.kernels.llvm.job import INFO, SLOT, SLOTS, put, slot

LEAST = 4  # groups per thread below which another thread is not worth its start (about 30 us)
MOST_THREADS = 64
BLOCK_BYTES = 1 << 28  # of the records that a replay makes for itself


def threads_over_groups(width: int) -> str:
    """`void all(job)` calls `group(job, start)` for every group, in as many threads as the job wants and the groups are worth.

    Groups are taken from a counter, so threads that meet long solves take fewer; a group may take more lanes from it (see
    `refill`). A thread that cannot be started is done
    without; nothing outlives the call.
    """
    return f"""
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
define internal i64 @lanes(ptr %job) {{
{slot("%job", "trajectories", "%count")}
{slot("%job", "seeds", "%seeds")}
  %lanes = mul i64 %count, %seeds
  ret i64 %lanes
}}
define internal ptr @work(ptr %job) {{
entry:
  %lanes = call i64 @lanes(ptr %job)
  %next = getelementptr i64, ptr %job, i64 {SLOT["next"]}
  br label %loop
loop:
  %start = atomicrmw add ptr %next, i64 {width} monotonic
  %more = icmp slt i64 %start, %lanes
  br i1 %more, label %one, label %done
one:
  call void @group(ptr %job, i64 %start)
  br label %loop
done:
  ret ptr null
}}
define internal void @all(ptr %job) {{
entry:
  %threads = alloca i64, i64 {MOST_THREADS}, align 8
  %next = getelementptr i64, ptr %job, i64 {SLOT["next"]}
  store i64 0, ptr %next, align 8
  %lanes = call i64 @lanes(ptr %job)
  %worth = udiv i64 %lanes, {LEAST * width}
{slot("%job", "threads", "%wanted")}
  %few = call i64 @llvm.umin.i64(i64 %worth, i64 %wanted)
  %most = call i64 @llvm.umin.i64(i64 %few, i64 {MOST_THREADS})
  br label %start
start:
  %k = phi i64 [ 1, %entry ], [ %after, %started ]
  %another = icmp ult i64 %k, %most
  br i1 %another, label %create, label %own
create:
  %place = getelementptr i64, ptr %threads, i64 %k
  %failed = call i32 @pthread_create(ptr %place, ptr null, ptr @work, ptr %job)
  %fine = icmp eq i32 %failed, 0
  br i1 %fine, label %started, label %own
started:
  %after = add i64 %k, 1
  br label %start
own:
  %done = call ptr @work(ptr %job)
  br label %wait
wait:
  %w = phi i64 [ 1, %own ], [ %following, %join ]
  %left = icmp ult i64 %w, %k
  br i1 %left, label %join, label %end
join:
  %thread_at = getelementptr i64, ptr %threads, i64 %w
  %thread = load i64, ptr %thread_at, align 8
  %joined = call i32 @pthread_join(i64 %thread, ptr null)
  %following = add i64 %w, 1
  br label %wait
end:
  ret void
}}
declare i64 @llvm.umin.i64(i64, i64)"""


def _most_steps() -> str:
    """`i64 most(job)`: the largest number of accepted steps of the solves that succeeded."""
    return f"""
define internal i64 @most(ptr %job) {{
entry:
{slot("%job", "trajectories", "%count")}
{slot("%job", "info", "%info", "ptr")}
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %following, %one ]
  %largest = phi i64 [ 0, %entry ], [ %larger, %one ]
  %left = icmp slt i64 %k, %count
  br i1 %left, label %one, label %done
one:
  %row = mul i64 %k, {len(INFO)}
  %row_at = getelementptr i32, ptr %info, i64 %row
  %steps = call i64 @steps_of(ptr %row_at)
  %larger = call i64 @llvm.smax.i64(i64 %largest, i64 %steps)
  %following = add i64 %k, 1
  br label %loop
done:
  ret i64 %largest
}}
declare i64 @llvm.smax.i64(i64, i64)"""


def replay_driver(n: int, solve: str, number_bytes: int, width: int) -> str:
    """`void {run}(job)` of a tangent or adjoint: on the record that is there if it is long enough, else on blocks solved anew.

    Lanes take the trajectories in the order of their costs, which the solve left in info (see `cost_order`).

    Without memory for a record all derivatives of the block become NaN (its record then counts as too short).
    """
    return f"""{cost_order(width)}
{_most_steps()}
declare void @{solve}(ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define void @{{run}}(ptr %job) {{
entry:
{slot("%job", "capacity", "%capacity")}
{slot("%job", "trajectories", "%count")}
  %need = call i64 @most(ptr %job)
  %none = icmp eq i64 %need, 0
  %short = icmp slt i64 %need, %capacity
  %enough = or i1 %none, %short
  br i1 %enough, label %recorded, label %again
recorded:
  %sorted = call ptr @cost_order(ptr %job, i64 0, i64 %count)
{put("%job", "order", "%sorted", "ptr")}
  call void @all(ptr %job)
  call void @free(ptr %sorted)
{put("%job", "order", "null", "ptr")}
  ret void
again:
  %part = alloca i64, i64 {len(SLOTS)}, align 8
  br label %choose
choose:
  %first = phi i64 [ 0, %again ], [ %first, %longer ], [ %following, %through ]
  %want = phi i64 [ %need, %again ], [ %found, %longer ], [ %want, %through ]
  %left = icmp slt i64 %first, %count
  br i1 %left, label %block, label %end
{_memory(n, number_bytes, width)}
{_again(solve)}
replay:
  call void @all(ptr %part)
  br label %through
through:
  call void @free(ptr %record)
  call void @free(ptr %ends)
  call void @free(ptr %order)
  %following = add i64 %first, %size
  br label %choose
end:
  ret void
}}"""


def _memory(n: int, number_bytes: int, width: int) -> str:
    """The next block: as many trajectories, in full groups, as fit into BLOCK_BYTES with some more steps than `want`."""
    return f"""block:
  %some = udiv i64 %want, 16
  %spare = add i64 %some, 8
  %rows = add i64 %want, %spare
  %row_bytes = mul i64 %rows, {number_bytes * (n + 2)}
  %fitting = udiv i64 {BLOCK_BYTES}, %row_bytes
  %full = and i64 %fitting, {-width}
  %least = call i64 @llvm.smax.i64(i64 %full, i64 {width})
  %rest = sub i64 %count, %first
  %size = call i64 @llvm.umin.i64(i64 %least, i64 %rest)
  %record_bytes = mul i64 %size, %row_bytes
  %info_bytes = mul i64 %size, {4 * len(INFO)}
  %end_bytes = mul i64 %size, {number_bytes * (n + 1)}
  %both = add i64 %info_bytes, %end_bytes
  %record = call ptr @malloc(i64 %record_bytes)
  %ends = call ptr @malloc(i64 %both)
  %info = getelementptr i8, ptr %ends, i64 %end_bytes
  %no_record = icmp eq ptr %record, null
  %no_ends = icmp eq ptr %ends, null
  %poor = or i1 %no_record, %no_ends
  call void @llvm.memcpy.p0.p0.i64(ptr %part, ptr %job, i64 {8 * len(SLOTS)}, i1 false)
{put("%part", "trajectories", "%size")}
{put("%part", "first", "%first")}
  %order = call ptr @cost_order(ptr %job, i64 %first, i64 %size)
{put("%part", "order", "%order", "ptr")}
  br i1 %poor, label %without, label %solve
without:
{put("%part", "capacity", "0")}
  br label %replay"""


def _again(solve: str) -> str:
    """The block solved with a record, which is made longer should it take more steps than before."""
    return f"""solve:
{put("%part", "seeds", "1")}
{put("%part", "base", "%first")}
{put("%part", "capacity", "%rows")}
{put("%part", "ys", "null", "ptr")}
{put("%part", "info", "%info", "ptr")}
{put("%part", "end", "%ends", "ptr")}
{put("%part", "record", "%record", "ptr")}
  call void @{solve}(ptr %part)
  %found = call i64 @most(ptr %part)
  %fits = icmp slt i64 %found, %rows
  br i1 %fits, label %ready, label %longer
longer:
  call void @free(ptr %record)
  call void @free(ptr %ends)
  call void @free(ptr %order)
  br label %choose
ready:
{slot("%job", "seeds", "%seeds")}
{put("%part", "seeds", "%seeds")}
  br label %replay"""
