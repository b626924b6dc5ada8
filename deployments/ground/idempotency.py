"""``Idempotency-Key``: a POST that starts or sends something acts once, however often it is sent.

A route opts in by ``dependencies=[Idempotent]``. The first answer that is no error is kept for 24 hours and
given again with ``Idempotency-Replayed: true``; a key whose process died is free again after two minutes.
"""

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.datastructures import Headers, UploadFile
from starlette.requests import Request as Exchange
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.access.idempotency import Claim, IdempotencyKeys, KeyTakenByAnother
from core.access.idempotency_store import StoredAnswer
from core.errors import SchoolOSError
from core.telemetry import get_logger
from deployments.ground.problem import KeyReused
from deployments.ground.security import Caller
from deployments.services import ServicesDep

log = get_logger("http")

_CLAIM = "schoolos.idempotency"
_KEPT_HEADERS = ("content-type", "location", "etag", "link")
_PIECE_BYTES = 64 * 1024


class Replayed(Exception):
    """The request was answered before; the answer is in here."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__(answer)
        self.answer = answer


async def _idempotent(
    request: Request,
    caller: Caller,
    services: ServicesDep,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Made by the caller, new for each request.",
        ),
    ] = None,
) -> None:
    if key is None:
        return
    try:
        held = await services.access.idempotency.claim(caller.user_id, key, await _hash(request))
    except KeyTakenByAnother as error:
        raise KeyReused(str(error)) from error
    if isinstance(held, StoredAnswer):
        raise Replayed(held)
    request.scope[_CLAIM] = (held, services.access.idempotency)


Idempotent = Depends(_idempotent)
"""For ``dependencies=[...]`` of a route that starts or sends something."""


async def replay(_: Exchange, error: Exception) -> Response:
    """Return the answer that was given before."""
    assert isinstance(error, Replayed)  # noqa: S101 - registered for this class only
    answer = error.answer
    return Response(answer.body, answer.status, dict(answer.headers) | {"Idempotency-Replayed": "true"})


class KeepAnswers:
    """Keep the answer of a request that took a key, before its last byte leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        keeper = _Keeper(scope, send)
        try:
            await self.app(scope, receive, keeper.send)
        finally:
            await keeper.release_if_open()


class _Keeper:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message = {}
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Pass a message on; remember it where a key waits for the answer."""
        if _CLAIM in self._scope:
            if message["type"] == "http.response.start":
                self._start = message
            elif message["type"] == "http.response.body":
                self._body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._keep()
        await self._send(message)

    async def release_if_open(self) -> None:
        """Free the key where no answer was kept."""
        claim, keys = self._take()
        if claim is not None and keys is not None:
            await keys.release(claim)

    async def _keep(self) -> None:
        status = self._start["status"]
        if status >= 400:  # nothing was done, so the request may be mended and sent again
            return
        claim, keys = self._take()
        if claim is not None and keys is not None:
            headers = Headers(raw=self._start["headers"])
            kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
            try:
                await keys.finish(claim, StoredAnswer(status, kept, bytes(self._body)))
            except SchoolOSError as error:  # the work is done: the caller must hear of it all the same
                log.error("answer_not_kept", error=type(error).__name__)  # noqa: TRY400 - its text may hold personal data

    def _take(self) -> tuple[Claim | None, IdempotencyKeys | None]:
        taken: tuple[Claim | None, IdempotencyKeys | None] = self._scope.pop(_CLAIM, (None, None))
        return taken


async def _hash(request: Request) -> bytes:
    """Return a digest of what is asked. A form counts by its fields and files: its boundary differs each time."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    if not request.headers.get("content-type", "").startswith(("multipart/", "application/x-www-form-urlencoded")):
        digest.update(await request.body())
        return digest.digest()
    for name, value in (await request.form()).multi_items():
        digest.update(f"\n{len(name)}:{name}=".encode())
        if isinstance(value, UploadFile):
            digest.update(f"{value.size}:{value.filename}:".encode())
            while piece := await value.read(_PIECE_BYTES):
                digest.update(piece)
            await value.seek(0)
        else:
            digest.update(f"{len(value)}:{value}".encode())
    return digest.digest()
