"""One search from its request to its result, on a stage. It blocks; the conductor calls it in a thread."""

import time
from dataclasses import dataclass

from core.timetable import ending
from core.timetable.checker import validate
from core.timetable.errands import Explained, Mended, explaining, mending
from core.timetable.formats.native import read_problem, read_timetable
from core.timetable.model import Problem, Timetable
from core.timetable.records import PROBLEM_LIMIT_BYTES, Race, RaceKind, RaceProgress, RaceResult
from core.timetable.solvers.port import Budget, Progress, Status, Stopped
from core.timetable.stage import Stage

_EXPLAIN_S = 10.0
"""After a race has proven that there is no timetable, so long it may take to say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a conductor has read of a race."""

    race: Race
    problem: str
    previous: tuple[str, str] | None
    """The JSON of the problem and the placements of the version that is repaired."""


class Search:
    """Runs one race's search and knows how it stands."""

    def __init__(self, stage: Stage, assignment: Assignment, stopped: Stopped) -> None:
        self._stage = stage
        self._assignment = assignment
        self._race = assignment.race
        self._stopped = stopped
        self._began = time.monotonic()
        self.progress = RaceProgress()

    def run(self) -> RaceResult:
        """Search, and return what it came to."""
        problem = read_problem(self._assignment.problem.encode(), limit_bytes=PROBLEM_LIMIT_BYTES)
        match self._race.kind:
            case RaceKind.GENERATE:
                return self._generate(problem)
            case RaceKind.RESOLVE:
                return self._resolve(problem)
            case RaceKind.EXPLAIN:
                return ending.of_explanation(
                    self._race, self._explain(problem, self._budget()), stopped=self._stopped()
                )

    def _generate(self, problem: Problem) -> RaceResult:
        found = self._stage.race(self._key, problem, self._budget(), report=self._hear, stopped=self._stopped)
        why = None
        if found.outcome.status is Status.INFEASIBLE:
            why = self._explain(problem, Budget(seconds=_EXPLAIN_S, seed=self._race.request.seed))
        return ending.of_race(self._race, found, why)

    def _resolve(self, problem: Problem) -> RaceResult:
        request = self._race.request
        previous = self._previous(problem)
        errand = mending(problem, previous, self._budget(), pins=request.pins, only_groups=request.only_groups)
        mended: Mended | None = self._stage.send(self._key, errand, report=self._hear, stopped=self._stopped)
        found = mended.timetable if mended is not None else None
        verdict = validate(problem, found, complete=True) if found is not None else None
        return ending.of_repair(self._race, mended, verdict, stopped=self._stopped())

    def _previous(self, problem: Problem) -> Timetable:
        """Return where the lessons were; lessons that are gone are left out."""
        assert self._assignment.previous is not None  # noqa: S101 - a repair is of a version
        before, placements = self._assignment.previous
        old = read_timetable(placements.encode(), read_problem(before.encode(), limit_bytes=PROBLEM_LIMIT_BYTES))
        return Timetable(placements=tuple(p for p in old.placements if p.lesson in problem.lesson))

    def _explain(self, problem: Problem, budget: Budget) -> Explained | None:
        errand = explaining(problem, budget)
        why: Explained | None = self._stage.send(self._key, errand, report=self._hear, stopped=self._stopped)
        return why

    def _budget(self) -> Budget:
        return Budget(seconds=self._race.request.seconds, seed=self._race.request.seed)

    @property
    def _key(self) -> str:
        return self._race.job_id.hex

    def _hear(self, told: Progress) -> None:
        self.progress = RaceProgress(
            attempts=told.attempts,
            elapsed_s=round(time.monotonic() - self._began, 2),
            soft=told.soft,
            bound=told.bound,
            solver=told.solver,
        )
