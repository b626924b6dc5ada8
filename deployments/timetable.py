"""Timetables as they are kept: read, checked, swapped, published, rolled back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from core.errors import Fault, InvalidInput
from core.ids import SessionId, TimetableId
from core.timetable.formats.native import slot_named
from core.timetable.model import Calendar
from core.timetable.swapping import Spot
from deployments.ground.etags import IfMatch, not_modified, require_match, set_etag
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.school_fields import SessionFilter
from deployments.services import ServicesDep
from deployments.timetable_wire import (
    VALIDATE,
    BigBody,
    ComparisonOut,
    SpotIn,
    SwapIn,
    SwappedOut,
    TimetableOut,
    TimetableWeeksOut,
    VerdictOut,
    Version,
    VersionOut,
    WhichVersion,
    body_of,
)

router = APIRouter(prefix="/api/timetable", tags=["timetables"], responses=PROBLEMS)

_ONE = "/{timetable_id}"


@router.get("", operation_id="listTimetables", summary="List timetables, the newest first")
async def list_timetables(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    session_id: SessionFilter = None,
) -> Page[TimetableOut]:
    """Return the school's timetables; those who can't make any get the published."""
    after = page.keys(datetime, UUID)
    found = await services.timetables.versions.page(
        caller, session=SessionId(session_id) if session_id else None, after=after, limit=page.limit + 1
    )
    items = [TimetableOut.of(each) for each in found]
    return page_of(request, response, items, page, key=lambda each: (each.created_at, each.id))


@router.post(
    "/validate",
    operation_id="validateTimetable",
    summary="Check a timetable, complete or not",
    openapi_extra=body_of(VALIDATE),
)
async def validate(caller: Caller, services: ServicesDep, body: BigBody) -> VerdictOut:
    """Name each rule that is broken, by whom, when, and in words; nothing is kept."""
    verdict, _ = await services.timetables.judge.validate(caller, body=body)
    return VerdictOut.of(verdict)


@router.get(
    _ONE,
    operation_id="getTimetable",
    summary="Read a timetable",
    response_model=TimetableWeeksOut,
    responses={304: {"description": "Unchanged since the version in If-None-Match."}},
)
async def get_timetable(
    caller: Caller, services: ServicesDep, request: Request, response: Response, timetable_id: UUID
) -> Any:
    """Return the latest version, or the published: the whole school to staff, their own class to families."""
    shown = await services.timetables.versions.get(caller, timetable=TimetableId(timetable_id))
    number = shown.version.record.number
    set_etag(response, number)
    return not_modified(request, number) or await TimetableWeeksOut.made(shown)


@router.get(_ONE + "/versions", operation_id="listTimetableVersions", summary="List a timetable's versions")
async def list_versions(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    timetable_id: UUID,
) -> Page[VersionOut]:
    """Return the versions, the newest first."""
    after = page.keys(int)
    found = await services.timetables.versions.versions(
        caller, timetable=TimetableId(timetable_id), below=after[0] if after else None, limit=page.limit + 1
    )
    return page_of(request, response, [VersionOut.of(each) for each in found], page, key=lambda each: (each.number,))


@router.get(_ONE + "/versions/{number}", operation_id="getTimetableVersion", summary="Read a version")
async def get_version(caller: Caller, services: ServicesDep, timetable_id: UUID, number: Version) -> TimetableWeeksOut:
    """Return one version with its lessons."""
    timetable = TimetableId(timetable_id)
    return await TimetableWeeksOut.made(
        await services.timetables.versions.get(caller, timetable=timetable, number=number)
    )


@router.get(_ONE + "/compare", operation_id="compareTimetableVersions", summary="See how two versions differ")
async def compare(
    caller: Caller,
    services: ServicesDep,
    timetable_id: UUID,
    one: Annotated[Version, Query(alias="from")],
    other: Annotated[Version, Query(alias="to")],
) -> ComparisonOut:
    """Return the lessons that are elsewhere, with a sentence each, and the two costs."""
    found = await services.timetables.versions.compare(
        caller, timetable=TimetableId(timetable_id), one=one, other=other
    )
    return ComparisonOut.of(found)


@router.post(_ONE + "/publish", operation_id="publishTimetable", summary="Publish a version")
async def publish(caller: Caller, services: ServicesDep, timetable_id: UUID, body: WhichVersion) -> TimetableOut:
    """Make a version the one that holds in its session; another one of the session is published no more."""
    timetable = TimetableId(timetable_id)
    return TimetableOut.of(await services.timetables.versions.publish(caller, timetable=timetable, number=body.version))


@router.delete(_ONE + "/publish", operation_id="withdrawTimetable", summary="Withdraw a published timetable")
async def withdraw(caller: Caller, services: ServicesDep, timetable_id: UUID) -> TimetableOut:
    """Let no version of it be published any more."""
    return TimetableOut.of(await services.timetables.versions.withdraw(caller, timetable=TimetableId(timetable_id)))


@router.post(
    _ONE + "/roll-back",
    operation_id="rollBackTimetable",
    summary="Return to an earlier version",
    status_code=status.HTTP_201_CREATED,
)
async def roll_back(
    *,
    caller: Caller,
    services: ServicesDep,
    response: Response,
    timetable_id: UUID,
    body: WhichVersion,
    if_match: IfMatch,
) -> VersionOut:
    """Add a version that equals an earlier one."""
    made = await services.timetables.versions.roll_back(
        caller, timetable=TimetableId(timetable_id), number=body.version, latest_seen=require_match(if_match)
    )
    set_etag(response, made.number)
    return VersionOut.of(made)


@router.post(
    _ONE + "/swap",
    operation_id="swapTimetableSlots",
    summary="Swap two lessons, or move one to a free period",
)
async def swap(
    *,
    caller: Caller,
    services: ServicesDep,
    response: Response,
    timetable_id: UUID,
    body: SwapIn,
    if_match: IfMatch,
) -> SwappedOut:
    """Make a version with the swap; 409 names each rule that it would break, and nothing is changed."""
    timetable, seen = TimetableId(timetable_id), require_match(if_match)
    shown = await services.timetables.versions.get(caller, timetable=timetable)
    calendar = shown.version.problem.calendar
    spots = (_spot(body.slot1, calendar, "/slot1"), _spot(body.slot2, calendar, "/slot2"))
    made = await services.timetables.judge.swap(caller, timetable=timetable, spots=spots, latest_seen=seen)
    set_etag(response, made.number)
    return SwappedOut(timetable_id=timetable_id, version=VersionOut.of(made))


def _spot(asked: SpotIn, calendar: Calendar, where: str) -> Spot:
    whose = [one for one in (asked.lesson_id, asked.class_arm_id, asked.teacher_id) if one is not None]
    if len(whose) != 1 or (asked.lesson_id is None and None in {asked.day, asked.period}):
        what = "Give a lessonId, or a classArmId or teacherId with day and period."
        raise InvalidInput(what, [Fault(where, what)])
    if asked.lesson_id is not None:
        return Spot(lesson=asked.lesson_id)
    slot = slot_named(calendar, {"day": asked.day, "period": asked.period, "week": asked.week})
    if isinstance(slot, str):
        raise InvalidInput(slot, [Fault(where, slot, "unknown")])
    who = ("group", asked.class_arm_id) if asked.class_arm_id is not None else ("teacher", asked.teacher_id or "")
    return Spot(who=who, slot=slot)
