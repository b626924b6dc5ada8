"""What goes into a race beside the racers, and what comes out of it."""

from collections.abc import Callable
from dataclasses import dataclass

from core.timetable.program import Assignment
from core.timetable.racers import Racer, Run
from core.timetable.solvers.port import Status


@dataclass(frozen=True, slots=True)
class Score:
    """What the judge found."""

    hard: int
    soft: int
    problems: tuple[str, ...] = ()
    """Hard violations, in words."""


Judge = Callable[[Assignment], Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """Who races. The foremost are sent in first; the others follow where there is room or one has ended."""

    finders: tuple[Racer, ...]
    improvers: tuple[Racer, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start this run."""

    run: Run


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell this run to stop."""

    number: int
    at_once: bool
    """The race is over; else its process will be wanted again, and has more time to stop by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceOutcome:
    """How a race ended."""

    status: Status
    best: Assignment | None
    soft: int | None
    bound: int | None
    cancelled: bool
    """It was told to stop; it may have a result all the same."""
    solver: str | None
    """Who found the best."""
    first_solver: str | None
    first_feasible_s: float | None
    winner_cpu_s: float | None
    """Processor time of the run that found the first timetable, until then."""
    total_s: float
    cpu_s: float
    """Processor time of all runs."""
    attempts: int
    partial: Assignment | None
    """The fullest that was found where none was complete."""
    failures: tuple[str, ...]
    """What went wrong with racers, in words."""

    @classmethod
    def without_race(cls, status: Status, total_s: float) -> "RaceOutcome":
        """Return the outcome where all was known before anybody raced."""
        nothing = dict.fromkeys(("best", "soft", "bound", "solver", "first_solver", "first_feasible_s", "winner_cpu_s"))
        return cls(
            status=status,
            total_s=total_s,
            cancelled=False,
            cpu_s=0.0,
            attempts=0,
            partial=None,
            failures=(),
            **nothing,
        )
