"""Reads a workbook, or the CSV of its lessons, as a problem."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta

from core.school.spreadsheets import Sheet, parse_csv, parse_workbook
from core.timetable.bounds import MOST_DAYS, MOST_PERIODS
from core.timetable.faults import require_sound
from core.timetable.formats.native import slot_named
from core.timetable.formats.reading import Read
from core.timetable.formats.sheets.tables import Faults, TableRow, table
from core.timetable.formats.sheets.times import slots_in
from core.timetable.formats.sheets.wishes import wish_of
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

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_PERIODS = 8
_MOST_LESSONS = 10_000
_CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})(?::00)?")


def read_workbook(data: bytes) -> Read:
    """Return the problem in an .xlsx workbook. Raises ``InvalidInput`` with the sheet and cell of each mistake."""
    return _Book(parse_workbook(data)).read()


def read_lessons(data: bytes) -> Read:
    """Return the problem in a CSV file of lessons. Raises ``InvalidInput`` with the cell of each mistake."""
    sheet = parse_csv("Lessons", data)
    titles = {str(cell or "").strip().casefold() for row in sheet.rows[:1] for cell in row.cells}
    if not {"day", "period"} <= titles:
        return _Book((sheet,)).read()
    return _Book((Sheet("Timetable", sheet.rows),), lessons_from="Timetable").read()


class _Book:
    def __init__(self, sheets: Sequence[Sheet], lessons_from: str = "Lessons") -> None:
        self._sheets = sheets
        self._lessons_from = lessons_from
        self._faults = Faults()
        self._calendar = self._week()

    def _rows(self, name: str) -> Iterator[TableRow]:
        return table(self._sheets, name, self._faults)

    def read(self) -> Read:
        """Return the problem, with the timetable where that sheet is filled in."""
        teachers, groups, rooms = list(self._teachers()), list(self._groups()), list(self._rooms())
        lessons = [lesson for row in self._rows(self._lessons_from) for lesson in self._lessons(row, rooms)]
        if not lessons and not self._faults.found:
            self._faults.add(
                "Lessons!A1", "there are no lessons: give each its subject, classes and teachers", "missing"
            )
        named = {teacher.id for teacher in teachers}, {group.id for group in groups}, {room.id for room in rooms}
        problem = Problem(
            calendar=self._calendar,
            subjects=tuple(Subject(id=name, name=name) for name in dict.fromkeys(lesson.subject for lesson in lessons)),
            teachers=(*teachers, *(Teacher(id=n, name=n) for n in _new((x.teachers for x in lessons), named[0]))),
            groups=(*groups, *(Group(id=n, name=n) for n in _new((x.groups for x in lessons), named[1]))),
            rooms=(*rooms, *(Room(id=n, name=n) for n in _new((_choices(x) for x in lessons), named[2]))),
            lessons=tuple(lessons),
        )
        self._faults.stop()
        wishes = [wish_of(row, problem) for row in self._rows("Wishes")]
        self._faults.stop()
        problem = problem.model_copy(update={"rules": tuple(rule for rule in wishes if rule is not None)})
        require_sound(problem)
        timetable = self._timetable(problem)
        self._faults.stop()
        return Read(problem=problem, timetable=timetable)

    def _week(self) -> Calendar:
        days: dict[tuple[str, str], list[Period]] = defaultdict(list)
        for row in self._rows("Days"):
            day, name = row.name("Day"), row.name("Period")
            if not day or not name:
                row.fault("Day", "each row has a day and a period", "missing")
                continue
            period = Period(
                name=name,
                starts_at=_minutes(row, "From"),
                ends_at=_minutes(row, "To"),
                break_after=row.is_yes("Break after", default=False),
            )
            days[day, row.name("Week")].append(period)
        if any(len(periods) > MOST_PERIODS for periods in days.values()) or len(days) > MOST_DAYS:
            self._faults.add("Days!A1", f"a cycle has at most {MOST_DAYS} days of {MOST_PERIODS} periods", "too_large")
        self._faults.stop()
        if not days:
            plain = tuple(Period(name=str(p + 1)) for p in range(self._longest()))
            return Calendar(days=tuple(Day(name=name, periods=plain) for name in _DAYS))
        return Calendar(
            days=tuple(Day(name=d, week=w or None, periods=tuple(periods)) for (d, w), periods in days.items())
        )

    def _longest(self) -> int:
        """Return how many periods a day has where no sheet says so: eight, or as many as the timetable uses."""
        last = [row.text("Period") for row in table(self._sheets, "Timetable", Faults())]
        return min(48, max([_PERIODS, *(int(word[:4]) for word in last if word.isdecimal())]))

    def _absence(self, row: TableRow) -> frozenset[int]:
        found = slots_in(row.text("Not available"), self._calendar)
        if isinstance(found, str):
            row.fault("Not available", found, "unknown")
            return frozenset()
        return found

    def _named(self, sheet: str) -> Iterator[TableRow]:
        seen: set[str] = set()
        for row in self._rows(sheet):
            name = row.name("Name")
            if not name:
                row.fault("Name", "a name is missing", "missing")
            elif name in seen:
                row.fault("Name", f"“{name[:80]}” is there twice", "duplicate")
            else:
                yield row
            seen.add(name)

    def _teachers(self) -> Iterator[Teacher]:
        for row in self._named("Teachers"):
            yield Teacher(id=row.name("Name"), name=row.name("Name"), unavailable=self._absence(row))

    def _groups(self) -> Iterator[Group]:
        for row in self._named("Classes"):
            yield Group(
                id=row.name("Name"),
                name=row.name("Name"),
                size=row.number("Students", 10_000),
                within=row.name("Part of") or None,
                division=row.name("Division") or None,
                unavailable=self._absence(row),
            )

    def _rooms(self) -> Iterator[Room]:
        for row in self._named("Rooms"):
            yield Room(
                id=row.name("Name"),
                name=row.name("Name"),
                kind=row.name("Kind") or None,
                capacity=row.number("Seats", 1_000_000),
                building=row.name("Building") or None,
                unavailable=self._absence(row),
            )

    def _lessons(self, row: TableRow, rooms: Sequence[Room]) -> Iterator[Lesson]:
        subject = row.name("Subject")
        if not subject:
            row.fault("Subject", "a subject is missing", "missing")
            return
        course = f"row {row.row.number}"
        needs = _need(row, rooms)
        for i, duration in enumerate(self._lengths(row)):
            yield Lesson(
                id=f"{course}-{i + 1}",
                subject=subject,
                teachers=row.names("Teachers"),
                groups=row.names("Classes"),
                duration=duration,
                course=course,
                rooms=needs,
            )

    def _lengths(self, row: TableRow) -> list[int]:
        if self._lessons_from == "Timetable":
            return [row.number("Length", 48, 1) or 1]
        periods = row.number("Periods", 48)
        lengths = [part.strip() for part in re.split(r"[,;+ ]+", row.text("Lengths")) if part.strip()]
        if any(not part.isdecimal() or not 1 <= int(part[:4]) <= 48 for part in lengths):
            row.fault("Lengths", "the lengths of its blocks are expected, as in 2, 1, 1")
            return []
        whole = [int(part) for part in lengths]
        if periods is not None and sum(whole) > periods:
            row.fault("Lengths", f"these add up to {sum(whole)}, and there are {periods} periods", "out_of_range")
            return []
        return whole + [1] * ((periods if periods is not None else max(1, sum(whole))) - sum(whole))

    def _timetable(self, problem: Problem) -> Timetable | None:
        free: dict[tuple[object, ...], list[Lesson]] = defaultdict(list)
        for lesson in reversed(problem.lessons):
            free[_key(lesson.subject, lesson.groups, lesson.teachers, lesson.duration)].append(lesson)
        placed = [self._placement(row, free) for row in self._rows("Timetable") if row.text("Day")]
        return Timetable(placements=tuple(p for p in placed if p is not None)) if placed else None

    def _placement(self, row: TableRow, free: dict[tuple[object, ...], list[Lesson]]) -> Placement | None:
        length = row.number("Length", 48, 1) or 1
        key = _key(row.name("Subject"), row.names("Classes"), row.names("Teachers"), length)
        if not free.get(key):
            row.fault(
                "Subject", "no lesson of the sheet Lessons is left that has this subject, class, teacher and length"
            )
            return None
        name: dict[str, object] = {"day": row.text("Day"), "period": _period(row.text("Period"))}
        slot = slot_named(self._calendar, name | ({"week": row.text("Week")} if row.text("Week") else {}))
        if isinstance(slot, str):
            row.fault("Day", slot, "unknown")
            return None
        lesson = free[key].pop()
        given = row.names("Room")
        return Placement(lesson=lesson.id, slot=slot, rooms=given[: len(lesson.rooms)])


def _period(text: str) -> str | int:
    return int(text[:4]) if text.isdecimal() else text


def _key(subject: str, groups: Sequence[str], teachers: Sequence[str], length: int) -> tuple[object, ...]:
    return subject, frozenset(groups), frozenset(teachers), length


def _need(row: TableRow, rooms: Sequence[Room]) -> tuple[RoomNeed, ...]:
    """Return the need of one of the rooms that a cell names, by name or by kind."""
    names = row.names("Room" if "Room" in row.columns else "Rooms")
    kinds = {room.kind for room in rooms if room.kind}
    chosen = [each for name in names for each in ([r.id for r in rooms if r.kind == name] if name in kinds else [name])]
    return (RoomNeed(choices=tuple(RoomChoice(room=room) for room in dict.fromkeys(chosen))),) if chosen else ()


def _choices(lesson: Lesson) -> tuple[str, ...]:
    return tuple(choice.room for need in lesson.rooms for choice in need.choices)


def _new(lists: Iterator[tuple[str, ...]], known: set[str]) -> list[str]:
    """Return the names that no sheet of their own has, in their order."""
    return [name for name in dict.fromkeys(one for each in lists for one in each) if name not in known]


def _minutes(row: TableRow, column: str) -> int | None:
    value = row.row.at(row.columns[column]) if column in row.columns else None
    if isinstance(value, (time, datetime)):
        return value.hour * 60 + value.minute
    if isinstance(value, timedelta):
        return int(value.total_seconds() // 60) % 1_440
    text = row.text(column)
    clock = _CLOCK.fullmatch(text)
    if text and (clock is None or int(clock[1]) > 23 or int(clock[2]) > 59):
        row.fault(column, f"a time of day is expected, as in 8:40, not “{text[:40]}”")
        return None
    return int(clock[1]) * 60 + int(clock[2]) if clock else None
