"""What the portals' request may say beyond the source's: groups, options, weeks, shifts, several teachers (C-56)."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidInput
from core.timetable.checker import validate
from core.timetable.formats.school import problem_of
from core.timetable.formats.school_request import SchoolRequest
from core.timetable.lowering import lower, timetable_of
from core.timetable.model import Problem
from core.timetable.prechecking import precheck
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.solvers.cpsat import CpSatFeasibility
from core.timetable.solvers.port import Budget, unheard
from core.timetable.view import View

PHYSICS = {"subjectId": "phy", "teacherId": "musa"}
ART = {"subjectId": "art", "teacherId": "bello"}
SCIENCES = {"name": "Sciences", "classArmIds": ["ruby", "emerald"], "periodsPerWeek": 3, "options": [PHYSICS, ART]}


def load(
    subject: str = "eng", arm: str = "ruby", teacher: str = "obi", periods: int = 2, **more: Any
) -> dict[str, Any]:
    """Return a weekly load."""
    return {"subjectId": subject, "classArmId": arm, "teacherId": teacher, "periodsPerWeek": periods, **more}


def request(*loads: dict[str, Any], constraints: Mapping[str, Any] | None = None, **more: Any) -> SchoolRequest:
    """Return a request."""
    wanted = {"teacherAssignments": loads or [load()], **(constraints or {})}
    return SchoolRequest.model_validate({"periodsPerDay": 4, "constraints": wanted, **more})


def problem(*loads: dict[str, Any], **more: Any) -> Problem:
    """Return the problem of a request."""
    return problem_of(request(*loads, **more), {"ruby": "JSS 1 Ruby", "phy": "Physics"})


def solved(school: Problem) -> View:
    """Return a valid timetable of a problem."""
    assert not precheck(school)
    program = lower(school)
    found = CpSatFeasibility().solve(program, Budget(seconds=20), report=unheard, stopped=lambda: False)
    assert found.best is not None
    timetable = timetable_of(school, program, found.best)
    assert validate(school, timetable, complete=True).valid
    return View(school, timetable)


def places(view: View, **what: str) -> dict[str, list[str]]:
    """Return where the lessons of a subject are, by their course."""
    found: dict[str, list[str]] = {}
    for lesson in view.problem.lessons:
        if lesson.subject == what["subject"]:
            found.setdefault(lesson.course, []).append(view.calendar.label(view.span(lesson).start))
    return {course: sorted(there) for course, there in found.items()}


def test_options_run_at_the_same_time_for_every_class_of_the_block() -> None:
    """Physics and Art start together, each with the students of both classes who chose it, and nothing beside them."""
    school = problem(load(), load(arm="emerald", teacher="musa"), constraints={"optionBlocks": [SCIENCES]})
    physics = next(lesson for lesson in school.lessons if lesson.subject == "phy")
    assert [school.group[group].within for group in physics.groups] == ["ruby", "emerald"]
    assert school.group[physics.groups[0]].name == "JSS 1 Ruby, Physics"
    view = solved(school)
    (one,), (other,) = places(view, subject="phy").values(), places(view, subject="art").values()
    assert one == other
    english = {place for there in places(view, subject="eng").values() for place in there}
    assert english.isdisjoint(one)


def test_a_lesson_has_several_teachers_and_classes() -> None:
    """Both teachers and both classes are there, and none of them is anywhere else."""
    school = problem(
        load(alsoTeacherIds=["ada"], alsoClassArmIds=["emerald"], periods=3),
        load("mth", teacher="ada", periods=3),
        load("mth", arm="emerald", teacher="obi", periods=3),
    )
    joined = school.lessons[0]
    assert (joined.teachers, joined.groups) == (("obi", "ada"), ("ruby", "emerald"))
    assert {teacher.id: teacher.subjects for teacher in school.teachers}["ada"] == {"eng", "mth"}
    solved(school)


def test_parts_of_a_division_may_be_taught_at_once_and_never_beside_their_class() -> None:
    """French and Igbo of one class fit beside each other; its English does not fit beside either."""
    languages: list[dict[str, Any]] = [
        {"id": "french", "classArmId": "ruby", "division": "languages", "size": 12},
        {"id": "igbo", "classArmId": "ruby", "division": "languages", "name": "Ruby, Igbo"},
    ]
    loads = (
        load("fre", groupIds=["french"], teacher="ada", periods=2),
        load("igb", groupIds=["igbo"], teacher="obi", periods=2),
        load("eng", teacher="eze", periods=2),
    )
    school = problem(*loads, constraints={"groups": languages}, periodsPerDay=2, daysPerWeek=2)
    assert [lesson.groups for lesson in school.lessons][::2] == [("french",), ("igbo",), ("ruby",)]
    solved(school)
    alone = [{**part, "division": part["id"]} for part in languages]
    crowded = problem(*loads, constraints={"groups": alone}, periodsPerDay=2, daysPerWeek=2)
    assert precheck(crowded)


def test_weeks_take_turns_and_what_is_in_both_is_at_the_same_hours() -> None:
    """English lies alike in both weeks; Art of week A and Music of week B share what is left."""
    school = problem(
        load("eng", periods=3),
        load("art", teacher="bello", week="A", periods=1),
        load("mus", teacher="bello", week="B", periods=1),
        weeks=2,
        daysPerWeek=2,
        periodsPerDay=2,
    )
    assert [day.label for day in school.calendar.days] == [
        *("Monday (week A)", "Tuesday (week A)", "Monday (week B)", "Tuesday (week B)"),
    ]
    view = solved(school)
    a, b = places(view, subject="eng").values()
    assert [each.replace("week A", "week B") for each in a] == b
    assert all("week A" in place for place in next(iter(places(view, subject="art").values())))
    assert all("week B" in place for place in next(iter(places(view, subject="mus").values())))


def test_shifts_keep_classes_to_their_periods() -> None:
    """The afternoon's class and its parts are not there in the morning; who teaches both is at neither twice."""
    shifts = [
        {"name": "Morning", "firstPeriod": 1, "lastPeriod": 2, "classArmIds": ["ruby"]},
        {"name": "Afternoon", "firstPeriod": 3, "lastPeriod": 4, "classArmIds": ["emerald"]},
    ]
    part = {"id": "girls", "classArmId": "emerald", "division": "pe"}
    school = problem(
        load(periods=5), load(arm="emerald", periods=5), constraints={"groups": [part]}, shifts=shifts, breaks=[2]
    )
    assert school.group["emerald"].unavailable == school.group["girls"].unavailable
    view = solved(school)
    for lesson in school.lessons:
        early = view.calendar.position_of[view.span(lesson).start] < 2
        assert early == (lesson.groups == ("ruby",))


