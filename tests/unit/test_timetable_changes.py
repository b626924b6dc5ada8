"""A change in the school as a repair hears it, and how two versions differ."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import InvalidInput
from core.timetable.changes import Changes, changed
from core.timetable.comparing import compare
from core.timetable.records import Version, VersionRecord
from core.timetable.weeks import weeks_of
from tests.factories.tiny_school import lesson, school, timetable

PROBLEM = school(lesson("m1"), lesson("m2"), lesson("b1", "Biology", teachers=("okafor",)))


def _changes(**fields: Any) -> Changes:
    return Changes.model_validate(fields)


def test_who_is_away_is_away_as_well_as_before() -> None:
    """Slots are added to those in which a teacher was away already; none given is the whole week."""
    now = changed(PROBLEM, _changes(teachersAway=[{"id": "bello", "slots": [1, 2]}], roomsClosed=[{"id": "lab"}]))
    assert now.teacher["bello"].unavailable == {1, 2}
    assert now.room["lab"].unavailable == set(range(8))


def test_loads_come_and_go() -> None:
    """A load that is removed takes all its lessons; one that is added has its doubles first."""
    load = {"subjectId": "PE", "teacherIds": ["okafor"], "classIds": ["ruby"], "periodsPerWeek": 3, "doubles": 1}
    now = changed(PROBLEM, _changes(loadsRemoved=["Mathematics ruby"], loadsAdded=[load]))
    assert [(one.subject, one.duration) for one in now.lessons] == [("Biology", 1), ("PE", 2), ("PE", 1)]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"teachersAway": [{"id": "nobody"}]}, "/teachersAway/0"),
        ({"roomsClosed": [{"id": "lab", "slots": [99]}]}, "/roomsClosed/0/slots"),
        ({"pins": ["m1", "m9"]}, "/pins/1"),
        ({"loadsAdded": [{"subjectId": "PE", "classIds": ["ruby"], "periodsPerWeek": 1, "doubles": 1}]},
         "/loadsAdded/0/doubles"),
    ],
)  # fmt: skip
def test_a_wrong_change_is_told_with_its_place(change: dict[str, Any], where: str) -> None:
    """What a timetable does not have can't change."""
    with pytest.raises(InvalidInput) as refused:
        changed(PROBLEM, _changes(**change))
    assert refused.value.faults[0].where == where


def test_versions_are_compared_in_words() -> None:
    """A lesson that moved, one that is gone and the change of cost are told."""
    found = compare(_version(1, 9, m1=0, m2=1), _version(2, 4, m1=5))
    assert [each.sentence for each in found.moved] == [
        "JSS 1 Ruby Mathematics moves from Monday, period 1 to Tuesday, period 2.",
        "JSS 1 Ruby Mathematics on Monday, period 2 is gone.",
    ]
    assert found.words == "2 lessons differ; the cost falls by 5 to 4."
    assert compare(_version(1, 9, m1=0), _version(3, 9, m1=0)).words == "Versions 1 and 3 are the same."


def _version(number: int, soft: int, **places: int) -> Version:
    record = VersionRecord(
        number=number, problem_digest="", hard=0, soft=soft, bound=None, solver="", note="", based_on=None,
        created_by=None, created_at=datetime(2027, 9, 13, tzinfo=UTC),
    )  # fmt: skip
    return Version(record=record, problem=PROBLEM, timetable=timetable(**places))


def test_a_week_shows_its_own_lessons_and_what_has_no_place() -> None:
    """A class's week lies by day and period; a week of chosen classes tells of nobody else."""
    weeks = weeks_of(PROBLEM, timetable(m1=0, b1=6), {"ruby"})
    (ruby,) = weeks.classes
    assert ruby.days == ((("m1",), (), (), ()), ((), (), ("b1",), ()))
    assert (weeks.unplaced, weeks.teachers, weeks.rooms) == (("m2",), (), ())
    assert [(one.starts_at, one.ends_at) for one in weeks.lessons] == [("08:00", "08:40"), ("09:40", "10:20")]
