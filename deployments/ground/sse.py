"""Server-sent events: one stream a caller, with heartbeats, closed when the caller leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
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


class EventStream(StreamingResponse):
    """A stream that is closed, with its source, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(frames, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream until its source ends or the caller leaves."""
        async with aclosing(self._frames):
            await super().__call__(scope, receive, send)


def event_stream(
    source: AsyncIterator[ServerEvent], *, heartbeat: timedelta = HEARTBEAT, longest: timedelta = LONGEST
) -> EventStream:
    """Return the source as a response; the source is closed when the caller leaves or ``longest`` is over."""
    return EventStream(_frames(source, heartbeat.total_seconds(), monotonic() + longest.total_seconds()))


async def _frames(source: AsyncIterator[ServerEvent], heartbeat_s: float, until: float) -> AsyncGenerator[bytes]:
    ACTIVE_STREAMS.inc()
    coming: asyncio.Future[ServerEvent] | None = None
    try:
        yield KEEPALIVE_COMMENT  # sends the headers at once, so that the caller knows it is connected
        while monotonic() < until:
            coming = coming or asyncio.ensure_future(anext(source))
            await asyncio.wait({coming}, timeout=min(heartbeat_s, max(0.0, until - monotonic())))
            if not coming.done():
                yield KEEPALIVE_COMMENT
                continue
            event, coming = coming.result(), None
            yield format_sse_event(data_str=event.data.model_dump_json(by_alias=True), event=event.name, id=event.id)
    except StopAsyncIteration:
        return
    finally:
        await _close(source, coming)
        ACTIVE_STREAMS.dec()


async def _close(source: AsyncIterator[ServerEvent], coming: asyncio.Future[ServerEvent] | None) -> None:
    if coming is not None and not coming.done():
        coming.cancel()
        await asyncio.wait({coming})
    if isinstance(source, AsyncGenerator):
        await source.aclose()
