"""Solves a problem on this machine: the race, with everything around it."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.timetable.checker import Verdict, validate
from core.timetable.children import Children
from core.timetable.findings import Finding
from core.timetable.lowering import lower, timetable_of
from core.timetable.model import Problem, Timetable
from core.timetable.portfolio import judge_of, lineup, warm_on
from core.timetable.prechecking import precheck
from core.timetable.program import Program
from core.timetable.race_result import RaceOutcome
from core.timetable.racing import race
from core.timetable.solvers.port import Budget, Report, Status, Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What became of a problem."""

    problem: Problem
    outcome: RaceOutcome
    timetable: Timetable | None
    """The best that was found."""
    verdict: Verdict | None
    """What the checker says of it."""
    partial: Timetable | None
    """The fullest where none was complete."""
    findings: tuple[Finding, ...] = ()
    """Why there is none, where counting told before any search."""


def solve(
    read: Callable[[], Problem],
    budget: Budget,
    *,
    cores: int | None = None,
    report: Report,
    stopped: Stopped = lambda: False,
) -> Solved:
    """Race on this machine. The first racers start up while the problem is read, and the clock runs from there."""
    began, places = time.monotonic(), cores or cores_here()
    with Children(places, warm=warm_on(places)) as host:
        problem = read()
        program = lower(problem)
        if findings := precheck(problem, program):
            return impossible(problem, findings, time.monotonic() - began)
        outcome = race(
            program,
            lineup(places),
            budget,
            host=host,
            judge=judge_of(problem, program),
            report=report,
            stopped=stopped,
            began=began,
        )
    return solved(problem, program, outcome)


def impossible(problem: Problem, findings: tuple[Finding, ...], total_s: float) -> Solved:
    """Return what counting found out, without a race."""
    outcome = RaceOutcome.without_race(Status.INFEASIBLE, total_s)
    return Solved(problem=problem, outcome=outcome, timetable=None, verdict=None, partial=None, findings=findings)


def solved(problem: Problem, program: Program, outcome: RaceOutcome) -> Solved:
    """Return what a race found in the problem's words."""
    timetable = timetable_of(problem, program, outcome.best) if outcome.best is not None else None
    return Solved(
        problem=problem,
        outcome=outcome,
        timetable=timetable,
        verdict=validate(problem, timetable, complete=True) if timetable is not None else None,
        partial=timetable_of(problem, program, outcome.partial) if outcome.partial is not None else None,
    )


def cores_here() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
