"""Email through an SMTP server: plain text, no tracking.

Every header is set by the email package, which refuses line breaks in values, so that no name or address can add one.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Literal

import aiosmtplib

from core.errors import Fault, InvalidInput, SchoolOSError, TooMany, Unavailable
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import NotTaken

_THROTTLED = 454
"""Amazon SES: "454 Throttling failure: Maximum sending rate exceeded"."""
_ABOUT_MESSAGE = (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)


class SmtpMail:
    """Sends email over a few kept connections, opened when first needed.

    SMTP knows no idempotency key: a message in doubt after a crash can arrive twice, with the same Message-ID.
    """

    provider = "smtp"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        username: str | None = None,
        password: str | None = None,
        security: Literal["starttls", "tls", "none"] = "starttls",
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 4,
    ) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._username = username
        self._password = password
        self._security = security
        self._timeout_s = timeout.total_seconds()
        self._domain = sender.rpartition("@")[2].rstrip(">")
        self._free: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._free.put_nowait(None)

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return its Message-ID."""
        mail = self._compose(message)
        connection = await self._free.get()
        kept: aiosmtplib.SMTP | None = None
        try:
            connection = connection if connection and connection.is_connected else await self._connect()
            _, said = await connection.send_message(mail)
            kept = connection
        except aiosmtplib.SMTPException as error:
            # After an answer in words the connection is in order and stays; after anything else it is not.
            kept = (
                connection if isinstance(error, (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)) else None
            )
            raise _meaning(error) from error
        except ConnectionRefusedError as error:
            raise NotTaken("the mail server could not be reached") from error
        except OSError as error:
            raise Unavailable(f"the mail server could not be reached: {type(error).__name__}") from error
        finally:
            if connection is not None and kept is None:
                connection.close()
            self._free.put_nowait(kept)
        return Receipt(message_id=str(mail["Message-ID"]), detail=said[:200])

    async def close(self) -> None:
        """Say goodbye on each connection."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None and connection.is_connected:
                try:
                    await connection.quit(timeout=1)
                except aiosmtplib.SMTPException:
                    connection.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        connection = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            timeout=self._timeout_s,
            local_hostname=self._domain or "localhost",
        )
        await connection.connect()
        return connection

    def _compose(self, message: OutgoingMessage) -> EmailMessage:
        mail = EmailMessage(policy=SMTP_POLICY)
        try:
            name, sender = parseaddr(self._sender)
            mail["From"] = Address(display_name=name, addr_spec=sender)
            mail["To"] = Address(addr_spec=message.address)
            mail["Subject"] = message.text.title
        except (ValueError, IndexError) as error:
            what = "the address or the subject can't stand in a mail"
            raise InvalidInput(what, [Fault("/address", what, Reason.REJECTED)]) from error
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message.key}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail.set_content(message.text.body + "\n")
        return mail


def _meaning(error: aiosmtplib.SMTPException) -> SchoolOSError:
    answers = _answers(error)
    if any(code == _THROTTLED for code, _ in answers):
        return TooMany(_words(answers))
    # 5xx about the recipient or the message stays true; about our own account or sender it may be mended.
    if isinstance(error, _ABOUT_MESSAGE) and answers and all(code >= 500 for code, _ in answers):
        return InvalidInput(_words(answers), [Fault("/address", "refused", Reason.REJECTED)])
    said = _words(answers) or f"the mail server did not take it: {type(error).__name__}"
    # An answer in words is an answer: it did not take the mail. So is a server that can't be connected to.
    certain = bool(answers) or isinstance(error, aiosmtplib.SMTPConnectError)
    return NotTaken(said) if certain else Unavailable(said)


def _answers(error: aiosmtplib.SMTPException) -> Sequence[tuple[int, str]]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [(each.code, each.message) for each in error.recipients]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return [(error.code, error.message)]
    return []


def _words(answers: Sequence[tuple[int, str]]) -> str:
    # The server's words often repeat the address: the code and the enhanced code are enough (RFC 3463).
    return "; ".join(f"{code} {said.split()[0] if said[:1].isdigit() else ''}".strip() for code, said in answers)
