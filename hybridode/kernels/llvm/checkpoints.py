"""Derivatives with checkpoints: of a solve few states are kept, what lies between them is solved again.

Every group of lanes works alone, in memory of its own whose size depends on how many states are kept, not on how many steps there
are: a record of L rows, C states of the solve, and two more on which it is carried along. The solve is cut into pieces of L rows.
The adjoint goes over the pieces from the last to the first; the state at which a piece begins is reached from the nearest state
that is kept. Where that lies several pieces back, states are kept on the way, at the places of the binomial schedule (A. Griewank
and A. Walther, Algorithm 799: Revolve, ACM TOMS 26 (2000) 19-45): with C states, (C + 1 + r)! / ((C + 1)! r!) pieces are passed
at most r times each, before their record is made. The tangent goes forwards: it keeps nothing.

How many: K states, of which half (rounded up) are the record's rows and half the states; or, where K is 0, as many rows, and as
many states, as the square root of the number of steps. Then every step is made twice more: once on the way, once for the record.
"""

from __future__ import annotations

from hybridode.kernels.llvm.cost_order import cost_order
from hybridode.kernels.llvm.job import FIRST, INFO, LAST, NO_MEMORY, SLOTS, put, slot
from hybridode.kernels.llvm.resume import CELL, STATUS

LEAST_ROWS = 16  # of a piece where the number of steps decides: a part of a solve begins with two evaluations of the rates
ENDLESS = (1 << 62) - 1  # rows that no solve has

SPLIT = """
define internal i64 @split(i64 %pieces, i64 %states) {
entry:
  br label %more
more:
  %r = phi i64 [ 0, %entry ], [ %r_next, %again ]
  %passed = phi i64 [ 1, %entry ], [ %passed_next, %again ]
  %few = icmp slt i64 %passed, %pieces
  br i1 %few, label %again, label %found
again:
  %r_next = add i64 %r, 1
  %sum = add i64 %states, %r_next
  %product = mul i64 %passed, %sum
  %passed_next = sdiv i64 %product, %r_next
  br label %more
found:
  %all = add i64 %states, %r
  %by_states = mul i64 %passed, %states
  %right = sdiv i64 %by_states, %all
  %by_r = mul i64 %passed, %r
  %left = sdiv i64 %by_r, %all
  %r_less = sub i64 %r, 1
  %by_less = mul i64 %left, %r_less
  %fewer = sub i64 %all, 1
  %least = sdiv i64 %by_less, %fewer
  %rest = sub i64 %pieces, %right
  %some = call i64 @llvm.smax.i64(i64 %least, i64 %rest)
  %one = call i64 @llvm.smax.i64(i64 %some, i64 1)
  ret i64 %one
}
declare i64 @llvm.smax.i64(i64, i64)"""
"""`i64 split(pieces, states)`: after how many of several pieces the next state is kept, of `states` (2 or more) with the one at
their beginning. With b(s, r) = (s + r)! / (s! r!) and the least r for which b(states, r) >= pieces that is the larger of
b(states, r - 2) and pieces - b(states - 1, r): one of the best places (Griewank & Walther, section 3)."""


def run_in_parts() -> str:
    """`void {run}(job)`: the group function `group` (see below) on all groups, in the order of their costs."""
    return f"""
define void @{{run}}(ptr %job) {{
{slot("%job", "trajectories", "%count")}
  %sorted = call ptr @cost_order(ptr %job, i64 0, i64 %count)
{put("%job", "order", "%sorted", "ptr")}
  call void @all(ptr %job)
  call void @free(ptr %sorted)
{put("%job", "order", "null", "ptr")}
  ret void
}}"""


def part_driver(kind: str, n: int, solve: str, number_bytes: int, width: int, spare: int) -> str:
    """`void group(job, start)` of an adjoint or a tangent, from the function of a part of it (`part`, with `carried_bytes`) and
    the entry of the solve in parts, and `void {{run}}(job)`. `spare`: rows that a record may have more than was asked for.
    """
    sizes = _sizes(n, number_bytes, width, spare)
    order = _BACKWARDS if kind == "adjoint" else _FORWARDS
    return f"""{SPLIT}
{cost_order(width)}
{_most(width)}
{_recorded(n, solve, number_bytes, width)}
declare i64 @{solve}(ptr, i64)
declare ptr @malloc(i64)
declare void @free(ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.smin.i64(i64, i64)
declare double @llvm.sqrt.f64(double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define internal void @group(ptr %job, i64 %start) {{
entry:
  %nothing = alloca i64, i64 {3 * width}, align 64
  %own = alloca i64, i64 {len(SLOTS)}, align 8
  %record_at = alloca ptr, align 8
  %capacity_at = alloca i64, align 8
  call void @llvm.memcpy.p0.p0.i64(ptr %own, ptr %job, i64 {8 * len(SLOTS)}, i1 false)
{put("%own", "ys", "null", "ptr")}
{put("%own", "end", "null", "ptr")}
{sizes.replace("SOLVE", solve)}
{order}
finish:
  %record_end = load ptr, ptr %record_at, align 8
  call void @free(ptr %record_end)
  call void @free(ptr %memory)
  ret void
{_poor(width)}
}}
{run_in_parts()}"""


