"""Lanes, limit, doubt and several clusters at the delivery loop, on a real database and Redis."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.clock import FakeClock, SystemClock
from core.errors import Unavailable
from core.events.consumer import ConsumerPolicy, EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.outbox import WAKE_CHANNEL, emit
from core.events.relay import Relay
from core.notifications import delivery_store
from core.notifications.backlog import Backlog
from core.notifications.delivering import DeliveryLoop
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.limits import RateLimiter
from core.notifications.model import Channel, Lane, Reason
from tests.factories.limits import FakeRateLimiter
from tests.factories.notifications import (
    QUICK,
    attendance_marked,
    fanned_out,
    fee_reminder,
    room,
    scores_published,
    settled,
    states,
)
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.timing import settle
from tests.fault.stall import Stall, watched

LEASE = timedelta(seconds=3)


@asynccontextmanager
async def limited(
    db: PostgresDatabase, sender: FakeSender, limiter: RateLimiter, policy: DeliveryPolicy = QUICK
) -> AsyncIterator[DeliveryLoop]:
    """Run a delivery loop whose SMS has a limit."""
    loop = DeliveryLoop(
        db, SystemClock(), {Channel.SMS: sender}, policy, worker="limited", limits={Channel.SMS: limiter}
    )
    await loop.start()
    try:
        yield loop
    finally:
        await loop.stop(5)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(6_000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 60 s")


async def until_stand(db: PostgresDatabase, school: MadeSchool, stand: tuple[str, str], count: int) -> None:
    """Wait until so many deliveries stand there."""
    found: dict[tuple[str, str], int] = {}
    for _ in range(1200):
        found = await states(db, school)
        if found.get(stand) == count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 60 s: {found}")


async def lane_of(db: PostgresDatabase, school: MadeSchool) -> dict[str, str]:
    """Return the lane of each kind of message."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT DISTINCT event_type, lane FROM deliveries")
    return {row["event_type"]: row["lane"] for row in rows}


async def test_the_policy_tells_the_lane(db: PostgresDatabase) -> None:
    """What a school calls urgent goes in the urgent lane, what it calls promotional in that of bulk."""
    school = await make_school(db, students=2)
    await settle(db, school, urgent=["scores.published"], promotional=["attendance.marked"], holdBackMinutes=0)
    await fanned_out(db, school, scores_published(school))
    await fanned_out(db, school, attendance_marked(school, absent=school.students))
    assert await lane_of(db, school) == {"scores.published": "urgent", "attendance.marked": "bulk"}
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, finished_at = now()")


async def test_the_kind_of_event_tells_the_lane(db: PostgresDatabase) -> None:
    """Where a school has settled nothing, absences are urgent and fee reminders bulk."""
    school = await make_school(db, students=2)
    await fanned_out(db, school, attendance_marked(school, absent=school.students))
    await fanned_out(db, school, fee_reminder(school, school.students))
    assert await lane_of(db, school) == {"attendance.marked": "urgent", "fee.reminder": "bulk"}
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, finished_at = now()")


async def test_an_absence_overtakes_reminders_at_the_limit(db: PostgresDatabase, tmp_path: Path) -> None:
    """With 3,000 reminders due at a limit of 40 a second, an absence is sent within a second of being reported."""
    school = await make_school(db, students=300)
    sender = FakeSender()
    for _ in range(10):
        await fanned_out(db, school, fee_reminder(school, school.students))
    async with db.tenant(school.id) as tx:  # by day also where the tests run at night
        await tx.execute("UPDATE deliveries SET next_attempt_at = now(), quiet_from = NULL, quiet_to = NULL")
    with watched(tmp_path) as stall:
        await sent_at_the_limit(db, school, sender, stall)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, finished_at = now()"
            " WHERE next_attempt_at IS NOT NULL"
        )


