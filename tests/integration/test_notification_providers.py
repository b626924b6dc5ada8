"""The wire formats of Twilio, SES, Web Push and FCM: what is asked as documented, and what each answer means."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from cluster.settings import (
    FcmSettings,
    HttpSettings,
    MailSettings,
    PushSettings,
    SesSettings,
    Settings,
    SmsSettings,
    TwilioSettings,
)
from cluster.wiring_senders import make_devices, open_senders, receipt_keys
from core.adapters.fcm import FcmPush, ServiceAccount
from core.adapters.twilio import TwilioSms
from core.adapters.web_push_crypto import generate_vapid_key
from core.clock import FakeClock, SystemClock
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications.devices import WebAddress
from core.notifications.model import Channel, OutgoingMessage, Reason, Text
from core.notifications.ports import MessageSender, NotTaken
from core.ports import Database
from tests.factories.providers import Browser, LoopbackFcm, LoopbackTwilio, answering, make_ses, make_web_push

DATA = Path(__file__).parents[1] / "data"
TWILIO, FCM, WEB_PUSH, SES = (
    json.loads((DATA / f"{name}.json").read_text("utf-8")) for name in ("twilio", "fcm", "web_push", "ses")
)
TEXT = Text("Results of Tọ́lá", "Kings College Lagos: results of Tọ́lá are published.")
MEANS: dict[str, type[SchoolOSError]] = {
    "refused": InvalidInput,
    "not taken": NotTaken,
    "throttled": TooMany,
    "in doubt": Unavailable,
}


def message(address: str, text: Text = TEXT) -> OutgoingMessage:
    """Return a message for an address."""
    return OutgoingMessage(DeliveryId(uuid4()), address, text)


def response(recorded: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    """Return a recorded answer."""
    if isinstance(recorded["body"], str):
        return web.Response(status=recorded["status"], text=recorded["body"], headers=headers)
    return web.json_response(recorded["body"], status=recorded["status"], headers=headers)


async def meaning_of(sender: MessageSender, out: OutgoingMessage, recorded: dict[str, Any]) -> str:
    """Check that an answer becomes what it means; return the receipt's id, or nothing."""
    try:
        if recorded["means"] == "taken":
            return (await sender.send(out)).message_id
        with pytest.raises(MEANS[recorded["means"]]) as caught:
            await sender.send(out)
    finally:
        await sender.close()
    assert type(caught.value) is MEANS[recorded["means"]]
    if isinstance(caught.value, InvalidInput):
        assert caught.value.faults[0].code == recorded["reason"]
    return ""


# -- Twilio --


@pytest.mark.parametrize("recorded", TWILIO["answers"], ids=lambda each: each["name"])
async def test_each_answer_of_twilio_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented kind of answer of Twilio becomes what it means."""

    async def answer(_: web.Request) -> web.Response:
        return response(recorded)

    async with answering(answer) as url:
        sender = TwilioSms(url, account_sid="AC1", auth_token="token", sender="MG1")
        made = await meaning_of(sender, message("+15558675310"), recorded)
    assert made == (recorded["body"]["sid"] if recorded["means"] == "taken" else "")


async def test_a_request_to_twilio_is_as_documented() -> None:
    """Path, authentication and form are those of the documentation; a messaging service is named as such."""
    provider = LoopbackTwilio()
    async with answering(provider.answer) as url:
        for sender_id in ("+15017122661", "MG2172dd2db502e20dd981ef0d67850e1a"):
            sender = TwilioSms(
                url + "/",
                account_sid="AC1",
                auth_token="token",
                sender=sender_id,
                status_callback="https://x.example/r",
            )
            await sender.send(message("+2348031234567"))
            await sender.close()
    always = {"To": "+2348031234567", "Body": TEXT.body, "StatusCallback": "https://x.example/r"}
    assert provider.forms == [
        always | {"From": "+15017122661"},
        always | {"MessagingServiceSid": "MG2172dd2db502e20dd981ef0d67850e1a"},
    ]
    assert {request.method for request in provider.requests} == {"POST"}


async def test_a_redirect_is_not_followed() -> None:
    """Message and credentials go to no place that nobody chose."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with answering(answer) as url:
        sender = TwilioSms(url, account_sid="AC1", auth_token="token", sender="MG1")
        with pytest.raises(Unavailable):
            await sender.send(message("+2348031234567"))
        await sender.close()
    assert len(paths) == 1


