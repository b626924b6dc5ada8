"""What every constraint's reader needs: the file's activities, people and times in the model's words."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from core.timetable.formats.fet.document import Activity, Document, refusal
from core.timetable.formats.fet.students import Students
from core.timetable.formats.fet.week import Week
from core.timetable.formats.safe_xml import Element
from core.timetable.rules.base import Rule
from core.timetable.rules.begins_early import BeginsEarly
from core.timetable.rules.gaps import Gaps
from core.timetable.rules.selecting import EVERY, Lessons, People


class NotKeptError(Exception):
    """A constraint that can't be a rule; its text says why, where it is not the kind as such."""


@dataclass(frozen=True, slots=True)
class Worth:
    """How much a constraint is worth."""

    percentage: float

    @property
    def hard(self) -> bool:
        """Tell whether it holds always."""
        return self.percentage >= 100

    @property
    def weight(self) -> int:
        """The cost of one deviation."""
        return max(1, round(self.percentage))


Reader = Callable[["Reading", Element, Worth], Iterable[Rule]]
PeopleReader = Callable[["Constraint"], Iterable[Rule]]


class Reading:
    """One file on its way into a problem."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.week = Week(document)
        self.students = Students(document.root, document.activities)
        self.activity = {activity.id: activity for activity in document.activities}
        self.locked: dict[str, int] = {}
        """The slot of each activity that has to start there."""
        self.virtual: dict[str, str] = {}
        """The virtual room of each activity whose needs are the sets of one."""

    def groups_of(self, activity: Activity) -> tuple[str, ...]:
        """Return the groups that attend an activity."""
        return tuple(dict.fromkeys(group for name in activity.students for group in self.students.groups(name)))

    def activities(self, at: Element, tag: str = "Activity_Id") -> tuple[Activity, ...]:
        """Return the activities that a constraint names and that are switched on."""
        named = dict.fromkeys(child.text for child in at.children if child.tag == tag)
        return tuple(self.activity[one] for one in named if one in self.activity)

    def named(self, at: Element, *tags: str) -> tuple[Activity, ...]:
        """Return the activities that a constraint on two or three names; none where one of them is switched off."""
        found = [self.activity.get(at.text_of(tag)) for tag in tags]
        return tuple(one for one in found if one is not None) if None not in found else ()

    def matching(self, at: Element) -> tuple[Activity, ...]:
        """Return the activities that match every field which a constraint gives."""
        teacher, students = at.text_of("Teacher_Name"), at.text_of("Students_Name")
        subject, tag = at.text_of("Subject_Name"), at.text_of("Activity_Tag_Name")
        groups = frozenset(self.students.groups(students))
        duration, component = at.text_of("Duration"), at.text_of("Component_Number")
        return tuple(
            activity
            for activity in self.document.activities
            if (not teacher or teacher in activity.teachers)
            and (not students or not groups.isdisjoint(self.groups_of(activity)))
            and (not subject or subject == activity.subject)
            and (not tag or tag in activity.tags)
            and (not duration or duration == str(activity.duration))
            and (not component or component == str(activity.component))
        )

    def tagged(self, tag: str) -> Lessons:
        """Return the lessons that have a tag. Raises ``NotKeptError`` where none has."""
        return lessons_of([activity for activity in self.document.activities if tag in activity.tags])

    def slots(self, at: Element, tag: str) -> tuple[int, ...]:
        """Return the slots that a constraint lists under a name."""
        return self.week.slots(self.document.places(at, tag))

    def students_of(self, at: Element, tag: str) -> tuple[str, ...]:
        """Return the groups of the set that a constraint names. Raises ``InvalidInput`` where there is none."""
        name = at.text_of(tag)
        if name not in self.students:
            raise refusal(f"There are no students “{name[:80]}”", at, "unknown")
        return self.students.groups(name)

    def people(self, at: Element, who: str) -> People:
        """Return whom a constraint's name and fields mean."""
        if who == "Teachers":
            return People(teachers=EVERY)
        if who == "Students":
            return People(groups=EVERY)
        if who == "StudentsSet":
            return People(groups=self.students_of(at, "Students"))
        return People(teachers=(at.text_of("Teacher_Name") or at.text_of("Teacher"),))

    @cached_property
    def partners(self) -> dict[str, set[str]]:
        """The activities that start together with each."""
        found: dict[str, set[str]] = defaultdict(set)
        for constraint in self.document.constraints:
            if constraint.tag == "ConstraintActivitiesSameStartingTime":
                together = {activity.id for activity in self.activities(constraint)}
                for one in together:
                    found[one] |= together - {one}
        return found


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint on the days of some people."""

    reading: Reading
    at: Element
    worth: Worth
    people: People


def lessons_of(activities: Sequence[Activity]) -> Lessons:
    """Return a selection of these activities. Raises ``NotKeptError`` where there are none, which would be all."""
    if not activities:
        raise NoneMeantError
    return Lessons(lessons=tuple(activity.id for activity in activities))


class NoneMeantError(Exception):
    """A constraint on activities none of which is switched on: it says nothing."""


def merged(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the rules, those as one that say the same of different lessons one by one, or of different people."""
    alike: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        field = next((name for name in _JOINED.get(rule.kind, ()) if getattr(rule, name, None) is not None), None)
        key = rule.model_dump_json(exclude={field}) if field else ""
        alike[f"{field} {key}" if field else f"{len(alike)} by itself"].append(rule)
    for same in alike.values():
        yield from [_joined(same)] if len(same) > 1 else same


def without_gaps(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Yield the rules, those on the begins of days as ``gapless`` for whom a law forbids gaps.

    Where every day has to begin with the first period, that says the law on gaps as well, which is then left out.
    """
    gapless = [rule for rule in rules if isinstance(rule, Gaps) and rule.hard and not _narrowed(rule) and not rule.most]
    begins = [rule for rule in rules if isinstance(rule, BeginsEarly) and rule.hard and not _narrowed(rule)]
    known = _union([rule.people.groups for rule in gapless])
    compact = _union([rule.people.groups for rule in begins if not rule.most and _holds(known, rule.people.groups)])
    for rule in rules:
        if rule in gapless and isinstance(rule, Gaps) and _holds(compact, rule.people.groups):
            continue
        if rule in begins and isinstance(rule, BeginsEarly):
            yield rule.model_copy(update={"gapless": _holds(known, rule.people.groups)})
        else:
            yield rule


def _narrowed(rule: Gaps | BeginsEarly) -> bool:
    return bool(rule.days or rule.people.teachers)


def _holds(groups: Sequence[str], others: Sequence[str]) -> bool:
    return groups == EVERY or set(others) <= set(groups)


_JOINED: dict[str, tuple[str, ...]] = {
    "preferred_starts": ("lessons",),
    "preferred_slots": ("lessons",),
    "avoided_slots": ("lessons",),
    "order_on_day": (),
    **dict.fromkeys(
        (
            "working_days",
            "days_in_a_row",
            "kinds_a_day",
            "gaps",
            "periods_a_day",
            "periods_in_a_row",
            "begins_early",
            "occupancy",
            "travel",
        ),
        ("people",),
    ),
}
"""Of which kind what may be put together."""


def _joined(same: Sequence[Rule]) -> Rule:
    field = _JOINED[same[0].kind][0]
    parts = [getattr(rule, field) for rule in same]
    fields = type(parts[0]).model_fields
    union = {name: _union([getattr(part, name) for part in parts]) for name in fields}
    return same[0].model_copy(update={field: type(parts[0]).model_validate(union)})


def _union(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return EVERY if EVERY in lists else tuple(dict.fromkeys(one for each in lists for one in each))
