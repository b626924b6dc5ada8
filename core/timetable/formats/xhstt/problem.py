"""An instance as a problem of the model, its events cut in a given way."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.formats.xhstt.archive import Constraint, Event, EventResource, Instance, referred
from core.timetable.formats.xhstt.choosing import choose
from core.timetable.formats.xhstt.constraints import Translation
from core.timetable.formats.xhstt.joining import joined
from core.timetable.formats.xhstt.splitting import Prices, cuts_of
from core.timetable.model import (
    Calendar,
    Day,
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
from core.timetable.rules.parts import Parts
from core.timetable.rules.start_among import StartAmong
from core.timetable.rules.starts_in_windows import StartsInWindows

NO_DAY = 1_000_000
"""The price of a part that no day is long enough for."""
MOST_PERIODS = 48
"""Of a day of the model; longer ones are more than one."""

_OnCourses = TypeVar("_OnCourses", Parts, StartAmong)
Cuts = Mapping[str, Sequence[int]]
"""The durations of each event's parts."""


class Casting:
    """Which resources are teachers, groups and rooms, and which of an event's are chosen."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._picked: Mapping[tuple[str, int], str] = {}
        self._chosen = {
            resource.type
            for event in instance.events.values()
            for resource in event.resources
            if not resource.reference
        }
        apart = [c for c in instance.constraints if c.kind == "AvoidClashesConstraint" and c.required]
        self._apart = {one for constraint in apart for one in whom(instance, constraint)}

    def pick(self, picked: Mapping[tuple[str, int], str]) -> None:
        """Settle needs, by (event, index)."""
        self._picked = picked

    @cached_property
    def named_rooms(self) -> frozenset[str]:
        """The types of resources that are rooms by their names."""
        return frozenset(k for k, name in self._instance.types.items() if "room" in f"{k} {name}".lower())

    @cached_property
    def room_types(self) -> frozenset[str]:
        """The types of rooms that are in one lesson at a time, as solvers take rooms to be."""
        return self.named_rooms - {r.type for r in self._instance.resources.values() if r.id not in self._apart}

    def is_need(self, resource: EventResource) -> bool:
        """Tell whether an event's resource is a need for a room in the model: a room, or one to be chosen."""
        return resource.reference is None or resource.type in self.room_types

    def needs(self, event: Event) -> list[EventResource]:
        """Return an event's needs, in its order."""
        return [resource for resource in event.resources if self.is_need(resource)]

    def choices(self, event: str, index: int, resource: EventResource) -> tuple[str, ...]:
        """Return whom a need of an event may be met with."""
        given = resource.reference or self._picked.get((event, index))
        if given is not None:
            return (given,)
        return tuple(one.id for one in self._instance.resources.values() if one.type == resource.type)

    def rooms(self) -> Iterator[Room]:
        """Yield what lessons may be given."""
        for one in self._instance.resources.values():
            if one.type in self.room_types | self._chosen:
                kind = (self._instance.types[one.type] or one.type)[:200]
                yield Room(id=one.id, name=one.name[:200], kind=kind)

    def people(self, kind: type[Teacher] | type[Group]) -> Iterator[Teacher | Group]:
        """Yield the teachers, or everybody and everything else that is no room."""
        for one in self._instance.resources.values():
            is_teacher = "teacher" in f"{one.type} {self._instance.types[one.type]}".lower()
            if one.type not in self.room_types and is_teacher == (kind is Teacher):
                yield kind(id=one.id, name=one.name[:200])

    def named(self, event: Event) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the (teachers, groups) of an event."""
        given = [one for one in event.resources if one.reference is not None and not self.is_need(one)]
        is_teacher = ["teacher" in f"{one.type} {self._instance.types[one.type]}".lower() for one in given]
        pairs = list(zip(given, is_teacher, strict=True))
        return (
            tuple(str(one.reference) for one, teaches in pairs if teaches),
            tuple(str(one.reference) for one, teaches in pairs if not teaches),
        )


def whom(instance: Instance, constraint: Constraint) -> list[str]:
    """Return the resources that a constraint applies to."""
    applies = constraint.element.child("AppliesTo")
    groups = applies.child("ResourceGroups") if applies else None
    single = applies.child("Resources") if applies else None
    found = [
        member
        for group in referred(groups, "ResourceGroup", instance.resource_groups)
        for member in instance.resource_groups[group]
    ]
    return list(dict.fromkeys([*found, *referred(single, "Resource", instance.resources)]))


def problem_of(instance: Instance, cuts: Cuts | None = None) -> Problem:
    """Return the problem. Raises ``InvalidInput``.

    Without cuts, events are single periods that join where ``joining`` can say so, else cut as ``splitting`` says, and
    whoever is to be chosen but rooms is chosen as ``choosing`` says.
    """
    try:
        problem = _problem(instance, cuts)
    except ValidationError as error:
        raise _beyond(error) from error
    require_sound(problem)
    return problem


def _problem(instance: Instance, cuts: Cuts | None) -> Problem:
    casting = Casting(instance)
    translation = Translation(instance, casting, whom)
    rules: Sequence[Rule] = translation.rules()
    if cuts is None:
        loose = joined(tuple(instance.events.values()), rules, calendar_of(instance))
        singles = {event: (1,) * instance.events[event].duration for event in loose.events}
        cuts = {**_cheapest(instance, translation, rules), **singles}
        needs = {event.id: casting.needs(event) for event in instance.events.values()}
        casting.pick(choose(instance, needs, casting.named_rooms, rules, translation.linked()))
        rules = loose.rules
    return Problem(
        name=instance.name[:200],
        calendar=calendar_of(instance),
        subjects=tuple(_subjects(instance)),
        teachers=tuple(one for one in casting.people(Teacher) if isinstance(one, Teacher)),
        groups=tuple(one for one in casting.people(Group) if isinstance(one, Group)),
        rooms=tuple(casting.rooms()),
        lessons=tuple(lesson for event in instance.events.values() for lesson in _lessons(casting, event, cuts)),
        rules=tuple(rules),
        priced_by="rules",
    )


def _beyond(error: ValidationError) -> InvalidInput:
    faults = [Fault("/" + "/".join(str(part) for part in e["loc"]), e["msg"], code=e["type"]) for e in error.errors()]
    return InvalidInput("This instance is larger than what is read, or has numbers out of range.", faults)


def calendar_of(instance: Instance) -> Calendar:
    """Return the times as days: those that follow each other and name the same day."""
    days: list[tuple[str | None, list[Period]]] = []
    for time in instance.times:
        if not days or days[-1][0] != time.day or len(days[-1][1]) == MOST_PERIODS:
            days.append((time.day, []))
        days[-1][1].append(Period(name=time.name[:200]))
    seen: dict[str, int] = {}
    made = []
    for name, periods in days:
        label = (instance.group_names.get(name, name) if name else instance.name)[:180]
        seen[label] = seen.get(label, 0) + 1
        made.append(Day(name=label if seen[label] == 1 else f"{label} ({seen[label]})", periods=tuple(periods)))
    return Calendar(days=tuple(made))


def _subjects(instance: Instance) -> Iterator[Subject]:
    named = {subject_of(event): event for event in instance.events.values()}
    for name, event in named.items():
        yield Subject(id=name, name=(instance.group_names.get(name) or event.name)[:200])


def subject_of(event: Event) -> str:
    """Return the id of what an event teaches: its course, else itself."""
    return event.course or event.id


def _lessons(casting: Casting, event: Event, cuts: Cuts) -> Iterator[Lesson]:
    teachers, groups = casting.named(event)
    choices = [casting.choices(event.id, n, need) for n, need in enumerate(casting.needs(event))]
    needs = tuple(RoomNeed(choices=tuple(RoomChoice(room=room) for room in rooms)) for rooms in choices)
    parts = cuts[event.id]
    for i, duration in enumerate(parts):
        yield Lesson(
            id=event.id if len(parts) == 1 else f"{event.id}#{i + 1}",
            subject=subject_of(event),
            teachers=teachers,
            groups=groups,
            duration=duration,
            course=event.id,
            rooms=needs,
            locked_slot=event.time,
        )


def _cheapest(instance: Instance, translation: Translation, rules: Sequence[Rule]) -> Cuts:
    """Return the cuts that cost least by what is known before the search."""
    longest = max(len(day.periods) for day in calendar_of(instance).days)
    parts = _by_course([rule for rule in rules if isinstance(rule, Parts)])
    starts = _by_course([rule for rule in rules if isinstance(rule, StartAmong) and not rule.slots])
    spreads = [rule for rule in rules if isinstance(rule, StartsInWindows)]
    alone = {courses[0]: rule for rule in spreads for courses in rule.courses.sets if len(courses) == 1}

    def price(event: Event, cut: Sequence[int]) -> tuple[int, int]:
        charged: list[tuple[Rule, int]] = [(rule, rule.deviation(list(cut))) for rule in parts.get(event.id, ())]
        charged += [(rule, sum(p for p in cut if rule.duration in {None, p})) for rule in starts.get(event.id, ())]
        charged += [(rule, _crowding(rule, len(cut))) for rule in [alone.get(event.id)] if rule is not None]
        too_long = NO_DAY if cut[0] > longest else 0
        hard = sum(rule.price(deviation) for rule, deviation in charged if rule.hard)
        return hard + too_long, sum(rule.price(deviation) for rule, deviation in charged if not rule.hard)

    def alike(event: Event) -> Hashable:
        about = [*parts.get(event.id, ()), *starts.get(event.id, ()), *filter(None, [alone.get(event.id)])]
        return event.duration, tuple(id(rule) for rule in about)

    bound = {*parts, *starts, *alone}
    return cuts_of(instance, translation.linked(), bound, Prices(price, alike))


def _crowding(rule: StartsInWindows, blocks: int) -> int:
    """Return by how many so many blocks are too many, or too few, for all windows together."""
    covered = {slot for window in rule.windows for slot in window.slots}
    whole = sum(len(window.slots) for window in rule.windows)
    if whole != len(covered):
        return 0
    return max(0, blocks - sum(window.most for window in rule.windows), sum(w.least for w in rule.windows) - blocks)


def _by_course(rules: Sequence[_OnCourses]) -> dict[str, list[_OnCourses]]:
    found: dict[str, list[_OnCourses]] = {}
    for rule in rules:
        for course in rule.courses.courses:
            found.setdefault(course, []).append(rule)
    return found
