"""Where searches run: racers and errands, on this machine or on a cluster."""

from typing import Any, Protocol

from core.timetable.apart import run_apart
from core.timetable.errands import Came, Errand
from core.timetable.model import Problem
from core.timetable.solvers.port import Budget, Report, Stopped
from core.timetable.solving import Solved, solve


class Stage(Protocol):
    """What a conductor needs. Each call blocks its thread, and returns soon after ``stopped`` says so."""

    def race(self, race_id: str, problem: Problem, budget: Budget, *, report: Report, stopped: Stopped) -> Solved:
        """Race, and return what was found. Raises ``Unavailable`` where there is no room for it just now."""

    def send(self, race_id: str, errand: Errand, *, report: Report, stopped: Stopped) -> Any:
        """Run an errand, and return what came of it; None where it was stopped or not done in time."""


class LocalStage:
    """Child processes of this one."""

    def __init__(self, cores: int | None = None) -> None:
        """Use so many cores for a race; all there are where not said."""
        self._cores = cores

    def race(self, race_id: str, problem: Problem, budget: Budget, *, report: Report, stopped: Stopped) -> Solved:  # noqa: ARG002 - the port's
        """Race in children."""
        return solve(lambda: problem, budget, cores=self._cores, report=report, stopped=stopped)

    def send(self, race_id: str, errand: Errand, *, report: Report, stopped: Stopped) -> Any:  # noqa: ARG002 - the port's
        """Run an errand in a child."""
        for told in run_apart(errand, stopped):
            if isinstance(told, Came):
                return told.result
            report(told)
        return None
