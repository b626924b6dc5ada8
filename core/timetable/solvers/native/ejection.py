"""The solver that constructs: ejection chains with learned weights and restarts."""

import numpy as np

from core.timetable.program import Assignment, Program
from core.timetable.solvers.native import augmenting, ejecting, state
from core.timetable.solvers.native import layout as at
from core.timetable.solvers.native.chance import dice
from core.timetable.solvers.native.pack import Ints, Packed, pack
from core.timetable.solvers.native.search import Run, cannot_be, empty_journal
from core.timetable.solvers.port import Budget, Outcome, Report, Status, Stopped

PATIENCE = 1000, 2
"""Steps, and more for each block, without a fuller timetable before chains of moves are looked for. Schools of 20 to 60
classes need 2 to 10 steps a block in all, most of them at the end, and seldom more."""
PATIENCE_AHEAD, LOOKS = (600, 1), 15
"""From then on: the same before a new start, and over how many blocks a step looks ahead, as long as thirty without."""
MOST_AHEAD = 600_000
"""At most so many of those steps, times blocks: each takes longer the more there are, of 1,500 blocks 30 ms, and else a
start that leads nowhere would be held on to for a minute."""
HASTE = 300, 0.25
"""The same before the last twentieth of the blocks. One in ten constructions for 60 classes is trapped there:
doubles that fill their rooms to the last take each other's place for ever."""


MOST_LEARNED = 40
"""What a block keeps of its weight into a new start: about the range of the first weights."""


class EjectionChain:
    """Places the hardest block where what is in its way weighs least, takes that off, and goes on (as FET does).

    A block grows heavier each time it is taken off, so that what is hard to place comes to rest. Once few wait, chance
    says which is next, and a chain of moves is looked for at whose end nobody waits in its stead. It ends at the first
    feasible timetable. With the same seed the result is the same, as long as the time does not run out.
    """

    name = "ejection"

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until the first feasible assignment. What is feasible of the hint is the start."""
        run = Run(self.name, budget, report, stopped)
        if cannot_be(program):
            return run.ended(Status.INFEASIBLE)
        chain = Chain(pack(program), budget.seed)
        chain.begin(hint)
        chain.search(run)
        return run.outcome()


class Chain:
    """The construction of one timetable."""

    def __init__(self, packed: Packed, seed: int) -> None:
        self._packed = packed
        blocks, slots = int(packed.p[at.BLOCKS]), int(packed.p[at.SLOTS])
        self.state, self.tally = packed.state()
        self._weight = first_weights(packed.program)
        self._tabu = np.zeros(blocks * slots, np.int64)
        self._waiting = np.zeros(blocks, np.int64)
        self._own = np.zeros(ejecting.NUMBERS, np.int64)
        self._own[ejecting.HASTE] = HASTE[0] + HASTE[1] * blocks
        self._own[ejecting.PATIENCE] = PATIENCE[0] + PATIENCE[1] * blocks
        self._own[ejecting.NEARLY] = blocks // 20
        self._deep = np.zeros(augmenting.PLACES, np.int64)
        self._journal = empty_journal(packed)
        self._dice = dice(seed)
        self.taken = np.full(blocks + int(packed.p[at.NEEDS]), -1, np.int64)
        """The fullest so far: starts, then rooms."""
        self._fewest = blocks + 1

    def begin(self, hint: Assignment | None) -> None:
        """Start with what fits of a hint, or with nothing."""
        taken = np.full(len(self.taken), -1, np.int64) if hint is None else self._packed.taken(hint)
        p = self._packed.p
        ejecting.keep_what_fits(p, self.state, self.tally, taken, self._waiting, self._own)

    def search(self, run: Run) -> None:
        """Go on until all are placed and nothing hard is broken, or the run is over; keep what was found in the run."""
        while run.best is None and not run.is_over:
            run.slice(self.step)
            waiting = int(self._own[ejecting.WAITING])
            if waiting < self._fewest:
                self._fewest = waiting
                state.save(self._packed.p, self.state, self.taken)
            if waiting == 0:
                run.keep(self._packed, self.taken)
            if run.best is None and (waiting == 0 or ejecting.is_trapped(self._own)):
                self._begin_anew()
            run.tell(placed=len(self._waiting) - self._fewest)
        run.partial = self._packed.assignment(self.taken)

    def step(self, steps: int) -> None:
        """Make so many steps."""
        ejecting.chain(
            self._packed.p,
            self.state,
            self.tally,
            self._weight,
            self._tabu,
            self._waiting,
            self._own,
            self._journal,
            self._deep,
            self._dice,
            steps,
        )

    def look_ahead(self, last: int) -> None:
        """Look for chains of moves from now on, once no more than so many wait."""
        self._own[ejecting.NEARLY] = last
        self._own[ejecting.LOOKS], self._own[ejecting.SINCE] = LOOKS, 0
        blocks = len(self._waiting)
        self._own[ejecting.PATIENCE] = min(PATIENCE_AHEAD[0] + PATIENCE_AHEAD[1] * blocks, MOST_AHEAD // blocks)

    def _begin_anew(self) -> None:
        """Look ahead from now on where steps alone were trapped near the end, else start with nothing again."""
        own = self._own
        if own[ejecting.LOOKS] == 0 and 0 < own[ejecting.FEWEST] <= own[ejecting.NEARLY]:
            self.look_ahead(int(own[ejecting.NEARLY]))
        else:
            self._restart()

    def _restart(self) -> None:
        """Start with nothing again; half of what was learned about the weights stays."""
        first = first_weights(self._packed.program)
        self._weight = first + np.minimum((self._weight - first) // 2, MOST_LEARNED)
        self._own[ejecting.PATIENCE] += self._own[ejecting.PATIENCE] // 4
        self._own[ejecting.HASTE] += self._own[ejecting.HASTE] // 4
        self.begin(None)


def first_weights(program: Program) -> Ints:
    """Return how hard each block looks: long ones, and those with few starts."""
    weights = [8 * block.duration + (program.slots - len(block.starts)) // 2 for block in program.blocks]
    return np.array(weights, np.int64)