# -- SES --


async def test_a_request_to_ses_is_as_documented() -> None:
    """Sender, subject, text, configuration set and the delivery's tag are in one signed request."""
    seen: list[tuple[str, str, dict[str, Any]]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers["Authorization"], await request.json()))
        return web.json_response({"MessageId": "0100-1"})

    out = message("ada@example.org")
    async with answering(answer) as url:
        sender = make_ses(url, configuration_set="schools")
        assert (await sender.send(out)).message_id == "0100-1"
        await sender.close()
    ((path, authorization, body),) = seen
    assert path == "/v2/email/outbound-emails"
    assert authorization.startswith("AWS4-HMAC-SHA256 ")
    assert body["FromEmailAddress"] == "SchoolOS <no-reply@school.example>"
    assert body["Destination"] == {"ToAddresses": ["ada@example.org"]}
    assert body["Content"]["Simple"]["Subject"] == {"Data": TEXT.title, "Charset": "UTF-8"}
    assert body["Content"]["Simple"]["Body"] == {"Text": {"Data": TEXT.body + "\n", "Charset": "UTF-8"}}
    assert body["ConfigurationSetName"] == "schools"
    assert body["EmailTags"] == [{"Name": "delivery", "Value": str(out.key)}]


@pytest.mark.parametrize("recorded", SES["errors"], ids=lambda each: f"{each['code']} {each['means']}")
async def test_each_error_of_ses_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented error of SES becomes what it means, and is asked for once: retrying is not its business."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        headers = {"x-amzn-ErrorType": recorded["code"]}
        return web.json_response({"message": recorded["message"]}, status=recorded["status"], headers=headers)

    async with answering(answer) as url:
        await meaning_of(make_ses(url), message("ada@example.org"), {"reason": Reason.REJECTED, **recorded})
    assert len(asked) == 1


@pytest.mark.parametrize("evil", ["ada@example.org\r\nBcc: all@example.org", "a@b.example, c@d.example", ""])
async def test_an_address_can_add_no_recipient(evil: str) -> None:
    """An address that holds a line break or a second address is refused before anything is sent."""
    sender = make_ses("http://127.0.0.1:9")
    with pytest.raises(InvalidInput):
        await sender.send(message(evil))
    with pytest.raises(InvalidInput):
        await sender.send(message("ada@example.org", Text("Hello\r\nBcc: all@example.org", "text")))
    await sender.close()


async def test_threads_are_bounded() -> None:
    """However many mails are under way, no more threads wait for SES than were allowed."""
    at_once, most = 0, 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return web.json_response({"MessageId": uuid4().hex})

    async with answering(answer) as url:
        sender = make_ses(url, connections=3)
        await asyncio.gather(*(sender.send(message("ada@example.org")) for _ in range(12)))
        await sender.close()
    assert most == 3


# -- Web Push --


@pytest.mark.parametrize("recorded", WEB_PUSH["answers"], ids=lambda each: each["name"])
async def test_each_answer_of_a_push_service_is_understood(recorded: dict[str, Any]) -> None:
    """Every status of RFC 8030 becomes what it means; 404 and 410 end the subscription."""

    async def answer(_: web.Request) -> web.Response:
        return response(recorded, {"Location": "https://push.example/message/1"})

    async with answering(answer) as url:
        made = await meaning_of(make_web_push(url), message(Browser().address(url).written()), recorded)
    assert made == ("https://push.example/message/1" if recorded["means"] == "taken" else "")


