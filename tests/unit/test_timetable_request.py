"""The portals' request becomes a problem as a school would expect it."""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.timetable.formats.school import problem_of
from core.timetable.formats.school_request import SchoolRequest

_LOAD = {"teacherId": "t1", "subjectId": "phy", "classArmId": "jss1", "periodsPerWeek": 4}


def _problem(constraints: dict[str, Any] | None = None, **request: Any) -> Any:
    wanted = {"teacherAssignments": [_LOAD], **(constraints or {})}
    return problem_of(SchoolRequest.model_validate({"constraints": wanted, **request}), {"jss1": "JSS 1 Ruby"})


def test_a_load_is_split_into_its_doubles_and_singles() -> None:
    """Four periods with one double are three blocks, the double first, in the course's rooms."""
    problem = _problem({"doublePeriods": ["phy"], "roomConstraints": [{"subjectId": "phy", "room": "Lab A"}]})
    assert [lesson.duration for lesson in problem.lessons] == [2, 1, 1]
    assert {choice.room for lesson in problem.lessons for choice in lesson.rooms[0].choices} == {"Lab A"}


def test_ids_are_told_by_their_names() -> None:
    """A class is named as the school names it, and an id without a name keeps itself."""
    problem = _problem()
    assert (problem.groups[0].name, problem.teachers[0].name) == ("JSS 1 Ruby", "t1")


def test_breaks_set_the_clock_back() -> None:
    """A break after period 2 moves what follows, whether it is written as a number or with its length."""
    day = _problem(breaks=[{"afterPeriod": 2, "duration": 30}], periodsPerDay=3).calendar.days[0]
    assert [(p.starts_at, p.break_after) for p in day.periods] == [(480, False), (520, True), (590, False)]
    assert _problem(breaks=[2]).calendar.days[0].periods[1].break_after


def test_a_course_of_more_blocks_than_days_may_have_two_a_day() -> None:
    """Six single periods in five days are no contradiction."""
    problem = _problem({"teacherAssignments": [{**_LOAD, "periodsPerWeek": 6}]})
    assert next(rule.most for rule in problem.rules if rule.kind == "one_block_a_day") == 2


def test_wishes_and_laws_become_rules() -> None:
    """Preferences and ordered pairs are wishes unless they say otherwise; a daily maximum is a law (C-55)."""
    problem = _problem(
        {
            "preferredSlots": [{"subjectId": "phy", "periods": [1, 2]}],
            "avoidConsecutive": [["phy", "phy"], {"before": "phy", "after": "phy", "hard": True}],
            "maxPeriodsPerDay": {"t1": 2},
        }
    )
    found = [(rule.kind, rule.hard) for rule in problem.rules][-4:]
    assert found == [
        ("periods_a_day", True),
        ("preferred_slots", False),
        ("not_right_after", False),
        ("not_right_after", True),
    ]
    assert problem.rules[-3].slots == (0, 1, 8, 9, 16, 17, 24, 25, 32, 33)


def test_a_part_time_teacher_is_away_when_the_request_says_so() -> None:
    """A whole day, or periods of one (C-56)."""
    problem = _problem({"unavailable": [{"teacherId": "t1", "day": 1}, {"teacherId": "t1", "day": 2, "periods": [3]}]})
    assert problem.teachers[0].unavailable == {*range(8), 10}


@pytest.mark.parametrize(
    ("constraints", "where"),
    [
        ({"unavailable": [{"teacherId": "t1", "day": 6}]}, "/constraints/unavailable/0"),
        ({"preferredSlots": [{"subjectId": "phy", "periods": [9]}]}, "/constraints/preferredSlots/0"),
        ({"doublePeriods": [{"subjectId": "phy", "count": 3}]}, "/constraints/teacherAssignments/0/periodsPerWeek"),
        ({"avoidConsecutive": [["phy", "art"]]}, "/constraints/avoidConsecutive/0/after"),
        ({"maxPeriodsPerDay": {"nobody": 3}}, "/constraints/maxPeriodsPerDay/nobody"),
    ],
)
def test_a_mistake_is_told_with_its_place(constraints: dict[str, Any], where: str) -> None:
    """What can't be is refused before any search."""
    with pytest.raises(InvalidInput) as refused:
        _problem(constraints)
    assert refused.value.faults[0].where == where
