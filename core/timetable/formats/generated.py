"""Reads the compact form in which benchmark schools are kept: one JSON object of loads, rooms and absences.

Keys: ``D`` days, ``P`` periods, ``nc`` classes, ``nt`` teachers; ``subjects``: [name, periods a week, how many doubles
are among its blocks, kind of room or null, 1 where the morning is preferred]; ``rooms``: kind -> number; ``assign``:
"class|subject" -> teacher; ``unavail``: teacher -> slots ``day * P + period``; ``maxday``: periods a teacher a day;
``morning``: first periods of the day. A long break lies after period ``morning``.
"""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from core.errors import Fault, InvalidInput
from core.timetable.model import (
    Calendar,
    Day,
    Frozen,
    Group,
    Lesson,
    Period,
    Problem,
    Room,
    RoomChoice,
    RoomNeed,
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

_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_Count = Annotated[int, Field(ge=0, le=2000)]


class _Load(Frozen):
    name: str
    periods: _Count
    doubles: _Count
    room_kind: str | None
    in_the_morning: bool


class _School(Frozen):
    D: Annotated[int, Field(ge=1, le=7)]
    P: Annotated[int, Field(ge=1, le=24)]
    nc: _Count
    nt: _Count
    subjects: list[tuple[str, _Count, _Count, str | None, bool]]
    rooms: dict[str, _Count]
    assign: dict[str, int]
    unavail: dict[int, list[int]] = Field(default_factory=dict)
    maxday: _Count
    morning: _Count
    tload: list[int] = Field(default_factory=list)
    """Each teacher's load, which the rest says too."""


def read_generated(text: bytes | str) -> Problem:
    """Return the school. Raises ``InvalidInput`` with the place of each mistake."""
    try:
        school = _Reading(TypeAdapter(_School).validate_json(text))
    except ValidationError as error:
        faults = [
            Fault("/" + "/".join(str(part) for part in e["loc"]), e["msg"], code=e["type"]) for e in error.errors()
        ]
        raise InvalidInput("this is not a generated school", faults=faults) from None
    return school.problem()


class _Reading:
    def __init__(self, school: Any) -> None:
        self._school: _School = school
        fields = ("name", "periods", "doubles", "room_kind", "in_the_morning")
        self._loads = [_Load(**dict(zip(fields, load, strict=True))) for load in self._school.subjects]

    def problem(self) -> Problem:
        lessons = tuple(lesson for key in self._school.assign for lesson in self._lessons(key))
        return Problem(
            calendar=self._calendar(),
            subjects=tuple(Subject(id=load.name, name=load.name) for load in self._loads),
            teachers=tuple(self._teacher(t) for t in range(self._school.nt)),
            groups=tuple(Group(id=f"C{c}", name=f"Class {c + 1}") for c in range(self._school.nc)),
            rooms=tuple(
                Room(id=f"{kind}{i}", name=f"{kind} {i + 1}", kind=kind)
                for kind, number in self._school.rooms.items()
                for i in range(number)
            ),
            lessons=lessons,
            rules=tuple(self._rules()),
        )

    def _calendar(self) -> Calendar:
        periods = tuple(
            Period(name=str(p + 1), break_after=p + 1 == self._school.morning) for p in range(self._school.P)
        )
        return Calendar(days=tuple(Day(name=name, periods=periods) for name in _DAY_NAMES[: self._school.D]))

    def _teacher(self, number: int) -> Teacher:
        away = frozenset(self._school.unavail.get(number, ()))
        if any(not 0 <= slot < self._school.D * self._school.P for slot in away):
            raise _invalid(f"/unavail/{number}", f"the week has slots 0 to {self._school.D * self._school.P - 1}")
        return Teacher(id=f"T{number}", name=f"Teacher {number + 1}", unavailable=away)

    def _lessons(self, key: str) -> list[Lesson]:
        number, _, subject = key.partition("|")
        load = next((load for load in self._loads if load.name == subject), None)
        if load is None or not number.isdecimal() or int(number) >= self._school.nc:
            raise _invalid(f"/assign/{key}", "this names no class and subject of the school: write class|subject")
        teacher = self._school.assign[key]
        if not 0 <= teacher < self._school.nt:
            raise _invalid(f"/assign/{key}", f"there is no teacher {teacher}: they are 0 to {self._school.nt - 1}")
        singles = load.periods - 2 * load.doubles
        if singles < 0:
            raise _invalid("/subjects", f"{load.doubles} doubles are more than {load.name}'s {load.periods} periods")
        course = f"C{number}-{subject}"
        return [
            Lesson(
                id=f"{course}-{i + 1}",
                course=course,
                subject=subject,
                teachers=(f"T{teacher}",),
                groups=(f"C{number}",),
                duration=duration,
                rooms=self._needs(load),
            )
            for i, duration in enumerate([2] * load.doubles + [1] * singles)
        ]

    def _needs(self, load: _Load) -> tuple[RoomNeed, ...]:
        if load.room_kind is None:
            return ()
        number = self._school.rooms.get(load.room_kind, 0)
        if not number:
            raise _invalid("/rooms", f"{load.name} needs a {load.room_kind}, of which there is none")
        return (RoomNeed(choices=tuple(RoomChoice(room=f"{load.room_kind}{i}") for i in range(number))),)

    def _rules(self) -> list[Rule]:
        periods, morning = self._school.P, self._school.morning
        early = tuple(d * periods + p for d in range(self._school.D) for p in range(min(morning, periods)))
        morning_subjects = tuple(load.name for load in self._loads if load.in_the_morning)
        labs = tuple(load.name for load in self._loads if load.room_kind and load.room_kind.endswith("lab"))
        rules: list[Rule] = [
            OneBlockADay(lessons=Lessons()),
            CompactDay(people=People(groups=EVERY)),
            BlocksWithinBreaks(lessons=Lessons()),
            PeriodsADay(people=People(teachers=EVERY), most=self._school.maxday),
            Gaps(people=People(teachers=EVERY), most=0, hard=False),
        ]
        if morning_subjects:
            wanted = Lessons(subjects=morning_subjects)
            rules.append(PreferredSlots(lessons=wanted, slots=early, hard=False))
        if labs and any(load.name == "PE" for load in self._loads):
            rules.append(
                NotRightAfter(first=Lessons(subjects=("PE",)), second=Lessons(subjects=labs), hard=False, weight=2)
            )
        return rules


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, faults=[Fault(pointer, detail)])
