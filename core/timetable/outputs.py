"""What people take away from a timetable: somebody's week, files of it, and suggestions for changes by hand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Any

from core.access.principal import Principal, Scope
from core.errors import Conflict, NotFound
from core.ids import TimetableId
from core.ports import Database
from core.timetable import store
from core.timetable.apart import run_apart
from core.timetable.calendar_store import school_days
from core.timetable.covering import LessonCover, cover
from core.timetable.errands import Came, suggesting
from core.timetable.grid import Grid, grid, grids, overview
from core.timetable.grid_dates import TermDates, slots_on
from core.timetable.pages import PageLook, overview_page, timetable_page
from core.timetable.records import Version
from core.timetable.school_days import SchoolDays
from core.timetable.suggesting import Suggestion
from core.timetable.versions import Shown, TimetableVersions

_SUGGEST_S = 2.0


@dataclass(frozen=True, slots=True)
class Whose:
    """Of whom something is asked: (``group``, ``teacher`` or ``room``, id)."""

    kind: str
    id: str

    @property
    def pair(self) -> tuple[str, str]:
        """As the pure modules take it."""
        return self.kind, self.id


class Every(StrEnum):
    """Of whom all sheets are meant, or the one sheet of everybody."""

    CLASSES = "classes"
    TEACHERS = "teachers"
    ROOMS = "rooms"
    OVERVIEW = "overview"


_KINDS = {Every.CLASSES: "group", Every.TEACHERS: "teacher", Every.ROOMS: "room"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverPlan:
    """What can be done about a teacher's lessons of a date."""

    lessons: Sequence[LessonCover]
    none_needed: str | None
    """Why no cover is needed, as a sentence; None where there are lessons."""


class TimetableOutputs:
    """Grids, files and suggestions."""

    def __init__(self, db: Database, versions: TimetableVersions) -> None:
        self._db = db
        self._versions = versions

    async def week(self, principal: Principal, *, timetable: TimetableId, whose: Whose) -> Grid:
        """Return somebody's week, of the version that the caller may see."""
        shown = await self._shown(principal, timetable, whose)
        return await asyncio.to_thread(grid, shown.version.problem, shown.version.timetable, whose.pair)

    async def workbook(self, principal: Principal, *, timetable: TimetableId, whose: Whose | None) -> bytes:
        """Return an Excel file: of the whole school, or of somebody."""
        shown = await self._shown(principal, timetable, whose)
        return await asyncio.to_thread(_workbook, shown, whose)

    async def page(self, principal: Principal, *, timetable: TimetableId, of: Whose | Every) -> str:
        """Return the wall sheets as HTML: of somebody, or of everybody."""
        ((_, html),) = await self.pages(principal, timetable=timetable, of=of)
        return html

    async def pages(
        self,
        principal: Principal,
        *,
        timetable: TimetableId,
        of: Whose | Every,
        most: int | None = None,
        fonts_css: Callable[[], str] = str,
    ) -> Sequence[tuple[str, str]]:
        """Return the wall sheets as (title, HTML): one document, or as many as it takes with ``most`` sheets each."""
        shown = await self._shown(principal, timetable, of if isinstance(of, Whose) else None)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            school = await store.school_name(tx)
        return await asyncio.to_thread(lambda: _pages(shown, of, _look(shown, school, fonts_css()), most))

    async def calendar(self, principal: Principal, *, timetable: TimetableId, whose: Whose) -> bytes:
        """Return somebody's lessons as an iCalendar file of the published version's session.

        Raises ``Conflict`` where nothing is published.
        """
        shown = await self._shown(principal, timetable, whose)
        record = shown.record
        if record.published_version is None or record.session_id is None or record.published_at is None:
            raise Conflict("a calendar is of a published timetable; publish a version")
        published = await self._versions.get(principal, timetable=timetable, number=record.published_version)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            days = await school_days(tx, record.session_id)
        return await asyncio.to_thread(_calendar, published, whose, days.dates)

    async def suggest(
        self, principal: Principal, *, timetable: TimetableId, lesson: str | None, whose: Whose | None, most: int
    ) -> tuple[Sequence[Suggestion], Shown]:
        """Return changes of the latest version that break no law, the best first."""
        principal.require(Scope.TIMETABLES_MANAGE)
        shown = await self._versions.get(principal, timetable=timetable)
        who = whose.pair if whose is not None else None
        found = await asyncio.to_thread(_suggestions, shown, lesson, who, most)
        return found, shown

    async def cover(
        self, principal: Principal, *, timetable: TimetableId, teacher: str, on: date, also_away: Sequence[str]
    ) -> CoverPlan:
        """Return who could take an absent teacher's lessons of a date, by the published version, else the latest."""
        principal.require(Scope.TIMETABLES_MANAGE)
        shown = await self._versions.get(principal, timetable=timetable)
        published, session = shown.record.published_version, shown.record.session_id
        if published is not None:
            shown = await self._versions.get(principal, timetable=timetable, number=published)
        if session is None:
            raise Conflict("this timetable belongs to no session, so that its dates are not known")
        async with self._db.tenant(principal.school, read_only=True) as tx:
            days = await school_days(tx, session)
        return await asyncio.to_thread(_cover, shown.version, days, teacher, on, also_away)

    async def _shown(self, principal: Principal, timetable: TimetableId, whose: Whose | None) -> Shown:
        shown = await self._versions.get(principal, timetable=timetable)
        if shown.only_classes is not None and (
            whose is None or whose.kind != "group" or whose.id not in shown.only_classes
        ):
            raise NotFound("there is no such timetable of one's own")
        return shown


