"""Writes a problem that did not come from FET as a new .fet file.

What narrows a single lesson's starts or rooms (availability, hard wishes for times, breaks) is written as its possible
starts and rooms; laws about people and pairs of lessons are written in FET's words, where it has them. Wishes are not:
FET has no costs. Each rule without a word there is named in the notes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from core.timetable.formats.fet.own_rules import WRITERS
from core.timetable.formats.fet.own_students import students_list
from core.timetable.formats.fet.own_week import OwnWeek
from core.timetable.formats.fet.xml_writing import element, room_lock, time_lock
from core.timetable.formats.naming import with_names
from core.timetable.formats.reading import Note, Written
from core.timetable.lowering import lower
from core.timetable.model import Lesson, Problem, Timetable
from core.timetable.rules.avoided_slots import AvoidedSlots
from core.timetable.rules.base import Rule
from core.timetable.rules.blocks_within_breaks import BlocksWithinBreaks
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.preferred_starts import PreferredStarts
from core.timetable.rules.room_capacity import RoomCapacity
from core.timetable.rules.room_suitability import RoomSuitability

_VERSION = "6.0.0"
_NARROWING = (AvoidedSlots, BlocksWithinBreaks, PreferredSlots, PreferredStarts, RoomCapacity, RoomSuitability)
"""Rules on each lesson by itself: its starts and rooms say them."""


def write_own(problem: Problem, timetable: Timetable | None) -> Written:
    """Return a file of the problem, with the places of a timetable locked where there is one."""
    named, placed = with_names(problem, timetable)
    return _OwnFile(named).write(placed)


class _OwnFile:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._program = lower(problem)
        self._week = OwnWeek(problem.calendar)
        self._number = {lesson.id: str(i + 1) for i, lesson in enumerate(problem.lessons)}
        self._virtual: dict[tuple[tuple[str, ...], ...], str] = {}
        self._lost: Counter[tuple[str, bool]] = Counter()

    def write(self, timetable: Timetable | None) -> Written:
        space = "".join([*self._space(), *self._locks_of_space(timetable)])
        time = "".join([*self._time(), *self._locks_of_time(timetable)])
        body = "".join(
            [
                element(
                    "X",
                    ("Mode", "Official"),
                    ("Institution_Name", self._problem.name or "School"),
                    ("Comments", ""),
                    self._week.days_list(),
                    self._week.hours_list(),
                    self._names("Subjects_List", "Subject", (s.name for s in self._problem.subjects)),
                    element("Activity_Tags_List"),
                    self._names("Teachers_List", "Teacher", (t.id for t in self._problem.teachers)),
                    students_list(self._problem),
                    element("Activities_List", *self._activities()),
                    element("Buildings_List", *self._buildings()),
                    element("Rooms_List", *self._rooms()),
                    element("Time_Constraints_List", time),
                    element("Space_Constraints_List", space),
                )
            ]
        )
        inner = body.removeprefix("<X>\n").removesuffix("</X>\n")
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n\n<fet version="{_VERSION}">\n{inner}</fet>\n'
        return Written(data=text.encode(), notes=tuple(self._notes()))

    def _names(self, within: str, tag: str, names: Iterable[str]) -> str:
        return element(within, *(element(tag, ("Name", name)) for name in dict.fromkeys(names)))

    def _activities(self) -> Iterator[str]:
        first: dict[str, str] = {}
        total: Counter[str] = Counter()
        for lesson in self._problem.lessons:
            first.setdefault(lesson.course, self._number[lesson.id])
            total[lesson.course] += lesson.duration
        for lesson in self._problem.lessons:
            is_split = total[lesson.course] != lesson.duration
            yield element(
                "Activity",
                *(("Teacher", teacher) for teacher in lesson.teachers),
                ("Subject", self._problem.subject[lesson.subject].name),
                *(("Students", group) for group in lesson.groups),
                ("Duration", str(lesson.duration)),
                ("Total_Duration", str(total[lesson.course])),
                ("Id", self._number[lesson.id]),
                ("Activity_Group_Id", first[lesson.course] if is_split else "0"),
                ("Active", "true"),
                ("Comments", lesson.id),
            )

    def _buildings(self) -> Iterator[str]:
        names = dict.fromkeys(room.building for room in self._problem.rooms if room.building)
        yield from (element("Building", ("Name", name)) for name in names)

    def _rooms(self) -> Iterator[str]:
        for room in self._problem.rooms:
            yield element(
                "Room",
                ("Name", room.id),
                ("Building", room.building or ""),
                ("Capacity", "30000"),
                ("Virtual", "false"),
            )
        for sets, name in self._virtual.items():
            yield element(
                "Room",
                ("Name", name),
                ("Building", ""),
                ("Capacity", "30000"),
                ("Virtual", "true"),
                ("Number_of_Sets_of_Real_Rooms", str(len(sets))),
                *(
                    element(
                        "Set_of_Real_Rooms", ("Number_of_Real_Rooms", str(len(one))), *(("Real_Room", r) for r in one)
                    )
                    for one in sets
                ),
            )

    def _time(self) -> Iterator[str]:
        yield element("ConstraintBasicCompulsoryTime", ("Weight_Percentage", "100"), ("Active", "true"))
        yield self._week.breaks()
        for teacher in self._problem.teachers:
            yield from self._week.absence("Teacher", teacher.id, teacher.unavailable)
        for group in self._problem.groups:
            yield from self._week.absence("StudentsSet", group.id, group.unavailable, "Students")
        for rule in self._problem.rules:
            yield from self._rule(rule)
        starts: dict[tuple[int, ...], list[Lesson]] = defaultdict(list)
        for block in self._program.blocks:
            lessons = [self._problem.lessons[i] for i in block.lessons]
            if block.starts != self._free(lessons):
                starts[block.starts] += lessons
        for allowed, lessons in starts.items():
            yield from (self._week.starts(self._number[lesson.id], allowed) for lesson in lessons)

    def _free(self, lessons: list[Lesson]) -> tuple[int, ...]:
        """Return the starts that the day's end and absences alone would leave, which FET reckons itself."""
        away: set[int] = set()
        for lesson in lessons:
            away |= {s for teacher in lesson.teachers for s in self._problem.teacher[teacher].unavailable}
            away |= {s for group in lesson.groups for s in self._problem.group[group].unavailable}
        calendar, duration = self._problem.calendar, max(lesson.duration for lesson in lessons)
        spans = ((s, calendar.span(s, duration)) for s in range(calendar.slots))
        return tuple(s for s, span in spans if span is not None and away.isdisjoint(span))

    def _rule(self, rule: Rule) -> Iterator[str]:
        if isinstance(rule, _NARROWING) and rule.hard:
            return
        written = WRITERS[rule.kind](rule, self._problem, self._number) if rule.hard and rule.kind in WRITERS else None
        if written is None:
            self._lost[rule.kind, rule.hard] += 1
        else:
            yield from written

    def _space(self) -> Iterator[str]:
        yield element("ConstraintBasicCompulsorySpace", ("Weight_Percentage", "100"), ("Active", "true"))
        for room in self._problem.rooms:
            yield from self._week.absence("Room", room.id, room.unavailable)
        for block in self._program.blocks:
            needs = iter(block.needs)
            for lesson in (self._problem.lessons[i] for i in block.lessons):
                sets = [tuple(self._problem.rooms[o.room].id for o in next(needs)) for _ in lesson.rooms]
                if sets:
                    yield self._preferred(lesson, sets)

    def _preferred(self, lesson: Lesson, sets: list[tuple[str, ...]]) -> str:
        key = tuple(sets)
        rooms = key[0] if len(key) == 1 else (self._virtual.setdefault(key, f"Rooms {len(self._virtual) + 1}"),)
        return element(
            "ConstraintActivityPreferredRooms",
            ("Weight_Percentage", "100"),
            ("Activity_Id", self._number[lesson.id]),
            ("Number_of_Preferred_Rooms", str(len(rooms))),
            *(("Preferred_Room", room) for room in rooms),
            ("Active", "true"),
        )

    def _locks_of_time(self, timetable: Timetable | None) -> Iterator[str]:
        for placement in timetable.placements if timetable else ():
            yield time_lock(self._number[placement.lesson], *self._week.names(placement.slot))

    def _locks_of_space(self, timetable: Timetable | None) -> Iterator[str]:
        for placement in timetable.placements if timetable else ():
            rooms = [room for room in placement.rooms if room is not None]
            needs = self._problem.lesson[placement.lesson].rooms
            if rooms and len(rooms) == len(needs):
                own = self._virtual_of(placement.lesson) if len(rooms) > 1 else rooms[0]
                yield room_lock(self._number[placement.lesson], own, rooms if len(rooms) > 1 else ())

    def _virtual_of(self, lesson: str) -> str:
        block = self._program.blocks[self._problem.block_of[lesson]]
        needs = iter(block.needs)
        for one in (self._problem.lessons[i] for i in block.lessons):
            sets = tuple(tuple(self._problem.rooms[o.room].id for o in next(needs)) for _ in one.rooms)
            if one.id == lesson:
                return self._virtual[sets]
        return ""

    def _notes(self) -> Iterator[Note]:
        for (kind, hard), count in sorted(self._lost.items()):
            what = "has no word in FET" if hard else "is a wish, for which FET has no cost"
            yield Note(what=f"not written: {kind} ({count} time{'s' * (count > 1)}): it {what}", hard=hard)