def test_days_may_have_another_length() -> None:
    """A short Friday ends after its last period, and a long Monday has hours for all of its own."""
    calendar = problem(periodsOnDays={"1": 5, "5": 2}).calendar
    assert [len(day.periods) for day in calendar.days] == [5, 4, 4, 4, 2]
    wish = {"subjectId": "eng", "periods": [3]}
    rules = problem(periodsOnDays={"5": 2}, constraints={"preferredSlots": [wish]}).rules
    assert [rule.slots for rule in rules if isinstance(rule, PreferredSlots)] == [(2, 6, 10, 14)]


def test_a_preference_of_a_class_reaches_its_parts_and_options() -> None:
    """Who wants a class early wants its options early too."""
    wish = {"classArmId": "ruby", "periods": [1, 2]}
    school = problem(constraints={"optionBlocks": [SCIENCES], "preferredSlots": [wish]})
    (rule,) = (rule for rule in school.rules if isinstance(rule, PreferredSlots))
    assert {lesson.subject for lesson in rule.lessons.of(school)} == {"eng", "phy", "art"}


PARTS: dict[str, Any] = {"groups": [{"id": "girls", "classArmId": "ruby", "division": "pe"}]}


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"loads": [load(week="A")]}, "/constraints/teacherAssignments/0/week"),
        ({"loads": [load(groupIds=["boys"])], "constraints": PARTS}, "/constraints/teacherAssignments/0/groupIds/0"),
        ({"loads": [load(arm="emerald", groupIds=["girls"]), load()], "constraints": PARTS},
         "/constraints/teacherAssignments/0/groupIds/0"),
        ({"constraints": {"groups": [*PARTS["groups"], *PARTS["groups"]]}}, "/constraints/groups/1/id"),
        ({"constraints": {"groups": [{**PARTS["groups"][0], "classArmId": "jade"}]}},
         "/constraints/groups/0/classArmId"),
        ({"constraints": {"optionBlocks": [SCIENCES, SCIENCES]}}, "/constraints/optionBlocks/1/name"),
        ({"constraints": {"optionBlocks": [{**SCIENCES, "doublePeriods": 2}]}},
         "/constraints/optionBlocks/0/doublePeriods"),
        ({"constraints": {"optionBlocks": [{**SCIENCES, "week": "B"}]}}, "/constraints/optionBlocks/0/week"),
        ({"constraints": {"optionBlocks": [{**SCIENCES, "options": [PHYSICS, {**ART, "teacherId": "musa"}]}]}},
         "/constraints/optionBlocks/0/options/1/teacherId"),
        ({"periodsOnDays": {"6": 4}}, "/periodsOnDays/6"),
        ({"constraints": {"unavailable": [{"teacherId": "obi", "day": 1, "week": "B"}]}},
         "/constraints/unavailable/0/week"),
        ({"shifts": [{"name": "Late", "firstPeriod": 3, "lastPeriod": 9, "classArmIds": ["ruby"]}]},
         "/shifts/0/lastPeriod"),
        ({"shifts": [{"name": "Late", "firstPeriod": 3, "lastPeriod": 2, "classArmIds": ["ruby"]}]},
         "/shifts/0/firstPeriod"),
        ({"shifts": [{"name": "Late", "firstPeriod": 1, "lastPeriod": 2, "classArmIds": ["ruby", "jade"]}]},
         "/shifts/0/classArmIds/1"),
        ({"shifts": [{"name": name, "firstPeriod": 1, "lastPeriod": 2, "classArmIds": ["ruby"]} for name in "AB"]},
         "/shifts/1/classArmIds/0"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(asked: dict[str, Any], where: str) -> None:
    """Each thing that can't be is told where it stands, before any search."""
    with pytest.raises(InvalidInput) as refused:
        problem(*asked.pop("loads", []), **asked)
    assert where in [fault.where for fault in refused.value.faults]
