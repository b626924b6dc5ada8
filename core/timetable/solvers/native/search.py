"""What the native solvers share: the clock of a run, its slices of work, and what it tells."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from core.timetable.program import Assignment, Program
from core.timetable.solvers.native import layout as at
from core.timetable.solvers.native.pack import Ints, Packed
from core.timetable.solvers.native.state import load
from core.timetable.solvers.port import Budget, Outcome, Progress, Report, Status, Stopped

SLICE_S = 0.008
"""Kernels come back so often to ask whether to stop; the port wants 20 ms at most."""
LARGEST_SLICE = 1 << 20
TELL_EVERY_S = 0.2


@dataclass
class Run:
    """One run of a solver."""

    solver: str
    budget: Budget
    report: Report
    stopped: Stopped
    attempts: int = 0
    best: Assignment | None = None
    soft: int | None = None
    partial: Assignment | None = None
    was_stopped: bool = False
    _size: int = 1
    _began: float = field(default_factory=time.monotonic)
    _began_cpu: float = field(default_factory=time.thread_time)
    _told: float = -TELL_EVERY_S
    _told_soft: int | None = None
    _kernel_s: float = 0.0
    _steps: int = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def left_s(self) -> float:
        """Seconds until the run is out of time."""
        return self.budget.seconds - self.elapsed_s

    @property
    def is_over(self) -> bool:
        """Whether to come to an end: told to, or out of time."""
        self.was_stopped = self.was_stopped or self.stopped()
        return self.was_stopped or self.left_s <= 0

    @property
    def is_done(self) -> bool:
        """Whether there is nothing better to find."""
        return self.best is not None and (self.budget.feasibility_only or self.soft == 0)

    def slice(self, kernel: Callable[[int], None], most: int | None = None) -> int:
        """Let a kernel do as many steps as fit a slice, at most ``most``; return how many it did."""
        size = self._size if most is None else min(self._size, most)
        before = time.perf_counter()
        kernel(size)
        took = time.perf_counter() - before
        self.attempts += size
        self._steps, self._kernel_s = self._steps + size, self._kernel_s + took
        if took > SLICE_S:
            self._size = max(1, self._size // 2)
        elif took < SLICE_S / 2 and size == self._size:
            self._size = min(2 * self._size, LARGEST_SLICE)
        return size

    def forget_speed(self) -> None:
        """Measure the steps a second anew: another kernel takes over."""
        self._size, self._steps, self._kernel_s = 1, 0, 0.0

    @property
    def steps_per_s(self) -> float:
        """How fast the kernel is."""
        return self._steps / max(self._kernel_s, 1e-6)

    @property
    def may_tell(self) -> bool:
        """Whether what is better now would be told at once."""
        return self.best is None or self.elapsed_s - self._told >= TELL_EVERY_S

    def keep(self, packed: Packed, taken: Ints) -> None:
        """Keep an assignment if it is feasible and better than the best, reckoned anew from nothing."""
        hard, soft = cost_of(packed, taken)
        if hard == 0 and (self.soft is None or soft < self.soft):
            self.best, self.soft = packed.assignment(taken), soft

    def tell(self, *, placed: int | None = None) -> None:
        """Report how far the run is, and what is better; not too often, but the first feasible at once."""
        better = self.soft != self._told_soft
        if (better and self._told_soft is None) or self.elapsed_s - self._told >= TELL_EVERY_S:
            self._told, self._told_soft = self.elapsed_s, self.soft
            self.report(
                Progress(
                    solver=self.solver,
                    attempts=self.attempts,
                    elapsed_s=self.elapsed_s,
                    best=self.best if better else None,
                    soft=self.soft,
                    bound=0 if self.soft == 0 else None,
                    placed=placed if self.best is None else None,
                )
            )

    def outcome(self) -> Outcome:
        """Return how the run ended."""
        if self.best is not None:
            status = Status.OPTIMAL if self.soft == 0 else Status.FEASIBLE
        else:
            status = Status.CANCELLED if self.was_stopped else Status.TIMED_OUT
        return self.ended(status)

    def ended(self, status: Status) -> Outcome:
        """Return that the run ended so."""
        return Outcome(
            solver=self.solver,
            status=status,
            best=self.best,
            soft=self.soft,
            bound=0 if status is Status.OPTIMAL else None,
            attempts=self.attempts,
            cpu_s=time.thread_time() - self._began_cpu,
            partial=None if self.best is not None else self.partial,
        )


def cannot_be(program: Program) -> bool:
    """Tell whether a block has no start, or a need no room: then there is no timetable."""
    return any(not block.starts or not all(block.needs) for block in program.blocks)


def cost_of(packed: Packed, taken: Ints) -> tuple[int, int]:
    """Return what an assignment costs (hard, soft), reckoned from nothing; each block not placed is one hard point."""
    state, tally = packed.state()
    load(packed.p, state, tally, taken)
    return int(tally[at.HARD] + tally[at.UNPLACED]), int(tally[at.SOFT])


def empty_journal(packed: Packed) -> Ints:
    """Return room to note each block's place four times over."""
    journal = np.zeros(4 * (2 * packed.p[at.BLOCKS] + packed.p[at.NEEDS]) + 16, np.int64)
    journal[0] = at.EMPTY
    return journal
