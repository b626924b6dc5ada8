"""What workers do when what they stand on gives way: a silent provider, a clock that jumps, a Redis that forgets."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis import asyncio as aioredis

from cluster.embedded.mailroom import Mailroom, Trouble
from cluster.embedded.ports import free_ports
from cluster.settings import MailSettings, SmsSettings
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.events.outbox import emit
from core.ports import Row
from tests.factories.notifications import fee_reminder, scores_published, states
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import settle
from tests.fault.parts import LEASE, PATIENCE_S, all_well, at_work, settings_of
from tests.fault.servers import KillableRedis

AN_HOUR = timedelta(hours=1)
BY_SMS = 5
"""Guardians that have SMS first in the test of a silent provider."""
PATIENT = {"lease": timedelta(minutes=2), "request_timeout": timedelta(minutes=1)}
"""Asks nothing twice because the machine was slow to hear the answer."""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port; what a test before left due is dropped."""
    database = PostgresDatabase(database_url, application_name="tests")
    async with database.dispatch() as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'skipped', finished_at = now(), next_attempt_at = NULL, lease_owner = NULL,"
            " lease_until = NULL WHERE finished_at IS NULL"
        )
    yield database
    await database.close()


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """Providers that answer after a while; the gateway knows no keys, so that whatever comes twice is seen twice."""
    smtp_port, sms_port = free_ports(2, near=26_600)
    room = Mailroom(tmp_path, smtp_port, sms_port, Trouble(delay_s=0.1, honours_keys=False))
    room.start()
    yield room
    room.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[KillableRedis]:
    """A Redis of one test's own."""
    server = KillableRedis(tmp_path / "redis", near_port=25_400)
    yield server
    server.stop()


async def school_of(db: PostgresDatabase, students: int) -> MadeSchool:
    """Make a school that holds nothing back."""
    school = await make_school(db, students=students)
    await settle(db, school, holdBackMinutes=0, quietHours=None)
    return school


async def publish(db: PostgresDatabase, school: MadeSchool, *, sheet: int = 20) -> None:
    """Publish marks of all students, some at a time."""
    for start in range(0, len(school.students), sheet):
        async with db.tenant(school.id) as tx:
            payload = scores_published(school, school.students[start : start + sheet])
            await emit(tx, school_id=school.id, payload=payload, occurred_at=SystemClock().now())


async def until(is_so: Callable[[], Awaitable[bool]], within_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    ends = monotonic() + within_s
    while not await is_so():
        assert monotonic() < ends, f"not within {within_s} s"
        await asyncio.sleep(0.02)


async def tries(db: PostgresDatabase, school: MadeSchool, channel: str) -> list[Row]:
    """Return the attempts of a channel with their deliveries."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch(
            "SELECT a.*, d.event_type, d.state, d.reason FROM delivery_attempts a"
            " JOIN deliveries d ON d.school_id = a.school_id AND d.id = a.delivery_id WHERE d.channel = $1",
            channel,
        )
    return list(rows)


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """A provider that takes every connection and request, and never answers."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()


async def test_a_silent_provider_stops_nobody_else(
    db: PostgresDatabase, database_url: str, redis_url: str, mailroom: Mailroom
) -> None:
    """While SMS waits for answers until its deadline, mail and bell go on; a reminder in doubt is not repeated."""
    school = await school_of(db, 60)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE guardians SET channel_order = ARRAY['email']"
            " WHERE id NOT IN (SELECT id FROM guardians ORDER BY phone LIMIT $1)",
            BY_SMS,
        )
    mail = MailSettings(host="127.0.0.1", port=mailroom.smtp_port, security="none", sender="a@school.example")
    async with silence() as endpoint:
        sms = SmsSettings(endpoint=endpoint, api_key=SecretStr("k"), rate_per_s=0)
        settings = settings_of(database_url, redis_url, f"{uuid4().hex}:", sms=sms, mail=mail)
        async with db.tenant(school.id) as tx:
            for payload in (scores_published(school), fee_reminder(school, school.students)):
                await emit(tx, school_id=school.id, payload=payload, occurred_at=SystemClock().now())
        async with at_work(settings, notifiers=1) as workers:

            async def mails_are_sent() -> bool:
                return (await states(db, school)).get(("email", "sent"), 0) == 2 * (60 - BY_SMS)

            async def sms_timed_out() -> bool:
                return len(await tries(db, school, "sms")) >= 2 * BY_SMS

            await until(mails_are_sent)
            ended_before_mail = len(await tries(db, school, "sms"))
            await until(sms_timed_out)
            await all_well(workers)
    log = await tries(db, school, "sms")
    stand = await states(db, school)
    # Ten silences in a row open the circuit; what waits then was not sent.
    waits = [
        (each["finished_at"] - each["started_at"]).total_seconds() for each in log if each["outcome"] == "timed_out"
    ]
    sys.stdout.write(
        f"\nsilent provider: {stand[('email', 'sent')]} mails sent before {ended_before_mail} SMS attempts had ended;"
        f" {len(waits)} attempts gave up after {min(waits):.2f}-{max(waits):.2f} s\n"
    )
    assert stand[("push", "sent")] == 120
    assert {each["outcome"] for each in log} <= {"timed_out", "throttled"}
    assert settings.notifier.request_timeout.total_seconds() <= min(waits)
    assert max(waits) < LEASE.total_seconds()
    doubts = Counter((each["event_type"], each["state"], each["reason"]) for each in log if each["number"] == 1)
    assert doubts[("fee.reminder", "dead", "in_doubt")] == BY_SMS
    assert max(each["number"] for each in log if each["event_type"] == "fee.reminder") == 1


