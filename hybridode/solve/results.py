"""How a solve can end: a code that can be traced, and its words."""

from __future__ import annotations

SUCCESS, MAX_STEPS, STEP_UNDERFLOW, NON_FINITE, NEWTON, START, EVENT_PERIOD, EVENT_COUNT, TIMES, OTHER, EVENT_ENDLESS = range(11)
INCONSISTENT, CONFLICT, DOSE, STEADY, UNSTEADY = 11, 12, 13, 14, 15

RESULTS: dict[int, str] = {
    SUCCESS: "the solve succeeded",
    MAX_STEPS: "the largest number of steps was reached before the end",
    STEP_UNDERFLOW: "the step size fell below what the time can resolve: the solution blows up or is not smooth there",
    NON_FINITE: "the right-hand side is not finite (infinite or undefined) however small the step",
    NEWTON: "the equations of an implicit step could not be solved",
    START: "a start value is not finite",
    EVENT_PERIOD: "the period of an `at … every …` statement is not positive",
    EVENT_COUNT: "an `at … every …` statement fires more often than was planned for when the solver was made",
    TIMES: "the times do not ascend from the start of the solve",
    EVENT_ENDLESS: "events follow each other without end",
    INCONSISTENT: "no state was found that satisfies the equations at a start or after a jump",
    CONFLICT: "given start values contradict the equations",
    DOSE: "a dose has a negative lag or bioavailability, or an infusion no positive rate or duration",
    STEADY: "no steady state was found under the repeated dose that the series begins with",
    UNSTEADY: "no steady state is reached: the rates do not vanish in the time that stands for infinity",
    OTHER: "the solver gave up for a reason that it does not name",
}

# The code of the diagnostic that words a failed solve (see `explain/`).
DIAGNOSTIC_CODES: dict[int, str] = {
    MAX_STEPS: "E0703", STEP_UNDERFLOW: "E0702", NON_FINITE: "E0701", NEWTON: "E0704", START: "E0705",
    EVENT_PERIOD: "E0706", EVENT_COUNT: "E0707", TIMES: "E0822", OTHER: "E0702", EVENT_ENDLESS: "E0708",
    INCONSISTENT: "E0709", CONFLICT: "E0710", DOSE: "E0711", STEADY: "E0712",
    UNSTEADY: "E0713",
}  # fmt: skip
