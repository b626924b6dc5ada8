"""Solvers that behave in every way a race has to cope with, and the smallest program for them to work on."""

import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core.timetable.program import CLASH, Assignment, Block, Exclusive, Program
from core.timetable.race_result import Score
from core.timetable.racers import Racer
from core.timetable.solvers.port import Budget, Outcome, Progress, Report, Status, Stopped

BEST = Assignment((0, 1), ((), ()))
CLASHING = Assignment((0, 0), ((), ()))


def two_blocks() -> Program:
    """Return a program of two blocks of one teacher in two slots; the second slot costs 3 for the first block."""
    blocks = tuple(Block((i,), 1, (0, 1), {1: 3} if i == 0 else {}, ()) for i in range(2))
    return Program(
        day_of=(0, 0),
        blocks=blocks,
        rooms=(),
        building_of=(),
        exclusives=(Exclusive(CLASH, (0, 1), ("teacher", "t")),),
        tracks=(),
        terms=(),
        pairs=(),
        stabilities=(),
        travels=(),
        cuts=(),
    )


def judge(assignment: Assignment) -> Score:
    """Judge an assignment of ``two_blocks``."""
    one, other = assignment.starts
    return Score(hard=int(one == other), soft=3 * one, problems=("they overlap",) if one == other else ())


def racer(kind: type, *, exact: bool = False, workers: int = 1, name: str = "") -> Racer:
    """Return a racer of one of the solvers below."""
    return Racer(name=name or kind.__name__, solver=f"{__name__}:{kind.__name__}", exact=exact, workers=workers)


def told_file(seed: int) -> Path:
    """Return the file by which the racers of a race with this seed are told to find what they look for."""
    return Path(tempfile.gettempdir()) / f"schoolos-race-{seed}"


def tell_and_wait(file: Path, report: Report) -> str:
    """Tell once that it has begun, and end when a file is there: an errand."""
    report(Progress(solver="errand", attempts=1, elapsed_s=0.0))
    while not file.exists():
        time.sleep(0.02)
    return "mended"


@dataclass
class _Solver:
    name: str = "fake"

    def outcome(self, status: Status, best: Assignment | None = None, soft: int | None = None) -> Outcome:
        """Return an outcome of this solver."""
        return Outcome(solver=self.name, status=status, best=best, soft=soft, bound=None, attempts=1, cpu_s=0)

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Behave."""
        raise NotImplementedError


class Polite(_Solver):
    """Works until it is told to stop, and then does."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Look every 5 ms."""
        until = time.monotonic() + budget.seconds
        while time.monotonic() < until and not stopped():
            time.sleep(0.005)
            report(Progress(solver=self.name, attempts=1, elapsed_s=0))
        return self.outcome(Status.CANCELLED if stopped() else Status.TIMED_OUT)


class Finds(_Solver):
    """Finds a timetable at once, the second best where it is to stop at the first."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Find."""
        if budget.feasibility_only:
            return self.outcome(Status.FEASIBLE, Assignment((1, 0), ((), ())), 3)
        return self.outcome(Status.OPTIMAL, BEST, 0)


class Lies(_Solver):
    """Says that two clashing lessons are a timetable."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Lie."""
        return self.outcome(Status.OPTIMAL, CLASHING, 0)


class Denies(_Solver):
    """Says that there is no timetable."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Deny."""
        return self.outcome(Status.INFEASIBLE)


class Raises(_Solver):
    """Has a defect."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Raise."""
        raise ValueError("a defect")


class Crashes(_Solver):
    """Takes its process down, as native code can."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Crash."""
        os.kill(os.getpid(), signal.SIGKILL)
        return self.outcome(Status.CANCELLED)


class FindsWhenTold(_Solver):
    """Tells that it works, and finds a timetable once the file that its seed names is there."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Wait for the file."""
        report(Progress(solver=self.name, attempts=1, elapsed_s=0))
        while not stopped():
            if told_file(budget.seed // 1_000).exists():
                return self.outcome(Status.OPTIMAL, BEST, 0)
            time.sleep(0.005)
        return self.outcome(Status.CANCELLED)


class Deaf(_Solver):
    """Computes in native code that neither returns nor lets another thread run, as a presolve does."""

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Compute."""
        report(Progress(solver=self.name, attempts=0, elapsed_s=0))
        return self.outcome(Status.FEASIBLE, BEST, sum(range(10**15)))
