"""The block of numbers and pointers that says what a batch of solves works on: one per call, read by every group of lanes.

A job is an array of 64-bit slots. Arrays are row-major, one row per trajectory, as NumPy and XLA have them; a stride (in
elements) of 0 lets all trajectories share a row. Solves run over `trajectories`; tangents and adjoints over `seeds` times as
many lanes, seed-major, where all seeds of a trajectory read the same record of its steps.
"""

from __future__ import annotations

SLOTS = (
    "trajectories",  # B, in this block
    "seeds",  # K (solve: 1)
    "first",  # the block's first trajectory: a row of the arrays that are read
    "total",  # trajectories of all blocks: seed k of trajectory b is row k total + b
    "base",  # the trajectory that stands in row 0 of ys, info, end and record
    "times",  # T
    "capacity",  # steps per trajectory that the record holds
    "max_steps",
    "threads",
    "next",  # the next lane (of all trajectories and seeds) to be worked on; counts up
    "order",  # int64: the block's trajectories in the order in which lanes take them, or null: as they come; see `cost_order`
    "options",  # double[4]: rtol, atol, first step (0: chosen), largest step
    "p",  # (B, m)
    "p_stride",
    "w",  # (B, k) the networks' arrays, one after the other
    "w_stride",
    "s",  # (B, s_count) the input signals, see `signals`
    "s_stride",
    "s_count",
    "y0",  # (B, n)
    "y0_stride",
    "t0",  # (B,)
    "t0_stride",
    "ts",  # (B, T) ascending
    "ts_stride",
    "ys",  # out (B, T, n), or null
    "info",  # out of a solve, read by the others: int32 (B, 6), see INFO
    "end",  # out (B, 1 + n): the last time that was reached, the state there
    "record",  # out of a solve, read by the others, or null: (B, capacity, 2 + n) t, h (< 0: pivoted), y of fewer steps
    "p_dot",  # (K B, m) | out: p_bar
    "w_dot",  # (K B, k) | out: w_bar
    "summed",  # w_bar has a row for each group of lanes, their sum
    "s_dot",  # (K B, s_count) | out: s_bar
    "y0_dot",  # (K B, n) | out: y0_bar
    "ys_dot",  # out (K B, T, n) | ys_bar
    # Of solves and derivatives in parts, see `resume` and `checkpoints`:
    "checkpoints",  # how many states are kept of a solve, 0: by the square root of its steps
    "state",
    "state_to",
    "until",
    "carried",  # what a derivative carries from part to part
    "part",  # FIRST and LAST as bits
)
FIRST, LAST = 1, 2  # parts of a derivative, in its own direction
SLOT = {name: k for k, name in enumerate(SLOTS)}
# accepted: rows of the record, `events` of which are no steps; pivoted: attempts that took partial pivoting; fired: located
# events that happened, without the sides of `if`s.
INFO = ("status", "accepted", "rejected", "pivoted", "events", "fired")
DONE, MAX_STEPS, UNDERFLOW, NON_FINITE, RUNNING, NO_MEMORY, ENDLESS = 0, 1, 2, 3, 5, 9, 10  # status (see `solve/results`)


def slot_text(job: str, name: str, register: str) -> str:
    """Instruction that sets `register` to the address of a slot."""
    return f"{register} = getelementptr i64, ptr {job}, i64 {SLOT[name]}"


def slot(job: str, name: str, register: str, kind: str = "i64") -> str:
    """Two lines that load a slot into a register."""
    place = f"  {register}_at = getelementptr i64, ptr {job}, i64 {SLOT[name]}"
    return f"{place}\n  {register} = load {kind}, ptr {register}_at, align 8"


def put(job: str, name: str, value: str, kind: str = "i64") -> str:
    """Lines that store a slot."""
    place = f"%put.{job[1:]}.{name}.{value.lstrip('%')}"
    return f"  {place} = getelementptr i64, ptr {job}, i64 {SLOT[name]}\n  store {kind} {value}, ptr {place}, align 8"
