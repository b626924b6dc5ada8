"""Reads a .fet file as a problem, with a note for each constraint that is not kept."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.formats.fet.document import NAMELESS, Activity, number, read_document
from core.timetable.formats.fet.half_days import both_halves, unknown
from core.timetable.formats.fet.people_constraints import PEOPLE_READERS
from core.timetable.formats.fet.reading import (
    Constraint,
    NoneMeantError,
    NotKeptError,
    Reading,
    Worth,
    merged,
    without_gaps,
)
from core.timetable.formats.fet.rooms import RoomWishes, real_rooms
from core.timetable.formats.fet.time_constraints import READERS
from core.timetable.formats.reading import Note, Read
from core.timetable.formats.safe_xml import Element
from core.timetable.model import Group, Lesson, Problem, Room, Subject, Teacher
from core.timetable.rules.avoided_slots import AvoidedSlots
from core.timetable.rules.base import Rule
from core.timetable.rules.blocks_within_breaks import BlocksWithinBreaks
from core.timetable.rules.occupancy import Occupancy
from core.timetable.rules.room_changes import RoomChanges
from core.timetable.rules.room_stability import RoomStability
from core.timetable.rules.room_suitability import RoomSuitability
from core.timetable.rules.selecting import EVERY, Lessons, People

_ABOUT = re.compile("(StudentsSet|Students|Teachers|Teacher)(.+)")


def read_fet(data: bytes) -> Read:
    """Return the problem and what of the file is not in it. Raises ``InvalidInput`` with the line of each mistake."""
    try:
        return FetReader(Reading(read_document(data))).read()
    except ValidationError as error:
        # What FET allows and the model does not: more days than a cycle has here, names of thousands of letters.
        first = error.errors(include_url=False, include_context=False)[0]
        what = f"The file holds more than is read here: {first['msg']} ({' '.join(str(at) for at in first['loc'])})."
        raise InvalidInput(what, [Fault("", what, "too_large")]) from error


class FetReader:
    """Makes a problem of a file's words."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.document = reading.document
        self._away: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.wishes = RoomWishes(reading)
        self._lost: Counter[tuple[str, str, bool]] = Counter()
        self._room_rules: list[tuple[Element, Worth]] = []

    def read(self) -> Read:
        """Return the problem with its notes."""
        rules = [rule for constraint in self.document.constraints for rule in self.rules_of(constraint)]
        lessons = tuple(self._lesson(activity) for activity in self.document.activities)
        rules = [rule for rule in rules if self._knows_its_rooms(rule, lessons)]
        rules += [*self._rules_on_rooms(lessons), *self._rules_of_the_week(lessons)]
        problem = Problem(
            name=self.document.root.text_of("Institution_Name")[:200],
            calendar=self._reading.week.calendar,
            subjects=tuple(Subject(id=name, name=name) for name in self._named("Subjects_List", "Subject")),
            teachers=tuple(
                Teacher(id=name, name=name, unavailable=frozenset(self._away["teacher", name]))
                for name in self._named("Teachers_List", "Teacher")
            ),
            groups=tuple(
                Group(id=name, name=name, unavailable=frozenset(self._away["group", name]))
                for name in self._reading.students.names
            ),
            rooms=tuple(
                Room(
                    id=room.name,
                    name=room.name,
                    capacity=room.capacity,
                    building=room.building or None,
                    unavailable=frozenset(self._away["room", room.name]),
                )
                for room in real_rooms(self.document)
            ),
            lessons=lessons,
            rules=tuple(without_gaps(list(merged(rules)))),
        )
        require_sound(problem)
        return Read(problem=problem, notes=tuple(self._notes()))

    def _named(self, within: str, tag: str) -> Iterable[str]:
        return dict.fromkeys(each.text_of("Name") or NAMELESS for each in self.document.root.all(within, tag))

    def rules_of(self, constraint: Element) -> list[Rule]:
        """Return what a constraint says as rules; what it says of rooms and absences is kept for the lessons."""
        kind = constraint.tag.removeprefix("Constraint")
        worth = worth_of(constraint)
        if worth.percentage <= 0 and constraint.text_of("Consecutive_If_Same_Day") != "true":
            self._lost[kind, "of 0 %, so it has no effect in FET either", False] += 1
            return []
        try:
            return list(self._made(kind, constraint, worth))
        except NoneMeantError:
            return []
        except NotKeptError as error:
            self._lost[kind, str(error), worth.hard] += 1
            return []

    def _made(self, kind: str, at: Element, worth: Worth) -> Iterable[Rule]:
        if kind in READERS:
            return READERS[kind](self._reading, at, worth)
        if kind.endswith("NotAvailableTimes"):
            self._take_absence(kind, at, worth)
            return ()
        if kind in {"ActivitiesOccupyMaxDifferentRooms", "BasicCompulsorySpace"}:
            self._room_rules += [(at, worth)] if kind != "BasicCompulsorySpace" else []
            return ()
        if self.wishes.take(kind, at, worth):
            return ()
        about = _ABOUT.fullmatch(kind)
        if about and about[2] in PEOPLE_READERS:
            people = self._reading.people(at, about[1])
            meant = Constraint(self._reading, at, worth, people)
            return PEOPLE_READERS[about[2]](meant) if people.teachers or people.groups else ()
        raise NotKeptError

    def _take_absence(self, kind: str, at: Element, worth: Worth) -> None:
        slots = self._reading.slots(at, "Not_Available_Time")
        whose = {"Teacher": "teacher", "StudentsSet": "group", "Room": "room"}.get(kind[: -len("NotAvailableTimes")])
        if whose is None:
            raise NotKeptError
        if not worth.hard:
            raise NotKeptError("below 100 %")
        names = self._reading.students_of(at, "Students") if whose == "group" else (at.text_of(whose.title()),)
        for name in names:
            self._away[whose, name].update(slots)

    def _lesson(self, activity: Activity) -> Lesson:
        try:
            needs = self.wishes.needs(activity)
        except NotKeptError as error:
            self._lost["rooms of an activity", str(error), True] += 1
            needs = ()
        return Lesson(
            id=activity.id,
            subject=activity.subject,
            teachers=activity.teachers,
            groups=self._reading.groups_of(activity),
            duration=activity.duration,
            course=activity.split,
            rooms=needs,
            locked_slot=self._reading.locked.get(activity.id),
        )

    def _knows_its_rooms(self, rule: Rule, lessons: tuple[Lesson, ...]) -> bool:
        """Tell whether each lesson of a rule on changes of rooms has one room at most, else note that it is lost."""
        if not isinstance(rule, RoomChanges):
            return True
        people = rule.people.groups + rule.people.teachers if rule.people else ()
        meant = [
            lesson
            for lesson in lessons
            if (not rule.lessons.lessons or lesson.id in rule.lessons.lessons)
            and (not people or not {"*", *lesson.groups, *lesson.teachers}.isdisjoint(people))
        ]
        if not any(len(lesson.rooms) > 1 for lesson in meant):
            return True
        self._lost["changes of rooms", "some of its activities are in virtual rooms", rule.hard] += 1
        return False

    def _rules_on_rooms(self, lessons: tuple[Lesson, ...]) -> Iterator[Rule]:
        roomed = {lesson.id for lesson in lessons if lesson.rooms}
        for at, worth in self._room_rules:
            meant = tuple(a.id for a in self._reading.activities(at) if a.id in roomed)
            most = number(at, "Max_Number_of_Different_Rooms")
            if len(meant) > most:
                yield RoomStability(
                    lessons=Lessons(lessons=meant), most=most, by="selection", hard=worth.hard, weight=worth.weight
                )
        if any(choice.penalty for lesson in lessons for need in lesson.rooms for choice in need.choices):
            yield RoomSuitability(hard=False)

    def _rules_of_the_week(self, lessons: tuple[Lesson, ...]) -> Iterator[Rule]:
        if any(lesson.duration > 1 for lesson in lessons) and self.document.breaks:
            yield BlocksWithinBreaks()
        if self.document.has_blocks and self._reading.week.columns:
            yield Occupancy(people=People(groups=EVERY), windows=self._reading.week.columns, most=1)
        yield from both_halves(self._reading)
        for how, count in unknown(self._reading).items():
            self._lost["morning or afternoon", f"“{how[:80]}” for some teachers", True] += count
        if self._reading.week.closed:
            yield AvoidedSlots(lessons=Lessons(), slots=self._reading.week.closed)

    def _notes(self) -> Iterator[Note]:
        for (kind, why, hard), count in sorted(self._lost.items()):
            reason = f": {why}" if why else ""
            yield Note(what=f"not supported: {kind} ({count} time{'s' * (count > 1)}){reason}", hard=hard)


def worth_of(constraint: Element) -> Worth:
    """Return how much a constraint is worth; all where it doesn't say."""
    try:
        return Worth(float(constraint.text_of("Weight_Percentage", "100")))
    except ValueError:
        return Worth(100.0)
