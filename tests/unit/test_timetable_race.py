"""What a race decides, told the time and what happened."""

from dataclasses import dataclass, field

import pytest

from core.errors import Broken
from core.timetable.portfolio import lineup
from core.timetable.program import Assignment
from core.timetable.race_result import Lineup, Start, Stop
from core.timetable.race_state import RaceState
from core.timetable.racers import Died, Ended, Event, Racer, Run, Told
from core.timetable.solvers.port import Budget, Outcome, Progress, Status
from tests.factories.racing import BEST, CLASHING, judge

SECOND, THIRD = Assignment((1, 0), ((), ())), Assignment((2, 0), ((), ()))
A, B, C = (Racer(name=name, solver=name) for name in "abc")
EXACT = Racer(name="exact", solver="exact", exact=True)
ONCE = Racer(name="once", solver="once", once=True)


@dataclass
class Course:
    """A race whose hours and events are the test's."""

    finders: tuple[Racer, ...] = (A, B)
    improvers: tuple[Racer, ...] = (C, EXACT)
    budget: Budget = field(default_factory=lambda: Budget(seconds=30, seed=7))
    places: int = 2
    now: float = 100.0
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = RaceState(Lineup(finders=self.finders, improvers=self.improvers), self.budget, judge, self.now)

    def after(self, seconds: float, *events: Event) -> list[str]:
        """Let time pass and things happen; return what was decided, as ``+name`` and ``-name``."""
        self.now += seconds
        self.state.take(events, self.now)
        return [self._noted(action) for action in self.state.decide(self.places, self.now)]

    def _noted(self, action: Start | Stop) -> str:
        if isinstance(action, Start):
            self.runs.setdefault(action.run.racer.name, []).append(action.run)
            return f"+{action.run.racer.name}"
        return "-" + next(name for name, runs in self.runs.items() for run in runs if run.number == action.number)

    def last(self, racer: Racer) -> int:
        """Return the number of a racer's latest run."""
        return self.runs[racer.name][-1].number

    def found(self, racer: Racer, best: Assignment, soft: int | None = None, bound: int | None = None) -> Told:
        """Let a racer tell of an assignment."""
        progress = Progress(solver=racer.name, attempts=3, elapsed_s=1, best=best, soft=soft, bound=bound)
        return Told(self.last(racer), progress, 0.5)

    def ended(self, racer: Racer, status: Status, best: Assignment | None = None, soft: int | None = None) -> Ended:
        """Let a racer's run end."""
        outcome = Outcome(
            solver=racer.name, status=status, best=best, soft=soft, bound=None, attempts=5, cpu_s=1, partial=None
        )
        return Ended(self.last(racer), outcome, 1.0)

    def died(self, racer: Racer) -> Died:
        """Let a racer's run be lost."""
        return Died(self.last(racer), "its process ended", 1.0)


def test_the_first_accepted_stops_the_others_and_the_improvers_start_from_it() -> None:
    """The first leg ends with the first timetable; places freed by the losers go to improvers with it as hint."""
    course = Course()
    assert course.after(0) == ["+a", "+b"]
    assert course.after(2, course.found(A, SECOND, 3)) == ["-a", "-b"]
    assert course.after(0.1, course.ended(A, Status.CANCELLED)) == ["+c"]
    assert course.after(0.1, course.died(B)) == ["+exact"]
    assert course.runs["c"][0].hint == SECOND
    assert course.runs["a"][0].budget.feasibility_only
    assert not course.runs["c"][0].budget.feasibility_only
    assert course.state.first == ("a", 2.0, 0.5)
    assert course.state.progress(course.now).attempts == 5


def test_the_foremost_improvers_run_whoever_ran_before() -> None:
    """A racer of both legs takes its place in the second by the line-up, not behind those who have not run yet."""
    course = Course(finders=(A, EXACT), improvers=(B, EXACT, C))
    course.after(0)
    assert course.after(1, course.ended(A, Status.FEASIBLE, SECOND, 3), course.ended(EXACT, Status.CANCELLED)) == [
        "+b",
        "+exact",
    ]


