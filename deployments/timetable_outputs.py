"""What people take away from a timetable: a week, an Excel file, a calendar, suggestions."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import Field

from core.errors import Fault, InvalidInput
from core.ids import TimetableId
from core.timetable.grid import Grid
from core.timetable.model import Calendar
from core.timetable.outputs import Every, Whose
from core.timetable.suggesting import Suggestion
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/timetable/{timetable_id}", tags=["timetables"], responses=PROBLEMS)

_PDF = "application/pdf"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; frame-ancestors 'none'"
"""The page has its styles in itself, and no script."""
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_Id = Annotated[str | None, Query(max_length=200)]


async def _whose(
    class_arm_id: Annotated[_Id, Query(alias="classArmId")] = None,
    teacher_id: Annotated[_Id, Query(alias="teacherId")] = None,
    room_id: Annotated[_Id, Query(alias="roomId")] = None,
) -> Whose | None:
    named = [("group", class_arm_id), ("teacher", teacher_id), ("room", room_id)]
    given = [Whose(kind, one) for kind, one in named if one is not None]
    if len(given) > 1:
        raise _one_only("one of classArmId, teacherId and roomId is asked for")
    return given[0] if given else None


WhoseParam = Annotated[Whose | None, Depends(_whose)]


def _one_only(what: str) -> InvalidInput:
    return InvalidInput(what, [Fault("/query/classArmId", what, "missing")])


def _somebody(whose: Whose | None) -> Whose:
    if whose is None:
        raise _one_only("say whose: classArmId, teacherId or roomId")
    return whose


class MoveOut(Wire):
    """That a lesson changes its place."""

    lesson: str
    was: int | None
    slot: int
    when: str
    """The new place in words."""


class SuggestionOut(Wire):
    """A change that breaks no law."""

    sentence: str
    hard_gain: int
    soft_gain: int
    mends: tuple[str, ...]
    adds: tuple[str, ...]
    moves: list[MoveOut]

    @classmethod
    def of(cls, found: Suggestion, calendar: Calendar) -> Self:
        """Return a suggestion as it is shown."""
        moves = [
            MoveOut(lesson=move.lesson, was=move.was, slot=move.slot, when=calendar.label(move.slot))
            for move in found.moves
        ]
        hard, soft = found.gain
        return cls(
            sentence=found.sentence, hard_gain=hard, soft_gain=soft, mends=found.mends, adds=found.adds, moves=moves
        )


class SuggestionsOut(Wire):
    """Changes that would better a timetable, the best first."""

    suggestions: list[SuggestionOut]


class CoverOptionOut(Wire):
    """Somebody who could take a lesson."""

    teacher: str
    name: str
    qualified: bool
    day_load: int
    week_load: int
    sentence: str


class JoinOptionOut(Wire):
    """A lesson of the same subject that the class could sit in on."""

    lesson: str
    teacher: str
    sentence: str


class LessonCoverOut(Wire):
    """What can be done about one lesson."""

    lesson: str
    name: str = Field(description="What is taught to whom when, in words.")
    slots: tuple[int, ...]
    options: tuple[CoverOptionOut, ...]
    chosen: CoverOptionOut | None
    joined: tuple[JoinOptionOut, ...]
    reason: str | None


class CoverOut(Wire):
    """Cover for an absent teacher."""

    lessons: list[LessonCoverOut]
    none_needed: str | None
    """Why no cover is needed, where there is no lesson: a day without school, or a free one."""


@router.get("/week", operation_id="getTimetableWeek", summary="Read the week of a class, a teacher or a room")
async def get_week(caller: Caller, services: ServicesDep, timetable_id: UUID, whose: WhoseParam) -> Grid:
    """Return somebody's week with names, clock times and breaks."""
    timetable = TimetableId(timetable_id)
    return await services.timetables.outputs.week(caller, timetable=timetable, whose=_somebody(whose))


