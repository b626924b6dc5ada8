"""What a timetable is made of: the week, those who meet, what has to meet, and where each lesson was put.

A slot is an integer: the index of one period in the whole cycle, counted through the days in order. A cycle is one
week, or two where weeks A and B differ. Everything here is immutable, has a JSON form, and knows no solver.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from core.timetable.bounds import MOST_DAYS, MOST_PERIODS
from core.timetable.rules.registry import AnyRule

Slot = int
"""The index of a period in the cycle."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Slots = Annotated[frozenset[Slot], PlainSerializer(sorted, return_type=list[int])]
Ids = Annotated[frozenset[Id], PlainSerializer(sorted, return_type=list[str])]
"""Sets are written in order, so that one problem has one JSON form."""


class Frozen(BaseModel):
    """An immutable value with a camel-case JSON form that refuses what it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, ignored_types=(cached_property,)
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy that works out anew what the original had worked out from its fields."""
        copied = super().model_copy(update=update, deep=deep)
        for worked_out in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[worked_out]
        return copied


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
    periods: tuple[Period, ...] = Field(min_length=1, max_length=MOST_PERIODS)
    week: str | None = None
    """``A`` or ``B`` where the cycle has two weeks."""

    @property
    def label(self) -> str:
        """The day in words: ``Monday``, or ``Monday (week B)``."""
        return self.name if self.week is None else f"{self.name} (week {self.week})"


class Calendar(Frozen):
    """The cycle in which a timetable repeats."""

    days: tuple[Day, ...] = Field(min_length=1, max_length=MOST_DAYS)

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

    @cached_property
    def weeks(self) -> tuple[tuple[tuple[Slot, ...], ...], ...]:
        """The days' slots of each week: one week, unless the days name two."""
        weeks: dict[str | None, list[tuple[Slot, ...]]] = defaultdict(list)
        for day, window in zip(self.days, self.windows, strict=True):
            weeks[day.week].append(window)
        return tuple(tuple(windows) for windows in weeks.values())

    @cached_property
    def stretches(self) -> tuple[tuple[Slot, ...], ...]:
        """The slots of each day from one break to the next."""
        cut: list[list[Slot]] = []
        for window in self.windows:
            cut.append([])
            for slot in window:
                cut[-1].append(slot)
                if self.period(slot).break_after and slot != window[-1]:
                    cut.append([])
        return tuple(tuple(stretch) for stretch in cut)

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
        return f"{self.days[self.day_of[slot]].label}, {f'period {name}' if name.isdigit() else name}"


class Subject(Frozen):
    """Something that is taught."""

    id: Id
    name: Name


class Teacher(Frozen):
    """Somebody who teaches."""

    id: Id
    name: Name
    unavailable: Slots = frozenset()
    subjects: Ids = frozenset()
    """What else they can teach, for cover."""


class Group(Frozen):
    """A class arm, or a part of one: students who are taught together."""

    id: Id
    name: Name
    size: int | None = Field(default=None, ge=0, le=10_000)
    unavailable: Slots = frozenset()
    within: Id | None = None
    """The class that this is a part of. A part clashes with its class, and with parts of another division of it."""
    division: str | None = None
    """By what the class is divided here (``languages``): parts of one division share nobody."""
    shares_with: Ids = frozenset()
    """Other groups with students in common, where classes are mixed."""


class Room(Frozen):
    """A place to teach in."""

    id: Id
    name: Name
    kind: str | None = None
    capacity: int | None = Field(default=None, ge=0, le=1_000_000)
    building: str | None = None
    unavailable: Slots = frozenset()


