"""Webhooks in tests: a receiver on this machine, someone who connects it, and the loop that sends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

import httpx
from aiohttp import web

from core.access.principal import Principal
from core.adapters.postgres import PostgresDatabase
from core.adapters.webhook import HttpWebhooks
from core.clock import Clock, SystemClock
from core.notifications.fanout import FanOut
from core.notifications.webhooks_intake import WebhookIntake
from core.notifications.webhooks_loop import WebhookLoop, WebhookPolicy
from core.notifications.webhooks_model import WebhookPoster
from core.notifications.webhooks_signing import WebhookSecrets
from tests.factories.http import bearer
from tests.factories.notifications import ALL, attendance_marked, emitted
from tests.factories.school import MadeSchool

QUICK = WebhookPolicy(request_timeout=timedelta(seconds=1), poll=timedelta(milliseconds=20))


class Receiver:
    """A receiver on loopback that answers as told and remembers what came."""

    def __init__(self) -> None:
        self.got: list[tuple[Mapping[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Take one request."""
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, headers=self.headers, body=b"x" * 100_000)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    made, app = Receiver(), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()


class Desk:
    """Someone who connects other systems."""

    def __init__(self, client: httpx.AsyncClient, who: Principal) -> None:
        self.client = client
        self.headers = bearer(who)

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Ask for something."""
        return await self.client.request(method, f"/api/webhooks{path}", headers=self.headers | headers, json=body)

    async def add(self, url: str, *event_types: str) -> dict[str, Any]:
        """Add an endpoint."""
        answer = await self.call("POST", "", {"url": url, "eventTypes": list(event_types or ("attendance.marked",))})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    async def messages(self, endpoint: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return an endpoint's messages, newest first."""
        found: list[dict[str, Any]] = (await self.call("GET", f"/{endpoint['id']}/messages")).json()["items"]
        return found

    async def log(self, endpoint: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message with its attempts."""
        found: dict[str, Any] = (await self.call("GET", f"/{endpoint['id']}/messages/{message['id']}")).json()
        return found

    async def until(self, endpoint: Mapping[str, Any], fits: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until an endpoint's messages are as wanted."""
        ends = monotonic() + 20
        while not fits(found := await self.messages(endpoint)):
            assert monotonic() < ends, found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def sending(
    db: PostgresDatabase,
    secrets: WebhookSecrets,
    *,
    clock: Clock | None = None,
    poster: WebhookPoster | None = None,
    worker: str = "w1",
) -> AsyncIterator[WebhookLoop]:
    """Run the loop that sends webhooks."""
    poster = poster or HttpWebhooks(timeout=timedelta(seconds=1), loopback=True)
    loop = WebhookLoop(db, clock or SystemClock(), poster, secrets, worker=worker, policy=QUICK)
    await loop.start()
    try:
        yield loop
    finally:
        await loop.stop(5)
        await poster.close()


async def happened(db: PostgresDatabase, school: MadeSchool, times: int = 1) -> None:
    """Let a register be saved, and its event be handled, each twice as a stream may deliver it."""
    for _ in range(times):
        event = await emitted(db, school, attendance_marked(school, absent=school.students[:1]))
        intake = WebhookIntake(db, SystemClock(), FanOut(db, SystemClock(), ALL))
        await intake(event)
        await intake(event)


def all_are(state: str, count: int = 1) -> Callable[[list[dict[str, Any]]], bool]:
    """Return whether there are so many messages, all in this state."""
    return lambda found: len(found) == count and all(each["state"] == state for each in found)


def tried(times: int) -> Callable[[list[dict[str, Any]]], bool]:
    """Return whether the newest message was tried so often, to the end."""
    return lambda found: found[0]["attempts"] == times and found[0]["state"] != "sending"
