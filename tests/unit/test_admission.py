"""How many are served at once: who waits, who is refused, and that streams keep nobody out."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from core.errors import TooMany, Unavailable
from deployments.ground.admission import Admission, Streams

Sent = list[Message]


class Handler:
    """Answers a request once it is let go, and counts how many are in its hands."""

    def __init__(self, media_type: bytes = b"application/json") -> None:
        self.media_type = media_type
        self.let_go = asyncio.Event()
        self.begun = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; its answer begins at once."""
        self.begun += 1
        headers = [(b"content-type", self.media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.let_go.wait()
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
async def handler() -> AsyncIterator[Handler]:
    """A handler that lets everybody go in the end."""
    made = Handler()
    yield made
    made.let_go.set()


async def ask(app: Admission, path: str = "/api/x") -> Sent:
    """Return the messages of an answer."""
    sent: Sent = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
    return sent


async def asked(app: Admission, count: int) -> list["asyncio.Task[Sent]"]:
    """Return requests that have come as far as they come."""
    tasks = [asyncio.create_task(ask(app)) for _ in range(count)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_so_many_are_served_so_many_wait_and_the_rest_is_refused(handler: Handler) -> None:
    """Past both bounds 503 is a problem that says when to come back; who waited is served as places come free."""
    app = Admission(handler, at_once=2, waiting=3)
    tasks = await asked(app, 5)
    assert handler.begun == 2
    refused = await ask(app)
    assert (refused[0]["status"], json.loads(refused[1]["body"])["type"]) == (503, "/problems/unavailable")
    headers = dict(refused[0]["headers"])
    assert (headers[b"retry-after"], headers[b"content-type"]) == (b"1", b"application/problem+json")
    handler.let_go.set()
    assert {sent[0]["status"] for sent in await asyncio.gather(*tasks)} == {200}
    assert (await ask(app))[0]["status"] == 200


async def test_health_is_answered_in_a_crowd(handler: Handler) -> None:
    """A process that has too much to do lives, and is not ended for it."""
    app = Admission(handler, at_once=1, waiting=0)
    await asked(app, 1)
    alive = asyncio.create_task(ask(app, "/livez"))
    await asyncio.sleep(0)
    assert handler.begun == 2
    handler.let_go.set()
    assert (await alive)[0]["status"] == 200


async def test_open_streams_keep_nobody_out() -> None:
    """A stream of events gives its place back as it begins, once."""
    handler = Handler(b"text/event-stream; charset=utf-8")
    app = Admission(handler, at_once=1, waiting=1)
    streams = await asked(app, 1) + await asked(app, 1) + await asked(app, 1)
    assert handler.begun == 3
    handler.let_go.set()
    await asyncio.gather(*streams)
    handler.media_type = b"application/json"
    handler.let_go.clear()
    tasks = await asked(app, 2)
    assert handler.begun == 4
    handler.let_go.set()
    await asyncio.gather(*tasks)


async def test_a_caller_who_leaves_makes_room(handler: Handler) -> None:
    """A place, and one in the line, come free when a request is cancelled."""
    app = Admission(handler, at_once=1, waiting=1)
    served, waiting = await asked(app, 2)
    waiting.cancel()
    (next_one,) = await asked(app, 1)
    served.cancel()
    await asyncio.wait({served, waiting})
    await asyncio.sleep(0)
    assert handler.begun == 2
    handler.let_go.set()
    assert (await next_one)[0]["status"] == 200


def test_streams_are_bounded_for_one_and_for_all() -> None:
    """One caller can't take every stream, and all together not more than the process bears."""
    streams = Streams(most=3, most_of_one=2)
    opened: list[Any] = [streams.one_of("a"), streams.one_of("a"), streams.one_of("b")]
    for each in opened[:2]:
        each.__enter__()
    with pytest.raises(TooMany), streams.one_of("a"):
        pass
    opened[2].__enter__()
    with pytest.raises(Unavailable), streams.one_of("c"):
        pass
    for each in opened:
        each.__exit__(None, None, None)
    with streams.one_of("a"), streams.one_of("c"):
        pass