async def sent_at_the_limit(db: PostgresDatabase, school: MadeSchool, sender: FakeSender, stall: Stall) -> None:
    """Report absences while reminders leave at 40 a second, and hold the reminders in between to one second's."""
    async with limited(db, sender, FakeRateLimiter(40)) as loop:
        await sender.until_asked(20)
        began = monotonic()
        event = await fanned_out(db, school, attendance_marked(school, absent=school.students[:5]))
        before = sum(sender.requests.values())
        loop.wake()
        for _ in range(500):
            if await sent_of(db, school, event.id) == 5:
                break
            await asyncio.sleep(0.02)
        assert await sent_of(db, school, event.id) == 5
        after, took_s = sum(sender.requests.values()), monotonic() - began
        kept_back_s = took_s - stall.own_s(began, began + took_s)
    assert took_s - kept_back_s < 2
    assert after - before <= 40 * (1 + kept_back_s)  # while the machine keeps us back, the limit goes on


async def sent_of(db: PostgresDatabase, school: MadeSchool, event_id: uuid.UUID) -> int:
    """Return how many SMS of an event are sent."""
    async with db.tenant(school.id) as tx:
        return int(
            await tx.fetchval(
                "SELECT count(*) FROM deliveries WHERE event_id = $1 AND channel = 'sms' AND state = 'sent'", event_id
            )
        )


async def test_without_the_limiter_nothing_leaves_and_then_the_urgent_first(db: PostgresDatabase) -> None:
    """While Redis is away no SMS leaves; when it is back absences go before the reminders that came first."""
    school = await make_school(db, students=10)
    sender, limiter = FakeSender(), FakeRateLimiter(20)
    limiter.away = True
    await fanned_out(db, school, fee_reminder(school, school.students))
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET next_attempt_at = now(), quiet_from = NULL, quiet_to = NULL")
    patient = replace(QUICK, lease=timedelta(hours=2), request_timeout=timedelta(hours=1))
    async with limited(db, sender, limiter, patient):
        await until(lambda: limiter.asked > 0)
        await fanned_out(db, school, attendance_marked(school, absent=school.students[:3]))
        await until_stand(db, school, ("sms", "claimed"), 13)
        asked = limiter.asked
        await until(lambda: limiter.asked > asked + 1)
        assert not sender.requests
        limiter.away = False
        await settled(db, school)
    bodies = [sender.taken[key].text.body for key in sender.requests]
    places = [place for place, body in enumerate(bodies) if "absent" in body]
    # In the order they came in they'd be the last three. A permit that lapses on a busy machine costs a few places.
    assert (len(bodies), len(places)) == (13, 3)
    assert places[-1] < 8, bodies


@pytest.mark.parametrize(("keyed", "state", "reason"), [(False, "dead", Reason.IN_DOUBT), (True, "retry", None)])
async def test_a_reminder_in_doubt_is_given_up_where_keys_are_unknown(
    db: PostgresDatabase, keyed: bool, state: str, reason: Reason | None
) -> None:
    """A reminder whose worker was lost while sending is dead with that reason; with keys it goes out again."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, fee_reminder(school, school.students), clock=clock)
    async with db.dispatch() as tx:
        (own,) = await delivery_store.claim_due(tx, room(Channel.SMS), worker="w", now=clock.now(), lease=LEASE)
        assert own.lane is Lane.BULK
        await delivery_store.mark_sending(tx, [own], worker="w", now=clock.now(), lease=LEASE, at_least=LEASE)
        channels = {Channel.SMS} if keyed else set[Channel]()
        released = await delivery_store.release_expired(
            tx, now=clock.now() + 2 * LEASE, keyed=channels, at_most_once={"fee.reminder"}
        )
        row = await tx.fetchrow("SELECT state, reason FROM deliveries WHERE id = $1", own.id)
        log = await tx.fetchval("SELECT outcome FROM delivery_attempts WHERE delivery_id = $1", own.id)
        await tx.execute(
            "UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, died_at = NULL WHERE id = $1", own.id
        )
    assert released == (0, 1)
    assert row is not None
    assert (row["state"], row["reason"], log) == (state, reason, "lost")


async def test_an_unclear_answer_to_a_reminder_is_not_repeated(db: PostgresDatabase) -> None:
    """Where the provider's answer leaves open whether it took a reminder, it is asked once and no more."""
    school = await make_school(db, students=2)
    sender = FakeSender(lambda _: Unavailable("HTTP 502"))
    await fanned_out(db, school, fee_reminder(school, school.students))
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET next_attempt_at = now(), quiet_from = NULL, quiet_to = NULL")
    async with limited(db, sender, FakeRateLimiter(100)):
        stand = await settled(db, school)
    assert stand[("sms", "dead")] == 2
    assert set(sender.requests.values()) == {1}


