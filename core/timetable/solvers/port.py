"""What a solver is, for the race and for a test."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.timetable.program import Assignment, Program


class Status(StrEnum):
    """How a search ended."""

    OPTIMAL = "optimal"
    """Feasible, and no better soft cost exists."""
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    """Proven: there is no timetable."""
    TIMED_OUT = "timed_out"
    """The time ran out before a timetable was found; there may be one."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a solver may work, and with what."""

    seconds: float
    """Wall time."""
    seed: int = 0
    workers: int = 1
    """Threads, where a solver has them."""
    feasibility_only: bool = False
    """Stop at the first feasible assignment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Something a solver has to tell: a better assignment, a better bound, or that it is still at it."""

    solver: str
    attempts: int
    """Restarts, iterations or conflicts, whatever the solver counts."""
    elapsed_s: float
    best: Assignment | None = None
    """Only where it is better than the one told before; feasible."""
    soft: int | None = None
    """The soft cost of the best so far, as the solver reckons it."""
    bound: int | None = None
    """No feasible assignment costs less than this, proven."""
    placed: int | None = None
    """How many blocks lie in the fullest partial assignment, before there is a feasible one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a solver ended."""

    solver: str
    status: Status
    best: Assignment | None
    """Feasible; None unless the status is OPTIMAL or FEASIBLE. A run cut short keeps what it had found."""
    soft: int | None
    bound: int | None
    attempts: int
    cpu_s: float
    partial: Assignment | None = None
    """The fullest partial assignment where none was feasible, for an explanation."""


Report = Callable[[Progress], None]
Stopped = Callable[[], bool]
"""Tells whether to stop now; cheap, and asked at least every 20 ms of search where the solver can."""


def unheard(progress: Progress) -> None:
    """Hear a report and do nothing, where nobody waits for it."""


class Solver(Protocol):
    """Something that places blocks. It reckons costs on its own and never calls the checker."""

    name: str

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until optimal, infeasible, stopped or out of time. ``hint`` may be infeasible or partial.

        Better assignments from elsewhere don't reach a running solver; the race restarts it with a hint.
        """
