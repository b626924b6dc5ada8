"""Webhooks out: endpoints over HTTP, and what a receiver on this machine really gets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr
from typing_extensions import override

from cluster.settings import RedisSettings, Settings, WebhookSettings
from cluster.wiring_ground import installation_key
from cluster.wiring_workers import open_notifier, open_relay
from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.adapters.webhook import HttpWebhooks
from core.clock import Clock, FakeClock, SystemClock
from core.errors import Fault, InvalidInput, Unavailable
from core.notifications.fanout import FanOut
from core.notifications.model import Channel, OutgoingMessage, Reason
from core.notifications.webhooks_intake import WebhookIntake
from core.notifications.webhooks_loop import WebhookLoop, WebhookPolicy
from core.notifications.webhooks_model import DISABLE_AFTER, WebhookAnswer, WebhookPoster
from core.notifications.webhooks_signing import WebhookSecrets, signature
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import ALL, attendance_marked, delivering, emitted, fanned_out, fee_reminder, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender

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


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that runs."""
    made, app = Receiver(), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings under which this machine may be an endpoint."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state, webhook=WebhookSettings(allow_loopback=True))


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two students."""
    return await make_school(db, students=2)


@pytest.fixture
def secrets(settings: Settings) -> WebhookSecrets:
    """What the installation's secrets are derived from."""
    key = installation_key(settings)
    assert key is not None
    return WebhookSecrets(key)


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


@pytest.fixture
def desk(client: httpx.AsyncClient, school: MadeSchool) -> Desk:
    """The school's desk."""
    return Desk(client, school.as_(Role.SCHOOL_ADMIN))


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


