"""One contract for every provider, over the fake and each adapter; and the formats of Africa's Talking and mail."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from moto.ses.models import ses_backends

from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports
from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.fcm import FcmPush, ServiceAccount
from core.adapters.smtp import SmtpMail
from core.adapters.twilio import TwilioSms
from core.clock import SystemClock
from core.errors import Fault, InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications.model import OutgoingMessage, Reason, Text
from core.notifications.ports import MessageSender, NotTaken
from tests.factories.providers import (
    Browser,
    LoopbackFcm,
    LoopbackTwilio,
    answering,
    make_ses,
    make_web_push,
    ses_server,
)
from tests.factories.senders import FakeSender

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "africas_talking.json").read_text("utf-8"))["answers"]
TEXT = Text("Results of Tọ́lá", "Kings College Lagos: results of Tọ́lá are published.")
SHORT = timedelta(milliseconds=300)


@dataclass(frozen=True)
class Party:
    """A provider under test."""

    sender: MessageSender
    address: str
    bad_address: str
    taken: Callable[[], list[str]]
    """The texts it has taken."""
    keeps_keys: bool
    """Whether the same key again makes no second message."""
    reason: Reason = Reason.REJECTED
    """Why the bad address is refused."""
    same_id: bool = True
    """Whether the same key again is answered with the same id."""


BROWSER = Browser()


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """The loopback providers."""
    smtp_port, sms_port = free_ports(2, near=25_300)
    room = Mailroom(tmp_path, smtp_port, sms_port)
    room.start()
    yield room
    room.stop()


@pytest.fixture(params=["fake", "smtp", "africas_talking", "twilio", "ses", "web_push", "fcm"])
async def party(request: pytest.FixtureRequest) -> AsyncIterator[Party]:
    """Each provider in turn."""
    async with AsyncExitStack() as stack:
        if request.param in ROOMED:
            made = ROOMED[request.param](request.getfixturevalue("mailroom"))
        else:
            made = await stack.enter_async_context(SERVED[request.param]())
        yield made
        await made.sender.close()


def _fake(_: Mailroom) -> Party:
    def trouble(message: OutgoingMessage) -> SchoolOSError | None:
        refused = InvalidInput("refused", [Fault("/address", "refused", Reason.REJECTED)])
        return None if message.address.startswith("+") else refused

    sender = FakeSender(trouble)
    return Party(sender, "+2348030000001", "nobody", lambda: [m.text.body for m in sender.taken.values()], True)


def _smtp(room: Mailroom) -> Party:
    sender = SmtpMail("127.0.0.1", room.smtp_port, sender="SchoolOS <no-reply@school.example>", security="none")
    return Party(
        sender, "ada@example.org", "no one at all", lambda: [mail.body.strip() for mail in room.mails()], False
    )


def _sms(room: Mailroom) -> Party:
    sender = AfricasTalkingSms(room.sms_endpoint, username="sandbox", api_key="k", sender_id="SCHOOL")
    taken = lambda: [sms.text for sms in room.texts()]  # noqa: E731 - as short as the others
    return Party(sender, "+2348030000001", "0803", taken, True, Reason.BAD_ADDRESS)


@asynccontextmanager
async def _twilio() -> AsyncIterator[Party]:
    provider = LoopbackTwilio()
    async with answering(provider.answer) as url:
        yield Party(
            TwilioSms(url, account_sid="AC1", auth_token="token", sender="+15017122661"),
            "+2348030000001",
            "0803",
            lambda: [form["Body"] for form in provider.forms],
            False,
            Reason.BAD_ADDRESS,
            same_id=False,
        )


@asynccontextmanager
async def _ses() -> AsyncIterator[Party]:
    async with ses_server() as url:
        yield Party(
            make_ses(url),
            "ada@example.org",
            "no one at all",
            lambda: [mail.body.strip() for mail in ses_backends["123456789012"]["eu-west-1"].sent_messages],
            False,
            Reason.BAD_ADDRESS,
            same_id=False,
        )


@asynccontextmanager
async def _web_push() -> AsyncIterator[Party]:
    browser = Browser()
    async with answering(browser.answer) as url:
        yield Party(
            make_web_push(url),
            browser.address(url).written(),
            browser.address("https://elsewhere.example").written(),
            lambda: [shown["body"] for shown in browser.waiting.values()],
            True,
            Reason.NO_DEVICE,
            same_id=False,
        )


@asynccontextmanager
async def _fcm() -> AsyncIterator[Party]:
    provider = LoopbackFcm()
    async with answering(provider.answer) as url:
        account = ServiceAccount.read(provider.account(url))
        yield Party(
            FcmPush(account, clock=SystemClock(), endpoint=url),
            "good-token",
            "old-token",
            lambda: [shown["notification"]["body"] for shown in provider.messages],
            False,
            Reason.NO_DEVICE,
            same_id=False,
        )


ROOMED = {"fake": _fake, "smtp": _smtp, "africas_talking": _sms}
SERVED = {"twilio": _twilio, "ses": _ses, "web_push": _web_push, "fcm": _fcm}
ACCOUNT = LoopbackFcm()

# The same providers at an address where nobody answers, with an address for each.
ABSENT: Mapping[str, Callable[[int, timedelta], tuple[MessageSender, str]]] = {
    "smtp": lambda port, patience: (
        SmtpMail("127.0.0.1", port, sender="a@school.example", security="none", timeout=patience),
        "ada@example.org",
    ),
    "africas_talking": lambda port, patience: (
        AfricasTalkingSms(f"http://127.0.0.1:{port}", username="sandbox", api_key="k", timeout=patience),
        "+2348030000001",
    ),
    "twilio": lambda port, patience: (
        TwilioSms(
            f"http://127.0.0.1:{port}", account_sid="AC1", auth_token="t", sender="+15017122661", timeout=patience
        ),
        "+2348030000001",
    ),
    "ses": lambda port, patience: (make_ses(f"http://127.0.0.1:{port}", patience), "ada@example.org"),
    "web_push": lambda port, patience: (
        make_web_push(f"http://127.0.0.1:{port}", patience),
        BROWSER.address(f"http://127.0.0.1:{port}").written(),
    ),
    "fcm": lambda port, patience: (
        FcmPush(
            ServiceAccount.read(ACCOUNT.account(f"http://127.0.0.1:{port}")), clock=SystemClock(), timeout=patience
        ),
        "good-token",
    ),
}


def message(address: str, key: DeliveryId | None = None) -> OutgoingMessage:
    """Return a message for an address."""
    return OutgoingMessage(key or DeliveryId(uuid4()), address, TEXT)


async def test_a_message_is_taken_with_an_id(party: Party) -> None:
    """The provider gets the text as it was written, diacritics too, and the receipt names the message."""
    receipt = await party.sender.send(message(party.address))
    assert receipt.message_id
    assert party.taken() == [TEXT.body]


async def test_many_at_once_are_all_taken(party: Party) -> None:
    """Messages sent at the same time don't disturb each other."""
    receipts = await asyncio.gather(*(party.sender.send(message(party.address)) for _ in range(20)))
    assert len({receipt.message_id for receipt in receipts}) == 20
    assert len(party.taken()) == 20


