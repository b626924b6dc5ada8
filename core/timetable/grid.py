"""A timetable as people read it: the days of a class, a teacher or a room as columns, the periods as rows."""

from collections.abc import Sequence

from pydantic import Field

from core.timetable.model import Calendar, Frozen, Group, Lesson, Period, Problem, Room, Slot, Teacher, Timetable
from core.timetable.swapping import lessons_of, require_known
from core.timetable.view import View

_FIRST_HUE, _GOLDEN_ANGLE = 215, 137.508
"""Degrees, from one hue to the next: any number of them stays as far apart as can be."""
KINDS = ("group", "teacher", "room")


class Entry(Frozen):
    """A lesson in a cell."""

    lesson: str
    subject: str
    subject_id: str
    hue: int
    """Degrees of the subject's colour, the same wherever it stands."""
    groups: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    is_continued: bool = False
    """The lesson began in a cell above, from which it could not go on: a break lies between, or another beside it."""


class Cell(Frozen):
    """What somebody has on a day in one period, or in several in a row."""

    slot: Slot | None = None
    """Where it begins; None where the day has no such period."""
    span: int = 1
    """So many rows."""
    starts_at: str | None = None
    ends_at: str | None = None
    is_away: bool = False
    """Whoever it is, is not available then."""
    entries: tuple[Entry, ...] = ()


class Row(Frozen):
    """A period of all days, or a break."""

    name: str
    starts_at: str | None = None
    """``08:00``, where it is the same on all days."""
    ends_at: str | None = None
    is_break: bool = False
    cells: tuple[Cell | None, ...] = ()
    """One a day; None where a cell above goes on. A break has none."""


class Week(Frozen):
    """A week of the cycle."""

    name: str | None = None
    """``A`` or ``B`` where there are two."""
    days: tuple[str, ...]
    rows: tuple[Row, ...]


class Grid(Frozen):
    """The timetable of a class, a teacher or a room."""

    kind: str
    id: str
    name: str
    school: str = ""
    weeks: tuple[Week, ...]
    periods: int = Field(ge=0)
    """So many periods of the cycle are taken."""
    unplaced: tuple[Entry, ...] = ()
    """Lessons that have no place yet."""


class OverviewRow(Frozen):
    """What one class, teacher or room has in each slot."""

    id: str
    name: str
    cells: tuple[Cell, ...]


class Overview(Frozen):
    """The whole school: people as rows, the slots of the cycle as columns."""

    kind: str
    school: str = ""
    days: tuple[tuple[str, int], ...]
    """Each day with its number of periods."""
    periods: tuple[str, ...]
    """The name of each slot's period."""
    rows: tuple[OverviewRow, ...]


def grid(problem: Problem, timetable: Timetable, who: tuple[str, str]) -> Grid:
    """Return the timetable of one (``group``, ``teacher`` or ``room``, id). Raises ``InvalidInput`` for nobody."""
    require_known(problem, who, "/who")
    return _Reading(View(problem, timetable), who).grid()


def grids(problem: Problem, timetable: Timetable, kind: str) -> tuple[Grid, ...]:
    """Return the timetable of each class, teacher or room that has lessons; parts of a class are within its own."""
    view = View(problem, timetable)
    return tuple(_Reading(view, (kind, one.id)).grid() for one in shown(view, kind))


def overview(problem: Problem, timetable: Timetable, kind: str = "group") -> Overview:
    """Return the whole school on one sheet."""
    view = View(problem, timetable)
    calendar = problem.calendar
    return Overview(
        kind=kind,
        school=problem.name,
        days=tuple((day.label, len(day.periods)) for day in calendar.days),
        periods=tuple(calendar.period(slot).name for slot in range(calendar.slots)),
        rows=tuple(
            OverviewRow(id=one.id, name=one.name, cells=_Reading(view, (kind, one.id)).line())
            for one in shown(view, kind)
        ),
    )


def shown(view: View, kind: str) -> list[Group | Teacher | Room]:
    """Return those of a kind that have lessons: classes rather than parts of them."""
    problem = view.problem
    if kind == "group":
        classes = [group for group in problem.groups if group.within is None]
        return [group for group in classes if problem.lessons_of["group", group.id]]
    if kind == "teacher":
        return [teacher for teacher in problem.teachers if problem.lessons_of["teacher", teacher.id]]
    taken = {room for lesson in problem.lessons for room in view.rooms(lesson)}
    return [room for room in problem.rooms if room.id in taken]


def hues(problem: Problem) -> dict[str, int]:
    """Return a hue a subject, by their names, so that it stays what it is from one version to the next."""
    named = sorted(problem.subjects, key=lambda subject: (subject.name, subject.id))
    return {subject.id: round(_FIRST_HUE + i * _GOLDEN_ANGLE) % 360 for i, subject in enumerate(named)}


def entry_of(view: View, lesson: Lesson, hue: int, *, is_continued: bool = False) -> Entry:
    """Return a lesson with its names."""
    problem = view.problem
    return Entry(
        lesson=lesson.id,
        subject=problem.subject[lesson.subject].name,
        subject_id=lesson.subject,
        hue=hue,
        groups=tuple(problem.group[group].name for group in lesson.groups),
        teachers=tuple(problem.teacher[teacher].name for teacher in lesson.teachers),
        rooms=tuple(problem.room[room].name for room in view.rooms(lesson) if room is not None),
        is_continued=is_continued,
    )


