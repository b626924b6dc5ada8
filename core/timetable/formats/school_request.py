"""The portals' request as JSON: who teaches what to which class how often, and what else a school may have.

The source's fields stand as they are (P8-02 to P8-08). What it has no word for may be added (C-56): several teachers,
joined classes and parts of classes, option blocks, weeks A and B, shifts, days of another length, part-time people.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from core.timetable.model import Frozen, Id, Name

_MOST = 5000

Week = Literal["A", "B"]
Number = Annotated[int, Field(ge=1, le=48)]
"""A period of a day, from 1."""
DayNumber = Annotated[int, Field(ge=1, le=7)]
_Ids = Annotated[tuple[Id, ...], Field(max_length=100)]


class _Wish(Frozen):
    hard: bool = False
    weight: int = Field(default=1, ge=1, le=1000)


class Break(Frozen):
    """A break after a period, counted from 1."""

    after_period: Number
    duration: int = Field(default=20, ge=0, le=240)
    """Minutes."""


class Shift(Frozen):
    """The periods that some classes have of each day, where the school works in shifts; others have all of them.

    Morning and afternoon may share periods. A break after the morning's last period makes room between them.
    """

    name: Name
    first_period: Number
    last_period: Number
    class_arm_ids: tuple[Id, ...] = Field(min_length=1, max_length=_MOST)


class Part(Frozen):
    """A part of a class, such as its girls or those who take French, whom a load may name in place of the class.

    Parts by one ``division`` (``languages``) share nobody and may be taught at the same time; parts by different
    divisions may not, nor a part and its class.
    """

    id: Id
    class_arm_id: Id
    name: Name | None = None
    division: Name
    size: int | None = Field(default=None, ge=0, le=10_000)


class Taught(Frozen):
    """What is taught by whom."""

    teacher_id: Id
    subject_id: Id
    also_teacher_ids: _Ids = Field(default=(), description="Who teaches it together with the first.")

    @property
    def teachers(self) -> tuple[str, ...]:
        """Everybody who teaches it."""
        return tuple(dict.fromkeys((self.teacher_id, *self.also_teacher_ids)))


class Assignment(Taught):
    """A weekly load: so many periods of a subject by a teacher for a class."""

    class_arm_id: Id
    periods_per_week: Number
    also_class_arm_ids: _Ids = Field(default=(), description="Classes that are taught together with the first.")
    group_ids: _Ids = Field(default=(), description="Parts of these classes, each in place of its whole class.")
    week: Week | None = Field(default=None, description="The week in which it is taught, where it is one of two.")

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class that is there, or a part of it."""
        return tuple(dict.fromkeys((self.class_arm_id, *self.also_class_arm_ids)))


class OptionBlock(Frozen):
    """Subjects of which each student takes one, so that all are taught at the same time.

    The students of the classes are mixed: those who chose Physics are taught together, whichever class they are of.
    """

    name: Name
    class_arm_ids: tuple[Id, ...] = Field(min_length=1, max_length=100)
    periods_per_week: Number
    double_periods: int = Field(default=0, ge=0, le=24, description="How many of its blocks are doubles.")
    week: Week | None = Field(default=None, description="The week in which it is taught, where it is one of two.")
    options: tuple[Taught, ...] = Field(min_length=1, max_length=100)


class PreferredSlot(_Wish):
    """That a subject's, a teacher's or a class's lessons lie in these periods (from 1) of these days, or of any."""

    subject_id: Id | None = None
    teacher_id: Id | None = None
    class_arm_id: Id | None = None
    days: tuple[DayNumber, ...] = ()
    periods: tuple[Number, ...] = ()


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
    day: DayNumber
    periods: tuple[Number, ...] = ()
    week: Week | None = Field(default=None, description="In one week of two only.")


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
    option_blocks: tuple[OptionBlock, ...] = Field(default=(), max_length=500)
    groups: tuple[Part, ...] = Field(default=(), max_length=_MOST, description="Parts of classes.")
    preferred_slots: tuple[PreferredSlot, ...] = Field(default=(), max_length=_MOST)
    avoid_consecutive: tuple[Annotated[SubjectPair, BeforeValidator(_as_pair)], ...] = Field(
        default=(), max_length=_MOST
    )
    double_periods: tuple[Annotated[DoublePeriod, BeforeValidator(_as_double)], ...] = Field(
        default=(), max_length=_MOST
    )
    max_periods_per_day: Mapping[Id, Number] = Field(default_factory=dict)
    room_constraints: tuple[RoomConstraint, ...] = Field(default=(), max_length=_MOST)
    unavailable: tuple[Unavailable, ...] = Field(default=(), max_length=_MOST)


class SchoolRequest(Frozen):
    """The portals' request. ``schoolId`` is accepted and not used: the school is the caller's own."""

    model_config = ConfigDict(json_schema_extra={"title": "TimetableRequest"})

    school_id: Id | None = None
    session_id: Id | None = None
    days_per_week: int = Field(default=5, ge=1, le=7)
    periods_per_day: int = Field(default=8, ge=1, le=24)
    periods_on_days: Mapping[DayNumber, Annotated[int, Field(ge=1, le=24)]] = Field(
        default_factory=dict, description='Days of another length, by their number: `{"5": 6}` is a short Friday.'
    )
    period_duration: int = Field(default=40, ge=5, le=240)
    """Minutes."""
    starts_at: int = Field(default=8 * 60, ge=0, lt=24 * 60)
    """When the first period starts, in minutes after midnight."""
    weeks: int = Field(
        default=1,
        ge=1,
        le=2,
        description="2 where weeks A and B take turns. A load without `week` is taught in both, at the same hours.",
    )
    breaks: tuple[Annotated[Break, BeforeValidator(_as_break)], ...] = Field(default=(), max_length=24)
    shifts: tuple[Shift, ...] = Field(default=(), max_length=6)
    constraints: Constraints

    def named(self) -> Iterator[tuple[str, str, str]]:
        """Yield (pointer, ``teacher``, ``subject`` or ``class``, id) of everybody and everything that is taught."""
        for i, load in enumerate(self.constraints.teacher_assignments):
            where = f"/constraints/teacherAssignments/{i}"
            yield from _taught(where, load)
            yield f"{where}/classArmId", "class", load.class_arm_id
            yield from _listed(f"{where}/alsoClassArmIds", "class", load.also_class_arm_ids)
        for i, block in enumerate(self.constraints.option_blocks):
            where = f"/constraints/optionBlocks/{i}"
            yield from _listed(f"{where}/classArmIds", "class", block.class_arm_ids)
            for j, option in enumerate(block.options):
                yield from _taught(f"{where}/options/{j}", option)


def _taught(where: str, taught: Taught) -> Iterator[tuple[str, str, str]]:
    yield f"{where}/teacherId", "teacher", taught.teacher_id
    yield f"{where}/subjectId", "subject", taught.subject_id
    yield from _listed(f"{where}/alsoTeacherIds", "teacher", taught.also_teacher_ids)


def _listed(where: str, kind: str, ids: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    yield from ((f"{where}/{i}", kind, one) for i, one in enumerate(ids))
