"""Routes of webhooks out: endpoints, their secrets, and the log of what was sent to them (Standard Webhooks)."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from core.ids import WebhookEndpointId, WebhookMessageId
from core.notifications.webhooks_model import MessageState
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.services import ServicesDep
from deployments.webhooks_wire import (
    EndpointChanges,
    EndpointIn,
    EndpointItem,
    EndpointWithSecret,
    MessageAnswer,
    MessageItem,
    ReplayedCount,
    ReplayIn,
)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], responses=PROBLEMS)

EndpointPath = Annotated[WebhookEndpointId, Path(alias="id")]
MessagePath = Annotated[WebhookMessageId, Path(alias="messageId")]


@router.get("", operation_id="listWebhooks", summary="Who hears of the school's events")
async def list_webhooks(
    request: Request, response: Response, services: ServicesDep, caller: Caller, page: PageParams
) -> Page[EndpointItem]:
    """Return the school's endpoints, newest first. Needs `notifications:manage` or `users:manage`, as all here."""
    found = await services.webhooks.all(caller, after=page.after, limit=page.limit)
    items = [EndpointItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.created_at, item.id))


@router.post("", status_code=201, operation_id="addWebhook", summary="Tell another system of events")
async def add_webhook(
    services: ServicesDep, caller: Caller, body: EndpointIn, response: Response
) -> EndpointWithSecret:
    """Add an endpoint. Its secret is in this answer alone; one that is lost is rotated.

    Not for `Idempotency-Key`, which would keep the secret: the same address a second time answers 409.
    """
    told = await services.webhooks.add(caller, url=body.url, event_types=body.event_types, description=body.description)
    set_etag(response, told.endpoint.version)
    return EndpointWithSecret.of(told)


@router.get("/{id}", operation_id="getWebhook", summary="Read an endpoint")
async def get_webhook(
    services: ServicesDep, caller: Caller, endpoint_id: EndpointPath, response: Response
) -> EndpointItem:
    """Return an endpoint; the `ETag` is what changing it asks for."""
    found = await services.webhooks.one(caller, endpoint_id=endpoint_id)
    set_etag(response, found.version)
    return EndpointItem.model_validate(found)


@router.patch("/{id}", operation_id="changeWebhook", summary="Change an endpoint, or switch it on or off")
async def change_webhook(
    *,
    services: ServicesDep,
    caller: Caller,
    endpoint_id: EndpointPath,
    body: EndpointChanges,
    if_match: IfMatch,
    response: Response,
) -> EndpointItem:
    """Change what is named."""
    changed = await services.webhooks.change(
        caller, endpoint_id=endpoint_id, version=require_match(if_match), changes=body.model_dump(exclude_unset=True)
    )
    set_etag(response, changed.version)
    return EndpointItem.model_validate(changed)


@router.delete("/{id}", status_code=204, operation_id="removeWebhook", summary="Remove an endpoint with its log")
async def remove_webhook(services: ServicesDep, caller: Caller, endpoint_id: EndpointPath) -> None:
    """Tell it nothing any more."""
    await services.webhooks.remove(caller, endpoint_id=endpoint_id)


@router.post("/{id}/rotate-secret", operation_id="rotateWebhookSecret", summary="Begin another secret")
async def rotate_secret(services: ServicesDep, caller: Caller, endpoint_id: EndpointPath) -> EndpointWithSecret:
    """Return the new secret, once. The one before signs too for a day, so that no message fails meanwhile."""
    return EndpointWithSecret.of(await services.webhooks.rotate(caller, endpoint_id=endpoint_id))


@router.post(
    "/{id}/test",
    status_code=202,
    operation_id="testWebhook",
    summary="Send an endpoint a test",
    dependencies=[Idempotent],
)
async def test_webhook(services: ServicesDep, caller: Caller, endpoint_id: EndpointPath) -> MessageItem:
    """Queue a `webhook.test` message; its log tells what became of it."""
    return MessageItem.model_validate(await services.webhooks.test(caller, endpoint_id=endpoint_id))


@router.post(
    "/{id}/replay",
    status_code=202,
    operation_id="replayDeadWebhookMessages",
    summary="Send again what died since a moment",
    dependencies=[Idempotent],
)
async def replay_dead(
    services: ServicesDep, caller: Caller, endpoint_id: EndpointPath, body: ReplayIn
) -> ReplayedCount:
    """Queue every dead message since then, each under its old `webhook-id`."""
    since = body.since if body.since.tzinfo else body.since.replace(tzinfo=UTC)
    queued = await services.webhooks.replay_dead(caller, endpoint_id=endpoint_id, since=since)
    return ReplayedCount(queued=queued)


@router.get("/{id}/messages", operation_id="listWebhookMessages", summary="What was sent to an endpoint")
async def list_messages(
    *,
    request: Request,
    response: Response,
    services: ServicesDep,
    caller: Caller,
    endpoint_id: EndpointPath,
    page: PageParams,
    state: MessageState | None = None,
) -> Page[MessageItem]:
    """Return an endpoint's messages, newest first."""
    found = await services.webhooks.messages(
        caller, endpoint_id=endpoint_id, state=state, after=page.after, limit=page.limit
    )
    items = [MessageItem.model_validate(each) for each in found]
    return page_of(request, response, items, page, key=lambda item: (item.created_at, item.id))


@router.get("/{id}/messages/{messageId}", operation_id="getWebhookMessage", summary="One message with its attempts")
async def get_message(
    services: ServicesDep, caller: Caller, endpoint_id: EndpointPath, message_id: MessagePath
) -> MessageAnswer:
    """Return a message and every attempt with the receiver's status."""
    found = await services.webhooks.message(caller, endpoint_id=endpoint_id, message_id=message_id)
    return MessageAnswer.of(found)


@router.post(
    "/{id}/messages/{messageId}/replay",
    status_code=202,
    operation_id="replayWebhookMessage",
    summary="Send one message again",
    dependencies=[Idempotent],
)
async def replay_message(
    services: ServicesDep, caller: Caller, endpoint_id: EndpointPath, message_id: MessagePath
) -> MessageAnswer:
    """Queue it under its old `webhook-id`, so that a receiver that has it already can tell."""
    found = await services.webhooks.replay(caller, endpoint_id=endpoint_id, message_id=message_id)
    return MessageAnswer.of(found)
