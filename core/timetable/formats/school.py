"""Reads the portals' request: who teaches what to which class how often, with a few wishes (P8-02 to P8-08).

What the request leaves open is settled as a school would expect. A course has one block a day, or as few more as its
periods need. A double is not parted by a break. Classes have no holes in their days and teachers few, as wishes. Which
of the request's constraints are laws follows from what they are (C-55): loads, rooms and daily maxima are, preferences
and pairs are wishes; each may say otherwise with ``hard`` and ``weight``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.model import (
    Calendar,
    Day,
    Frozen,
    Group,
    Id,
    Lesson,
    Name,
    Period,
    Problem,
    Room,
    RoomChoice,
    RoomNeed,
    Slot,
    Subject,
    Teacher,
)
from core.timetable.rules.base import Rule
from core.timetable.rules.blocks_within_breaks import BlocksWithinBreaks
from core.timetable.rules.compact_day import CompactDay
from core.timetable.rules.gaps import Gaps
from core.timetable.rules.not_right_after import NotRightAfter
from core.timetable.rules.one_block_a_day import OneBlockADay
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.selecting import EVERY, Lessons, People

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOLE_WEIGHT = 5
"""A hole in a class's day counts as much as so many of a teacher's: children can't be left alone."""
_MOST = 5000
_WHO = {"teacher_id": "teacher", "subject_id": "subject", "class_arm_id": "class"}
_FIELDS = {**{field: field for field in _WHO}, "before": "subject_id", "after": "subject_id"}
"""The fields that name somebody or something, and what they name."""


class _Wish(Frozen):
    hard: bool = False
    weight: int = Field(default=1, ge=1, le=1000)


class Break(Frozen):
    """A break after a period, counted from 1."""

    after_period: int = Field(ge=1, le=48)
    duration: int = Field(default=20, ge=0, le=240)
    """Minutes."""


class Assignment(Frozen):
    """A weekly load."""

    teacher_id: Id
    subject_id: Id
    class_arm_id: Id
    periods_per_week: int = Field(ge=1, le=48)


class PreferredSlot(_Wish):
    """That a subject's, a teacher's or a class's lessons lie in these periods (from 1) of these days, or of any."""

    subject_id: Id | None = None
    teacher_id: Id | None = None
    class_arm_id: Id | None = None
    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = ()
    periods: tuple[Annotated[int, Field(ge=1, le=48)], ...] = ()


class SubjectPair(_Wish):
    """That a class does not have ``after`` right after ``before``."""

    before: Id
    after: Id


class DoublePeriod(Frozen):
    """How many of a subject's blocks are doubles, in one class or in all."""

    subject_id: Id
    class_arm_id: Id | None = None
    count: int = Field(default=1, ge=1, le=24)