class RoomChoice(Frozen):
    """A room that a lesson may be given, and what that costs above the best."""

    room: Id
    penalty: int = Field(default=0, ge=0, le=1_000)


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
    subjects: tuple[Subject, ...] = Field(default=(), max_length=5_000)
    teachers: tuple[Teacher, ...] = Field(default=(), max_length=5_000)
    groups: tuple[Group, ...] = Field(default=(), max_length=5_000)
    rooms: tuple[Room, ...] = Field(default=(), max_length=5_000)
    lessons: tuple[Lesson, ...] = Field(default=(), max_length=50_000)
    rules: tuple[AnyRule, ...] = Field(default=(), max_length=10_000)
    """Clashes, availability, locks and the end of the day hold always and are not listed, unless ``priced_by`` says so.
    """
    priced_by: Literal["laws", "rules"] = "laws"
    """``rules``: clashes, absences, lessons without a place or a room, and what runs into the next day, cost what the
    rules say of them and nothing else; for forms of problems whose objective names these too."""

    @cached_property
    def courses(self) -> Mapping[str, tuple[Lesson, ...]]:
        """The lessons of each course, in the problem's order."""
        found: dict[str, list[Lesson]] = defaultdict(list)
        for lesson in self.lessons:
            found[lesson.course].append(lesson)
        return {course: tuple(lessons) for course, lessons in found.items()}

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

    @cached_property
    def families(self) -> Mapping[str, tuple[Group, ...]]:
        """Each class with the parts of it, by the class's id, in the problem's order."""
        families: dict[str, list[Group]] = {group.id: [] for group in self.groups if group.within is None}
        for group in self.groups:
            families.setdefault(group.within or group.id, []).append(group)
        return {name: tuple(family) for name, family in families.items()}

    @cached_property
    def attended(self) -> Mapping[str, frozenset[str]]:
        """The groups whose lessons count as a group's own: those of its class that share students with it.

        A class is busy when a part of it is; a part is busy with its class, and with the parts of other divisions.
        """
        return {
            group.id: frozenset(other.id for other in family if share_students(group, other))
            for family in self.families.values()
            for group in family
        }

    @cached_property
    def lessons_of(self) -> Mapping[tuple[str, str], tuple[Lesson, ...]]:
        """The lessons of each (``teacher``, id), and those that count as a (``group``, id)'s own."""
        found: dict[tuple[str, str], list[Lesson]] = {("teacher", teacher.id): [] for teacher in self.teachers}
        found |= {("group", group.id): [] for group in self.groups}
        for lesson in self.lessons:
            attending = {of for group in lesson.groups for of in self.attended.get(group, ())}
            for who in [*(("teacher", one) for one in set(lesson.teachers)), *(("group", one) for one in attending)]:
                found.setdefault(who, []).append(lesson)
        return {who: tuple(lessons) for who, lessons in found.items()}

    @cached_property
    def attending(self) -> Mapping[str, tuple[Lesson, ...]]:
        """The lessons that each teacher, group or room by id is at in any case: named there, or the only choice."""
        found: dict[str, list[Lesson]] = defaultdict(list)
        for lesson in self.lessons:
            only = (need.choices[0].room for need in lesson.rooms if len(need.choices) == 1)
            for one in [*lesson.teachers, *lesson.groups, *only]:
                found[one].append(lesson)
        return {one: tuple(lessons) for one, lessons in found.items()}

    @cached_property
    def candidates(self) -> Mapping[str, tuple[tuple[Lesson, int], ...]]:
        """The (lesson, index of the need) for which each room is a choice among others."""
        found: dict[str, list[tuple[Lesson, int]]] = defaultdict(list)
        for lesson in self.lessons:
            for n, need in enumerate(lesson.rooms):
                for choice in need.choices if len(need.choices) > 1 else ():
                    found[choice.room].append((lesson, n))
        return {room: tuple(needs) for room, needs in found.items()}

    @cached_property
    def sharing(self) -> Mapping[str, frozenset[str]]:
        """The groups that have students in common with each group, itself included."""
        near: dict[str, set[str]] = {group.id: {group.id} for group in self.groups}
        for one, other in self.clashing_groups():
            near[one].add(other)
            near[other].add(one)
        return {name: frozenset(groups) for name, groups in near.items()}

    @cached_property
    def tied(self) -> tuple[tuple[int, ...], ...]:
        """The lessons, by index, in sets that hard rules tie to one start; most sets hold one lesson."""
        index = {lesson.id: i for i, lesson in enumerate(self.lessons)}
        parent = list(range(len(self.lessons)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = i = parent[parent[i]]
            return i

        for rule in self.rules:
            for tied in rule.links(self) if rule.hard else ():
                for lesson in tied[1:]:
                    parent[root(index[lesson])] = root(index[tied[0]])
        members: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self.lessons)):
            members[root(i)].append(i)
        return tuple(tuple(together) for together in members.values())

    @cached_property
    def block_of(self) -> Mapping[str, int]:
        """The index in ``tied`` of each lesson."""
        return {self.lessons[i].id: block for block, together in enumerate(self.tied) for i in together}

    def clashing_groups(self) -> Iterator[tuple[str, str]]:
        """Yield each pair of different groups that have students in common, once."""
        pairs = {
            (one.id, other.id)
            for family in self.families.values()
            for one, other in combinations(family, 2)
            if share_students(one, other)
        }
        for group in self.groups:
            near = group.shares_with - {group.id}
            pairs |= {(group.id, other) for other in near if (other, group.id) not in pairs}
        yield from sorted(pairs)


def share_students(one: Group, other: Group) -> bool:
    """Tell whether two groups can't be taught at the same time."""
    if other.id in {one.id, one.within} or other.within == one.id:
        return True
    if one.id in other.shares_with or other.id in one.shares_with:
        return True
    return one.within is not None and one.within == other.within and one.division != other.division
