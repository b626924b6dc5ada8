"""Providers under test, and the loopback providers of mail and SMS, running."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports
from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.smtp import SmtpMail
from core.notifications.model import Reason
from core.notifications.ports import MessageSender


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


@contextmanager
def open_mailroom(folder: Path) -> Iterator[Mailroom]:
    """Run the loopback providers, their messages in a folder."""
    smtp_port, sms_port = free_ports(2, near=25_300)
    room = Mailroom(folder, smtp_port, sms_port)
    room.start()
    try:
        yield room
    finally:
        room.stop()


def smtp_party(room: Mailroom) -> Party:
    """Return the mail server as a provider."""
    sender = SmtpMail("127.0.0.1", room.smtp_port, sender="SchoolOS <no-reply@school.example>", security="none")
    return Party(
        sender, "ada@example.org", "no one at all", lambda: [mail.body.strip() for mail in room.mails()], False
    )


def sms_party(room: Mailroom) -> Party:
    """Return the SMS gateway as a provider."""
    sender = AfricasTalkingSms(room.sms_endpoint, username="sandbox", api_key="k", sender_id="SCHOOL")
    taken = lambda: [sms.text for sms in room.texts()]  # noqa: E731 - as short as the others
    return Party(sender, "+2348030000001", "0803", taken, True, Reason.BAD_ADDRESS)
