"""One small school for tests in which costs are known by hand: two days of four periods, a break after the second."""

from typing import Any

from core.timetable.model import (
    Calendar,
    Day,
    Group,
    Lesson,
    Period,
    Placement,
    Problem,
    Room,
    RoomChoice,
    RoomNeed,
    Subject,
    Teacher,
    Timetable,
)
from core.timetable.rules.base import Rule
from core.timetable.rules.registry import RULES

HOURS = ((480, 520), (520, 560), (580, 620), (620, 660))
PERIODS = tuple(
    Period(name=str(i + 1), starts_at=starts, ends_at=ends, break_after=i == 1)
    for i, (starts, ends) in enumerate(HOURS)
)
CALENDAR = Calendar(days=(Day(name="Monday", periods=PERIODS), Day(name="Tuesday", periods=PERIODS)))
"""Monday is slots 0 to 3, Tuesday 4 to 7."""
SCHOOL = Problem(
    name="Tiny",
    calendar=CALENDAR,
    subjects=tuple(Subject(id=name, name=name) for name in ("Mathematics", "Biology", "PE", "French", "Igbo")),
    teachers=(Teacher(id="bello", name="Mrs Bello"), Teacher(id="okafor", name="Mr Okafor")),
    groups=(
        Group(id="ruby", name="JSS 1 Ruby", size=30),
        Group(id="art", name="SSS 2 Art", size=10),
        Group(id="french", name="JSS 1 Ruby (French)", within="ruby", division="languages", size=18),
        Group(id="igbo", name="JSS 1 Ruby (Igbo)", within="ruby", division="languages", size=12),
        Group(id="choir", name="JSS 1 Ruby (choir)", within="ruby", division="music", size=8),
    ),
    rooms=(
        Room(id="lab", name="Laboratory", capacity=24, building="Main"),
        Room(id="hall", name="Hall", capacity=40, building="Annex"),
    ),
)


def lesson(id: str, subject: str = "Mathematics", **fields: Any) -> Lesson:  # noqa: A002 - as the lesson calls it
    """Return a lesson of Mrs Bello with JSS 1 Ruby, of one course a subject and class, unless fields say otherwise."""
    groups = fields.setdefault("groups", ("ruby",))
    fields.setdefault("course", f"{subject} {' '.join(groups)}")
    return Lesson(**{"id": id, "subject": subject, "teachers": ("bello",), **fields})


def in_rooms(*rooms: str, best: str | None = None) -> tuple[RoomNeed, ...]:
    """Return the need of one of these rooms; all but the best have a penalty of 3 where one is named."""
    choices = tuple(RoomChoice(room=room, penalty=3 * (best not in {None, room})) for room in rooms)
    return (RoomNeed(choices=choices),)


def school(*lessons: Lesson, rules: tuple[Rule, ...] = (), **fields: Any) -> Problem:
    """Return the school with these lessons and rules."""
    return SCHOOL.model_copy(update={"lessons": lessons, "rules": rules, **fields})


def rule(kind: str, **parameters: Any) -> Rule:
    """Return a rule by its JSON form."""
    return RULES[kind].model_validate({"kind": kind, **parameters})


def timetable(**places: int | tuple[int, str | None]) -> Timetable:
    """Return a timetable: a slot, or a slot and a room, by lesson."""
    placements = []
    for name, place in places.items():
        slot, rooms = (place, ()) if isinstance(place, int) else (place[0], place[1:])
        placements.append(Placement(lesson=name, slot=slot, rooms=rooms))
    return Timetable(placements=tuple(placements))
