"""Routes of notifications that are one's own: the bell and preferences."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from core.ids import NotificationId, StudentId, UserId
from core.notifications.bell import BellChange
from core.notifications.model import Channel
from core.notifications.preferences import Preference
from deployments.ground.admission import Streaming
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.sse import EventStream, ServerEvent, event_stream
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/notifications", tags=["notifications"], responses=PROBLEMS)

_MAX_PAGE = 10_000
"""Past it nobody leafs, and an offset costs the database its rows."""

OwnUser = Annotated[
    UserId | None, Query(alias="userId", description="The caller's own id; the token says it already, so leave it out.")
]


class NotificationItem(Wire):
    """One entry of the bell."""

    id: NotificationId
    event_type: str
    student_id: StudentId | None
    title: str
    body: str
    created_at: datetime
    read: bool
    read_at: datetime | None


class BellList(Wire):
    """One page of the bell."""

    items: list[NotificationItem]
    page: int
    limit: int
    total: int
    unread: int


class UnreadCount(Wire):
    """What the bell's badge shows."""

    unread: int


class MarkedRead(Wire):
    """How many were unread before."""

    marked: int


class BellNews(Wire):
    """What the stream tells: the count, and what has arrived since."""

    unread: int
    arrived: list[NotificationItem]


class PreferenceItem(WireRequest):
    """Whether one kind of message may come by one channel."""

    channel: Channel
    event_type: str = Field(max_length=50, examples=["scores.published"])
    enabled: bool


class PreferenceList(WireRequest):
    """Preferences; what is not said is on."""

    preferences: list[PreferenceItem] = Field(max_length=100)


@router.get("", operation_id="listNotifications", summary="The caller's bell, newest first")
async def list_notifications(
    services: ServicesDep,
    caller: Caller,
    page: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    user_id: OwnUser = None,
) -> BellList:
    """Return a page of the caller's notifications."""
    found = await services.notifications.bell.page(caller, page=page, limit=limit, user_id=user_id)
    items = [NotificationItem.model_validate(item) for item in found.items]
    return BellList(items=items, page=page, limit=limit, total=found.total, unread=found.unread)


@router.get("/unread-count", operation_id="countUnreadNotifications", summary="How many are unread")
async def count_unread(services: ServicesDep, caller: Caller, user_id: OwnUser = None) -> UnreadCount:
    """Return what the bell's badge shows."""
    return UnreadCount(unread=await services.notifications.bell.unread(caller, user_id=user_id))


@router.get(
    "/stream",
    operation_id="streamNotifications",
    summary="The bell as server-sent events",
    description="Event `bell`: the unread count at once, and again with what arrived whenever it changes.",
    response_class=EventStream,
    response_model=None,
    dependencies=[Streaming],
)
async def stream_notifications(services: ServicesDep, caller: Caller) -> EventStream:
    """Stream the changes of the caller's bell."""
    return event_stream(_news(services.notifications.bell.watch(caller)))


@router.post("/read-all", operation_id="readAllNotifications", summary="Mark all as read")
async def read_all(services: ServicesDep, caller: Caller) -> MarkedRead:
    """Mark everything in the caller's bell as read."""
    return MarkedRead(marked=await services.notifications.bell.read_all(caller))


@router.post("/{id}/read", operation_id="readNotification", summary="Mark one as read; again changes nothing")
async def read_notification(
    services: ServicesDep, caller: Caller, notification_id: Annotated[NotificationId, Path(alias="id")]
) -> NotificationItem:
    """Mark one of the caller's notifications as read."""
    read = await services.notifications.bell.read(caller, notification_id=notification_id)
    return NotificationItem.model_validate(read)


@router.get("/preferences", operation_id="getNotificationPreferences", summary="Which messages the caller wants")
async def get_preferences(services: ServicesDep, caller: Caller) -> PreferenceList:
    """Return the caller's preference for every kind of message and channel."""
    return _listed(await services.notifications.preferences.all(caller))


@router.put("/preferences", operation_id="putNotificationPreferences", summary="Say which messages the caller wants")
async def put_preferences(services: ServicesDep, caller: Caller, body: PreferenceList) -> PreferenceList:
    """Change the preferences that are named and return all."""
    wanted = [Preference(each.channel, each.event_type, each.enabled) for each in body.preferences]
    return _listed(await services.notifications.preferences.save(caller, wanted=wanted))


def _listed(preferences: list[Preference]) -> PreferenceList:
    return PreferenceList(preferences=[PreferenceItem.model_validate(each) for each in preferences])


async def _news(changes: AsyncIterator[BellChange]) -> AsyncIterator[ServerEvent]:
    async for change in changes:
        arrived = [NotificationItem.model_validate(item) for item in change.arrived]
        yield ServerEvent("bell", BellNews(unread=change.unread, arrived=arrived))
