"""Routes of a school's messages for those who answer for them: trail, resending, dead letters, bad addresses."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from core.errors import Fault, InvalidInput
from core.ids import DeliveryId, EventId, GuardianId, StudentId
from core.notifications.model import Channel, State
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.notification_trail_wire import (
    BadAddressItem,
    DeadEventItem,
    DeliveryItem,
    MessageItem,
    MessageList,
    Replayed,
    ResendIn,
    ResentItem,
    ResentList,
    TrailAnswer,
)
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/notifications", tags=["notifications"], responses=PROBLEMS)

StudentQuery = Annotated[StudentId | None, Query(alias="studentId")]
EventQuery = Annotated[EventId | None, Query(alias="eventId")]
ReasonQuery = Annotated[str | None, Query(max_length=50, examples=["provider_rejected"])]
DeliveryPath = Annotated[DeliveryId, Path(alias="id")]


@router.get("/deliveries", operation_id="listDeliveries", summary="What became of the school's messages")
async def list_deliveries(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    page: PageParams,
    student_id: StudentQuery = None,
    event_id: EventQuery = None,
    state: State | None = None,
    channel: Channel | None = None,
    reason: ReasonQuery = None,
) -> Page[DeliveryItem]:
    """Return a page of the school's deliveries, newest first. Needs `notifications:manage`."""
    found = await services.notifications.trail.deliveries(
        caller, student_id=student_id, event_id=event_id, state=state, channel=channel, reason=reason,
        after=page.after, limit=page.limit,
    )  # fmt: skip
    items = [DeliveryItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.created_at, item.id))


@router.get("/deliveries/{id}/trail", operation_id="getDeliveryTrail", summary="What became of one message")
async def get_trail(services: ServicesDep, caller: Caller, delivery_id: DeliveryPath) -> TrailAnswer:
    """Return states, attempts, the provider's answers and the trace of one message. Needs `notifications:manage`."""
    return TrailAnswer.model_validate(await services.notifications.trail.trail(caller, delivery_id=delivery_id))


@router.get("/trails", operation_id="listMessageTrails", summary="Why did this parent (not) get it?")
async def list_trails(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    page: PageParams,
    student_id: StudentQuery = None,
    guardian_id: Annotated[GuardianId | None, Query(alias="guardianId")] = None,
    event_id: EventQuery = None,
) -> MessageList:
    """Return messages with a verdict and all channels' trails, newest first; name a student, guardian or event.

    Needs `notifications:manage`.
    """
    found = await services.notifications.trail.messages(
        caller, student_id=student_id, guardian_id=guardian_id, event_id=event_id, after=page.after, limit=page.limit
    )
    items = [MessageItem.model_validate(each) for each in found.items]
    shown = page_of(
        request, response, items, page,
        key=lambda item: (item.occurred_at, item.event_id, item.recipient_id, item.student_id),
    )  # fmt: skip
    return MessageList(items=shown.items, next_cursor=shown.next_cursor, note=found.note)


@router.post(
    "/deliveries/resend",
    operation_id="resendDeliveries",
    summary="Send messages again, by id or by filter",
    dependencies=[Idempotent],
)
async def resend_deliveries(services: ServicesDep, caller: Caller, body: ResendIn) -> ResentList:
    """Queue each that can be and say of every one what became of it. Needs `notifications:manage`."""
    if (body.ids is None) == (body.filter is None):
        raise InvalidInput("send either ids or a filter", [Fault("", "send either ids or a filter", "missing")])
    if body.ids is not None:
        return ResentList.of(await services.notifications.resending.these(caller, ids=body.ids))
    assert body.filter is not None  # noqa: S101 - checked above
    fitting = body.filter.to_fitting()
    return ResentList.of(await services.notifications.resending.fitting(caller, fitting=fitting))


@router.post(
    "/deliveries/{id}/resend",
    operation_id="resendDelivery",
    summary="Send one message again",
    dependencies=[Idempotent],
)
async def resend_delivery(services: ServicesDep, caller: Caller, delivery_id: DeliveryPath) -> ResentItem:
    """Begin a new series of attempts; 409 with the reason where that can't be. Needs `notifications:manage`."""
    return ResentItem.model_validate(await services.notifications.resending.one(caller, delivery_id=delivery_id))


@router.get("/dead-deliveries", operation_id="listDeadDeliveries", summary="Messages that were given up")
async def list_dead_deliveries(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    page: PageParams,
    channel: Channel | None = None,
    reason: ReasonQuery = None,
    event_id: EventQuery = None,
) -> Page[DeliveryItem]:
    """Return the dead that nobody set aside, the last that died first. Needs `notifications:manage`."""
    found = await services.notifications.trail.dead_deliveries(
        caller, channel=channel, reason=reason, event_id=event_id, after=page.after, limit=page.limit
    )
    items = [DeliveryItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.finished_at, item.id))


@router.post(
    "/dead-deliveries/{id}/replay",
    operation_id="replayDeadDelivery",
    summary="Send a dead message again",
    dependencies=[Idempotent],
)
async def replay_dead_delivery(services: ServicesDep, caller: Caller, delivery_id: DeliveryPath) -> ResentItem:
    """Resend it. Needs `notifications:manage`."""
    return ResentItem.model_validate(await services.notifications.resending.one(caller, delivery_id=delivery_id))


@router.delete(
    "/dead-deliveries/{id}", status_code=204, operation_id="discardDeadDelivery", summary="Set a dead message aside"
)
async def discard_dead_delivery(services: ServicesDep, caller: Caller, delivery_id: DeliveryPath) -> None:
    """Take it off the list of the dead; its trail stays. Needs `notifications:manage`."""
    await services.notifications.resending.discard(caller, delivery_id=delivery_id)


@router.get("/dead-events", operation_id="listDeadEvents", summary="Events that could not be handled")
async def list_dead_events(
    request: Request, response: Response, services: ServicesDep, caller: Caller, page: PageParams
) -> Page[DeadEventItem]:
    """Return a page of the school's dead letters, newest first. Needs `notifications:manage`."""
    found = await services.notifications.trail.dead_events(caller, after=page.after, limit=page.limit)
    items = [DeadEventItem.of(each) for each in found]
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


@router.get("/bad-addresses", operation_id="listBadAddresses", summary="Numbers and addresses refused for good")
async def list_bad_addresses(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    page: PageParams,
    channel: Channel | None = None,
) -> Page[BadAddressItem]:
    """Return whom to ask for another number, newest first. Needs `notifications:manage`."""
    found = await services.notifications.bad_addresses.all(caller, channel=channel, after=page.after, limit=page.limit)
    items = [BadAddressItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.since, item.id))


@router.delete(
    "/bad-addresses/{id}", status_code=204, operation_id="clearBadAddress", summary="Let messages go there again"
)
async def clear_bad_address(services: ServicesDep, caller: Caller, bad_id: Annotated[UUID, Path(alias="id")]) -> None:
    """Take an address off the list: somebody made sure that it is right. Needs `notifications:manage`."""
    await services.notifications.bad_addresses.clear(caller, bad_id=bad_id)
