"""One contract for every provider, over the fake and each adapter."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from moto.ses.models import ses_backends

from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports
from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.fcm import FcmPush, ServiceAccount
from core.adapters.smtp import SmtpMail
from core.adapters.twilio import TwilioSms
from core.clock import SystemClock
from core.errors import Fault, InvalidInput, SchoolOSError, Unavailable
from core.ids import DeliveryId
from core.notifications.model import OutgoingMessage, Reason
from core.notifications.ports import MessageSender, NotTaken
from tests.factories.mailrooms import Party, open_mailroom, sms_party, smtp_party
from tests.factories.providers import (
    Browser,
    LoopbackFcm,
    LoopbackTwilio,
    answering,
    make_ses,
    make_web_push,
    ses_server,
)
from tests.factories.senders import TEXT, FakeSender, message

SHORT = timedelta(milliseconds=300)


BROWSER = Browser()


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """The loopback providers."""
    with open_mailroom(tmp_path) as room:
        yield room


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


ROOMED = {"fake": _fake, "smtp": smtp_party, "africas_talking": sms_party}
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
