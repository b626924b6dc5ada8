"""Where providers post their receipts. They carry no token of ours: each is known by its signature or its path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from starlette.types import Message, Receive

from core.errors import InvalidInput, NotAuthenticated, NotFound
from deployments.ground.limits import RateLimiter
from deployments.ground.problem import PROBLEMS, TooLarge
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/providers", tags=["providers"], responses=PROBLEMS)

MAX_RECEIPT_BYTES = 256 * 1024
"""What SNS posts at most (https://docs.aws.amazon.com/sns/latest/dg/sns-publish-message.html); forms are below 4 kB."""
STRANGERS_BURST = 30


class ReceiptLimits:
    """How often an address may post to a provider's route, and how often something that is not the provider's."""

    def __init__(self) -> None:
        # A provider posts a few receipts for each message, from few addresses: thousands a minute.
        self.all = RateLimiter(500, 5_000)
        self.strangers = RateLimiter(0.5, STRANGERS_BURST)


@asynccontextmanager
async def _limited(request: Request, provider: str) -> AsyncIterator[Request]:
    """Let a receipt in: a request that can be read only so far.

    Raises ``TooMany``, or ``TooLarge``: before anything is read where the length is stated, else at the limit.
    """
    state = request.app.state
    if not hasattr(state, "receipt_limits"):
        state.receipt_limits = ReceiptLimits()
    limits: ReceiptLimits = state.receipt_limits
    source = (provider, request.client.host if request.client else "")
    limits.all.take(source)
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > MAX_RECEIPT_BYTES:
        raise _too_large()
    try:
        yield Request(request.scope, _bounded(request.receive))
    except (NotAuthenticated, NotFound):
        limits.strangers.take(source)
        raise


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_RECEIPT_BYTES:
            raise _too_large()
        return message

    return bounded


def _too_large() -> TooLarge:
    return TooLarge(f"a receipt has {MAX_RECEIPT_BYTES // 1024} kB at most")


def _form(*names: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


_JSON = {"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.post(
    "/twilio/receipts",
    status_code=204,
    operation_id="postTwilioReceipt",
    summary="Twilio's status callback",
    openapi_extra=_form("MessageSid", "MessageStatus", "ErrorCode"),
)
async def post_twilio_receipt(
    request: Request,
    services: ServicesDep,
    signature: Annotated[str, Header(alias="X-Twilio-Signature", description="HMAC-SHA1 by the account's token.")] = "",
) -> None:
    """Take a receipt of Twilio. Answers 204 whether the message is known here or not."""
    async with _limited(request, "twilio") as limited:
        await services.delivery_reports.twilio(await _fields(limited), signature)


@router.post(
    "/africas-talking/receipts/{secret}",
    status_code=204,
    operation_id="postAfricasTalkingReceipt",
    summary="Africa's Talking's delivery report",
    openapi_extra=_form("id", "status", "phoneNumber", "networkCode", "failureReason", "retryCount"),
)
async def post_africas_talking_receipt(
    request: Request, services: ServicesDep, secret: Annotated[str, Path(max_length=200)]
) -> None:
    """Take a receipt of Africa's Talking. Answers 204 whether the message is known here or not."""
    async with _limited(request, "africas_talking") as limited:
        await services.delivery_reports.africas_talking(await _fields(limited), secret)


@router.post(
    "/ses/receipts",
    status_code=204,
    operation_id="postSesReceipt",
    summary="Amazon SES's events, as SNS posts them",
    openapi_extra=_JSON,
)
async def post_ses_receipt(request: Request, services: ServicesDep) -> None:
    """Take an event of SES, or confirm the subscription. Answers 204 whether the message is known here or not."""
    async with _limited(request, "ses") as limited:
        await services.delivery_reports.ses(await limited.body())


async def _fields(request: Request) -> list[tuple[str, str]]:
    """Return a form's fields in order; files are none."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise InvalidInput("send a form: application/x-www-form-urlencoded")
    async with request.form(max_fields=100) as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