async def test_an_event_arrives_signed(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """The receiver gets the event once, in the standard form, with a signature that its secret verifies."""
    endpoint = await desk.add(receiver.url)
    await desk.add(receiver.url + "/fees", "fee.reminder")
    await happened(db, school)
    async with sending(db, secrets):
        await desk.until(endpoint, all_are("sent"))
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert (told["type"], told["data"]["absentStudentIds"]) == ("attendance.marked", [str(school.students[0])])
    (message,) = await desk.messages(endpoint)
    assert headers["webhook-id"] == message["webhookId"]
    moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == signature(endpoint["secret"], message["webhookId"], moment, body)
    log = await desk.log(endpoint, message)
    assert [(each["number"], each["outcome"], each["status"]) for each in log["attempts"]] == [(1, "taken", 204)]


async def test_a_failure_is_tried_again_under_the_same_id(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """After 500 and a redirect the message waits by the schedule and then arrives; ids are equal, times are not."""
    clock = FakeClock(SystemClock().now())
    endpoint = await desk.add(receiver.url)
    await happened(db, school)
    clock.advance(timedelta(seconds=1))
    async with sending(db, secrets, clock=clock):
        for attempts, (status, wait) in enumerate(((500, 6), (302, 340), (204, 0)), start=1):
            receiver.status, receiver.headers = status, {"Location": receiver.url + "/elsewhere"}
            if status == 302:
                receiver.headers["Retry-After"] = "1"
            await desk.until(endpoint, tried(attempts))
            clock.advance(timedelta(seconds=wait))
    assert len(receiver.got) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 3
    assert len({body for _, body in receiver.got}) == 1


async def test_two_secrets_sign_during_a_rotation(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """For a day both secrets sign, after it the new one alone."""
    clock = FakeClock(SystemClock().now())
    endpoint = await desk.add(receiver.url)
    rotated = (await desk.call("POST", f"/{endpoint['id']}/rotate-secret")).json()
    assert rotated["secret"] != endpoint["secret"]
    for count, wait in ((1, timedelta()), (2, timedelta(days=2))):
        await happened(db, school)
        clock.advance(wait + timedelta(seconds=1))
        async with sending(db, secrets, clock=clock):
            await desk.until(endpoint, all_are("sent", count))
    assert [len(headers["webhook-signature"].split()) for headers, _ in receiver.got] == [2, 1]


async def test_a_delivery_that_died_is_told(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """Who asked for it hears which delivery died and why, by ids alone."""
    endpoint = await desk.add(receiver.url, "delivery.dead")

    def refuse(_: OutgoingMessage) -> InvalidInput:
        return InvalidInput("no", [Fault("/address", "no", Reason.REJECTED)])

    await fanned_out(db, school, fee_reminder(school, school.students[:1]), channels=frozenset({Channel.SMS}))
    async with delivering(db, {Channel.SMS: FakeSender(refuse)}):
        await settled(db, school)
    async with sending(db, secrets):
        await desk.until(endpoint, all_are("sent"))
    told = json.loads(receiver.got[0][1])
    assert told["type"] == "delivery.dead"
    assert (told["data"]["channel"], told["data"]["reason"]) == ("sms", "provider_rejected")
    assert "+234" not in receiver.got[0][1].decode()


async def test_410_switches_off_at_once_and_tells_the_leaders(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """The endpoint is asked no more, what waits is given up, and the leaders' bells say so once."""
    endpoint = await desk.add(receiver.url)
    receiver.status = 410
    await happened(db, school, 3)
    async with sending(db, secrets):
        await desk.until(endpoint, all_are("dead", 3))
    found = (await desk.call("GET", f"/{endpoint['id']}")).json()
    assert (found["active"], found["disabledReason"]) == (False, "gone")
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT user_id FROM notifications WHERE event_type = 'webhook.disabled'")
    leaders = [school.as_(role).user_id for role in (Role.SCHOOL_ADMIN, Role.PRINCIPAL)]
    assert sorted(row["user_id"] for row in rows) == sorted(leaders)
    before = len(receiver.got)
    await happened(db, school)
    async with sending(db, secrets):
        assert len(await desk.messages(endpoint)) == 3
    assert len(receiver.got) == before


async def test_days_of_failure_switch_off(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """An endpoint that has failed for days is switched off; switched on again, its dead messages can be replayed."""
    endpoint = await desk.add(receiver.url)
    receiver.status = 500
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE webhook_endpoints SET failing_since = $1", SystemClock().now() - DISABLE_AFTER)
    await happened(db, school)
    async with sending(db, secrets):
        await desk.until(endpoint, all_are("dead"))
        found = (await desk.call("GET", f"/{endpoint['id']}")).json()
        assert (found["active"], found["disabledReason"]) == (False, "failing")
        replay = {"since": "2020-01-01T00:00:00Z"}
        assert (await desk.call("POST", f"/{endpoint['id']}/replay", replay)).status_code == 409
        receiver.status = 200
        match = {"If-Match": f'"{found["version"]}"'}
        assert (await desk.call("PATCH", f"/{endpoint['id']}", {"active": True}, **match)).status_code == 200
        assert (await desk.call("POST", f"/{endpoint['id']}/replay", replay)).json() == {"queued": 1}
        await desk.until(endpoint, all_are("sent"))
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_a_message_is_replayed_under_its_old_id(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """What was sent is sent once more, and a test message goes out whatever the endpoint asked for."""
    endpoint = await desk.add(receiver.url)
    await happened(db, school)
    async with sending(db, secrets):
        await desk.until(endpoint, all_are("sent"))
        (message,) = await desk.messages(endpoint)
        path = f"/{endpoint['id']}/messages/{message['id']}/replay"
        assert (await desk.call("POST", path)).status_code == 202
        await desk.until(endpoint, tried(2))
        assert (await desk.call("POST", f"/{endpoint['id']}/test")).status_code == 202
        await desk.until(endpoint, all_are("sent", 2))
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[0] == ids[1] != ids[2]
    assert json.loads(receiver.got[2][1])["type"] == "webhook.test"


class Hanging:
    """A poster whose requests never end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.count = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """Wait for ever."""
        self.count += 1
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """Close nothing."""


async def test_what_a_dead_worker_held_goes_out_again(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """After the lease another worker sends it under the same id, and the log shows the attempt as lost."""
    clock = FakeClock(SystemClock().now())
    endpoint = await desk.add(receiver.url)
    await happened(db, school)
    clock.advance(timedelta(seconds=1))
    poster = Hanging()
    dead = WebhookLoop(db, clock, poster, secrets, worker="dead", policy=WebhookPolicy(poll=QUICK.poll))
    await dead.start()
    await poster.asked.wait()
    for task in [*dead._loops, *dead._under_way]:  # killed: nothing is given back
        task.cancel()
    clock.advance(timedelta(minutes=1))
    async with sending(db, secrets, clock=clock, worker="w2"):
        await desk.until(endpoint, all_are("sent"))
    log = await desk.log(endpoint, (await desk.messages(endpoint))[0])
    assert [(each["worker"], each["outcome"]) for each in log["attempts"]] == [("dead", "lost"), ("w2", "taken")]


async def test_a_drain_gives_back_what_it_can_not_finish(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """A worker that stops leaves nothing to wait for a lease: the next one sends it at once."""
    endpoint = await desk.add(receiver.url)
    await happened(db, school)
    poster = Hanging()
    loop = WebhookLoop(db, SystemClock(), poster, secrets, worker="old", policy=WebhookPolicy(poll=QUICK.poll))
    await loop.start()
    await poster.asked.wait()
    await loop.stop(0.01)
    async with sending(db, secrets, worker="new"):
        await desk.until(endpoint, all_are("sent"))


async def test_a_slow_receiver_takes_no_more_than_its_share(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, receiver: Receiver, secrets: WebhookSecrets
) -> None:
    """Of one endpoint a few requests are under way at once, however many wait."""
    await desk.add(receiver.url)
    await happened(db, school, 8)
    poster = Hanging()
    async with sending(db, secrets, poster=poster) as loop:
        await poster.asked.wait()
        await loop._claim()
        await loop._claim()
        assert loop.gauges()["webhooks_under_way"] == QUICK.of_one_endpoint


async def test_the_pools_worker_sends_webhooks_too(
    *,
    desk: Desk,
    db: PostgresDatabase,
    school: MadeSchool,
    receiver: Receiver,
    settings: Settings,
    redis_url: str,
) -> None:
    """From the outbox through the stream to the receiver, by the very workers that the pools run."""
    endpoint = await desk.add(receiver.url)
    prefix = f"webhooks-{uuid4().hex}:"
    real = settings.model_copy(update={"redis": RedisSettings(url=SecretStr(redis_url), key_prefix=prefix)})
    await emitted(db, school, attendance_marked(school, absent=school.students[:1]))
    async with open_relay(real, "relay") as relay, open_notifier(real, "notifier-0") as notifier:
        await relay.start()
        await notifier.start()
        await desk.until(endpoint, all_are("sent"))
        assert (await notifier.ping())["webhooks_sent"] == 1
        link = await bell_link(db, school)
        await notifier.drain(5)
        await relay.drain(5)
    assert json.loads(receiver.got[0][1])["data"]["absentStudentIds"] == [str(school.students[0])]
    assert link.startswith(f"{settings.http.url}/a/")


async def bell_link(db: PostgresDatabase, school: MadeSchool) -> str:
    """Wait for the guardian's bell to ring and return the link in it."""
    ends = monotonic() + 20
    while monotonic() < ends:
        async with db.tenant(school.id) as tx:
            body = await tx.fetchval("SELECT body FROM notifications WHERE event_type = 'attendance.marked'")
        if body:
            return str(body).split()[-1]
        await asyncio.sleep(0.02)
    raise AssertionError("the bell did not ring")


# Where nothing is sent.


class Names(AbstractResolver):
    """A resolver that answers as a hostile name server would: differently each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    @override
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return the next answer."""
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=10 if ":" in each else 2, proto=6, flags=0)
            for each in found
        ]

    @override
    async def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00:ec2::254]", "[::ffff:127.0.0.1]",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0.0.0.0", "[::]", "100.100.100.200",
    ],
)  # fmt: skip
async def test_no_request_leaves_for_a_private_address(host: str) -> None:
    """Whatever way the address is written, the connection is refused before it is made."""
    poster = HttpWebhooks(timeout=timedelta(seconds=2))
    with pytest.raises(InvalidInput):
        await poster.post(f"https://{host}/latest/meta-data", {}, b"{}")
    await poster.close()


async def test_a_name_that_changes_between_two_looks_is_seen_through(receiver: Receiver) -> None:
    """A name that was public when the endpoint was registered and is loopback now (DNS rebinding) reaches nothing."""
    port = receiver.url.split(":")[2].split("/")[0]
    for answers in ([["127.0.0.1"]], [["10.0.0.1", "127.0.0.1"]], [["::1"]], [["169.254.169.254"], ["127.0.0.1"]]):
        poster = HttpWebhooks(timeout=timedelta(seconds=1), resolver=Names(*answers))
        for _ in answers:
            with pytest.raises((InvalidInput, Unavailable)):
                await poster.post(f"https://rebound.example:{port}/", {}, b"{}")
        await poster.close()
    assert receiver.got == []


async def test_a_redirect_is_an_answer_and_no_way(receiver: Receiver) -> None:
    """A receiver that points elsewhere is not followed, and its long answer is read up to a bound."""
    receiver.status, receiver.headers = 307, {"Location": "http://169.254.169.254/"}
    poster = HttpWebhooks(timeout=timedelta(seconds=2), loopback=True)
    assert (await poster.post(receiver.url, {}, b"{}")).status == 307
    assert len(receiver.got) == 1
    await poster.close()


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect in our place, past the check."""
    monkeypatch.setenv("https_proxy", receiver.url)
    monkeypatch.setenv("http_proxy", receiver.url)
    poster = HttpWebhooks(timeout=timedelta(seconds=1), resolver=Names(["10.0.0.1"]))
    with pytest.raises(InvalidInput):
        await poster.post("https://a.example/", {}, b"{}")
    await poster.close()
    assert receiver.got == []


async def test_nobody_there_is_not_blocked() -> None:
    """A receiver that is down is out of reach for now, which is another thing than a forbidden address."""
    poster = HttpWebhooks(timeout=timedelta(seconds=1), loopback=True)
    with pytest.raises(Unavailable):
        await poster.post("http://127.0.0.1:9/", {}, b"{}")
    await poster.close()


async def test_a_blocked_address_ends_the_message(
    desk: Desk, db: PostgresDatabase, school: MadeSchool, secrets: WebhookSecrets
) -> None:
    """An endpoint whose name leads inside gets nothing; its log says why."""
    endpoint = await desk.add("https://inside.example/")
    await happened(db, school)
    async with sending(db, secrets, poster=HttpWebhooks(resolver=Names(["10.1.2.3"]))):
        await desk.until(endpoint, all_are("dead"))
    (message,) = await desk.messages(endpoint)
    assert message["reason"] == "address_not_allowed"
    assert [each["outcome"] for each in (await desk.log(endpoint, message))["attempts"]] == ["blocked"]


# Endpoints.


async def test_an_endpoint_is_read_changed_and_removed(desk: Desk) -> None:
    """Its secret is shown once; a change asks for the version; what was removed is gone."""
    added = await desk.add("https://a.example/x", "scores.published")
    assert added["secret"].startswith("whsec_")
    path = f"/{added['id']}"
    found = await desk.call("GET", path)
    assert "secret" not in found.json()
    assert (await desk.call("PATCH", path, {"description": "x"})).status_code == 428
    changed = await desk.call("PATCH", path, {"eventTypes": ["fee.reminder"]}, **{"If-Match": found.headers["etag"]})
    assert (changed.status_code, changed.json()["eventTypes"]) == (200, ["fee.reminder"])
    stale = await desk.call("PATCH", path, {"active": False}, **{"If-Match": found.headers["etag"]})
    assert stale.status_code == 412
    assert len((await desk.call("GET", "")).json()["items"]) == 1
    assert (await desk.call("DELETE", path)).status_code == 204
    assert (await desk.call("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://a.example", "eventTypes": ["fee.reminder"]},
        {"url": "http://a.example", "eventTypes": ["fee.reminder"]},
        {"url": "https://a.example", "eventTypes": ["no.such"]}, {"url": "https://a.example", "eventTypes": []},
        {"url": "https://u:p@a.example", "eventTypes": ["fee.reminder"]}, {"eventTypes": ["fee.reminder"]},
    ],
)  # fmt: skip
async def test_what_is_no_endpoint_is_refused(desk: Desk, body: dict[str, object]) -> None:
    """Wrong addresses and events answer 422."""
    assert (await desk.call("POST", "", body)).status_code == 422


async def test_a_school_has_ten_endpoints_at_most(desk: Desk) -> None:
    """The eleventh and the same address twice answer 409."""
    for number in range(10):
        await desk.add(f"https://a.example/{number}")
    for number in (0, 10):
        body = {"url": f"https://a.example/{number}", "eventTypes": ["fee.reminder"]}
        assert (await desk.call("POST", "", body)).status_code == 409


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.SCHOOL_ADMIN, True), (Role.PRINCIPAL, True), (Role.HEAD_OF_DEPARTMENT, False),
        (Role.CLASS_TEACHER, False), (Role.SUBJECT_TEACHER, False), (Role.BURSAR, False), (Role.GUARDIAN, False),
        (Role.STUDENT, False),
    ],
)  # fmt: skip
async def test_who_may(client: httpx.AsyncClient, school: MadeSchool, role: Role, may: bool) -> None:
    """Those who manage users or messages may; everyone else is told 403 by every route."""
    desk, id_, other = Desk(client, school.as_(role)), uuid4(), uuid4()
    endpoint = {"url": "https://a.example", "eventTypes": ["fee.reminder"]}
    calls: tuple[tuple[str, str, object], ...] = (
        ("GET", "", None), ("POST", "", endpoint), ("GET", f"/{id_}", None), ("PATCH", f"/{id_}", {}),
        ("DELETE", f"/{id_}", None), ("POST", f"/{id_}/rotate-secret", None), ("POST", f"/{id_}/test", None),
        ("GET", f"/{id_}/messages", None), ("GET", f"/{id_}/messages/{other}", None),
        ("POST", f"/{id_}/messages/{other}/replay", None),
        ("POST", f"/{id_}/replay", {"since": "2027-01-01T00:00:00Z"}),
    )  # fmt: skip
    for method, path, body in calls:
        answer = await desk.call(method, path, body, **{"If-Match": '"1"'})
        assert (answer.status_code != 403) is may, (method, path, answer.text)


async def test_another_schools_endpoints_are_not_there(
    desk: Desk, client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Every route answers 404 to another school's ids, and its events don't reach this school's endpoint."""
    endpoint = await desk.add("https://a.example/")
    await happened(db, school)
    (message,) = await desk.messages(endpoint)
    elsewhere = await make_school(db)
    stranger = Desk(client, elsewhere.as_(Role.SCHOOL_ADMIN))
    path = f"/{endpoint['id']}"
    for method, tail, body in (
        ("GET", "", None), ("PATCH", "", {"active": False}), ("DELETE", "", None), ("POST", "/rotate-secret", None),
        ("POST", "/test", None), ("GET", "/messages", None), ("GET", f"/messages/{message['id']}", None),
        ("POST", f"/messages/{message['id']}/replay", None), ("POST", "/replay", {"since": "2020-01-01T00:00:00Z"}),
    ):  # fmt: skip
        answer = await stranger.call(method, path + tail, body, **{"If-Match": '"1"'})
        assert answer.status_code == 404, (method, tail, answer.text)
    await happened(db, elsewhere)
    assert len(await desk.messages(endpoint)) == 1
    assert (await desk.call("GET", path)).json()["version"] == 1