def _workbook(shown: Shown, whose: Whose | None) -> bytes:
    from core.timetable.workbook import workbook_of, workbook_of_grids  # noqa: PLC0415 - only who asks for a file

    problem, timetable, title = shown.version.problem, shown.version.timetable, shown.record.name
    if whose is None:
        return workbook_of(problem, timetable, title=title)
    return workbook_of_grids([grid(problem, timetable, whose.pair)], title=title)


def _look(shown: Shown, school: str, fonts_css: str) -> PageLook:
    number = shown.version.record.number
    state = "published" if shown.record.published_version == number else "not published"
    title = shown.record.name or "Timetable"
    return PageLook(school=school, title=title, note=f"Version {number}, {state}", fonts_css=fonts_css)


def _pages(shown: Shown, of: Whose | Every, look: PageLook, most: int | None) -> Sequence[tuple[str, str]]:
    problem, timetable = shown.version.problem, shown.version.timetable
    if of is Every.OVERVIEW:
        return [(look.title, overview_page(overview(problem, timetable), look))]
    if isinstance(of, Whose):
        week = grid(problem, timetable, of.pair)
        return [(week.name, timetable_page((week,), look))]
    weeks = grids(problem, timetable, _KINDS[of])
    a_page = len(weeks) if most is None else max(1, most // len(problem.calendar.weeks))
    parts = [weeks[i : i + a_page] for i in range(0, len(weeks), a_page)] or [()]
    return [(_title(part), timetable_page(part, look)) for part in parts]


def _title(part: Sequence[Grid]) -> str:
    return " to ".join(dict.fromkeys((part[0].name, part[-1].name))) if part else ""


def _calendar(shown: Shown, whose: Whose, dates: TermDates) -> bytes:
    from core.timetable.ics import calendar_of  # noqa: PLC0415 - only who asks for a calendar

    published_at = shown.record.published_at
    assert published_at is not None  # noqa: S101 - the caller has looked
    return calendar_of(
        shown.version.problem,
        shown.version.timetable,
        whose.pair,
        dates,
        name=shown.record.name,
        source=str(shown.record.id),
        version=shown.version.record.number,
        published_at=published_at.astimezone(UTC),
    )


def _cover(version: Version, days: SchoolDays, teacher: str, on: date, also_away: Sequence[str]) -> CoverPlan:
    problem = version.problem
    slots = () if days.why_closed(on) is not None else slots_on(problem.calendar, days.dates, on)
    lessons = cover(problem, version.timetable, teacher, slots, also_away=tuple(also_away))
    if lessons:
        return CoverPlan(lessons=lessons, none_needed=None)
    why = days.why_closed(on)
    if why is None:
        why = f"{problem.teacher[teacher].name} has none" if slots else "no lessons are held on such a day"
    return CoverPlan(lessons=(), none_needed=f"No cover is needed on {on:%d/%m/%Y}: {why}.")


def _suggestions(shown: Shown, lesson: str | None, who: tuple[str, str] | None, most: int) -> tuple[Suggestion, ...]:
    """Return what a process of its own suggests: seconds of work would hold up everybody's answers here."""
    errand = suggesting(shown.version.problem, shown.version.timetable, _SUGGEST_S, lesson=lesson, who=who, most=most)
    came: Any = next((told for told in run_apart(errand, lambda: False) if isinstance(told, Came)), None)
    return came.result if came is not None and came.result is not None else ()