def clock(minutes: int | None) -> str | None:
    """Return minutes after midnight as ``08:05``."""
    return None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


class _Reading:
    """Reads what one person or room has off a timetable."""

    def __init__(self, view: View, who: tuple[str, str]) -> None:
        self._view = view
        self._who = who
        self._calendar: Calendar = view.calendar
        self._lessons = lessons_of(view, who)
        self._hues = hues(view.problem)
        self._there: dict[Slot, tuple[Lesson, ...]] = {}
        for lesson in self._lessons:
            for slot in view.span(lesson):
                self._there[slot] = (*self._there.get(slot, ()), lesson)

    def grid(self) -> Grid:
        """Return the timetable with its weeks."""
        kind, name = self._who
        problem = self._view.problem
        wanted = problem.lessons_of[self._who] if kind != "room" else ()
        return Grid(
            kind=kind,
            id=name,
            name=self._person().name,
            school=problem.name,
            weeks=tuple(self._week(windows) for windows in self._calendar.weeks),
            periods=len(self._there),
            unplaced=tuple(self._entry(lesson) for lesson in wanted if not self._view.span(lesson)),
        )

    def line(self) -> tuple[Cell, ...]:
        """Return every slot by itself."""
        return tuple(self._cell(slot, 1, starts=False) for slot in range(self._calendar.slots))

    def _person(self) -> Group | Teacher | Room:
        problem, (kind, name) = self._view.problem, self._who
        known: dict[str, Group | Teacher | Room | None] = {
            "group": problem.group.get(name),
            "teacher": problem.teacher.get(name),
            "room": problem.room.get(name),
        }
        found = known[kind]
        if found is None:
            raise KeyError(name)
        return found

    def _week(self, windows: Sequence[tuple[Slot, ...]]) -> Week:
        days = [self._calendar.days[self._calendar.day_of[window[0]]] for window in windows]
        columns = [self._column(window) for window in windows]
        rows: list[Row] = []
        for position in range(max(len(window) for window in windows)):
            there = [day.periods[position] for day in days if position < len(day.periods)]
            cells = tuple(column[position] if position < len(column) else Cell() for column in columns)
            starts, ends = _hours(there)
            name = there[0].name
            rows.append(Row(name=name, starts_at=clock(starts), ends_at=clock(ends), cells=cells))
            if position in self._breaks(windows):
                rows.append(self._break(windows, position))
        return Week(name=days[0].week, days=tuple(day.name for day in days), rows=tuple(rows))

    def _breaks(self, windows: Sequence[tuple[Slot, ...]]) -> set[int]:
        """Return the positions after which every day that goes on has a break."""
        going_on: dict[int, list[bool]] = {}
        for window in windows:
            for position, slot in enumerate(window[:-1]):
                going_on.setdefault(position, []).append(self._calendar.period(slot).break_after)
        return {position for position, breaks in going_on.items() if all(breaks)}

    def _break(self, windows: Sequence[tuple[Slot, ...]], position: int) -> Row:
        going_on = [window for window in windows if position + 1 < len(window)]
        _, starts = _hours([self._calendar.period(window[position]) for window in going_on])
        ends, _ = _hours([self._calendar.period(window[position + 1]) for window in going_on])
        return Row(name="Break", starts_at=clock(starts), ends_at=clock(ends), is_break=True)

    def _column(self, window: tuple[Slot, ...]) -> list[Cell | None]:
        """Return the cells of a day; a block takes one cell unless a break or a lesson beside it cuts it."""
        cells: list[Cell | None] = []
        for slot in window:
            if len(cells) > slot - window[0]:
                continue
            span = self._rows_of(slot, window)
            cells += [self._cell(slot, span), *[None] * (span - 1)]
        return cells

    def _rows_of(self, slot: Slot, window: tuple[Slot, ...]) -> int:
        here = self._there.get(slot, ())
        length = 1
        while (
            here
            and slot + length <= window[-1]
            and self._there.get(slot + length, ()) == here
            and not self._calendar.period(slot + length - 1).break_after
        ):
            length += 1
        return length

    def _entry(self, lesson: Lesson, *, is_continued: bool = False) -> Entry:
        return entry_of(self._view, lesson, self._hues[lesson.subject], is_continued=is_continued)

    def _cell(self, slot: Slot, span: int, *, starts: bool = True) -> Cell:
        first, last = self._calendar.period(slot), self._calendar.period(slot + span - 1)
        entries = tuple(
            self._entry(lesson, is_continued=starts and self._view.span(lesson).start < slot)
            for lesson in self._there.get(slot, ())
        )
        return Cell(
            slot=slot,
            span=span,
            starts_at=clock(first.starts_at),
            ends_at=clock(last.ends_at),
            is_away=slot in self._person().unavailable,
            entries=entries,
        )


def _hours(periods: Sequence[Period]) -> tuple[int | None, int | None]:
    """Return when these periods start and end, where all do at the same time."""
    starts = {period.starts_at for period in periods}
    ends = {period.ends_at for period in periods}
    return (starts.pop() if len(starts) == 1 else None, ends.pop() if len(ends) == 1 else None)