async def test_a_limited_channel_asks_for_no_more_workers_than_it_can_feed(
    db: PostgresDatabase, redis_url: str
) -> None:
    """Of a channel with a limit only three seconds' worth counts for the pool's size; what has none counts whole."""
    clock = FakeClock()
    school = await make_school(db, students=200)
    stream = RedisEventStream(redis_url, client_name="tests", key_prefix=f"{uuid.uuid4().hex}:")
    backlog = Backlog(db, stream, clock, rates={Channel.SMS: 30})
    before = await backlog()  # what other tests of this database left in the bell
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    assert await backlog() == before + 90 + 200
    await stream.close()
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, finished_at = now()")


async def test_two_clusters_share_the_work_without_a_duplicate(
    db: PostgresDatabase, database_url: str, redis_url: str
) -> None:
    """Two clusters on one database and one stream, two pools each, send every message once."""
    school = await make_school(db, students=120)
    sender, prefix = FakeSender(), f"{uuid.uuid4().hex}:"
    async with AsyncExitStack() as stack:
        for cluster in ("blue", "green"):
            for number in range(2):
                name = f"{cluster}-{number}"
                stream = RedisEventStream(redis_url, client_name=name, key_prefix=prefix)
                await stack.enter_async_context(pool(db, database_url, stream, name, sender))
        for start in range(0, 120, 10):
            async with db.tenant(school.id) as tx:
                payload = attendance_marked(school, absent=school.students[start : start + 10])
                await emit(tx, school_id=school.id, payload=payload, occurred_at=SystemClock().now())
        await until_stand(db, school, ("sms", "sent"), 120)
        await settled(db, school)
    assert set(sender.requests.values()) == {1}
    async with db.tenant(school.id) as tx:
        workers = await tx.fetch("SELECT DISTINCT split_part(worker, '-', 1) AS cluster FROM delivery_attempts")
        assert await tx.fetchval("SELECT count(*) FROM notifications") == 120
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE channel = 'sms'") == 120
    assert {row["cluster"] for row in workers} == {"blue", "green"}


@asynccontextmanager
async def pool(
    db: PostgresDatabase, database_url: str, stream: RedisEventStream, name: str, sender: FakeSender
) -> AsyncIterator[None]:
    """Run a relay, a consumer and a delivery loop, as one pool of a cluster has them."""
    await stream.create_group()
    signal = PostgresSignal(database_url, WAKE_CHANNEL, application_name=name)
    relay = Relay(db, stream, signal)
    delivery = DeliveryLoop(db, SystemClock(), {Channel.SMS: sender}, QUICK, worker=name)
    fan_out = FanOut(db, SystemClock(), frozenset({Channel.SMS}), wake=delivery.wake)
    patience = ConsumerPolicy(block=timedelta(milliseconds=100))
    consumer = EventConsumer(stream, DeadLetters(db), fan_out, name=name, policy=patience)
    await delivery.start()
    running = [asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())]
    try:
        yield
    finally:
        relay.stop()
        consumer.stop()
        await asyncio.gather(*running)
        await delivery.stop(5)
        await signal.close()
        await stream.close()


async def test_a_high_limit_that_is_not_known_costs_no_attempt(db: PostgresDatabase) -> None:
    """While the limiter of an account with a high limit is away nothing is claimed; then everything leaves at once."""
    school = await make_school(db, students=10)
    sender, limiter = FakeSender(), FakeRateLimiter(5_000)
    limiter.away = True
    await fanned_out(db, school, attendance_marked(school, absent=school.students))
    async with limited(db, sender, limiter):
        await until_stand(db, school, ("push", "sent"), 10)
        asked = limiter.asked
        await until(lambda: limiter.asked > asked + 3)
        assert (await states(db, school))["sms", "queued"] == 10
        limiter.away = False
        await settled(db, school)
    assert len(sender.taken) == 10
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT max(attempts) FROM deliveries") == 1
