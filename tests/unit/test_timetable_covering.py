"""Cover for an absent teacher: who can, who had better, and why nobody can."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.timetable.covering import LessonCover, cover
from core.timetable.model import Lesson, Problem, Teacher
from core.timetable.view import View
from tests.factories.placed_schools import placed_school
from tests.factories.tiny_school import in_rooms, lesson, rule, school, timetable

MONDAY = range(4)
STAFF = tuple(
    Teacher(id=name.lower(), name=f"Mrs {name}", subjects=frozenset(subjects), unavailable=frozenset(away))
    for name, subjects, away in (
        ("Bello", (), ()),
        ("Okafor", (), ()),
        ("Sani", ("Mathematics",), ()),
        ("Eze", ("Mathematics",), (0, 1)),
    )
)


def staffed(*lessons: Lesson, **fields: Any) -> Problem:
    """Return the tiny school with four teachers."""
    return school(*lessons, teachers=STAFF, **fields)


def names(found: LessonCover) -> list[str]:
    """Return who could take a lesson, the best first."""
    return [option.teacher for option in found.options]


def test_who_knows_the_subject_comes_first() -> None:
    """A free teacher of the subject comes before one who is only free; who is not available doesn't come at all."""
    (found,) = cover(staffed(lesson("maths")), timetable(maths=0), "bello", MONDAY)
    assert names(found) == ["sani", "okafor"]
    assert found.name.endswith("Mathematics on Monday, period 1")
    assert found.chosen is not None
    assert found.chosen.sentence == (
        "Mrs Sani can teach Mathematics, has no periods that day and 0 a week, and gave no covers so far."
    )
    assert [option.qualified for option in found.options] == [True, False]


def test_load_and_earlier_covers_are_shared() -> None:
    """Of two who know the subject, whoever has less that day comes first, and then who gave fewer covers."""
    problem = staffed(lesson("maths"), lesson("other", "PE", groups=("art",), teachers=("sani",)))
    (busy,) = cover(problem, timetable(maths=2, other=0), "bello", MONDAY)
    assert names(busy)[:2] == ["eze", "sani"]
    (fair,) = cover(staffed(lesson("maths")), timetable(maths=2), "bello", MONDAY, given={"eze": 3})
    assert names(fair)[:2] == ["sani", "eze"]


def test_who_teaches_or_is_away_too_is_left_out() -> None:
    """Nobody is taken from a lesson, from another cover, or from an absence; the reason says what they all do."""
    problem = staffed(lesson("maths"), lesson("other", "PE", groups=("art",), teachers=("sani",)))
    places = timetable(maths=0, other=0)
    assert names(cover(problem, places, "bello", MONDAY)[0]) == ["okafor"]
    (found,) = cover(problem, places, "bello", MONDAY, also_away=["okafor"])
    assert found.chosen is None
    assert found.reason is not None
    assert "Nobody can take JSS 1 Ruby Mathematics on Monday, period 1: of 4, 2 are away" in found.reason
    assert cover(problem, places, "bello", MONDAY, busy={"okafor": [0]})[0].chosen is None


def test_only_the_absent_hours_are_covered() -> None:
    """Of a double only the period of the absence is covered, and lessons of other days not at all."""
    problem = staffed(lesson("double", duration=2), lesson("later", "PE"))
    (found,) = cover(problem, timetable(double=0, later=4), "bello", [1])
    assert (found.lesson, found.slots) == ("double", (1,))


def test_whoever_would_have_to_hurry_comes_last() -> None:
    """A teacher who is in another building right before is passed over for one who need not walk."""
    problem = staffed(
        lesson("maths", rooms=in_rooms("lab")),
        lesson("pe", "PE", groups=("art",), teachers=("sani",), rooms=in_rooms("hall")),
    )
    (found,) = cover(problem, timetable(maths=(1, "lab"), pe=(0, "hall")), "bello", MONDAY)
    assert names(found) == ["okafor", "sani"]
    assert "hurry to or from Annex" in found.options[1].sentence


def test_the_daily_maximum_is_minded() -> None:
    """Whoever would teach more than a law allows comes last and is said to."""
    most = rule("periods_a_day", people={"teachers": ["*"]}, most=1)
    problem = staffed(lesson("maths"), lesson("pe", "PE", groups=("art",), teachers=("sani",)), rules=(most,))
    (found,) = cover(problem, timetable(maths=0, pe=3), "bello", MONDAY)
    assert names(found) == ["okafor", "sani"]
    assert "more than 1 period that day" in found.options[1].sentence


def test_a_colleague_in_the_same_lesson_is_there_already() -> None:
    """Who teaches the lesson together with the absent teacher comes first."""
    (found,) = cover(staffed(lesson("pe", "PE", teachers=("bello", "okafor"))), timetable(pe=0), "bello", MONDAY)
    assert names(found)[0] == "okafor"
    assert "teaches this lesson already" in found.options[0].sentence


def test_classes_are_joined_at_last() -> None:
    """A class can sit in on the same subject at that time where the room holds both."""
    maths = lesson("maths")
    other = lesson("other", groups=("art",), teachers=("sani",), rooms=in_rooms("hall", "lab"))
    problem = staffed(maths, other)
    (fits,) = cover(problem, timetable(maths=0, other=(0, "hall")), "bello", MONDAY)
    assert [join.lesson for join in fits.joined] == ["other"]
    (full,) = cover(problem, timetable(maths=0, other=(0, "lab")), "bello", MONDAY)
    assert full.joined == ()


def test_an_unknown_teacher_is_refused() -> None:
    """Cover for nobody is refused."""
    with pytest.raises(InvalidInput):
        cover(staffed(), timetable(), "gone", MONDAY)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_covers_never_clash(seed: int) -> None:
    """Whoever covers is present, available, teaches nothing else then and covers one lesson at a time."""
    random = Random(seed)
    problem, places = placed_school(random)
    view = View(problem, places)
    absent = random.choice(problem.teachers).id
    window = random.choice(problem.calendar.windows)
    taken: set[tuple[str, int]] = set()
    for found in cover(problem, places, absent, window):
        assert (found.chosen is None) == (found.reason is not None)
        for option in found.options:
            own = [x for x in problem.lessons_of["teacher", option.teacher] if x.id != found.lesson]
            assert option.teacher != absent
            assert view.busy(own).isdisjoint(found.slots)
            assert problem.teacher[option.teacher].unavailable.isdisjoint(found.slots)
        if found.chosen is not None:
            mine = {(found.chosen.teacher, slot) for slot in found.slots}
            assert taken.isdisjoint(mine)
            taken |= mine