async def test_a_bad_address_is_refused_for_good(party: Party) -> None:
    """What will never be delivered is told apart from what failed, and nothing is taken."""
    with pytest.raises(InvalidInput) as caught:
        await party.sender.send(message(party.bad_address))
    assert caught.value.faults[0].code == party.reason
    assert party.taken() == []
    await party.sender.send(message(party.address))
    assert len(party.taken()) == 1


async def test_the_same_key_again_is_answered_alike(party: Party) -> None:
    """A provider with keys takes a repeated request once, others twice; the id is the same where the key makes it."""
    key = DeliveryId(uuid4())
    first = await party.sender.send(message(party.address, key))
    again = await party.sender.send(message(party.address, key))
    assert (first.message_id == again.message_id) is party.same_id
    assert len(party.taken()) == (1 if party.keeps_keys else 2)


async def test_closing_twice_is_harmless(party: Party) -> None:
    """A closed provider may be closed again."""
    await party.sender.send(message(party.address))
    await party.sender.close()
    await party.sender.close()


@pytest.mark.parametrize("kind", list(ABSENT))
async def test_a_provider_that_is_not_there_has_taken_nothing(kind: str) -> None:
    """A refused connection may be mended, so it is worth a retry, and another provider may be asked at once."""
    (port,) = free_ports(1, near=25_900)
    sender, address = ABSENT[kind](port, timedelta(seconds=10))
    with pytest.raises(NotTaken):
        await sender.send(message(address))
    await sender.close()


async def _listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the caller leaves
    writer.close()


@pytest.mark.parametrize("kind", list(ABSENT))
async def test_a_silent_provider_is_a_timeout(kind: str) -> None:
    """A server that takes the connection and never answers is given up in time, and told as a time-out."""
    silent = await asyncio.start_server(_listen_only, "127.0.0.1", 0)
    sender, address = ABSENT[kind](silent.sockets[0].getsockname()[1], SHORT)
    with pytest.raises(Unavailable) as caught:
        await sender.send(message(address))
    assert isinstance(caught.value.__cause__, TimeoutError)
    await sender.close()
    silent.close()


