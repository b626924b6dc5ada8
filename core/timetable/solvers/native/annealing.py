"""The solver that improves: simulated annealing over complete timetables."""

from dataclasses import dataclass

import numpy as np

from core.timetable.program import Assignment, Program
from core.timetable.solvers.native import cooling, mixing, state
from core.timetable.solvers.native import layout as at
from core.timetable.solvers.native.chance import dice
from core.timetable.solvers.native.ejection import Chain
from core.timetable.solvers.native.heating import temperature
from core.timetable.solvers.native.pack import Ints, Packed, pack, without_forgiveness
from core.timetable.solvers.native.search import Run, cannot_be, empty_journal
from core.timetable.solvers.port import Budget, Outcome, Report, Status, Stopped

SAMPLE = 2000
"""Moves that show how fast the machine is and how much a move changes."""
PROBES, MILDER = 100, 0.7
"""To learn what heat a timetable bears takes, at each temperature, this part of a cycle; then it is so much milder."""


@dataclass(frozen=True)
class Schedule:
    """How a cycle cools, and how often it makes each kind of move."""

    first: float = 0.3
    last: float = 0.003
    """At the first and at the last temperature: the mean chance with which a move that is worse is kept."""
    hard_weight: float = 3.0
    """A hard point, in units of the first temperature."""
    mix: tuple[int, int, int, int, int, int, int] = (6, 10, 6, 10, 40, 14, 14)
    """The priors of the kinds of moves: room, turn, alone, near, chain, with a run, with all runs."""
    same_day: int = 50
    """Of 100 moves to another time, how many stay within a day, in the prior."""
    hurt: int = 50
    """Of 100 moves, how many begin with a block that something soft is amiss with."""
    longest: int = 12
    """The most blocks of a chain."""
    shares: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Of the time that is left, what each cycle takes; later ones start from the best. The first ends before a race
    loses its patience with a racer that lies behind."""
    spoilt: float = 1.5
    """Where the start is good, as hot as makes it so many times as dear: more heat would burn what is known."""

    def numbers(self) -> Ints:
        """Return them as the kernel takes them, with nothing counted yet."""
        own = np.zeros(cooling.NUMBERS, np.int64)
        own[cooling.LONGEST], own[cooling.TO_HURT] = self.longest, self.hurt
        return own

    def kinds(self) -> Ints:
        """Return the mix of moves as the kernel takes it, with nothing learned yet."""
        prior = {kind: 100 * weight for kind, weight in enumerate(self.mix)}
        for kind in range(mixing.ALONE, mixing.DAY_ALONE):
            prior[kind + mixing.TO_DAY] = self.mix[kind] * self.same_day
            prior[kind] = self.mix[kind] * (100 - self.same_day)
        return mixing.mixed(prior)


class Annealing:
    """Moves and exchanges blocks at random; what is worse stays with a chance that falls with the temperature.

    It starts from the hint, else from an ejection chain; ``from_nothing``, from a timetable filled without looking
    back. Hard costs weigh like some soft ones, so that the way may lead through what is not feasible; only what costs
    0 hard is reported. ``moves`` bounds the run by its number of moves instead of by time: then the same seed gives
    the same result, which the clock otherwise does not allow.
    """

    name = "annealing"

    def __init__(
        self, *, moves: int | None = None, from_nothing: bool = False, schedule: Schedule | None = None
    ) -> None:
        self._moves = moves
        self._from_nothing = from_nothing
        self._schedule = schedule or Schedule()

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until stopped or out of time, for a soft cost of 0 at best."""
        run = Run(self.name, budget, report, stopped)
        if cannot_be(program):
            return run.ended(Status.INFEASIBLE)
        packed = pack(program)
        search = _Cooling(packed, budget.seed, self._schedule)
        if hint is None and not self._from_nothing:
            chain = Chain(packed, budget.seed)
            chain.begin(None)
            chain.search(run)
            hint = packed.assignment(chain.taken)
        search.begin(hint)
        search.search(run, self._moves)
        return run.outcome()