def _most(width: int) -> str:
    """`i64 most(job, start)`: the largest number of rows of the group's lanes whose solves succeeded."""
    return f"""
define internal i64 @most(ptr %job, i64 %start) {{
entry:
{slot("%job", "trajectories", "%count")}
{slot("%job", "seeds", "%seeds")}
{slot("%job", "info", "%info", "ptr")}
{slot("%job", "order", "%order", "ptr")}
  %all = mul i64 %count, %seeds
  %last = sub i64 %all, 1
  %ordered = icmp ne ptr %order, null
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %following, %counted ]
  %largest = phi i64 [ 0, %entry ], [ %larger, %counted ]
  %left = icmp slt i64 %k, {width}
  br i1 %left, label %one, label %done
one:
  %q = add i64 %start, %k
  %within = call i64 @llvm.smin.i64(i64 %q, i64 %last)
  %place = urem i64 %within, %count
  br i1 %ordered, label %lookup, label %counted
lookup:
  %there_at = getelementptr i64, ptr %order, i64 %place
  %there = load i64, ptr %there_at, align 8
  br label %counted
counted:
  %b = phi i64 [ %place, %one ], [ %there, %lookup ]
  %row = mul i64 %b, {len(INFO)}
  %row_at = getelementptr i32, ptr %info, i64 %row
  %steps = call i64 @steps_of(ptr %row_at)
  %larger = call i64 @llvm.smax.i64(i64 %largest, i64 %steps)
  %following = add i64 %k, 1
  br label %loop
done:
  ret i64 %largest
}}"""


def _sizes(n: int, number_bytes: int, width: int, spare: int) -> str:
    """Rows of a piece, pieces, states; memory for all of it: `state(k)` stands at %states + k %state_bytes."""
    return f"""  %steps = call i64 @most(ptr %job, i64 %start)
{slot("%job", "checkpoints", "%wanted")}
  %by_root = icmp eq i64 %wanted, 0
  %real = sitofp i64 %steps to double
  %root = call double @llvm.sqrt.f64(double %real)
  %floor = fptosi double %root to i64
  %above = add i64 %floor, 1
  %rooted = call i64 @llvm.smax.i64(i64 %above, i64 {LEAST_ROWS})
  %half = sdiv i64 %wanted, 2
  %other = sub i64 %wanted, %half
  %rows = select i1 %by_root, i64 %rooted, i64 %other
  %kept = select i1 %by_root, i64 %rooted, i64 %half
  %up = add i64 %steps, %rows
  %up_less = sub i64 %up, 1
  %full = sdiv i64 %up_less, %rows
  %pieces = call i64 @llvm.smax.i64(i64 %full, i64 1)
  %state_bytes = call i64 @SOLVE(ptr null, i64 0)
  %carried_bytes = call i64 @carried_bytes()
  %two_more = add i64 %kept, 2
  %states_bytes = mul i64 %two_more, %state_bytes
  %places_bytes = mul i64 %two_more, 8
  %small = add i64 %places_bytes, %carried_bytes
  %all_bytes = add i64 %small, %states_bytes
  %memory = call ptr @malloc(i64 %all_bytes)
  %states = getelementptr i8, ptr %memory, i64 %carried_bytes
  %places = getelementptr i8, ptr %states, i64 %states_bytes
  %end_state_offset = sub i64 %states_bytes, %state_bytes
  %end_state = getelementptr i8, ptr %states, i64 %end_state_offset
  %capacity = add i64 %rows, {spare + 2}
  %record_bytes = mul i64 %capacity, {width * number_bytes * (n + 2)}
  %record = call ptr @malloc(i64 %record_bytes)
  store ptr %record, ptr %record_at, align 8
  store i64 %capacity, ptr %capacity_at, align 8
  %no_memory = icmp eq ptr %memory, null
  %no_record = icmp eq ptr %record, null
  %is_poor = or i1 %no_memory, %no_record
  br i1 %is_poor, label %poor, label %begin"""


