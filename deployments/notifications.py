"""Routes of notifications: the bell, one's own preferences, and the trail of a school's messages."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from core.events.dead_letters import DeadEvent
from core.ids import DeliveryId, EventId, NotificationId, StudentId, UserId
from core.notifications.bell import BellChange
from core.notifications.model import Channel, Outcome, State
from core.notifications.preferences import Preference
from deployments.ground.pagination import Page, PageParams, page_of
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


class DeliveryItem(Wire):
    """What became of one message to one person about one student by one channel."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    recipient_id: UserId
    recipient_name: str
    student_id: StudentId
    channel: Channel
    state: State
    reason: str | None
    explanation: str = Field(description="State and reason in words.")
    address: str | None = Field(description="Masked.")
    language: str
    attempts: int
    next_attempt_at: datetime | None
    provider: str | None
    provider_message_id: str | None
    trace_id: str | None
    occurred_at: datetime
    created_at: datetime
    finished_at: datetime | None


class AttemptItem(Wire):
    """One attempt at the provider."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    explanation: str
    provider: str | None
    provider_message_id: str | None
    detail: str = Field(description="What the provider answered.")


class TrailAnswer(Wire):
    """All that is known of one message."""

    delivery: DeliveryItem
    attempts: list[AttemptItem]


class DeadEventItem(Wire):
    """An event that could not be handled."""

    id: UUID
    event_id: EventId | None
    type: str | None = Field(description="What the entry says it is.")
    reason: str
    tries: int
    at: datetime


class Replayed(Wire):
    """The dead event that is on its way again."""

    id: UUID


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


@router.get("/deliveries", operation_id="listDeliveries", summary="What became of the school's messages")
async def list_deliveries(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    page: PageParams,
    student_id: Annotated[StudentId | None, Query(alias="studentId")] = None,
    event_id: Annotated[EventId | None, Query(alias="eventId")] = None,
    state: State | None = None,
) -> Page[DeliveryItem]:
    """Return a page of the school's deliveries, newest first. Needs `notifications:manage`."""
    found = await services.notifications.trail.deliveries(
        caller, student_id=student_id, event_id=event_id, state=state, after=page.after, limit=page.limit
    )
    items = [DeliveryItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.created_at, item.id))


@router.get("/deliveries/{id}/trail", operation_id="getDeliveryTrail", summary="Why did this parent (not) get it?")
async def get_trail(
    services: ServicesDep, caller: Caller, delivery_id: Annotated[DeliveryId, Path(alias="id")]
) -> TrailAnswer:
    """Return states, attempts, the provider's answers and the trace of one message. Needs `notifications:manage`."""
    return TrailAnswer.model_validate(await services.notifications.trail.trail(caller, delivery_id=delivery_id))


@router.get("/dead-events", operation_id="listDeadEvents", summary="Events that could not be handled")
async def list_dead_events(
    request: Request, response: Response, services: ServicesDep, caller: Caller, page: PageParams
) -> Page[DeadEventItem]:
    """Return a page of the school's dead letters, newest first. Needs `notifications:manage`."""
    found = await services.notifications.trail.dead_events(caller, after=page.after, limit=page.limit)
    items = [_dead_event(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.at, item.id))


@router.post(
    "/dead-events/{id}/replay", status_code=202, operation_id="replayDeadEvent", summary="Handle a dead event again"
)
async def replay_dead_event(
    services: ServicesDep, caller: Caller, dead_id: Annotated[UUID, Path(alias="id")]
) -> Replayed:
    """Send a dead event through the stream again. Needs `notifications:manage`."""
    await services.notifications.trail.replay(caller, dead_id=dead_id)
    return Replayed(id=dead_id)


@router.delete("/dead-events/{id}", status_code=204, operation_id="discardDeadEvent", summary="Give a dead event up")
async def discard_dead_event(services: ServicesDep, caller: Caller, dead_id: Annotated[UUID, Path(alias="id")]) -> None:
    """Discard a dead event. Needs `notifications:manage`."""
    await services.notifications.trail.discard(caller, dead_id=dead_id)


def _dead_event(event: DeadEvent) -> DeadEventItem:
    # The entry's other fields stay out: they may hold names.
    return DeadEventItem(
        id=event.id,
        event_id=event.event_id,
        type=event.fields.get("type"),
        reason=event.reason,
        tries=event.tries,
        at=event.at,
    )


def _listed(preferences: list[Preference]) -> PreferenceList:
    return PreferenceList(preferences=[PreferenceItem.model_validate(each) for each in preferences])


async def _news(changes: AsyncIterator[BellChange]) -> AsyncIterator[ServerEvent]:
    async for change in changes:
        arrived = [NotificationItem.model_validate(item) for item in change.arrived]
        yield ServerEvent("bell", BellNews(unread=change.unread, arrived=arrived))