class _Cooling:
    """The annealing of one timetable."""

    def __init__(self, packed: Packed, seed: int, schedule: Schedule) -> None:
        self._packed, self._schedule = packed, schedule
        self._p = without_forgiveness(packed)
        self._state, self._tally = packed.state()
        blocks = int(packed.p[at.BLOCKS])
        self._best = np.full(blocks + int(packed.p[at.NEEDS]), -1, np.int64)
        self._heat = cooling.heat(1e-9, 1.0)
        self._own, self._mix = schedule.numbers(), schedule.kinds()
        self._journal = empty_journal(packed)
        self._queue, self._way = np.zeros(blocks + 2, np.int64), np.zeros(2 * blocks, np.int64)
        self._dice = dice(seed + 1)

    def begin(self, hint: Assignment | None) -> None:
        """Start with a hint, filled up where it is partial."""
        packed = self._packed
        taken = self._best if hint is None else packed.taken(hint)
        state.load(packed.p, self._state, self._tally, taken)
        cooling.fill(packed.p, self._state, self._tally, self._journal, self._dice)
        state.save(packed.p, self._state, self._best)
        self._own[cooling.BEST_HARD] = self._tally[at.HARD]
        self._own[cooling.BEST_SOFT] = self._tally[at.SOFT]

    def search(self, run: Run, moves: int | None) -> None:
        """Run cycle after cycle, each from the best so far."""
        run.keep(self._packed, self._best)
        run.tell()
        self._step(1)  # what compiles, or loads what was compiled, tells nothing of the speed
        run.forget_speed()
        self._cycle(run, SAMPLE, 1e-9, 1e-9)
        first, last = self._temperatures()
        if moves is not None:
            self._cycle(run, moves, first, last)
        cycle = 0
        while moves is None and not (run.is_done or run.is_over):
            share = self._schedule.shares[min(cycle, len(self._schedule.shares) - 1)]
            length = max(SAMPLE, round(run.left_s * share * run.steps_per_s))
            self._cycle(run, length, self._bearable(run, first, last, length // PROBES), last)
            cycle += 1
        run.keep(self._packed, self._best)
        run.partial = self._packed.assignment(self._best)

    def _temperatures(self) -> tuple[float, float]:
        """Return the first and the last, and let hard points weigh as much as the first allows."""
        worse = self._heat[cooling.SAMPLE : cooling.SAMPLE + self._own[cooling.WORSE]]
        first, last = temperature(worse, self._schedule.first), temperature(worse, self._schedule.last)
        self._heat[cooling.HARD_WEIGHT] = self._schedule.hard_weight * first
        return first, last

    def _bearable(self, run: Run, hottest: float, last: float, length: int) -> float:
        """Return the highest temperature at which so many moves leave the best one's cost within what may be spoilt."""
        heat = hottest
        while heat * MILDER > last and not (run.is_done or run.is_over):
            most = self._schedule.spoilt * int(self._own[cooling.BEST_SOFT])
            self._cycle(run, length, heat, heat)
            if self._tally[at.SOFT] <= most:
                break
            heat *= MILDER
        return heat

    def _cycle(self, run: Run, length: int, first: float, last: float) -> None:
        state.load(self._p, self._state, self._tally, self._best)
        self._heat[cooling.TEMPERATURE] = first
        self._heat[cooling.COOLING] = (last / first) ** (1 / length)
        made, bests = 0, -1
        while made < length and not (run.is_done or run.is_over):
            made += run.slice(self._step, length - made)
            if self._own[cooling.BEST_HARD] == 0 and self._own[cooling.BESTS] != bests and run.may_tell:
                bests = self._own[cooling.BESTS]
                run.keep(self._packed, self._best)
            run.tell()

    def _step(self, moves: int) -> None:
        cooling.anneal(
            self._p,
            self._state,
            self._tally,
            self._best,
            self._heat,
            self._own,
            self._mix,
            self._journal,
            self._queue,
            self._way,
            self._dice,
            moves,
        )