def _part(first: str, final: str) -> str:
    """A part of the derivative on the record that was made, from what the part before it carried; whether it is the first, the
    last."""
    return f"""  %bit_first = select i1 {first}, i64 {FIRST}, i64 0
  %bit_last = select i1 {final}, i64 {LAST}, i64 0
  %bits = or i64 %bit_first, %bit_last
{put("%own", "carried", "%memory", "ptr")}
{put("%own", "part", "%bits")}
  call void @part(ptr %own, i64 %start)"""


# State k stands before piece places[k]; state 0 is the start, which takes no memory. The last two of the states are that on which
# the solve is carried to a piece that no free state is left for, and that at the end of a piece.
_BACKWARDS = f"""begin:
  call void @wake(ptr %memory)
  store i64 0, ptr %places, align 8
  br label %next
next:
  %top = phi i64 [ 0, %begin ], [ %top_kept, %keep ], [ %top_after, %over ]
  %high = phi i64 [ %pieces, %begin ], [ %high, %keep ], [ %lower, %over ]
  %done = icmp eq i64 %high, 0
  br i1 %done, label %finish, label %look
look:
  %place_at = getelementptr i64, ptr %places, i64 %top
  %place = load i64, ptr %place_at, align 8
  %many = sub i64 %high, %place
  %at_start = icmp eq i64 %top, 0
  %top_less = sub i64 %top, 1
  %offset = mul i64 %top_less, %state_bytes
  %kept_state = getelementptr i8, ptr %states, i64 %offset
  %state = select i1 %at_start, ptr null, ptr %kept_state
  %single = icmp sle i64 %many, 1
  br i1 %single, label %piece, label %several
several:
  %free = sub i64 %kept, %top
  %none_free = icmp sle i64 %free, 0
  br i1 %none_free, label %carry, label %keep
keep:
  %with_this = add i64 %free, 1
  %ahead = call i64 @split(i64 %many, i64 %with_this)
  %next_place = add i64 %place, %ahead
  %next_offset = mul i64 %top, %state_bytes
  %next_state = getelementptr i8, ptr %states, i64 %next_offset
  call void @advance(ptr %own, i64 %start, ptr %state, ptr %next_state, i64 %next_place, i64 %rows)
  %top_kept = add i64 %top, 1
  %next_place_at = getelementptr i64, ptr %places, i64 %top_kept
  store i64 %next_place, ptr %next_place_at, align 8
  br label %next
carry:
  %before = sub i64 %high, 1
  %spare_offset = mul i64 %kept, %state_bytes
  %spare = getelementptr i8, ptr %states, i64 %spare_offset
  call void @advance(ptr %own, i64 %start, ptr %state, ptr %spare, i64 %before, i64 %rows)
  br label %piece
piece:
  %from = phi ptr [ %state, %look ], [ %spare, %carry ]
  %first = icmp eq i64 %high, %pieces
  %reached = mul i64 %high, %rows
  %until = select i1 %first, i64 {ENDLESS}, i64 %reached
  %good = call i1 @recorded(ptr %own, i64 %start, ptr %from, ptr %end_state, i64 %until, ptr %record_at, ptr %capacity_at)
  br i1 %good, label %over, label %fail
over:
  %lower = sub i64 %high, 1
  %final = icmp eq i64 %lower, 0
{_part("%first", "%final")}
  %emptied = icmp eq i64 %lower, %place
  %not_start = icmp sgt i64 %top, 0
  %popped = and i1 %emptied, %not_start
  %top_after = select i1 %popped, i64 %top_less, i64 %top
  br label %next"""

_FORWARDS = f"""begin:
  call void @wake(ptr %memory)
  %other_state = getelementptr i8, ptr %states, i64 0
  br label %next
next:
  %piece = phi i64 [ 0, %begin ], [ %following, %over ]
  %from = phi ptr [ null, %begin ], [ %to, %over ]
  %to = phi ptr [ %end_state, %begin ], [ %swapped, %over ]
  %done = icmp eq i64 %piece, %pieces
  br i1 %done, label %finish, label %one
one:
  %following = add i64 %piece, 1
  %final = icmp eq i64 %following, %pieces
  %reached = mul i64 %following, %rows
  %until = select i1 %final, i64 {ENDLESS}, i64 %reached
  %good = call i1 @recorded(ptr %own, i64 %start, ptr %from, ptr %to, i64 %until, ptr %record_at, ptr %capacity_at)
  br i1 %good, label %over, label %fail
over:
  %is_first = icmp eq i64 %piece, 0
{_part("%is_first", "%final")}
  %at_end = icmp eq ptr %to, %end_state
  %swapped = select i1 %at_end, ptr %other_state, ptr %end_state
  br label %next"""