async def test_a_browser_reads_what_was_sent() -> None:
    """Headers are those of RFC 8030, and the browser alone decrypts title and text."""
    browser = Browser()
    async with answering(browser.answer) as url:
        sender = make_web_push(url)
        out = message(browser.address(url).written())
        await sender.send(out)
        await sender.close()
    assert browser.waiting == {out.key.hex: {"title": TEXT.title, "body": TEXT.body, "tag": out.key.hex}}
    (request,) = browser.requests
    assert (request.headers["TTL"], request.headers["Urgency"], request.method) == ("86400", "normal", "POST")


async def test_a_long_text_is_cut_to_what_push_services_take() -> None:
    """A text past 4,096 bytes is cut at a letter and marked; it is never refused for its length."""
    browser = Browser()
    async with answering(browser.answer) as url:
        sender = make_web_push(url)
        await sender.send(message(browser.address(url).written(), Text("T" * 500, "Tọ́lá " * 2000)))
        await sender.close()
    (shown,) = browser.waiting.values()
    assert shown["body"].endswith("…")
    assert 3_000 < len(shown["body"].encode()) <= 3_993


@pytest.mark.parametrize(
    "address",
    [
        "no JSON",
        "{}",
        WebAddress("http://169.254.169.254/latest", "BA", "aa").written(),
        WebAddress("https://10.0.0.1/", "BA", "aa").written(),
        WebAddress("ftp://[", "BA", "aa").written(),
    ],
)
async def test_only_known_push_services_are_called(address: str) -> None:
    """A subscription that names any other host, of the inside too, is a device that is gone."""
    sender = make_web_push("https://push.example")
    with pytest.raises(InvalidInput) as caught:
        await sender.send(message(address))
    await sender.close()
    assert caught.value.faults[0].code == Reason.NO_DEVICE


async def test_broken_keys_are_a_device_that_is_gone() -> None:
    """A public key that is no point of the curve can't be written to, now or later."""
    sender = make_web_push("https://push.example")
    broken = WebAddress("https://push.example/1", "BAAA", "aaaa")
    with pytest.raises(InvalidInput) as caught:
        await sender.send(message(broken.written()))
    await sender.close()
    assert caught.value.faults[0].code == Reason.NO_DEVICE


# -- FCM --


@pytest.mark.parametrize("recorded", FCM["answers"], ids=lambda each: each["name"])
async def test_each_answer_of_fcm_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented error of FCM becomes what it means; one that is the token's fault ends the device."""
    provider = LoopbackFcm()

    async def answer(request: web.Request) -> web.Response:
        return await provider.answer(request) if request.path == "/token" else response(recorded)

    async with answering(answer) as url:
        sender = FcmPush(ServiceAccount.read(provider.account(url)), clock=SystemClock(), endpoint=url)
        made = await meaning_of(sender, message("good-token"), recorded)
    assert made == (recorded["body"]["name"] if recorded["means"] == "taken" else "")


async def test_a_request_to_fcm_is_as_documented() -> None:
    """Token, notification, time to live, and a tag by which a repeated message takes the first one's place."""
    provider = LoopbackFcm()
    out = message("good-token")
    async with answering(provider.answer) as url:
        sender = FcmPush(ServiceAccount.read(provider.account(url)), clock=SystemClock(), endpoint=url + "/")
        await sender.send(out)
        await sender.close()
    assert provider.messages == [
        {
            "token": "good-token",
            "notification": {"title": TEXT.title, "body": TEXT.body},
            "data": {"deliveryId": str(out.key)},
            "android": {"ttl": "86400s", "notification": {"tag": out.key.hex}},
            "apns": {"headers": {"apns-collapse-id": out.key.hex}},
        }
    ]


