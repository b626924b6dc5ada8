"""Where providers post their receipts. They carry no token of ours: each is known by its signature or its path."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request

from core.errors import InvalidInput
from deployments.ground.problem import PROBLEMS
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/providers", tags=["providers"], responses=PROBLEMS)


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
    await services.delivery_reports.twilio(await _fields(request), signature)


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
    await services.delivery_reports.africas_talking(await _fields(request), secret)


@router.post(
    "/ses/receipts",
    status_code=204,
    operation_id="postSesReceipt",
    summary="Amazon SES's events, as SNS posts them",
    openapi_extra=_JSON,
)
async def post_ses_receipt(request: Request, services: ServicesDep) -> None:
    """Take an event of SES, or confirm the subscription. Answers 204 whether the message is known here or not."""
    await services.delivery_reports.ses(await request.body())


async def _fields(request: Request) -> list[tuple[str, str]]:
    """Return a form's fields in order; files are none."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise InvalidInput("send a form: application/x-www-form-urlencoded")
    async with request.form(max_fields=100) as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
