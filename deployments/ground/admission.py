"""How many requests are served at once and how many streams stay open; who is too many is told so at once."""

from asyncio import Semaphore
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import contextmanager

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TooMany, Unavailable
from deployments.ground.problem import from_error
from deployments.ground.security import Caller

AT_ONCE = 100
"""Requests in a handler's hands; more would only wait for the database's few connections instead."""
WAITING = 400
"""Requests that wait for a place, a few seconds' work; past it a caller does better to come back."""
STREAMS = 1000
STREAMS_OF_ONE = 20
"""Browsers open six connections to a host, so that this is somebody with four of them, or a program that leaks."""
_ALWAYS = frozenset({"/livez", "/readyz"})
"""Who asks these ends a process that does not answer, which a crowd is no reason for."""


class Admission:
    """Serve so many requests at once, let so many wait, and refuse the rest with 503 and when to come back.

    A stream of events gives its place back as it begins: it lasts for minutes and costs nothing meanwhile. Serve
    counts streams like requests, so that the open pages of a hundred people would keep everybody else out.
    """

    def __init__(self, app: ASGIApp, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.app = app
        self._places = Semaphore(at_once)
        self._most_waiting = waiting
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self.app(scope, receive, send)
        elif self._places.locked() and self._waiting >= self._most_waiting:
            await from_error(Unavailable("too many requests at this moment; try again", 1.0))(scope, receive, send)
        else:
            await self._wait()
            place = _Place(self._places, send)
            try:
                await self.app(scope, receive, place.send)
            finally:
                place.leave()

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1


class _Place:
    """One request's place, which is given back once."""

    def __init__(self, places: Semaphore, send: Send) -> None:
        self._places = places
        self._send = send
        self._taken = True

    async def send(self, message: Message) -> None:
        """Pass a message on; the beginning of a stream of events gives the place back."""
        if message["type"] == "http.response.start" and _begins_stream(message):
            self.leave()
        await self._send(message)

    def leave(self) -> None:
        """Give the place back."""
        if self._taken:
            self._taken = False
            self._places.release()


def _begins_stream(message: Message) -> bool:
    return Headers(raw=message.get("headers", [])).get("content-type", "").startswith("text/event-stream")


class Streams:
    """The streams of events that are open in this process."""

    def __init__(self, most: int = STREAMS, most_of_one: int = STREAMS_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._open: Counter[Hashable] = Counter()

    @contextmanager
    def one_of(self, caller: Hashable) -> Iterator[None]:
        """Count a stream while it is open. Raises ``TooMany`` for a caller with many, ``Unavailable`` where all are."""
        if self._open[caller] >= self._most_of_one:
            raise TooMany("too many open streams of this account; close one", 10.0)
        if self._open.total() >= self._most:
            raise Unavailable("too many open streams at this moment; try again", 10.0)
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


async def _counted(request: Request, caller: Caller) -> AsyncIterator[None]:
    streams: Streams = request.app.state.streams
    with streams.one_of(caller.user_id):
        yield


Streaming = Depends(_counted)
"""A dependency of routes that answer a stream of events: it is counted until it ends."""
