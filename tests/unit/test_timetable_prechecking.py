"""What counting finds: in words, and never where there is a timetable."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.formats.generated import read_generated
from core.timetable.lowering import lower
from core.timetable.model import Problem
from core.timetable.prechecking import precheck
from core.timetable.rules.base import Rule
from core.timetable.rules.one_block_a_day import OneBlockADay
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.selecting import EVERY, Lessons, People
from core.timetable.rules.working_days import WorkingDays
from core.timetable.solvers.cpsat import CpSatFeasibility
from core.timetable.solvers.port import Budget, unheard
from tests.factories.small_problems import small_problem
from tests.factories.timetables import planted
from tests.factories.tiny_school import SCHOOL, in_rooms, lesson


def school(lessons: int, *rules: Rule) -> Problem:
    """Return the tiny school with so many lessons of Mrs Bello, each with a class of its own subject."""
    many = tuple(lesson(f"l{i}", groups=("ruby",) if i % 2 else ("art",)) for i in range(lessons))
    return SCHOOL.model_copy(update={"lessons": many, "rules": rules})


def away(problem: Problem, slots: set[int]) -> Problem:
    """Return the school in which Mrs Bello is away in these slots."""
    bello, *others = problem.teachers
    return problem.model_copy(update={"teachers": (bello.model_copy(update={"unavailable": slots}), *others)})


CASES = [
    (school(9), "overload", "Mrs Bello is given 9 periods, which could be in only 8."),
    (away(school(5), {0, 1, 2, 3}), "overload", "Mrs Bello is given 5 periods, which could be in only 4."),
    (
        school(5, PeriodsADay(people=People(teachers=EVERY), most=2)),
        "overload",
        "Mrs Bello is given 5 periods, and with at most 2 a day on 2 days no more than 4 fit.",
    ),
    (
        school(5, WorkingDays(people=People(teachers=EVERY), most=1)),
        "too_few_days",
        "Mrs Bello is given 5 periods, and on at most 1 day no more than 4 fit.",
    ),
    (
        school(6, OneBlockADay(lessons=Lessons(groups=("art",)))),
        "too_many_blocks",
        "Mathematics of SSS 2 Art are 3 blocks; with at most 1 a day on 2 days no more than 2 fit.",
    ),
    (
        away(school(1), set(range(8))),
        "no_start",
        "Mathematics of SSS 2 Art can start in none of the week's 8 periods: in 8 its teachers or classes are away.",
    ),
]


@pytest.mark.parametrize(("problem", "kind", "sentence"), CASES)
def test_what_is_impossible_is_said_in_words(problem: Problem, kind: str, sentence: str) -> None:
    """The first finding names who is asked for more than there is, and both figures."""
    finding = precheck(problem)[0]
    assert (finding.kind, finding.sentence) == (kind, sentence)
    assert finding.needed > finding.available


def test_rooms_that_are_too_few_are_said_in_words() -> None:
    """Lessons of two teachers that need one laboratory have fewer periods in which it is free."""
    lab = SCHOOL.rooms[0].model_copy(update={"unavailable": frozenset(range(5))})
    lessons = (
        *(lesson(f"b{i}", rooms=in_rooms("lab")) for i in range(2)),
        *(lesson(f"o{i}", teachers=("okafor",), groups=("art",), rooms=in_rooms("lab")) for i in range(2)),
    )
    (finding,) = precheck(SCHOOL.model_copy(update={"lessons": lessons, "rooms": (lab, SCHOOL.rooms[1])}))
    assert finding.sentence == (
        "The 4 lessons that need Laboratory take 4 periods, and have only 3 in which one is free."
    )


def test_part_of_a_week_that_is_too_full_is_found() -> None:
    """Three lessons that have but two slots among them are found in a week with room enough."""
    locked = tuple(lesson(f"l{i}", locked_slot=i % 2, course=f"c{i}") for i in range(3))
    problem = SCHOOL.model_copy(update={"lessons": (*locked, lesson("free", "Biology"))})
    finding = precheck(problem)[0]
    assert (finding.needed, finding.available, set(finding.lessons)) >= (2, 1, set())
    assert "free" not in finding.lessons


@pytest.mark.parametrize("seed", range(2))
def test_full_school_with_a_timetable_has_no_finding(seed: int) -> None:
    """Nothing is found at 88 % of the teachers' time and all of a room's, where a timetable is hidden."""
    assert precheck(read_generated(planted(seed=seed))) == ()


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_found_is_infeasible(seed: int) -> None:
    """No school with a finding has a timetable, whatever its rules."""
    problem = small_problem(Random(seed))
    if precheck(problem):
        outcome = CpSatFeasibility().solve(lower(problem), Budget(seconds=20), report=unheard, stopped=lambda: False)
        assert outcome.status == "infeasible"