# -- Africa's Talking --


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["name"])
async def test_each_recorded_answer_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented answer of Africa's Talking becomes what it means."""

    async def answer(_: web.Request) -> web.Response:
        if isinstance(recorded["body"], str):
            return web.Response(status=recorded["status"], text=recorded["body"])
        return web.json_response(recorded["body"], status=recorded["status"])

    async with answering(answer) as endpoint:
        sender = AfricasTalkingSms(endpoint, username="sandbox", api_key="k")
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


# -- mail --


async def test_a_mail_carries_its_key_and_its_subject(mailroom: Mailroom) -> None:
    """The Message-ID is made of the delivery's id, and the subject's letters arrive as they were."""
    sender = _smtp(mailroom).sender
    out = message("ada@example.org")
    await sender.send(out)
    await sender.close()
    (mail,) = mailroom.mails()
    assert mail.message_id == f"<{out.key}@school.example>"
    assert mail.subject == TEXT.title


@pytest.mark.parametrize("evil", ["ada@example.org\r\nBcc: all@example.org", "a@b.example, c@d.example", ""])
async def test_an_address_can_add_no_header_and_no_recipient(mailroom: Mailroom, evil: str) -> None:
    """An address that holds a line break or a second address is refused before anything is sent."""
    sender = _smtp(mailroom).sender
    with pytest.raises(InvalidInput):
        await sender.send(message(evil))
    await sender.close()
    assert mailroom.mails() == []


async def test_a_subject_can_add_no_header(mailroom: Mailroom) -> None:
    """A subject with a line break is refused before anything is sent."""
    sender = _smtp(mailroom).sender
    evil = OutgoingMessage(DeliveryId(uuid4()), "ada@example.org", Text("Hello\r\nBcc: all@example.org", "text"))
    with pytest.raises(InvalidInput):
        await sender.send(evil)
    await sender.close()
    assert mailroom.mails() == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"550 5.1.1 no such mailbox", InvalidInput),
        (b"450 4.2.1 mailbox busy", Unavailable),
        (b"454 Throttling failure: Maximum sending rate exceeded", TooMany),
    ],
)
async def test_each_smtp_answer_is_understood(answer: bytes, error: type[SchoolOSError]) -> None:
    """5xx about a recipient is for good, 4xx may pass, and Amazon SES's 454 is throttling."""
    async with _smtp_answering(answer) as port:
        sender = SmtpMail("127.0.0.1", port, sender="a@school.example", security="none")
        with pytest.raises(error):
            await sender.send(message("ada@example.org"))
        await sender.close()


@asynccontextmanager
async def _smtp_answering(to_rcpt: bytes) -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            said = {b"EHLO": b"250 here", b"RCPT": to_rcpt, b"QUIT": b"221 bye"}.get(verb, b"250 ok")
            writer.write(said + b"\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


# -- the loopback providers --


async def test_the_gateway_remembers_keys_over_a_restart(tmp_path: Path) -> None:
    """A key that was taken before the gateway restarted makes no second message after it."""
    smtp_port, sms_port = free_ports(2, near=25_500)
    key = DeliveryId(uuid4())
    for _ in range(2):
        room = Mailroom(tmp_path, smtp_port, sms_port)
        room.start()
        sender = _sms(room).sender
        await sender.send(message("+2348030000001", key))
        await sender.close()
        assert len(room.texts()) == 1
        room.stop()


async def test_the_front_page_shows_the_newest_first(mailroom: Mailroom) -> None:
    """What was taken can be read in a browser, SMS and mail."""
    for party in (_sms(mailroom), _smtp(mailroom)):
        for _ in range(2):
            await party.sender.send(message(party.address))
        await party.sender.close()
    async with aiohttp.ClientSession() as session, session.get(mailroom.sms_endpoint) as answer:
        shown = await answer.json()
    assert [each["key"] for each in shown["sms"]] == [each.key for each in reversed(mailroom.texts())]
    assert len(shown["mails"]) == 2


def test_a_taken_port_is_told_at_the_start(tmp_path: Path, mailroom: Mailroom) -> None:
    """The second mailroom on the same ports says so instead of waiting."""
    with pytest.raises(OSError, match="address already in use"):
        Mailroom(tmp_path / "second", mailroom.smtp_port, urlsplit(mailroom.sms_endpoint).port or 0).start()
