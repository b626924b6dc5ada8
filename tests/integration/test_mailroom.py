"""Mail as a server gets it, and the loopback providers that stand in for mail and SMS."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest

from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports
from core.adapters.smtp import SmtpMail
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications.model import OutgoingMessage, Text
from tests.factories.mailrooms import open_mailroom, sms_party, smtp_party
from tests.factories.senders import TEXT, message


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """The loopback providers."""
    with open_mailroom(tmp_path) as room:
        yield room


async def test_a_mail_carries_its_key_and_its_subject(mailroom: Mailroom) -> None:
    """The Message-ID is made of the delivery's id, and the subject's letters arrive as they were."""
    sender = smtp_party(mailroom).sender
    out = message("ada@example.org")
    await sender.send(out)
    await sender.close()
    (mail,) = mailroom.mails()
    assert mail.message_id == f"<{out.key}@school.example>"
    assert mail.subject == TEXT.title


@pytest.mark.parametrize("evil", ["ada@example.org\r\nBcc: all@example.org", "a@b.example, c@d.example", ""])
async def test_an_address_can_add_no_header_and_no_recipient(mailroom: Mailroom, evil: str) -> None:
    """An address that holds a line break or a second address is refused before anything is sent."""
    sender = smtp_party(mailroom).sender
    with pytest.raises(InvalidInput):
        await sender.send(message(evil))
    await sender.close()
    assert mailroom.mails() == []


async def test_a_subject_can_add_no_header(mailroom: Mailroom) -> None:
    """A subject with a line break is refused before anything is sent."""
    sender = smtp_party(mailroom).sender
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


async def test_the_gateway_remembers_keys_over_a_restart(tmp_path: Path) -> None:
    """A key that was taken before the gateway restarted makes no second message after it."""
    smtp_port, sms_port = free_ports(2, near=25_500)
    key = DeliveryId(uuid4())
    for _ in range(2):
        room = Mailroom(tmp_path, smtp_port, sms_port)
        room.start()
        sender = sms_party(room).sender
        await sender.send(message("+2348030000001", key))
        await sender.close()
        assert len(room.texts()) == 1
        room.stop()


async def test_the_front_page_shows_the_newest_first(mailroom: Mailroom) -> None:
    """What was taken can be read in a browser, SMS and mail."""
    for party in (sms_party(mailroom), smtp_party(mailroom)):
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