def test_a_proven_best_ends_the_race() -> None:
    """Nothing runs on once a bound meets the best, and the bound is told."""
    course = Course()
    course.after(0)
    course.after(2, course.ended(A, Status.FEASIBLE, SECOND, 3), course.ended(B, Status.CANCELLED))
    assert course.after(1, course.found(C, SECOND, 3, bound=2)) == []
    assert course.after(1, course.found(EXACT, SECOND, 3, bound=3)) == ["-c", "-exact"]
    course.after(0.1, course.ended(C, Status.CANCELLED), course.ended(EXACT, Status.CANCELLED))
    outcome = course.state.outcome(course.now)
    assert course.state.over
    assert (outcome.status, outcome.soft, outcome.bound, outcome.solver) == (Status.OPTIMAL, 3, 3, "a")
    assert outcome.cpu_s == 4.0


def test_improvements_wait_for_the_judge_and_are_not_lost() -> None:
    """Bests that follow close on each other are judged once, the newest; one that waits outlives its racer's death."""
    course = Course()
    course.after(0)
    course.after(2, course.ended(A, Status.FEASIBLE, THIRD, 6), course.ended(B, Status.CANCELLED))
    course.after(0.0001, course.found(C, SECOND, 3))
    assert course.state.soft == 6
    course.after(0.0001, course.died(C))
    assert course.state.soft == 3


def test_the_time_is_up_and_the_best_is_kept() -> None:
    """At the deadline all are stopped; what one of them brings with its last word still counts."""
    course = Course()
    course.after(0)
    course.after(2, course.ended(A, Status.FEASIBLE, SECOND, 3), course.ended(B, Status.CANCELLED))
    assert course.after(28) == ["-c", "-exact"]
    course.after(0.1, course.ended(C, Status.FEASIBLE, BEST, 0), course.died(EXACT))
    outcome = course.state.outcome(course.now)
    assert (outcome.status, outcome.best, outcome.cancelled, outcome.failures) == (Status.OPTIMAL, BEST, False, ())


@pytest.mark.parametrize("found", [True, False])
def test_cancelled_keeps_what_there_is(found: bool) -> None:
    """A cancelled race with a timetable is feasible and says that it was cancelled; one without is cancelled."""
    course = Course()
    course.after(0)
    if found:
        course.after(1, course.ended(A, Status.FEASIBLE, SECOND, 3))
    course.state.cancel()
    course.after(0.1, *(Died(run.number, "killed", 1) for runs in course.runs.values() for run in runs))
    outcome = course.state.outcome(course.now)
    assert course.state.over
    assert outcome.cancelled
    assert (outcome.status, outcome.best) == ((Status.FEASIBLE, SECOND) if found else (Status.CANCELLED, None))


def test_what_comes_after_the_cancelling_is_judged_only_where_there_is_nothing() -> None:
    """A check takes longer than a stop may: last words count where they bring the first timetable."""
    course = Course()
    course.after(0)
    course.state.cancel()
    course.after(0.01, course.ended(A, Status.FEASIBLE, THIRD, 6))
    course.after(0.01, course.ended(B, Status.FEASIBLE, BEST, 0))
    assert course.state.over
    assert course.state.outcome(course.now).best == THIRD


def test_only_an_exact_racer_proves_that_there_is_none() -> None:
    """Anyone else who finds none is sent in again with another seed."""
    course = Course(finders=(A, EXACT))
    course.after(0)
    assert course.after(1, course.ended(A, Status.INFEASIBLE)) == ["+a"]
    assert course.runs["a"][0].budget.seed != course.runs["a"][1].budget.seed
    assert course.after(1, course.ended(EXACT, Status.INFEASIBLE)) == ["-a"]
    course.after(1, course.ended(A, Status.CANCELLED))
    assert course.state.outcome(course.now).status is Status.INFEASIBLE


