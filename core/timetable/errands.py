"""Searches without racers, as they are sent into a process of their own: a repair, an explanation.

What comes back is plain, so that whoever sends them never loads a solver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.timetable.findings import Finding
from core.timetable.model import Problem, Timetable
from core.timetable.solvers.port import Budget, Report, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What a repair came to (``repairing.Repaired``)."""

    status: Status
    timetable: Timetable | None
    moved: tuple[str, ...]
    rooms_changed: tuple[str, ...]
    bound: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What an explanation came to (``explaining.Explanation``)."""

    status: Status
    findings: tuple[Finding, ...] = ()
    conflict: tuple[str, ...] = ()
    """Sentences that can't hold together."""
    is_minimal: bool = False


@dataclass(frozen=True, slots=True)
class Errand:
    """A function of this module with what it is given but where to report, and how long it may take."""

    function: Callable[[Report], Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Came:
    """What an errand came to."""

    result: Any
    """None where it was stopped, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What an errand raised."""

    why: str


def mending(
    problem: Problem,
    previous: Timetable,
    budget: Budget,
    *,
    pins: tuple[str, ...],
    only_groups: tuple[str, ...] | None,
) -> Errand:
    """Return the errand to repair a timetable with the fewest moves."""
    work = partial(_mend, problem, previous, budget=budget, pins=pins, only_groups=only_groups)
    return Errand(work, budget.seconds)


def explaining(problem: Problem, budget: Budget) -> Errand:
    """Return the errand to say why there is no timetable."""
    return Errand(partial(_explain, problem, budget), budget.seconds)


def suggesting(
    problem: Problem,
    timetable: Timetable,
    seconds: float,
    *,
    lesson: str | None,
    who: tuple[str, str] | None,
    most: int,
) -> Errand:
    """Return the errand to suggest changes by hand; it brings ``suggesting.Suggestion``s."""
    work = partial(_suggest, problem, timetable, seconds=seconds, lesson=lesson, who=who, most=most)
    return Errand(work, 2 * seconds)


def _suggest(problem: Problem, timetable: Timetable, report: Report, **asked: Any) -> Any:  # noqa: ARG001 - as every errand
    from core.timetable.suggesting import suggest  # noqa: PLC0415 - needed in the errand's process only

    return suggest(problem, timetable, **asked)


def _mend(
    problem: Problem,
    previous: Timetable,
    report: Report,
    *,
    budget: Budget,
    pins: tuple[str, ...],
    only_groups: tuple[str, ...] | None,
) -> Mended:
    from core.timetable.repairing import Freedom, repair  # noqa: PLC0415 - loads CP-SAT, in the errand's process only

    groups = None if only_groups is None else frozenset(only_groups)
    found = repair(problem, previous, budget, freedom=Freedom(pins=frozenset(pins), only_groups=groups), report=report)
    return Mended(
        status=found.status,
        timetable=found.timetable,
        moved=found.moved,
        rooms_changed=found.rooms_changed,
        bound=found.bound,
    )


def _explain(problem: Problem, budget: Budget, report: Report) -> Explained:  # noqa: ARG001 - as every errand
    from core.timetable.explaining import explain  # noqa: PLC0415 - loads CP-SAT, in the errand's process only

    found = explain(problem, budget)
    sentences = tuple(reason.sentence for reason in found.conflict)
    return Explained(status=found.status, findings=found.findings, conflict=sentences, is_minimal=found.is_minimal)