@router.get(
    "/workbook.xlsx",
    operation_id="getTimetableWorkbook",
    summary="Download a timetable as an Excel file",
    response_class=Response,
    responses={200: {"content": {_XLSX: _BINARY}}},
)
async def get_workbook(caller: Caller, services: ServicesDep, timetable_id: UUID, whose: WhoseParam) -> Response:
    """Return the whole school's, or one class's, teacher's or room's."""
    content = await services.timetables.outputs.workbook(caller, timetable=TimetableId(timetable_id), whose=whose)
    return Response(content, headers=_as_file("timetable.xlsx"), media_type=_XLSX)


@router.get(
    "/page.html",
    operation_id="getTimetablePage",
    summary="Read a timetable as sheets for the wall",
    response_class=HTMLResponse,
)
async def get_page(caller: Caller, services: ServicesDep, timetable_id: UUID, whose: WhoseParam) -> HTMLResponse:
    """Return a page that prints on A4 across: a sheet for each class, or for one class, teacher or room."""
    page = await services.timetables.outputs.page(
        caller, timetable=TimetableId(timetable_id), of=whose or Every.CLASSES
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})


@router.get(
    "/pages.pdf",
    operation_id="getTimetablePdf",
    summary="Print a timetable",
    response_class=Response,
    responses={200: {"content": {_PDF: _BINARY}}},
)
async def get_pdf(
    *,
    caller: Caller,
    services: ServicesDep,
    timetable_id: UUID,
    whose: WhoseParam,
    every: Annotated[
        Every | None, Query(alias="all", description="A sheet for each, or the one sheet of the whole school.")
    ] = None,
) -> Response:
    """Return sheets on A4 across, of one class, teacher or room, or of all; 503 while nothing is free to print them."""
    if whose is not None and every is not None:
        raise _one_only("ask for all, or for one of classArmId, teacherId and roomId")
    of = whose or every or Every.CLASSES
    content = await services.timetables.sheets.pdf(caller, timetable=TimetableId(timetable_id), of=of)
    return Response(content, headers=_as_file("timetable.pdf"), media_type=_PDF)


@router.get(
    "/calendar.ics",
    operation_id="getTimetableCalendar",
    summary="Download a published week as a calendar",
    response_class=Response,
    responses={200: {"content": {"text/calendar": _BINARY}}},
)
async def get_calendar(caller: Caller, services: ServicesDep, timetable_id: UUID, whose: WhoseParam) -> Response:
    """Return the lessons of the published version through its session."""
    content = await services.timetables.outputs.calendar(
        caller, timetable=TimetableId(timetable_id), whose=_somebody(whose)
    )
    return Response(content, headers=_as_file("timetable.ics"), media_type="text/calendar")


@router.get("/suggestions", operation_id="suggestTimetableChanges", summary="Ask for changes that would better a week")
async def suggest(
    *,
    caller: Caller,
    services: ServicesDep,
    timetable_id: UUID,
    whose: WhoseParam,
    lesson_id: Annotated[str | None, Query(alias="lessonId", max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> SuggestionsOut:
    """Return moves and swaps of a lesson, or for the better of somebody's days; none breaks a law."""
    if (lesson_id is None) == (whose is None):
        raise _one_only("ask for a lessonId, or for a classArmId or teacherId")
    found, shown = await services.timetables.outputs.suggest(
        caller, timetable=TimetableId(timetable_id), lesson=lesson_id, whose=whose, most=limit
    )
    calendar = shown.version.problem.calendar
    return SuggestionsOut(suggestions=[SuggestionOut.of(each, calendar) for each in found])


@router.get("/cover", operation_id="findTimetableCover", summary="Find cover for an absent teacher")
async def find_cover(
    *,
    caller: Caller,
    services: ServicesDep,
    timetable_id: UUID,
    teacher_id: Annotated[str, Query(alias="teacherId", max_length=200)],
    on: date,
    also_away: Annotated[list[str] | None, Query(alias="alsoAway", max_length=200)] = None,
) -> CoverOut:
    """Return for each lesson of the date who is free, those who know the subject first; nothing is kept."""
    found = await services.timetables.outputs.cover(
        caller, timetable=TimetableId(timetable_id), teacher=teacher_id, on=on, also_away=also_away or []
    )
    return CoverOut.model_validate(found)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
