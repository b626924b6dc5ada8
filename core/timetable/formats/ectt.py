"""Curriculum-based course timetabling as the International Timetabling Competition 2007 (track 3) has it.

A course's lectures share its teacher, and the courses of a curriculum share students. The competition's cost
(Di Gaspero, McCollum, Schaerf, 2007) is the sum of

* RoomCapacity: 1 for each student of a lecture above the seats of its room,
* MinimumWorkingDays: 5 for each day below the minimum of a course,
* CurriculumCompactness: 2 for each lecture of a curriculum with no other of it right before or after on its day,
* RoomStability: 1 for each room of a course but the first.

A file of the extended form may also bound a curriculum's daily lectures, wish for double lectures and shut rooms to
courses. That is no part of the competition: notes count it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import Fault, InvalidInput
from core.timetable.bounds import MOST_DAYS, MOST_PERIODS
from core.timetable.faults import require_sound
from core.timetable.formats.reading import Note, Read, Written
from core.timetable.model import (
    Calendar,
    Day,
    Group,
    Lesson,
    Period,
    Placement,
    Problem,
    Room,
    RoomChoice,
    RoomNeed,
    Subject,
    Teacher,
    Timetable,
)
from core.timetable.rules.avoided_slots import AvoidedSlots
from core.timetable.rules.base import Rule
from core.timetable.rules.no_lone_period import NoLonePeriod
from core.timetable.rules.occupancy import Occupancy
from core.timetable.rules.room_stability import RoomStability
from core.timetable.rules.room_suitability import RoomSuitability
from core.timetable.rules.selecting import EVERY, Lessons, People

LIMIT_BYTES = 2_000_000
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WORKING_DAY, _LONE_LECTURE = 5, 2
_UNUSED = {"ROOM_CONSTRAINTS": "rooms that are shut to a course"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    name: str
    teacher: str
    lectures: int
    least_days: int
    students: int

    def lesson(self, i: int) -> str:
        return f"{self.name}/{i + 1}"


@dataclass(slots=True)
class _Line:
    number: int
    words: list[str]

    def count(self, at: int, most: int = 10_000) -> int:
        word = self.words[at] if at < len(self.words) else ""
        if not word.isdecimal() or int(word[:9]) > most:
            raise _refusal(f"a whole number up to {most:,} is expected as word {at + 1}", self)
        return int(word)

    def need(self, words: int) -> None:
        if len(self.words) < words:
            raise _refusal(f"{words} words are expected", self)


def _refusal(what: str, at: _Line) -> InvalidInput:
    told = f"Line {at.number}: {what}."
    return InvalidInput(told, [Fault(f"line {at.number}", told)])


def read_ectt(data: bytes) -> Read:
    """Return the problem, with a note on what the competition leaves out. Raises ``InvalidInput`` with the line."""
    file = _File(data)
    problem = file.problem()
    require_sound(problem)
    return Read(problem=problem, notes=tuple(file.notes()))


class _File:
    def __init__(self, data: bytes) -> None:
        self._head, self._parts = _parted(data)
        self._days, self._periods = self._size("Days", MOST_DAYS), self._size("Periods_per_day", MOST_PERIODS)
        self._courses: dict[str, _Course] = {}
        for line in self._parts.get("COURSES", []):
            course = _course(line)
            if self._courses.setdefault(course.name, course) is not course:
                raise _refusal(f"the course “{course.name[:40]}” is there twice", line)
        self._curricula = {line.words[0]: self._members(line) for line in self._parts.get("CURRICULA", [])}

    def _size(self, name: str, most: int) -> int:
        line = self._head.get(name)
        if line is None or not line.count(1, most):
            what = f"the file does not say {name}"
            raise InvalidInput(what, [Fault("", what, "missing")])
        return line.count(1, most)

    def _members(self, line: _Line) -> list[str]:
        line.need(2)
        members = line.words[2 : 2 + line.count(1)]
        for course in members:
            self._known(course, line)
        return members

    def _known(self, course: str, at: _Line) -> _Course:
        if course not in self._courses:
            raise _refusal(f"there is no course “{course[:40]}”", at)
        return self._courses[course]

    def notes(self) -> Iterator[Note]:
        for part, what in _UNUSED.items():
            if count := len(self._parts.get(part, ())):
                yield Note(what=f"not part of the competition: {what} ({count} times)")
        if doubles := sum(line.words[5:6] == ["1"] for line in self._parts.get("COURSES", ())):
            yield Note(what=f"not part of the competition: lectures in pairs ({doubles} courses)")
        if "Min_Max_Daily_Lectures" in self._head:
            yield Note(what="not part of the competition: least and most lectures of a curriculum a day")

    def problem(self) -> Problem:
        periods = tuple(Period(name=str(p + 1)) for p in range(self._periods))
        names = _DAYS if self._days <= len(_DAYS) else tuple(f"Day {d + 1}" for d in range(self._days))
        rooms = tuple(_room(line) for line in self._parts.get("ROOMS", []))
        title = self._head.get("Name")
        return Problem(
            name=" ".join(title.words[1:])[:200] if title else "",
            calendar=Calendar(days=tuple(Day(name=name, periods=periods) for name in names[: self._days])),
            subjects=tuple(Subject(id=name, name=name) for name in self._courses),
            teachers=tuple(
                Teacher(id=name, name=name) for name in dict.fromkeys(c.teacher for c in self._courses.values())
            ),
            groups=tuple(Group(id=name, name=name) for name in self._curricula),
            rooms=rooms,
            lessons=tuple(self._lessons(rooms)),
            rules=tuple(self._rules()),
        )

    def _lessons(self, rooms: Sequence[Room]) -> Iterator[Lesson]:
        attended: dict[str, list[str]] = defaultdict(list)
        for curriculum, members in self._curricula.items():
            for name in members:
                attended[name].append(curriculum)
        for course in self._courses.values():
            short = [(max(0, course.students - (room.capacity or 0)), room.id) for room in rooms]
            choices = tuple(RoomChoice(room=room, penalty=min(seats, 1_000)) for seats, room in sorted(short))
            for i in range(course.lectures):
                yield Lesson(
                    id=course.lesson(i),
                    subject=course.name,
                    teachers=(course.teacher,),
                    groups=tuple(attended[course.name]),
                    course=course.name,
                    rooms=(RoomNeed(choices=choices),) if choices else (),
                )

    def _rules(self) -> Iterator[Rule]:
        away: dict[str, list[int]] = defaultdict(list)
        for line in self._parts.get("UNAVAILABILITY_CONSTRAINTS", []):
            line.need(3)
            day, period = line.count(1, self._days - 1), line.count(2, self._periods - 1)
            away[self._known(line.words[0], line).name].append(day * self._periods + period)
        for name, slots in away.items():
            yield AvoidedSlots(lessons=Lessons(courses=(name,)), slots=tuple(sorted(set(slots))))
        yield RoomSuitability(hard=False)
        yield RoomStability(hard=False)
        if self._curricula:
            yield NoLonePeriod(people=People(groups=EVERY), hard=False, weight=_LONE_LECTURE)
        days = tuple(tuple(range(d * self._periods, (d + 1) * self._periods)) for d in range(self._days))
        for course in self._courses.values():
            if course.least_days > 1 and course.lectures:
                yield Occupancy(
                    lessons=Lessons(courses=(course.name,)),
                    windows=days,
                    what="parts",
                    least=course.least_days,
                    hard=False,
                    weight=_WORKING_DAY,
                )


def _parted(data: bytes) -> tuple[dict[str, _Line], dict[str, list[_Line]]]:
    """Return the lines before the parts by their name, and the lines of each part."""
    if len(data) > LIMIT_BYTES:
        what = f"the file has {len(data):,} bytes; at most {LIMIT_BYTES:,} are read"
        raise InvalidInput(what, [Fault("", what, "too_large")])
    head: dict[str, _Line] = {}
    parts: dict[str, list[_Line]] = {}
    current: list[_Line] | None = None
    for number, text in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        line = _Line(number, text.split())
        if not line.words or line.words[0] == "END.":
            continue
        first = line.words[0]
        if first.endswith(":") and len(line.words) == 1 and first.isupper():
            current = parts.setdefault(first[:-1], [])
        elif current is not None:
            current.append(line)
        elif first.endswith(":"):
            head[first[:-1]] = line
        else:
            raise _refusal("“Name: value”, or the name of a part in capitals, is expected", line)
    return head, parts


def _course(line: _Line) -> _Course:
    line.need(5)
    return _Course(
        name=line.words[0],
        teacher=line.words[1],
        lectures=line.count(2, 1_000),
        least_days=line.count(3, MOST_DAYS),
        students=line.count(4),
    )


def _room(line: _Line) -> Room:
    line.need(2)
    building = line.words[2] if len(line.words) > 2 else None
    return Room(id=line.words[0], name=line.words[0], capacity=line.count(1, 1_000_000), building=building)


def read_solution(data: bytes, problem: Problem) -> Timetable:
    """Return the timetable in the competition's form: a line ``course room day period`` for each lecture.

    Raises ``InvalidInput`` with the line of each mistake.
    """
    free: dict[str, list[str]] = defaultdict(list)
    for lesson in reversed(problem.lessons):
        free[lesson.course].append(lesson.id)
    placements = []
    for number, text in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        line = _Line(number, text.split())
        if line.words:
            placements.append(_placement(line, free, problem))
    return Timetable(placements=tuple(placements))


def _placement(line: _Line, free: dict[str, list[str]], problem: Problem) -> Placement:
    line.need(4)
    course, room = line.words[:2]
    if not free.get(course):
        raise _refusal(f"there is no course “{course[:40]}” with a lecture left to place", line)
    if room not in problem.room:
        raise _refusal(f"there is no room “{room[:40]}”", line)
    windows = problem.calendar.windows
    window = windows[line.count(2, len(windows) - 1)]
    return Placement(lesson=free[course].pop(), slot=window[line.count(3, len(window) - 1)], rooms=(room,))


def write_solution(problem: Problem, timetable: Timetable | None, source: bytes | None = None) -> Written:  # noqa: ARG001
    """Return a solution in the competition's form. Raises ``InvalidInput`` where the problem is no such one."""
    if timetable is None or any(lesson.duration > 1 or len(lesson.rooms) != 1 for lesson in problem.lessons):
        what = "a solution of this form is of a timetable whose lessons have one period and one room"
        raise InvalidInput(what, [Fault("", what)])
    calendar, lines = problem.calendar, []
    for placement in timetable.placements:
        course = problem.lesson[placement.lesson].course
        day, period = calendar.day_of[placement.slot], calendar.position_of[placement.slot]
        lines.append(f"{course} {placement.rooms[0] if placement.rooms else None} {day} {period}\n")
    return Written(data="".join(lines).encode())