async def test_the_access_token_is_fetched_once_and_renewed_in_time() -> None:
    """Fifty messages at once share one token; near its end, and after a 401, there is a new one."""
    provider = LoopbackFcm()
    clock = FakeClock(SystemClock().now())
    async with answering(provider.answer) as url:
        sender = FcmPush(ServiceAccount.read(provider.account(url)), clock=clock, endpoint=url)
        await asyncio.gather(*(sender.send(message("good-token")) for _ in range(50)))
        assert provider.grants == 1
        provider.valid.clear()
        with pytest.raises(NotTaken):
            await sender.send(message("good-token"))
        await sender.send(message("good-token"))
        assert provider.grants == 2
        clock.advance(timedelta(minutes=58))
        await sender.send(message("good-token"))
        assert provider.grants == 3
        await sender.close()


async def test_without_an_access_token_nothing_was_taken() -> None:
    """A refused grant is about the account: another attempt may succeed, and nothing has left."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_grant"}, status=400)

    async with answering(answer) as url:
        sender = FcmPush(ServiceAccount.read(LoopbackFcm().account(url)), clock=SystemClock(), endpoint=url)
        with pytest.raises(NotTaken, match="invalid_grant"):
            await sender.send(message("good-token"))
        await sender.close()


def test_what_is_no_service_account_is_told() -> None:
    """A setting that holds something else is refused at the start, without showing it."""
    with pytest.raises(InvalidInput, match="SCHOOLOS_FCM_SERVICE_ACCOUNT") as caught:
        ServiceAccount.read('{"private_key": "secret"}')
    assert "secret" not in str(caught.value)


# -- the settings --


async def opened(db: Database, **groups: Any) -> dict[Channel, str]:
    """Return which providers are opened for each channel."""
    async with open_senders(Settings(**groups), db, SystemClock()) as senders:
        return {channel: sender.provider for channel, sender in senders.items()}


async def test_providers_are_asked_in_the_order_of_the_settings(db: Database) -> None:
    """What is set up is opened, in the order that is named; what is not is left out."""
    key = SecretStr("key")
    sms = SmsSettings(endpoint="http://127.0.0.1:1", api_key=key)
    twilio = TwilioSettings(account_sid="AC1", auth_token=key, sender="MG1")
    assert await opened(db) == {}
    assert await opened(db, sms=sms) == {Channel.SMS: "africas_talking"}
    assert await opened(db, twilio=twilio) == {Channel.SMS: "twilio"}
    both = await opened(db, sms=sms.model_copy(update={"providers": ("twilio", "africas-talking")}), twilio=twilio)
    assert both == {Channel.SMS: "twilio or africas_talking"}
    mails = await opened(db, mail=MailSettings(host="127.0.0.1"), ses=SesSettings(region="eu-west-1"))
    assert mails == {Channel.EMAIL: "smtp or ses"}
    account = SecretStr(LoopbackFcm().account("http://127.0.0.1:1"))
    push = PushSettings(vapid_key=SecretStr(generate_vapid_key()))
    assert await opened(db, push=push, fcm=FcmSettings(service_account=account)) == {Channel.DEVICE: "device_push"}


@pytest.mark.parametrize(
    "groups",
    [
        {"sms": SmsSettings(endpoint="http://127.0.0.1:1")},
        {"twilio": TwilioSettings(account_sid="AC1")},
        {"push": PushSettings(vapid_key="no key")},
        {"fcm": FcmSettings(service_account="{}")},
    ],
)
async def test_half_a_provider_is_told_at_the_start(db: Database, groups: dict[str, Any]) -> None:
    """A provider with something missing or wrong is refused by the name of its setting."""
    with pytest.raises(InvalidInput, match="SCHOOLOS_"):
        await opened(db, **groups)


async def test_receipts_are_set_up_by_what_is_there(db: Database) -> None:
    """Twilio's signature covers the public address; without keys nothing is taken."""
    none = receipt_keys(Settings())
    assert (none.twilio_token, none.africas_talking_secret, none.ses_topic) == (None, None, None)
    http = HttpSettings(public_url="https://kcl.example/")
    some = receipt_keys(Settings(http=http, twilio=TwilioSettings(auth_token=SecretStr("t"))))
    assert some.twilio_url == "https://kcl.example/api/providers/twilio/receipts"
    assert "t'" not in repr(some)
    assert make_devices(Settings(), db, SystemClock())
