"""What a timetable is made of: the week, those who meet, what has to meet, and where each lesson was put.

A slot is an integer: the index of one period in the whole cycle, counted through the days in order. A cycle is one
week, or two where weeks A and B differ. Everything here is immutable, has a JSON form, and knows no solver.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.timetable.rules.registry import AnyRule

Slot = int
"""The index of a period in the cycle."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=200)]


class Frozen(BaseModel):
    """An immutable value with a camel-case JSON form that refuses what it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, ignored_types=(cached_property,)
    )


class Period(Frozen):
    """One period of a day."""

    name: Name
    starts_at: int | None = Field(default=None, ge=0, lt=24 * 60)
    """Minutes after midnight; None where the hours are not known."""
    ends_at: int | None = Field(default=None, gt=0, le=24 * 60)
    break_after: bool = False
    """A break follows, which no block may span unless a rule says otherwise."""


class Day(Frozen):
    """One day of the cycle, with its own number of periods."""

    name: Name
    periods: tuple[Period, ...] = Field(min_length=1, max_length=48)
    week: str | None = None
    """``A`` or ``B`` where the cycle has two weeks."""


class Calendar(Frozen):
    """The cycle in which a timetable repeats."""

    days: tuple[Day, ...] = Field(min_length=1, max_length=28)

    @cached_property
    def day_of(self) -> tuple[int, ...]:
        """The day of each slot."""
        return tuple(d for d, day in enumerate(self.days) for _ in day.periods)

    @cached_property
    def position_of(self) -> tuple[int, ...]:
        """The place of each slot in its day, from 0."""
        return tuple(p for day in self.days for p in range(len(day.periods)))

    @cached_property
    def windows(self) -> tuple[tuple[Slot, ...], ...]:
        """The slots of each day."""
        return tuple(tuple(s for s, of in enumerate(self.day_of) if of == d) for d in range(len(self.days)))

    @property
    def slots(self) -> int:
        """How many slots the cycle has."""
        return len(self.day_of)

    def span(self, start: Slot, duration: int) -> range | None:
        """Return the slots of a block that starts there; None where it would run past the end of its day."""
        end = start + duration - 1
        if not 0 <= start <= end < self.slots or self.day_of[end] != self.day_of[start]:
            return None
        return range(start, end + 1)

    def period(self, slot: Slot) -> Period:
        """Return the period that a slot is."""
        return self.days[self.day_of[slot]].periods[self.position_of[slot]]

    def label(self, slot: Slot) -> str:
        """Return a slot in words: ``Monday, period 3``."""
        name = self.period(slot).name
        return f"{self.days[self.day_of[slot]].name}, {f'period {name}' if name.isdigit() else name}"


class Subject(Frozen):
    """Something that is taught."""

    id: Id
    name: Name


class Teacher(Frozen):
    """Somebody who teaches."""

    id: Id
    name: Name
    unavailable: frozenset[Slot] = frozenset()
    subjects: frozenset[Id] = frozenset()
    """What else they can teach, for cover."""


class Group(Frozen):
    """A class arm, or a part of one: students who are taught together."""

    id: Id
    name: Name
    size: int | None = Field(default=None, ge=0)
    unavailable: frozenset[Slot] = frozenset()
    within: Id | None = None
    """The class that this is a part of. A part clashes with its class, and with parts of another division of it."""
    division: str | None = None
    """By what the class is divided here (``languages``): parts of one division share nobody."""
    shares_with: frozenset[Id] = frozenset()
    """Other groups with students in common, where classes are mixed."""


class Room(Frozen):
    """A place to teach in."""

    id: Id
    name: Name
    kind: str | None = None
    capacity: int | None = Field(default=None, ge=0)
    building: str | None = None
    unavailable: frozenset[Slot] = frozenset()


class RoomChoice(Frozen):
    """A room that a lesson may be given, and what that costs above the best."""

    room: Id
    penalty: int = Field(default=0, ge=0)


class RoomNeed(Frozen):
    """That a lesson takes one of these rooms."""

    choices: tuple[RoomChoice, ...] = Field(min_length=1)


class Lesson(Frozen):
    """One block that has to be placed: these teachers with these groups, for so many slots in a row."""

    id: Id
    subject: Id
    teachers: tuple[Id, ...] = ()
    groups: tuple[Id, ...] = ()
    duration: int = Field(default=1, ge=1, le=48)
    course: Id
    """The weekly load of which this is one block: the same subject, teachers and groups."""
    rooms: tuple[RoomNeed, ...] = ()
    """One need a room; none where the class stays in its own."""
    locked_slot: Slot | None = None
    locked_rooms: tuple[Id, ...] | None = None
    """One room a need, in the same order."""


class Placement(Frozen):
    """Where one lesson was put."""

    lesson: Id
    slot: Slot
    """Where the block starts."""
    rooms: tuple[Id | None, ...] = ()
    """One a need of the lesson, in the same order; None where no room was found yet."""


class Timetable(Frozen):
    """Where the lessons were put. Those without a placement are not placed yet."""

    placements: tuple[Placement, ...] = ()

    @cached_property
    def by_lesson(self) -> Mapping[str, Placement]:
        """The placements by their lesson's id."""
        return {placement.lesson: placement for placement in self.placements}


class Problem(Frozen):
    """Everything a timetable has to satisfy."""

    name: str = ""
    calendar: Calendar
    subjects: tuple[Subject, ...] = ()
    teachers: tuple[Teacher, ...] = ()
    groups: tuple[Group, ...] = ()
    rooms: tuple[Room, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    rules: tuple[AnyRule, ...] = ()
    """Clashes, availability, locks and the end of the day hold always and are not listed."""

    @cached_property
    def subject(self) -> Mapping[str, Subject]:
        """The subjects by id."""
        return {item.id: item for item in self.subjects}

    @cached_property
    def teacher(self) -> Mapping[str, Teacher]:
        """The teachers by id."""
        return {item.id: item for item in self.teachers}

    @cached_property
    def group(self) -> Mapping[str, Group]:
        """The groups by id."""
        return {item.id: item for item in self.groups}

    @cached_property
    def room(self) -> Mapping[str, Room]:
        """The rooms by id."""
        return {item.id: item for item in self.rooms}

    @cached_property
    def lesson(self) -> Mapping[str, Lesson]:
        """The lessons by id."""
        return {item.id: item for item in self.lessons}

    def clashing_groups(self) -> Iterator[tuple[str, str]]:
        """Yield each pair of different groups that have students in common, once."""
        for i, one in enumerate(self.groups):
            for other in self.groups[i + 1 :]:
                if share_students(one, other):
                    yield one.id, other.id


def share_students(one: Group, other: Group) -> bool:
    """Tell whether two groups can't be taught at the same time."""
    if one.id == other.id or one.within == other.id or other.within == one.id:
        return True
    if one.id in other.shares_with or other.id in one.shares_with:
        return True
    return one.within is not None and one.within == other.within and one.division != other.division
