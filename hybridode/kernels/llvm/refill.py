"""A solve whose lanes, when they are done, go on with further trajectories of the batch.

A group of lanes would take as long as its longest trajectory. So the loop of steps (`loop`) stops when lanes have been idle for
long enough: their results are written, each takes the next trajectory from the job's counter, and the loop goes on with the
others where they were. What is read once, parameters above all, is then read again for all lanes, so that the loop of steps stays
what it is.

Trajectories that cost the same end almost together, and lanes that keep step share their save points. So idle lanes wait: until
they have been idle for 1/8 of all that the lanes have done so far, and one step of all lanes more, which is about what
starting costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.kernels.llvm.job import MAX_STEPS, RUNNING, SLOT
from hybridode.kernels.llvm.loop import Solve
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method

PATIENCE = 8  # lanes may be idle for one part in so many
ENDLESS = 1 << 62


def solve_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "solve") -> Writer:
    """The whole function as text (see `loop`). Events keep more than registers from step to step: theirs are not refilled."""
    kind = Refilled if lanes.width > 1 and method.events is None else Solve
    return kind(method, lanes, inputs, name).write()


class Refilled(Solve):
    def __init__(self, method: Method, lanes: Lanes, inputs: Inputs, name: str) -> None:
        super().__init__(method, lanes, inputs, name)
        self.held: list[str] = []  # per lane the number of its trajectory, within the stretch between two refills
        self.ended = ""  # the lanes that end in this stretch

    # ---- a stretch ------------------------------------------------------------------------------------------------------
    def prologue(self) -> tuple[Elements, str]:
        """The lanes' first trajectories; then, at the beginning of every stretch, all that is read of a trajectory."""
        w = self.w
        self.first_places = self.numbers()
        if self.inputs.weights and not self.inputs.own:
            super().load_weights(["0"])
        for label in ("begin", "fill"):
            w.line(f"br label %{label}")
            w.label(label)
        self.held = [f"%place.{k}" for k in range(self.lanes.width)]
        return super().prologue()

    def numbers(self) -> list[str]:
        return self.held or super().numbers()

    def load_weights(self, trajectories: Sequence[str]) -> None:
        if self.inputs.own:
            super().load_weights(trajectories)

    def beginning(self) -> str:
        return "%fresh"

    def ending(self) -> str:
        return self.ended

    def loop(self, carried: dict[str, tuple[str, str]], t1: str, entry: str) -> None:
        """Lanes whose trajectory is new begin, the others go on with what the last stretch left."""
        w = self.w
        kept = {**{name: kind for name, (kind, _) in carried.items()}, "rounds": self.lanes.integer}
        given = {name: (kind, w.select("%fresh", x, f"%kept.{name}", kind)) for name, (kind, x) in carried.items()}
        running = self.equal(given["status"][1], RUNNING)
        self.begun = w.logic("or", "%fresh", running)
        self.rounds = self.select_integer("%fresh", self.integers(0), "%kept.rounds")
        left = self.whole("sub", w.splat(self.max_steps, "i64"), self.rounds)
        self.left = self.least_whole(self.select_integer(running, left, self.integers(ENDLESS)))
        self.next, self.all = w.address("%job", str(SLOT["next"]), "i64"), self.slot("trajectories")
        credit = w.value(f"add i64 %kept.credit, {self.lanes.width * PATIENCE}")
        given["credit"] = ("i64", w.value(f"select i1 {self.more()}, i64 {credit}, i64 {ENDLESS}"))
        super().loop(given, t1, entry)
        phis = [f"  %fresh = phi {self.lanes.mask} [ {self.lanes.const(True)}, %begin ], [ {self.takes}, %again ]"]
        phis += [
            f"  %kept.{name} = phi {kind} [ zeroinitializer, %begin ], [ {self.last[name]}, %again ]"
            for name, kind in kept.items()
        ]
        phis.append(f"  %kept.credit = phi i64 [ 0, %begin ], [ {self.last['credit']}, %again ]")
        for place, first, following in zip(self.held, self.first_places, self.following, strict=True):
            phis.append(f"  {place} = phi i64 [ {first}, %begin ], [ {following}, %again ]")
        header = w.lines.index("fill:") + 1
        w.lines[header:header] = phis

    def more(self) -> str:
        """Whether there are trajectories that nobody has taken, an i1."""
        taken = self.w.value(f"load atomic i64, ptr {self.next} monotonic, align 8")
        return self.w.value(f"icmp slt i64 {taken}, {self.all}")

    # ---- a round --------------------------------------------------------------------------------------------------------
    def attempt(self, now: Mapping[str, str], t1: str) -> dict[str, str]:
        """One attempted step of all lanes. The credit is how long lanes may be idle, in parts of a round."""
        w, width = self.w, self.lanes.width
        new = super().attempt(now, t1)
        self.busy = self.tally(self.bits(self.equal(new["status"], RUNNING)))
        change = w.value(f"sub i64 {w.value(f'mul i64 {self.busy}, {PATIENCE}')}, {(PATIENCE - 1) * width}")
        self.credit = new["credit"] = w.value(f"add i64 {now['credit']}, {change}")
        return new

    def goes_on(self, running: str, rounds: str) -> str:
        w = self.w
        patient = w.value(f"icmp sge i64 {self.credit}, 0")
        busy = w.value(f"icmp ne i64 {self.busy}, 0")
        within = w.value(f"icmp slt i64 {rounds}, {self.left}")
        return w.value(f"and i1 {w.value(f'and i1 {patient}, {busy}')}, {within}")

    # ---- between stretches ------------------------------------------------------------------------------------------------
    def end_of_loop(self, last: dict[str, str], rounds: str) -> None:
        """Writes the results of the lanes that ended and gives them other trajectories. (Those of lanes that go on are written
        too, and again when they end.)"""
        w = self.w
        spent = self.whole("add", self.rounds, w.splat(rounds, "i64"))
        over = self.whole("icmp sge", spent, w.splat(self.max_steps, "i64"))
        late = w.logic("and", self.equal(last["status"], RUNNING), over)
        last["status"] = self.select_integer(late, self.integers(MAX_STEPS), last["status"])
        running = self.equal(last["status"], RUNNING)
        self.ended = w.logic("and", self.begun, self.not_(running))
        self.write_results(last)
        self.last = {**last, "rounds": spent}
        self.take(self.not_(running))
        w.line(f"br i1 {w.any(w.logic('or', running, self.takes))}, label %again, label %over")
        w.label("again")
        w.line("br label %fill")
        w.label("over")
        self.leave()

    def take(self, idle: str) -> None:
        """The next trajectories of the batch for the idle lanes, as long as there are any."""
        w = self.w
        wanted = w.value(f"select i1 {self.more()}, i64 {self.bits(idle)}, i64 0")
        first = w.value(f"atomicrmw add ptr {self.next}, i64 {self.tally(wanted)} monotonic")
        takes, self.following = [], []
        for k, place in enumerate(self.held):
            rank = self.tally(w.value(f"and i64 {wanted}, {(1 << k) - 1}"))
            number = w.value(f"add i64 {first}, {rank}")
            there = w.value(f"icmp slt i64 {number}, {self.all}")
            asked = w.value(f"icmp ne i64 {w.value(f'and i64 {wanted}, {1 << k}')}, 0")
            takes.append(w.value(f"and i1 {there}, {asked}"))
            self.following.append(w.value(f"select i1 {takes[-1]}, i64 {number}, i64 {place}"))
        self.takes = w.join(takes, "i1")

    # ---- masks as numbers ---------------------------------------------------------------------------------------------------
    def bits(self, mask: str) -> str:
        """An i64, lane k in bit k."""
        w, width = self.w, self.lanes.width
        return w.value(f"zext i{width} {w.value(f'bitcast {self.lanes.mask} {mask} to i{width}')} to i64")

    def tally(self, bits: str) -> str:
        """How many bits are set, an i64."""
        self.w.needs["declare i64 @llvm.ctpop.i64(i64)"] = None
        return self.w.value(f"call i64 @llvm.ctpop.i64(i64 {bits})")

    def least_whole(self, numbers: str) -> str:
        """The least of the lanes' integers, an i64."""
        kind, name = self.lanes.integer, f"@llvm.vector.reduce.smin.v{self.lanes.width}i64"
        self.w.needs[f"declare i64 {name}({kind})"] = None
        return self.w.value(f"call i64 {name}({kind} {numbers})")
