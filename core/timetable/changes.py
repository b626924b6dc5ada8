"""A change in the school as it is told to a repair: who is away, what is closed, which loads come and go (P8-22)."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import Field

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.model import Frozen, Group, Id, Lesson, Name, Problem, Room, RoomNeed, Slots, Subject, Teacher

_MOST = 5_000
_Who = TypeVar("_Who", Teacher, Group, Room)


class Away(Frozen):
    """That somebody or something can't be had in these slots, or at all where none is given."""

    id: Id
    slots: Slots | None = None


class Load(Frozen):
    """A weekly load that is added."""

    subject_id: Id
    teacher_ids: tuple[Id, ...] = ()
    class_ids: tuple[Id, ...] = Field(min_length=1)
    periods_per_week: int = Field(ge=1, le=48)
    doubles: int = Field(default=0, ge=0, le=24)
    rooms: tuple[RoomNeed, ...] = ()


class NewTeacher(Frozen):
    """A teacher who has come."""

    id: Id
    name: Name


class Changes(Frozen):
    """What has changed since a version was made, and what may move."""

    teachers_away: tuple[Away, ...] = Field(default=(), max_length=_MOST)
    classes_away: tuple[Away, ...] = Field(default=(), max_length=_MOST)
    rooms_closed: tuple[Away, ...] = Field(default=(), max_length=_MOST)
    teachers_added: tuple[NewTeacher, ...] = Field(default=(), max_length=_MOST)
    loads_added: tuple[Load, ...] = Field(default=(), max_length=_MOST)
    loads_removed: tuple[Id, ...] = Field(default=(), max_length=_MOST)
    """Courses, of which every lesson goes."""
    lessons_removed: tuple[Id, ...] = Field(default=(), max_length=_MOST)
    pins: tuple[Id, ...] = Field(default=(), max_length=50_000)
    """Lessons that keep their time and rooms."""
    only_classes: tuple[Id, ...] | None = Field(default=None, max_length=_MOST)
    """Only lessons of these may move."""


def changed(problem: Problem, changes: Changes) -> Problem:
    """Return the problem after a change. Raises ``InvalidInput`` with the place of each mistake."""
    faults = list(_faults(problem, changes))
    if faults:
        raise InvalidInput(f"{faults[0].where}: {faults[0].what}", faults[:50])
    gone = set(changes.loads_removed)
    kept = [one for one in problem.lessons if one.course not in gone and one.id not in changes.lessons_removed]
    added = [lesson for i, load in enumerate(changes.loads_added) for lesson in _lessons(problem, i, load)]
    everywhere = frozenset(range(problem.calendar.slots))
    teachers = [*problem.teachers, *(Teacher(id=one.id, name=one.name) for one in changes.teachers_added)]
    subjects = dict.fromkeys(load.subject_id for load in changes.loads_added)
    now = problem.model_copy(
        update={
            "teachers": _without(teachers, changes.teachers_away, everywhere),
            "groups": _without(problem.groups, changes.classes_away, everywhere),
            "rooms": _without(problem.rooms, changes.rooms_closed, everywhere),
            "subjects": (
                *problem.subjects,
                *(Subject(id=one, name=one) for one in subjects if one not in problem.subject),
            ),
            "lessons": (*kept, *added),
        }
    )
    require_sound(now)
    return now


def _without(all_of_them: Iterable[_Who], away: Iterable[Away], everywhere: frozenset[int]) -> tuple[_Who, ...]:
    missing: dict[str, frozenset[int]] = {}
    for one in away:
        missing[one.id] = missing.get(one.id, frozenset()) | (everywhere if one.slots is None else one.slots)
    return tuple(
        who.model_copy(update={"unavailable": who.unavailable | missing[who.id]}) if who.id in missing else who
        for who in all_of_them
    )


def _lessons(problem: Problem, number: int, load: Load) -> Iterator[Lesson]:
    taken = {lesson.course for lesson in problem.lessons}
    course = next(
        name
        for i in range(len(taken) + 1)
        if (name := f"{'+'.join(load.class_ids)}/{load.subject_id}/{'+'.join(load.teacher_ids)}/{number}.{i}"[:180])
        not in taken
    )
    for i, duration in enumerate([2] * load.doubles + [1] * (load.periods_per_week - 2 * load.doubles)):
        yield Lesson(
            id=f"{course}/{i + 1}",
            course=course,
            subject=load.subject_id,
            teachers=load.teacher_ids,
            groups=load.class_ids,
            duration=duration,
            rooms=load.rooms,
        )


def _faults(problem: Problem, changes: Changes) -> Iterator[Fault]:
    courses = {lesson.course for lesson in problem.lessons}
    slots = problem.calendar.slots
    known: list[tuple[str, str, Iterable[str], Iterable[str]]] = [
        ("teachersAway", "teacher", (one.id for one in changes.teachers_away), problem.teacher),
        ("classesAway", "class", (one.id for one in changes.classes_away), problem.group),
        ("roomsClosed", "room", (one.id for one in changes.rooms_closed), problem.room),
        ("loadsRemoved", "load", changes.loads_removed, courses),
        ("lessonsRemoved", "lesson", changes.lessons_removed, problem.lesson),
        ("pins", "lesson", changes.pins, problem.lesson),
        ("onlyClasses", "class", changes.only_classes or (), problem.group),
    ]
    for field, kind, ids, there in known:
        for i, one in enumerate(ids):
            if one not in there:
                yield Fault(f"/{field}/{i}", f"This timetable has no {kind} “{one}”.", "unknown")
    for field, away in (("teachersAway", changes.teachers_away), ("classesAway", changes.classes_away),
                        ("roomsClosed", changes.rooms_closed)):  # fmt: skip
        for i, each in enumerate(away):
            if any(not 0 <= slot < slots for slot in each.slots or ()):
                yield Fault(f"/{field}/{i}/slots", f"The slots are 0 to {slots - 1}.", "out_of_range")
    for i, load in enumerate(changes.loads_added):
        if 2 * load.doubles > load.periods_per_week:
            yield Fault(f"/loadsAdded/{i}/doubles", "There are too few periods for so many doubles.", "out_of_range")