def _recorded(n: int, solve: str, number_bytes: int, width: int) -> str:
    """`void advance(own, start, from, to, place, rows)`: the solve from one state to another.

    `i1 recorded(own, start, from, to, until, record_at, capacity_at)`: the same with a record, which is made longer where events
    of one instant have more rows than it has to spare; false without memory for that. `void wake(carried)`: all lanes are alive.
    """
    return f"""
define internal void @advance(ptr %own, i64 %start, ptr %from, ptr %to, i64 %place, i64 %rows) {{
  %until = mul i64 %place, %rows
{put("%own", "state", "%from", "ptr")}
{put("%own", "state_to", "%to", "ptr")}
{put("%own", "until", "%until")}
{put("%own", "record", "null", "ptr")}
  %bytes = call i64 @{solve}(ptr %own, i64 %start)
  ret void
}}
define internal i1 @recorded(ptr %own, i64 %start, ptr %from, ptr %to, i64 %until, ptr %record_at, ptr %capacity_at) {{
entry:
{put("%own", "state", "%from", "ptr")}
{put("%own", "state_to", "%to", "ptr")}
{put("%own", "until", "%until")}
  br label %try
try:
  %record = load ptr, ptr %record_at, align 8
  %capacity = load i64, ptr %capacity_at, align 8
{put("%own", "record", "%record", "ptr")}
{put("%own", "capacity", "%capacity")}
  %bytes = call i64 @{solve}(ptr %own, i64 %start)
  br label %lane
lane:
  %k = phi i64 [ 0, %try ], [ %k_next, %counted ]
  %most = phi i64 [ 0, %try ], [ %more, %counted ]
  %left = icmp slt i64 %k, {width}
  br i1 %left, label %counted, label %known
counted:
  %rows_at = getelementptr i64, ptr %to, i64 %k
  %rows = load i64, ptr %rows_at, align 8
  %more = call i64 @llvm.smax.i64(i64 %most, i64 %rows)
  %k_next = add i64 %k, 1
  br label %lane
known:
  %fits = icmp slt i64 %most, %capacity
  br i1 %fits, label %good, label %longer
longer:
  call void @free(ptr %record)
  store ptr null, ptr %record_at, align 8
  %wider = add i64 %most, 8
  %wider_bytes = mul i64 %wider, {width * number_bytes * (n + 2)}
  %new = call ptr @malloc(i64 %wider_bytes)
  store ptr %new, ptr %record_at, align 8
  store i64 %wider, ptr %capacity_at, align 8
  %none = icmp eq ptr %new, null
  br i1 %none, label %bad, label %try
good:
  ret i1 true
bad:
  ret i1 false
}}
define internal void @wake(ptr %carried) {{
entry:
  br label %lane
lane:
  %k = phi i64 [ 0, %entry ], [ %k_next, %lane ]
  %at = getelementptr i64, ptr %carried, i64 %k
  store i64 1, ptr %at, align 8
  %k_next = add i64 %k, 1
  %more = icmp slt i64 %k_next, {width}
  br i1 %more, label %lane, label %ready
ready:
  ret void
}}"""


def _poor(width: int) -> str:
    """Without memory all derivatives of the group are NaN: a part, the first and the last, after a solve that failed."""
    bits = FIRST | LAST
    return f"""fail:
  br label %without
poor:
  br label %without
without:
  call void @llvm.memset.p0.i64(ptr %nothing, i8 0, i64 {CELL * 3 * width}, i1 false)
  br label %lane
lane:
  %k = phi i64 [ 0, %without ], [ %k_next, %lane ]
  %k_status = add i64 %k, {STATUS * width}
  %status_at = getelementptr i64, ptr %nothing, i64 %k_status
  store i64 {NO_MEMORY}, ptr %status_at, align 8
  %k_next = add i64 %k, 1
  %k_more = icmp slt i64 %k_next, {width}
  br i1 %k_more, label %lane, label %failed
failed:
{put("%own", "state_to", "%nothing", "ptr")}
{put("%own", "carried", "%nothing", "ptr")}
{put("%own", "part", str(bits))}
  call void @part(ptr %own, i64 %start)
  br label %finish"""