class RoomConstraint(Frozen):
    """The rooms in which a subject is taught."""

    subject_id: Id
    class_arm_id: Id | None = None
    rooms: tuple[Name, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_room(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("room"), str):
            return {**{k: v for k, v in value.items() if k != "room"}, "rooms": [value["room"]]}
        return value


class Unavailable(Frozen):
    """When a teacher, a class or a room can't be had: periods (from 1) of a day (from 1), all of it with none given."""

    teacher_id: Id | None = None
    class_arm_id: Id | None = None
    room: Name | None = None
    day: int = Field(ge=1, le=7)
    periods: tuple[Annotated[int, Field(ge=1, le=48)], ...] = ()


def _as_pair(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) == 2:
        return {"before": value[0], "after": value[1]}
    return value


def _as_double(value: Any) -> Any:
    return {"subjectId": value} if isinstance(value, str) else value


def _as_break(value: Any) -> Any:
    return {"afterPeriod": value} if isinstance(value, int) else value


class Constraints(Frozen):
    """What has to hold and what is wished."""

    teacher_assignments: tuple[Assignment, ...] = Field(min_length=1, max_length=_MOST)
    preferred_slots: tuple[PreferredSlot, ...] = Field(default=(), max_length=_MOST)
    avoid_consecutive: tuple[Annotated[SubjectPair, BeforeValidator(_as_pair)], ...] = Field(
        default=(), max_length=_MOST
    )
    double_periods: tuple[Annotated[DoublePeriod, BeforeValidator(_as_double)], ...] = Field(
        default=(), max_length=_MOST
    )
    max_periods_per_day: Mapping[Id, Annotated[int, Field(ge=1, le=48)]] = Field(default_factory=dict)
    room_constraints: tuple[RoomConstraint, ...] = Field(default=(), max_length=_MOST)
    unavailable: tuple[Unavailable, ...] = Field(default=(), max_length=_MOST)


class SchoolRequest(Frozen):
    """The portals' request. ``schoolId`` is accepted and not used: the school is the caller's own."""

    model_config = ConfigDict(json_schema_extra={"title": "TimetableRequest"})

    school_id: Id | None = None
    session_id: Id | None = None
    days_per_week: int = Field(default=5, ge=1, le=7)
    periods_per_day: int = Field(default=8, ge=1, le=24)
    period_duration: int = Field(default=40, ge=5, le=240)
    """Minutes."""
    starts_at: int = Field(default=8 * 60, ge=0, lt=24 * 60)
    """When the first period starts, in minutes after midnight."""
    breaks: tuple[Annotated[Break, BeforeValidator(_as_break)], ...] = Field(default=(), max_length=24)
    constraints: Constraints


def problem_of(request: SchoolRequest, names: Mapping[str, str]) -> Problem:
    """Return the request as a problem. ``names`` gives the words for ids; an id without any keeps itself.

    Raises ``InvalidInput`` with the place of each mistake.
    """
    problem = _Reading(request, names).problem()
    require_sound(problem)
    return problem


class _Reading:
    def __init__(self, request: SchoolRequest, names: Mapping[str, str]) -> None:
        self._request = request
        self._wanted = request.constraints
        self._names = names
        self._faults: list[Fault] = []

    def problem(self) -> Problem:
        self._faults += self._strangers()
        loads = self._wanted.teacher_assignments
        lessons = tuple(lesson for i, load in enumerate(loads) for lesson in self._lessons(i, load))
        problem = Problem(
            calendar=self._calendar(),
            subjects=tuple(Subject(id=one, name=self._name(one)) for one in _once(load.subject_id for load in loads)),
            teachers=tuple(self._teacher(one) for one in _once(load.teacher_id for load in loads)),
            groups=tuple(self._group(one) for one in _once(load.class_arm_id for load in loads)),
            rooms=tuple(self._room(one) for one in self._room_names()),
            lessons=lessons,
            rules=tuple(self._rules(lessons)),
        )
        if self._faults:
            raise InvalidInput(self._faults[0].what, self._faults)
        return problem

    def _name(self, one: str) -> str:
        return self._names.get(one, one)

    def _strangers(self) -> Iterator[Fault]:
        """Yield each id in a constraint that no load has: a misspelt one would otherwise change nothing, in silence."""
        loads = self._wanted.teacher_assignments
        known = {field: {getattr(load, field) for load in loads} for field in _WHO}
        for teacher in self._wanted.max_periods_per_day:
            yield from _stranger("teacher_id", teacher, known, f"/constraints/maxPeriodsPerDay/{teacher}")
        for name in ("preferred_slots", "double_periods", "room_constraints", "unavailable", "avoid_consecutive"):
            for i, one in enumerate(getattr(self._wanted, name)):
                for field, kind in _FIELDS.items():
                    where = f"/constraints/{to_camel(name)}/{i}/{to_camel(field)}"
                    yield from _stranger(kind, getattr(one, field, None), known, where)

    def _calendar(self) -> Calendar:
        periods: list[Period] = []
        clock = self._request.starts_at
        breaks = {one.after_period: one.duration for one in self._request.breaks}
        for number in range(1, self._request.periods_per_day + 1):
            end = clock + self._request.period_duration
            known = end <= 24 * 60
            periods.append(
                Period(
                    name=str(number),
                    starts_at=clock if known else None,
                    ends_at=end if known else None,
                    break_after=number in breaks,
                )
            )
            clock = end + breaks.get(number, 0)
        return Calendar(
            days=tuple(Day(name=day, periods=tuple(periods)) for day in _DAYS[: self._request.days_per_week])
        )

    def _teacher(self, one: str) -> Teacher:
        taught = frozenset(a.subject_id for a in self._wanted.teacher_assignments if a.teacher_id == one)
        return Teacher(id=one, name=self._name(one), unavailable=self._away(teacher_id=one), subjects=taught)

    def _group(self, one: str) -> Group:
        return Group(id=one, name=self._name(one), unavailable=self._away(class_arm_id=one))

    def _room(self, name: str) -> Room:
        return Room(id=name, name=name, unavailable=self._away(room=name))

    def _room_names(self) -> list[str]:
        return _once(room for one in self._wanted.room_constraints for room in one.rooms)

    def _away(self, **whose: str) -> frozenset[Slot]:
        ((field, whom),) = whose.items()
        slots: set[Slot] = set()
        for i, one in enumerate(self._wanted.unavailable):
            if getattr(one, field) == whom:
                slots |= self._slots(f"/constraints/unavailable/{i}", (one.day,), one.periods)
        return frozenset(slots)

    def _slots(self, where: str, days: Sequence[int], periods: Sequence[int]) -> set[Slot]:
        """Return the slots of these days and periods, both from 1, and all of them where none is given."""
        most_days, most = self._request.days_per_week, self._request.periods_per_day
        if any(day > most_days for day in days) or any(period > most for period in periods):
            what = f"The week has days 1 to {most_days} and periods 1 to {most}."
            self._faults.append(Fault(where, what, code="out_of_range"))
            return set()
        return {
            (day - 1) * most + period - 1
            for day in days or range(1, most_days + 1)
            for period in periods or range(1, most + 1)
        }

    def _lessons(self, number: int, load: Assignment) -> Iterator[Lesson]:
        doubles = self._doubles(number, load)
        course = f"{load.class_arm_id}/{load.subject_id}/{load.teacher_id}"
        for i, duration in enumerate([2] * doubles + [1] * (load.periods_per_week - 2 * doubles)):
            yield Lesson(
                id=f"{course}/{number}.{i + 1}",
                course=course,
                subject=load.subject_id,
                teachers=(load.teacher_id,),
                groups=(load.class_arm_id,),
                duration=duration,
                rooms=self._needs(load),
            )

    def _doubles(self, number: int, load: Assignment) -> int:
        counts = [one.count for one in self._wanted.double_periods if _is_meant(one, load)]
        doubles = max(counts, default=0)
        if 2 * doubles > load.periods_per_week:
            subject, group = self._name(load.subject_id), self._name(load.class_arm_id)
            what = f"{subject} in {group} has {load.periods_per_week} periods, too few for {doubles} doubles."
            self._faults.append(Fault(f"/constraints/teacherAssignments/{number}/periodsPerWeek", what))
            return 0
        return doubles

    def _needs(self, load: Assignment) -> tuple[RoomNeed, ...]:
        rooms = _once(room for one in self._wanted.room_constraints if _is_meant(one, load) for room in one.rooms)
        return (RoomNeed(choices=tuple(RoomChoice(room=room) for room in rooms)),) if rooms else ()

    def _rules(self, lessons: Sequence[Lesson]) -> Iterator[Rule]:
        yield from self._blocks_a_day(lessons)
        yield BlocksWithinBreaks()
        yield CompactDay(people=People(groups=EVERY), hard=False, weight=_HOLE_WEIGHT)
        yield Gaps(people=People(teachers=EVERY), hard=False)
        for teacher, most in self._wanted.max_periods_per_day.items():
            yield PeriodsADay(people=People(teachers=(teacher,)), most=most)
        for i, wish in enumerate(self._wanted.preferred_slots):
            slots = self._slots(f"/constraints/preferredSlots/{i}", wish.days, wish.periods)
            yield PreferredSlots(lessons=_meant(wish), slots=tuple(sorted(slots)), hard=wish.hard, weight=wish.weight)
        for pair in self._wanted.avoid_consecutive:
            first, second = Lessons(subjects=(pair.before,)), Lessons(subjects=(pair.after,))
            yield NotRightAfter(first=first, second=second, hard=pair.hard, weight=pair.weight)

    def _blocks_a_day(self, lessons: Sequence[Lesson]) -> Iterator[Rule]:
        courses: dict[int, list[str]] = {}
        for course, blocks in Counter(lesson.course for lesson in lessons).items():
            courses.setdefault(-(-blocks // self._request.days_per_week), []).append(course)
        for most, those in courses.items():
            yield OneBlockADay(lessons=Lessons(courses=tuple(those)), most=most)


def _stranger(kind: str, one: str | None, known: Mapping[str, set[str]], where: str) -> Iterator[Fault]:
    if one is not None and one not in known[kind]:
        yield Fault(where, f"No load in teacherAssignments has the {_WHO[kind]} “{one}”.", code="unknown")


def _is_meant(one: DoublePeriod | RoomConstraint, load: Assignment) -> bool:
    return one.subject_id == load.subject_id and one.class_arm_id in {None, load.class_arm_id}


def _meant(wish: PreferredSlot) -> Lessons:
    chosen = {"subjects": wish.subject_id, "teachers": wish.teacher_id, "groups": wish.class_arm_id}
    return Lessons(**{field: (one,) for field, one in chosen.items() if one is not None})


def _once(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
