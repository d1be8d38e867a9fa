"""The order in which lanes take the trajectories of a replay: by the steps that their solves took, the longest first.

A group of lanes runs as long as its longest trajectory, so neighbours should cost the same; the longest first, so that no thread
ends with one. A counting sort over BUCKETS keys: the exponent and the first MANTISSA bits of the number of steps as a double,
so costs of a bucket differ by 3 % at most. Where costs are alike, trajectories stay as they come.
"""

from __future__ import annotations

from hybridode.kernels.llvm.job import DONE, INFO, slot

MANTISSA = 5
BUCKETS = 32 << MANTISSA  # numbers of steps are below 2^31


def cost_order(width: int) -> str:
    """`ptr cost_order(job, first, count)`: int64 places 0 … count - 1 of the trajectories from row `first` of info on,
    to be freed; null where no order helps or there is no memory: they then go as they come.

    A failed solve has no steps to go over: it counts as none (`i64 steps_of(row of info)`, which others call too).
    """
    return f"""
define internal i64 @steps_of(ptr %row) {{
  %accepted_at = getelementptr i32, ptr %row, i64 1
  %status = load i32, ptr %row, align 4
  %accepted = load i32, ptr %accepted_at, align 4
  %well = icmp eq i32 %status, {DONE}
  %counted = select i1 %well, i32 %accepted, i32 0
  %steps = sext i32 %counted to i64
  ret i64 %steps
}}
define internal i64 @cost_key(ptr %row) {{
  %steps = call i64 @steps_of(ptr %row)
  %some = call i64 @llvm.smax.i64(i64 %steps, i64 1)
  %real = sitofp i64 %some to double
  %bits = bitcast double %real to i64
  %high = lshr i64 %bits, {52 - MANTISSA}
  %key = sub i64 {(1023 << MANTISSA) + BUCKETS - 1}, %high
  ret i64 %key
}}
declare i64 @llvm.smax.i64(i64, i64)
define internal ptr @cost_order(ptr %job, i64 %first, i64 %count) {{
entry:
  %places = alloca i64, i64 {BUCKETS}, align 8
  %single = icmp sle i64 %count, {width}
  %alone = icmp eq i64 {width}, 1
  %useless = or i1 %single, %alone
  br i1 %useless, label %without, label %take
take:
  %bytes = mul i64 %count, 8
  %order = call ptr @malloc(i64 %bytes)
  %poor = icmp eq ptr %order, null
  br i1 %poor, label %without, label %with
without:
  ret ptr null
with:
{slot("%job", "info", "%info", "ptr")}
  %skipped = mul i64 %first, {len(INFO)}
  %rows = getelementptr i32, ptr %info, i64 %skipped
  call void @llvm.memset.p0.i64(ptr %places, i8 0, i64 {8 * BUCKETS}, i1 false)
  br label %tally
{_OVER_TRAJECTORIES}}}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"""


# How many there are of every key, where each key begins, and then each trajectory at the next place of its key.
_OVER_TRAJECTORIES = f"""tally:
  %k = phi i64 [ 0, %with ], [ %k_next, %tally ]
  %k_row = mul i64 %k, {len(INFO)}
  %k_at = getelementptr i32, ptr %rows, i64 %k_row
  %k_key = call i64 @cost_key(ptr %k_at)
  %k_place = getelementptr i64, ptr %places, i64 %k_key
  %k_before = load i64, ptr %k_place, align 8
  %k_after = add i64 %k_before, 1
  store i64 %k_after, ptr %k_place, align 8
  %k_next = add i64 %k, 1
  %k_left = icmp slt i64 %k_next, %count
  br i1 %k_left, label %tally, label %sum
sum:
  %j = phi i64 [ 0, %tally ], [ %j_next, %sum ]
  %begin = phi i64 [ 0, %tally ], [ %begin_next, %sum ]
  %j_place = getelementptr i64, ptr %places, i64 %j
  %j_count = load i64, ptr %j_place, align 8
  store i64 %begin, ptr %j_place, align 8
  %begin_next = add i64 %begin, %j_count
  %j_next = add i64 %j, 1
  %j_left = icmp slt i64 %j_next, {BUCKETS}
  br i1 %j_left, label %sum, label %deal
deal:
  %i = phi i64 [ 0, %sum ], [ %i_next, %deal ]
  %i_row = mul i64 %i, {len(INFO)}
  %i_at = getelementptr i32, ptr %rows, i64 %i_row
  %i_key = call i64 @cost_key(ptr %i_at)
  %i_place = getelementptr i64, ptr %places, i64 %i_key
  %i_to = load i64, ptr %i_place, align 8
  %i_after = add i64 %i_to, 1
  store i64 %i_after, ptr %i_place, align 8
  %i_order = getelementptr i64, ptr %order, i64 %i_to
  store i64 %i, ptr %i_order, align 8
  %i_next = add i64 %i, 1
  %i_left = icmp slt i64 %i_next, %count
  br i1 %i_left, label %deal, label %dealt
dealt:
  ret ptr %order
"""