async def test_a_clock_that_jumps_disturbs_nothing(
    db: PostgresDatabase, database_url: str, redis_url: str, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock jumps an hour ahead and two back while workers send: none lost, none double without keys."""
    true_now, ahead = SystemClock.now, timedelta()

    def jumping(clock: SystemClock) -> datetime:
        return true_now(clock) + ahead

    school = await school_of(db, 120)
    sms = SmsSettings(endpoint=mailroom.sms_endpoint, api_key=SecretStr("k"), rate_per_s=0)
    settings = settings_of(database_url, redis_url, f"{uuid4().hex}:", sms=sms, notifier={**PATIENT, "concurrency": 5})
    async with at_work(settings) as workers:
        monkeypatch.setattr(SystemClock, "now", jumping)
        await publish(db, school)
        for jump, taken in ((AN_HOUR, 30), (-AN_HOUR, 70)):

            async def some_are_taken(taken: int = taken) -> bool:
                return len(mailroom.texts()) >= taken

            await until(some_are_taken)
            ahead = jump
        await until(lambda: all_ended(db))
        await all_well(workers)
    assert await states(db, school) == {("sms", "sent"): 120, ("push", "sent"): 120, ("email", "skipped"): 120}
    assert set(Counter(text.key for text in mailroom.texts()).values()) == {1}
    assert len(mailroom.texts()) == 120
    assert {each["outcome"] for each in await tries(db, school, "sms")} == {"sent"}


async def test_a_redis_that_forgets_everything_loses_nothing(
    db: PostgresDatabase, database_url: str, redis: KillableRedis, mailroom: Mailroom
) -> None:
    """After FLUSHALL, with stream, group and limit gone, every message still comes once, and within a lease and 5 s."""
    school = await school_of(db, 200)
    sms = SmsSettings(endpoint=mailroom.sms_endpoint, api_key=SecretStr("k"), rate_per_s=100)
    settings = settings_of(database_url, redis.url, sms=sms, notifier=PATIENT)
    async with aioredis.Redis.from_url(redis.url) as client, at_work(settings, notifiers=1) as (relay, notifier):
        await publish(db, school)

        async def some_are_taken() -> bool:
            return len(mailroom.texts()) >= 20

        await until(some_are_taken)
        # Given to the stream, and not read by anyone: what a flush takes away for good.
        await notifier.drain(5)
        late = await school_of(db, 100)
        await publish(db, late)
        await until(lambda: nothing_to_relay(db))
        await client.flushall()
        began = monotonic()
        async with at_work(settings, notifiers=1):
            await until(lambda: all_ended(db))
            await all_well([relay])
        took_s = monotonic() - began
        async with db.dispatch() as tx:
            back_at = await tx.fetchval("SELECT max(handled_at) FROM outbox WHERE school_id = $1", late.id)
        back_after_s = (back_at - SystemClock().now()).total_seconds() + monotonic() - began
    sys.stdout.write(f"\nFLUSHALL: all events handled after {back_after_s:.2f} s, all sent after {took_s:.2f} s\n")
    for each in (school, late):
        students = len(each.students)
        stand = await states(db, each)
        assert stand == {("sms", "sent"): students, ("push", "sent"): students, ("email", "skipped"): students}
    assert len(mailroom.texts()) == 300
    assert set(Counter(text.key for text in mailroom.texts()).values()) == {1}
    assert back_after_s <= LEASE.total_seconds() + 5


async def all_ended(db: PostgresDatabase) -> bool:
    """Tell whether every event is handled and every delivery has ended."""
    async with db.dispatch() as tx:
        return not await tx.fetchval(
            "SELECT EXISTS (SELECT FROM outbox WHERE handled_at IS NULL)"
            " OR EXISTS (SELECT FROM deliveries WHERE finished_at IS NULL)"
        )


async def nothing_to_relay(db: PostgresDatabase) -> bool:
    """Tell whether every event was given to the stream."""
    async with db.dispatch() as tx:
        return not await tx.fetchval("SELECT count(*) FROM outbox WHERE relayed_at IS NULL")
