"""Development stand-ins for the providers: a mail server and an SMS gateway on loopback that keep what they get.

Nothing leaves the machine. Messages lie in the state folder, one JSON object a line, and the gateway's front page
lists them. It speaks Africa's Talking's wire format and honours ``Idempotency-Key``, also over its own restarts.
"""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.policy import default as default_policy
from pathlib import Path
from typing import IO, Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
_START_TIMEOUT_S = 10
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail that was taken."""

    message_id: str
    recipient: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class ReceivedSms:
    """An SMS that was taken."""

    key: str
    """The request's ``Idempotency-Key``."""
    number: str
    text: str
    sender: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Faults a test asks for, decided by a seed."""

    error_rate: float = 0.0
    """Of the SMS requests; half of these are taken before the answer is lost, so that they are in doubt."""
    delay_s: float = 0.0
    seed: int = 0
    honours_keys: bool = True
    """False: what comes again is taken again, as by most gateways."""


class Mailroom:
    """Both servers in one thread of their own, with what they received."""

    def __init__(self, folder: Path, smtp_port: int, sms_port: int, trouble: Trouble = Trouble()) -> None:
        self._folder = folder
        self._ports = (smtp_port, sms_port)
        self._mails = _Tray(folder / "mails.jsonl")
        self._gateway = _Gateway(_Tray(folder / "sms.jsonl"), self._mails, trouble)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> None:
        """Listen. Raises ``OSError`` where a port is taken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="mailroom", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise TimeoutError("the mailroom did not start")
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Close the ports; what was received stays."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_START_TIMEOUT_S)

    @property
    def smtp_port(self) -> int:
        """The port of the mail server, for ``SCHOOLOS_MAIL_PORT``; it speaks no TLS."""
        return self._ports[0]

    @property
    def sms_endpoint(self) -> str:
        """The base of the SMS gateway, for ``SCHOOLOS_SMS_ENDPOINT``."""
        return f"http://{HOST}:{self._ports[1]}"

    @property
    def requests(self) -> int:
        """How many SMS requests came in, repeated ones among them."""
        return self._gateway.requests

    @property
    def replays(self) -> int:
        """How many of them repeated a message that had been taken, and were answered from memory."""
        return self._gateway.replays

    @property
    def answers_lost(self) -> Mapping[str, int]:
        """How often a message was taken and its answer lost, by the request's key."""
        return dict(self._gateway.answers_lost)

    def mails(self) -> list[ReceivedMail]:
        """Return every mail taken, in order."""
        return [ReceivedMail(**each) for each in self._mails.items()]

    def texts(self) -> list[ReceivedSms]:
        """Return every SMS taken, in order."""
        return [ReceivedSms(**each) for each in self._gateway.tray.items()]

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in `start`
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        smtp_port, sms_port = self._ports
        async with AsyncExitStack() as stack:
            for tray in (self._mails, self._gateway.tray):
                tray.open()
                stack.callback(tray.close)
            mail_server = await self._loop.create_server(self._smtp, HOST, smtp_port)
            stack.callback(mail_server.close)
            runner = web.AppRunner(self._gateway.app(), access_log=None, shutdown_timeout=1)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, HOST, sms_port).start()
            self._ready.set()
            await self._stop.wait()

    def _smtp(self) -> SMTP:
        return SMTP(_MailHandler(self._mails), hostname="localhost", enable_SMTPUTF8=True, loop=self._loop)


class _Tray:
    """Messages of one kind, appended to a file and kept in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._items: list[dict[str, Any]] = []
        self._file: IO[str] | None = None

    def open(self) -> None:
        if self._path.exists():
            lines = self._path.read_text("utf-8").splitlines()
            self._items = [json.loads(line) for line in lines if line.endswith("}")]
        self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def add(self, item: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the mailroom is not running")
        self._file.write(json.dumps(item, ensure_ascii=False) + "\n")
        self._items.append(dict(item))

    def items(self) -> Sequence[dict[str, Any]]:
        return list(self._items)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _MailHandler:
    """Takes every mail that is for somebody at a real-looking address."""

    def __init__(self, tray: _Tray) -> None:
        self._tray = tray

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - aiosmtpd's hook
        content = envelope.content or b""
        mail = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=default_policy)
        body = mail.get_body(("plain",))
        for recipient in envelope.rcpt_tos:
            if "@" not in recipient:
                return "550 5.1.1 no such mailbox"
        for recipient in envelope.rcpt_tos:
            received = ReceivedMail(
                message_id=str(mail["Message-ID"] or ""),
                recipient=recipient,
                subject=str(mail["Subject"] or ""),
                body=body.get_content() if body else "",
            )
            self._tray.add(asdict(received))
        return "250 2.0.0 taken"


class _Gateway:
    """The SMS gateway: the same key gets the same answer, and one message."""

    def __init__(self, tray: _Tray, mails: _Tray, trouble: Trouble) -> None:
        self.tray = tray
        self._mails = mails
        self.requests = 0
        self.replays = 0
        self.answers_lost: Counter[str] = Counter()
        self._trouble = trouble
        self._chance = random.Random(trouble.seed)  # noqa: S311 - faults, not secrets
        self._taken: dict[str, str] = {}

    def app(self) -> web.Application:
        self._taken = {each["key"]: each["message_id"] for each in self.tray.items() if each["key"]}
        app = web.Application()
        app.router.add_post("/version1/messaging", self._messaging)
        app.router.add_get("/", self._front_page)
        return app

    async def _messaging(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        form = await request.post()
        if not request.headers.get("apiKey") or not form.get("username"):
            return web.Response(status=401, text="The supplied authentication is invalid")
        if self._trouble.delay_s:
            await asyncio.sleep(self._trouble.delay_s)
        luck = self._chance.random()
        if luck < self._trouble.error_rate / 2:
            return web.Response(status=500, text="Internal Server Error")
        answer = self._take(str(form.get("to", "")), str(form.get("message", "")), str(form.get("from", "")), request)
        if luck < self._trouble.error_rate:
            self.answers_lost[request.headers.get("Idempotency-Key", "")] += 1
            return web.Response(status=502, text="Bad Gateway")
        return web.json_response(answer, status=201)

    def _take(self, number: str, text: str, sender: str, request: web.Request) -> Mapping[str, Any]:
        if not (number.startswith("+") and number[1:].isdecimal() and 8 <= len(number) <= 16):
            return _answer(403, number, "InvalidPhoneNumber", "None")
        key = request.headers.get("Idempotency-Key", "")
        if self._trouble.honours_keys and key in self._taken:
            self.replays += 1
            return _answer(101, number, "Success", self._taken[key])
        message_id = f"ATXid_{len(self.tray.items()):08d}" if not key else f"ATXid_{key.replace('-', '')}"
        self.tray.add(asdict(ReceivedSms(key=key, number=number, text=text, sender=sender, message_id=message_id)))
        if key:
            self._taken[key] = message_id
        return _answer(101, number, "Success", message_id)

    async def _front_page(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's signature
        newest = {name: tray.items()[-_SHOWN:][::-1] for name, tray in (("sms", self.tray), ("mails", self._mails))}
        return web.json_response(newest)


def _answer(code: int, number: str, status: str, message_id: str) -> Mapping[str, Any]:
    cost = "NGN 2.2000" if code == 101 else "0"
    recipient = {"statusCode": code, "number": number, "status": status, "cost": cost, "messageId": message_id}
    summary = f"Sent to {int(code == 101)}/1 Total Cost: {cost}"
    return {"SMSMessageData": {"Message": summary, "Recipients": [recipient]}}
