"""Searches without racers, as they are sent into a process of their own: a repair, an explanation.

What comes back is plain, so that whoever sends them never loads a solver.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from core.timetable.findings import Finding
from core.timetable.model import Problem, Timetable
from core.timetable.solvers.port import Budget, Report, Status

_SHARE = 0.95
_LEAST_S = 0.5


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
    """A function of this module with what it is given but where to report."""

    function: Callable[[Report], Any]
    until: float
    """When its time is up, as ``time.time`` tells it: where it runs, starting takes a part of it."""


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
    until = time.time() + budget.seconds
    return Errand(partial(_mend, problem, previous, (budget, until), pins=pins, only_groups=only_groups), until)


def explaining(problem: Problem, budget: Budget) -> Errand:
    """Return the errand to say why there is no timetable."""
    until = time.time() + budget.seconds
    return Errand(partial(_explain, problem, budget, until=until), until)


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
    return Errand(work, time.time() + 2 * seconds)


def _suggest(problem: Problem, timetable: Timetable, report: Report, **asked: Any) -> Any:  # noqa: ARG001 - as every errand
    from core.timetable.suggesting import suggest  # noqa: PLC0415 - needed in the errand's process only

    return suggest(problem, timetable, **asked)


def _mend(
    problem: Problem,
    previous: Timetable,
    within: tuple[Budget, float],
    report: Report,
    *,
    pins: tuple[str, ...],
    only_groups: tuple[str, ...] | None,
) -> Mended:
    from core.timetable.repairing import Freedom, repair  # noqa: PLC0415 - loads CP-SAT, in the errand's process only

    groups = None if only_groups is None else frozenset(only_groups)
    freedom = Freedom(pins=frozenset(pins), only_groups=groups)
    found = repair(problem, previous, _left(*within), freedom=freedom, report=report)
    return Mended(
        status=found.status,
        timetable=found.timetable,
        moved=found.moved,
        rooms_changed=found.rooms_changed,
        bound=found.bound,
    )


def _explain(problem: Problem, budget: Budget, report: Report, *, until: float) -> Explained:  # noqa: ARG001 - as all
    from core.timetable.explaining import explain  # noqa: PLC0415 - loads CP-SAT, in the errand's process only

    found = explain(problem, _left(budget, until))
    sentences = tuple(reason.sentence for reason in found.conflict)
    return Explained(status=found.status, findings=found.findings, conflict=sentences, is_minimal=found.is_minimal)


def _left(budget: Budget, until: float) -> Budget:
    """Return the budget that is left once the process has started; solvers stop a little late."""
    return replace(budget, seconds=max(_LEAST_S, _SHARE * (until - time.time())))
