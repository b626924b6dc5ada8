"""The formats of Africa's Talking: each documented answer, and the request."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.adapters.africas_talking import AfricasTalkingSms
from core.clock import FakeClock
from core.errors import InvalidInput, TooMany, Unavailable
from tests.factories.providers import (
    answering,
)
from tests.factories.senders import TEXT, message

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "africas_talking.json").read_text("utf-8"))["answers"]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["name"])
async def test_each_recorded_answer_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented answer of Africa's Talking becomes what it means."""

    async def answer(_: web.Request) -> web.Response:
        if isinstance(recorded["body"], str):
            return web.Response(status=recorded["status"], text=recorded["body"])
        return web.json_response(recorded["body"], status=recorded["status"])

    async with answering(answer) as endpoint:
        sender = AfricasTalkingSms(endpoint, username="sandbox", api_key="k", clock=FakeClock())
        try:
            if recorded["means"] == "taken":
                assert (await sender.send(message("+2348031234567"))).message_id == "ATPid_SampleTxnId123"
            else:
                with pytest.raises({"refused": InvalidInput, "unavailable": Unavailable}[recorded["means"]]):
                    await sender.send(message("+2348031234567"))
        finally:
            await sender.close()


async def test_the_request_is_as_documented() -> None:
    """Method, path, headers and form are those of the provider's documentation."""
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update(method=request.method, path=request.path, headers=dict(request.headers))
        seen["form"] = dict(await request.post())
        return web.json_response(RECORDED[0]["body"], status=201)

    out = message("+2348031234567")
    async with answering(answer) as endpoint:
        sender = AfricasTalkingSms(endpoint + "/", username="kcl", api_key="secret", sender_id="SCHOOL")
        await sender.send(out)
        await sender.close()
    assert (seen["method"], seen["path"]) == ("POST", "/version1/messaging")
    assert seen["form"] == {"username": "kcl", "to": out.address, "message": TEXT.body, "from": "SCHOOL"}
    assert seen["headers"]["apiKey"] == "secret"
    assert seen["headers"]["Accept"] == "application/json"
    assert seen["headers"]["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert seen["headers"]["Idempotency-Key"] == str(out.key)


async def test_a_throttled_request_says_when_to_come_back() -> None:
    """HTTP 429 is no failure of the message; its Retry-After is kept."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    async with answering(answer) as endpoint:
        sender = AfricasTalkingSms(endpoint, username="sandbox", api_key="k")
        with pytest.raises(TooMany) as caught:
            await sender.send(message("+2348031234567"))
        await sender.close()
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("utc", "address", "waits"),
    [
        ("20:30", "+2348031234567", timedelta(hours=10, minutes=40)),
        ("06:59", "+2348031234567", timedelta(minutes=11)),
        ("07:10", "+2348031234567", None),
        ("18:49", "+2348031234567", None),
        ("20:30", "+254711234567", None),
    ],
)
async def test_a_refusal_by_night_is_believed_in_the_morning(utc: str, address: str, waits: timedelta | None) -> None:
    """409 from a Nigerian number at 20:00-08:00 may be the hour alone: it is put off; at any other it is the number."""

    async def answer(_: web.Request) -> web.Response:
        told = {"number": address, "statusCode": 409, "status": "DoNotDisturbRejection", "messageId": "None"}
        return web.json_response({"SMSMessageData": {"Message": "Sent to 0/1", "Recipients": [told]}}, status=201)

    clock = FakeClock(datetime.fromisoformat(f"2027-09-13T{utc}:00").replace(tzinfo=UTC))
    async with answering(answer) as endpoint:
        sender = AfricasTalkingSms(endpoint, username="sandbox", api_key="k", clock=clock)
        with pytest.raises(InvalidInput if waits is None else TooMany) as caught:
            await sender.send(message(address))
        await sender.close()
    error = caught.value
    if isinstance(error, TooMany):
        assert error.retry_after_s == (waits or timedelta()).total_seconds()
    else:
        assert isinstance(error, InvalidInput)
        assert [fault.code for fault in error.faults] == ["do_not_disturb"]
