"""A timetable as it hangs on the wall: the week of each class, teacher and room, with names and clock times."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core.timetable.model import Lesson, Problem, Timetable
from core.timetable.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Somebody or something with a name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodCell:
    """One period of a day."""

    name: str
    slot: int
    starts_at: str | None
    """``08:40``; None where the hours are not known."""
    ends_at: str | None
    break_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayColumn:
    """One day of the cycle."""

    name: str
    week: str | None
    periods: tuple[PeriodCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLesson:
    """A lesson with its place."""

    id: str
    subject: Named
    teachers: tuple[Named, ...]
    classes: tuple[Named, ...]
    rooms: tuple[Named, ...]
    slot: int
    day: str
    period: str
    periods: int
    """How many in a row."""
    starts_at: str | None
    ends_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Somebody's week: for each day and period the ids of the lessons there, several where groups run in parallel."""

    id: str
    name: str
    days: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """A whole timetable."""

    days: tuple[DayColumn, ...]
    lessons: tuple[PlacedLesson, ...]
    unplaced: tuple[str, ...]
    classes: tuple[Week, ...]
    teachers: tuple[Week, ...]
    rooms: tuple[Week, ...]


def weeks_of(problem: Problem, timetable: Timetable, only_classes: Collection[str] | None = None) -> Weeks:
    """Return the weeks of a school, or of some classes and nobody else."""
    return _Weeks(View(problem, timetable)).of(only_classes)


class _Weeks:
    def __init__(self, view: View) -> None:
        self._view = view
        self._problem = view.problem

    def of(self, only: Collection[str] | None) -> Weeks:
        problem = self._problem
        classes = [group for group in problem.groups if group.within is None and (only is None or group.id in only)]
        ids = {group.id for group in classes}
        lessons = [one for one in problem.lessons if only is None or self._concerns(one, ids)]
        placed = self._view.placed(lessons)
        return Weeks(
            days=self._days(),
            lessons=tuple(self._placed(lesson) for lesson in placed),
            unplaced=tuple(lesson.id for lesson in lessons if lesson.id not in self._view.spans),
            classes=tuple(
                self._week(group.id, group.name, problem.lessons_of["group", group.id]) for group in classes
            ),
            teachers=() if only is not None else tuple(
                self._week(one.id, one.name, problem.lessons_of["teacher", one.id]) for one in problem.teachers
            ),
            rooms=() if only is not None else self._rooms(placed),
        )  # fmt: skip

    def _concerns(self, lesson: Lesson, classes: Collection[str]) -> bool:
        return any((self._problem.group[group].within or group) in classes for group in lesson.groups)

    def _days(self) -> tuple[DayColumn, ...]:
        calendar = self._problem.calendar
        return tuple(
            DayColumn(name=day.name, week=day.week, periods=tuple(self._period(slot) for slot in window))
            for day, window in zip(calendar.days, calendar.windows, strict=True)
        )

    def _period(self, slot: int) -> PeriodCell:
        period = self._problem.calendar.period(slot)
        return PeriodCell(
            name=period.name,
            slot=slot,
            starts_at=clock(period.starts_at),
            ends_at=clock(period.ends_at),
            break_after=period.break_after,
        )

    def _placed(self, lesson: Lesson) -> PlacedLesson:
        problem, span = self._problem, self._view.span(lesson)
        first, last = problem.calendar.period(span[0]), problem.calendar.period(span[-1])
        subject = problem.subject[lesson.subject]
        rooms = [problem.room[room] for room in self._view.rooms(lesson) if room is not None and room in problem.room]
        return PlacedLesson(
            id=lesson.id,
            subject=Named(id=subject.id, name=subject.name),
            teachers=tuple(Named(id=one, name=problem.teacher[one].name) for one in lesson.teachers),
            classes=tuple(Named(id=one, name=problem.group[one].name) for one in lesson.groups),
            rooms=tuple(Named(id=room.id, name=room.name) for room in rooms),
            slot=span[0],
            day=problem.calendar.days[problem.calendar.day_of[span[0]]].label,
            period=first.name,
            periods=len(span),
            starts_at=clock(first.starts_at),
            ends_at=clock(last.ends_at),
        )

    def _rooms(self, placed: Collection[Lesson]) -> tuple[Week, ...]:
        inside: Mapping[str | None, list[Lesson]] = defaultdict(list)
        for lesson in placed:
            for room in self._view.rooms(lesson):
                inside[room].append(lesson)
        return tuple(self._week(room.id, room.name, inside[room.id]) for room in self._problem.rooms)

    def _week(self, one: str, name: str, lessons: Collection[Lesson]) -> Week:
        at: dict[int, list[str]] = defaultdict(list)
        for lesson in lessons:
            for slot in self._view.span(lesson):
                at[slot].append(lesson.id)
        windows = self._problem.calendar.windows
        return Week(id=one, name=name, days=tuple(tuple(tuple(at[s]) for s in window) for window in windows))


def clock(minutes: int | None) -> str | None:
    """Return minutes after midnight as ``08:40``."""
    return None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"
