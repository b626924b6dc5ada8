"""Calendars to subscribe to: an address is asked for with a token and then fetched by programs that know none."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from core.errors import NotFound
from core.ids import TimetableId
from core.timetable.calendars import Feed
from core.timetable.outputs import Whose
from deployments.ground.limits import RateLimiter
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import Services, ServicesDep
from deployments.timetable_outputs import WhoseParam

router = APIRouter(tags=["timetables"], responses=PROBLEMS)

_LINK = "/api/timetable/{timetable_id}/calendar-link"
_LONGEST = 100
_KEEP = "private, max-age=900"
"""Programs ask a few times a day; an ended link may show what was fetched for a quarter of an hour."""
_Id = Annotated[str | None, Field(min_length=1, max_length=200)]


class CalendarLimits:
    """How often a calendar may be fetched, and how often an address may try tokens that are not ours."""

    def __init__(self) -> None:
        self.link = RateLimiter(0.2, 20)
        # Calendar services fetch everybody's from a few addresses: only those who guess are counted by theirs.
        self.guesses = RateLimiter(1, 60)


class CalendarLinkIn(WireRequest):
    """Whose lessons are to be followed: exactly one of the three."""

    class_arm_id: _Id = None
    teacher_id: _Id = None
    room_id: _Id = None
    renew: Annotated[
        bool, Field(description="End the address given before and return another, where it came into wrong hands.")
    ] = False

    @property
    def whose(self) -> Whose | None:
        """Whom they name; None unless it is exactly one."""
        named = [("group", self.class_arm_id), ("teacher", self.teacher_id), ("room", self.room_id)]
        given = [Whose(kind, one) for kind, one in named if one is not None]
        return given[0] if len(given) == 1 else None


class CalendarLinkOut(Wire):
    """Where a calendar is. Whoever knows the address sees it, so it is told to nobody else."""

    url: str
    webcal: str
    """The same, as programs open it to subscribe."""


@router.post(_LINK, operation_id="linkTimetableCalendar", summary="Get the address of a calendar to subscribe to")
async def link(caller: Caller, services: ServicesDep, timetable_id: UUID, body: CalendarLinkIn) -> CalendarLinkOut:
    """Return one's own address of a class's, teacher's or room's lessons, the same each time unless renewed.

    It follows what is published in the timetable's session. Those who make timetables may follow anyone, teachers
    themselves, families the child's class.
    """
    url = await services.timetables.calendars.link(
        caller, timetable=TimetableId(timetable_id), whose=body.whose, renew=body.renew
    )
    return CalendarLinkOut(url=url, webcal="webcal:" + url.partition(":")[2])


@router.delete(
    _LINK,
    operation_id="unlinkTimetableCalendar",
    summary="End the address of a calendar",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def unlink(
    *,
    caller: Caller,
    services: ServicesDep,
    timetable_id: UUID,
    whose: WhoseParam,
    everyone: Annotated[bool, Query(description="Everyone's address of these lessons, not only one's own.")] = False,
) -> None:
    """Let the address show nothing any more, at once."""
    await services.timetables.calendars.unlink(
        caller, timetable=TimetableId(timetable_id), whose=whose, everyone=everyone
    )


@router.get(
    "/calendars/{token}.ics",
    operation_id="followTimetableCalendar",
    summary="Fetch a calendar by its address",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
        304: {"description": "Unchanged since the version in If-None-Match."},
    },
)
async def follow(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Path(max_length=_LONGEST, description="As the address has it.")],
) -> Response:
    """Return the lessons of whatever is published in the session; needs no login, the address is the key."""
    feed = await _fetched(request, services, token)
    headers = {"ETag": f'"{feed.tag}"', "Cache-Control": _KEEP, "X-Robots-Tag": "noindex"}
    if feed.content is None:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(feed.content, media_type="text/calendar", headers=headers)


async def _fetched(request: Request, services: Services, token: str) -> Feed:
    calendars, limits = services.timetables.calendars, _limits(request)
    known = request.headers.get("if-none-match", "").split(",")
    try:
        limits.link.take(calendars.read(token))
        return await calendars.feed(token, known=frozenset(tag.strip().removeprefix("W/").strip('"') for tag in known))
    except NotFound:
        limits.guesses.take(request.client.host if request.client else "")
        raise


def _limits(request: Request) -> CalendarLimits:
    state = request.app.state
    if not hasattr(state, "calendar_limits"):
        state.calendar_limits = CalendarLimits()
    limits: CalendarLimits = state.calendar_limits
    return limits
