"""Propagation and backtracking with minimum remaining values, restarts and learnt weights.

Complete: given time it finds a timetable or proves that there is none. It stops at the first; soft costs only order
the values. Learning is by weights on blocks that ran out of starts (dom/wdeg), by what is refuted for good at the root,
and by going back to where a block lay in the fullest assignment so far. Restarts follow Luby's sequence.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from core.timetable.program import Assignment, Program
from core.timetable.solvers.mrv_state import State
from core.timetable.solvers.mrv_terms import bits
from core.timetable.solvers.port import Budget, Outcome, Progress, Report, Status, Stopped

_FAILURES_A_RUN = 100
"""Unit of the Luby sequence."""
_STEPS_BETWEEN_LOOKS = 16
"""A step takes up to a millisecond on a large school."""
_TELL_EVERY_S = 0.5


@dataclass
class _Choice:
    """A block at a start, with the rooms that were not tried yet."""

    block: int
    start: int
    mark: int
    rooms: Iterator[tuple[int, ...]]


class Mrv:
    """The source's own solver, as one racer (P8-10)."""

    name = "mrv"

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search for a first feasible assignment; the hint's starts are tried first."""
        return _Search(program, budget, report, stopped, hint).run()


class _Search:
    def __init__(
        self, program: Program, budget: Budget, report: Report, stopped: Stopped, hint: Assignment | None
    ) -> None:
        self._state = State(program)
        self._program = program
        self._report = report
        self._stopped = stopped
        self._random = Random(budget.seed)  # noqa: S311 - breaks ties, keeps no secret
        self._began = self._told_at = time.monotonic()
        self._deadline = self._began + budget.seconds
        self._cpu_at_start_s = time.process_time()
        self._choices: list[_Choice] = []
        self._liked = list(hint.starts) if hint else [-1] * len(program.blocks)
        self._fullest: Assignment | None = None
        self._placed = -1
        self._failures = 0
        self._failures_left = 0
        self._restarts = 0
        self._end: Status | None = None

    def run(self) -> Outcome:
        """Search to an end."""
        if not self._state.begin():
            self._end = Status.INFEASIBLE
        steps = 0
        while self._end is None:
            if steps % _STEPS_BETWEEN_LOOKS == 0:
                self._look()
            steps += 1
            if self._failures_left <= 0:
                self._restart()
            self._step()
        return self._outcome(self._end)

    def _look(self) -> None:
        now = time.monotonic()
        if self._stopped():
            self._end = Status.CANCELLED
        elif now >= self._deadline:
            self._end = Status.TIMED_OUT
        elif now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            elapsed = now - self._began
            self._report(Progress(solver=Mrv.name, attempts=self._failures, elapsed_s=elapsed, placed=self._placed))

    def _restart(self) -> None:
        if self._choices:
            self._state.undo(self._choices[0].mark)
            self._choices.clear()
        self._restarts += 1
        self._failures_left = _FAILURES_A_RUN * luby(self._restarts)

    def _step(self) -> None:
        """Place one block more, or take back what can't be."""
        if not self._state.unplaced:
            self._remember()
            self._end = Status.FEASIBLE
            return
        block = self._next_block()
        start = self._value(block)
        rooms = self._state.room_choices(block, start)
        self._choices.append(_Choice(block, start, self._state.mark(), rooms))
        while self._end is None and self._choices and not self._advance():
            pass

    def _advance(self) -> bool:
        """Place the last chosen block in its next rooms, or refute its start; tell whether the search may go on."""
        choice = self._choices[-1]
        self._state.undo(choice.mark)
        for rooms in choice.rooms:
            if self._state.place(choice.block, choice.start, rooms):
                self._remember()
                return True
            self._state.undo(choice.mark)
            self._failures += 1
            self._failures_left -= 1
        self._choices.pop()
        if self._state.forbid(choice.block, 1 << choice.start):
            return True
        if not self._choices:
            self._end = Status.INFEASIBLE  # refuted with nothing assumed
        return False

    def _next_block(self) -> int:
        domain, weight = self._state.domain, self._state.weight
        return min(self._state.unplaced, key=lambda b: (domain[b].bit_count() / weight[b], b))

    def _value(self, block: int) -> int:
        """Return the start to try: that in the fullest assignment so far, else the cheapest and least in the way."""
        domain, liked = self._state.domain[block], self._liked[block]
        if liked >= 0 and domain >> liked & 1:
            return liked
        cost = self._program.blocks[block].start_cost
        others = [self._state.domain[b] for b in self._state.neighbours[block] & self._state.unplaced]

        def price(start: int) -> tuple[float, float]:
            wanted = sum(1 / other.bit_count() for other in others if other >> start & 1)
            return cost.get(start, 0), wanted * (1 + self._random.random() / 4)

        return min(bits(domain), key=price)

    def _remember(self) -> None:
        placed = len(self._program.blocks) - len(self._state.unplaced)
        if placed > self._placed:
            self._placed = placed
            self._fullest = Assignment(tuple(self._state.start), tuple(self._state.rooms))
            self._liked = [now if now >= 0 else old for now, old in zip(self._state.start, self._liked, strict=True)]

    def _outcome(self, status: Status) -> Outcome:
        found = self._fullest if status is Status.FEASIBLE else None
        return Outcome(
            solver=Mrv.name,
            status=status,
            best=found,
            soft=None,
            bound=None,
            attempts=self._failures,
            cpu_s=time.process_time() - self._cpu_at_start_s,
            partial=None if found else self._fullest,
        )


def luby(i: int) -> int:
    """Return the i-th number of Luby's sequence 1, 1, 2, 1, 1, 2, 4, ..., from 1 (Luby, Sinclair, Zuckerman 1993)."""
    while i & (i + 1):
        i -= (1 << (i.bit_length() - 1)) - 1
    return (i + 1) >> 1