def test_a_racer_that_lies_is_out() -> None:
    """What the judge refuses is not taken, and who brought it is stopped, noted and not sent in again."""
    course = Course(finders=(A, B, C))
    course.after(0)
    assert course.after(1, course.found(A, CLASHING, 0)) == ["-a"]
    assert course.after(1, course.died(A)) == ["+c"]
    assert course.after(1, course.ended(B, Status.TIMED_OUT)) == ["+b"]
    course.state.cancel()
    outcome = course.state.outcome(course.now)
    assert (outcome.best, outcome.failures) == (None, ("a: they overlap",))


def test_a_racer_may_die_once() -> None:
    """A racer that died runs again, one that died twice does not; where all have, the race is broken."""
    course = Course(finders=(A,), places=1)
    course.after(0)
    assert course.after(1, course.died(A)) == ["+a"]
    with pytest.raises(Broken, match="its process ended"):
        course.after(1, course.died(A))


def test_an_improver_that_lies_behind_starts_again_from_the_best() -> None:
    """A heuristic that has been behind for a tenth of the budget is stopped, and starts again with the best as hint."""
    course = Course(improvers=(A, B))
    course.after(0)
    course.after(1, course.ended(A, Status.FEASIBLE, THIRD, 6), course.ended(B, Status.CANCELLED))
    assert course.after(2, course.found(A, SECOND, 3), course.found(B, THIRD, 6)) == []
    assert course.after(2) == ["-b"]
    assert course.after(0.1, course.ended(B, Status.FEASIBLE, THIRD, 6)) == ["+b"]
    assert course.runs["b"][-1].hint == SECOND
    assert course.after(10) == []


def test_a_racer_that_ends_at_once_without_anything_new_is_not_sent_in_for_ever() -> None:
    """After three such runs in a row it rests, and with nobody left the race is over before its time."""
    course = Course(improvers=(C,), places=1, finders=(A,))
    course.after(0)
    assert course.after(1, course.ended(A, Status.FEASIBLE, SECOND, 3)) == ["+c"]
    assert course.after(0.1, course.ended(C, Status.FEASIBLE, SECOND, 3)) == ["+c"]
    assert course.after(0.1, course.ended(C, Status.FEASIBLE, SECOND, 3)) == ["+c"]
    assert course.after(0.1, course.ended(C, Status.FEASIBLE, SECOND, 3)) == []
    assert course.state.over


def test_an_improver_that_has_said_nothing_yet_is_given_longer() -> None:
    """Who writes the model of a large school is behind for three tenths of the budget before it is stopped."""
    course = Course(improvers=(A, B))
    course.after(0)
    course.after(1, course.ended(A, Status.FEASIBLE, THIRD, 6), course.ended(B, Status.CANCELLED))
    assert course.after(4, course.found(A, SECOND, 3)) == []
    assert course.after(6) == ["-b"]


def test_a_racer_that_runs_once_gives_its_place_to_the_next() -> None:
    """It is not stopped where it lies behind, and not sent in again when it has ended by itself; a lost one is."""
    course = Course(improvers=(A, ONCE, B))
    course.after(0)
    assert course.after(1, course.ended(A, Status.FEASIBLE, THIRD, 6), course.ended(B, Status.CANCELLED)) == [
        "+a",
        "+once",
    ]
    assert course.after(10, course.found(A, SECOND, 3)) == []
    assert course.after(1, course.died(ONCE)) == ["+b"]
    assert course.after(0.1, course.ended(B, Status.FEASIBLE, SECOND, 3)) == ["+once"]
    assert course.after(1, course.ended(ONCE, Status.FEASIBLE, SECOND, 3)) == ["+b"]
    assert course.after(1, course.ended(B, Status.FEASIBLE, SECOND, 3)) == ["+b"]


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 8, 16])
def test_line_up_fills_the_cores_before_and_after_the_proof(cores: int) -> None:
    """Whoever is there when the proof has ended takes its places, and no two racers have one name."""
    chosen = lineup(cores)
    assert sum(racer.workers for racer in chosen.improvers if not racer.once) >= cores
    for racers in (chosen.finders, chosen.improvers):
        assert len({racer.name for racer in racers}) == len(racers)
        assert sum(racer.workers for racer in racers) >= cores
