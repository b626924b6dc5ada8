"""What races: solvers by name, one run of one of them, and what a run tells whoever holds the race.

Light to import, because a racer's own process begins with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Protocol, Self

from core.timetable.program import Assignment, Program
from core.timetable.solvers.port import Budget, Outcome, Progress, Solver


@dataclass(frozen=True, slots=True, kw_only=True)
class Racer:
    """A solver that may be sent into a race."""

    name: str
    solver: str
    """Where its class is: ``module:Class``, made without arguments in the racer's own process."""
    workers: int = 1
    """Threads it is given; it takes as many places."""
    exact: bool = False
    """It searches everything, so its word that there is no timetable, or no better one, counts."""
    once: bool = False
    """It works a share of the time of its own choice, has then said what it knows, and may lie behind meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a racer."""

    number: int
    racer: Racer
    budget: Budget
    hint: Assignment | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A run goes on, and has this to tell."""

    number: int
    progress: Progress
    cpu_s: float
    """Processor time since the run's start."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run ended by itself, or when it was told to stop."""

    number: int
    outcome: Outcome
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Died:
    """A run was lost: its solver raised, its process or its machine is gone, or it was killed."""

    number: int
    why: str
    cpu_s: float


Event = Told | Ended | Died


class RacerHost(Protocol):
    """Where racers run. Each run that was started ends in one ``Ended`` or ``Died``."""

    places: int
    """How many one-thread runs it has room for at a time."""

    def load(self, program: Program) -> None:
        """Take the program that all runs are about."""

    def start(self, run: Run) -> None:
        """Start a run."""

    def stop(self, number: int, *, at_once: bool) -> None:
        """Tell a run to stop; one that does not within the host's grace is killed, a shorter one with ``at_once``."""

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what happened, waiting so long for the first."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs, and wait until it has ended."""


def open_solver(where: str) -> Solver:
    """Import a solver's class and return one of it."""
    module, _, name = where.partition(":")
    solver: Solver = getattr(import_module(module), name)()
    return solver
