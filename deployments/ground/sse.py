"""Server-sent events: one stream a caller, with heartbeats, closed when the caller leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from core.telemetry import ACTIVE_STREAMS
from deployments.ground.wire import Wire

HEARTBEAT = timedelta(seconds=15)
"""Under the idle time-outs of common proxies (30-60 s), so that they keep a quiet stream open."""
LONGEST = timedelta(minutes=15)
"""As long as an access token: then the caller comes back with a fresh one."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream."""

    name: str
    data: Wire
    id: str | None = None
    """Comes back as ``Last-Event-ID`` when the caller reconnects."""


class _Feed:
    """The source, read with a time limit that leaves it in peace."""

    def __init__(self, source: AsyncIterator[ServerEvent]) -> None:
        self._source = source
        self._coming: asyncio.Future[ServerEvent] | None = None

    async def next(self, within_s: float) -> ServerEvent | None:
        """Return the next event, or None where none comes in time. Raises ``StopAsyncIteration`` at the end."""
        self._coming = self._coming or asyncio.ensure_future(anext(self._source))
        await asyncio.wait({self._coming}, timeout=max(0.0, within_s))
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        return coming.result()

    async def close(self) -> None:
        """Close the source, wherever it is."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait({self._coming})
        if isinstance(self._source, AsyncGenerator):
            await self._source.aclose()


class EventStream(StreamingResponse):
    """A stream that is closed, with its source, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], feed: _Feed, status_code: int = 200) -> None:
        super().__init__(frames, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._frames = frames
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream until its source ends or the caller leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:  # here, and not in the generators: what a caller who left has cancelled can't wait for anything
            await self._frames.aclose()
            await self._feed.close()


def event_stream(
    source: AsyncIterator[ServerEvent], *, heartbeat: timedelta = HEARTBEAT, longest: timedelta = LONGEST
) -> EventStream:
    """Return the source as a response; the source is closed when the caller leaves or ``longest`` is over."""
    feed = _Feed(source)
    return EventStream(_frames(feed, heartbeat.total_seconds(), monotonic() + longest.total_seconds()), feed)


async def _frames(feed: _Feed, heartbeat_s: float, until: float) -> AsyncGenerator[bytes]:
    ACTIVE_STREAMS.inc()
    try:
        yield KEEPALIVE_COMMENT  # sends the headers at once, so that the caller knows it is connected
        while monotonic() < until:
            event = await feed.next(min(heartbeat_s, until - monotonic()))
            yield KEEPALIVE_COMMENT if event is None else _frame(event)
    except StopAsyncIteration:
        return
    finally:
        ACTIVE_STREAMS.dec()


def _frame(event: ServerEvent) -> bytes:
    return format_sse_event(data_str=event.data.model_dump_json(by_alias=True), event=event.name, id=event.id)
