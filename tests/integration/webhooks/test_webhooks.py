"""Webhooks out: what a receiver on this machine really gets."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

from pydantic import SecretStr

from cluster.settings import RedisSettings, Settings
from cluster.wiring_upkeep import open_relay
from cluster.wiring_workers import open_notifier
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.errors import Fault, InvalidInput
from core.notifications.model import Channel, OutgoingMessage, Reason
from core.notifications.webhooks_loop import WebhookLoop, WebhookPolicy
from core.notifications.webhooks_model import DISABLE_AFTER, WebhookAnswer
from core.notifications.webhooks_signing import WebhookSecrets, signature
from tests.factories.notifications import attendance_marked, delivering, emitted, fanned_out, fee_reminder, settled
from tests.factories.school import MadeSchool
from tests.factories.senders import FakeSender
from tests.factories.webhooks import QUICK, Desk, Receiver, all_are, happened, sending, tried


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
