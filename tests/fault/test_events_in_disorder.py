"""Events that come badly: too many for the stream, poisoned, or again and again in any order."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from redis import asyncio as aioredis

from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.clock import FakeClock, SystemClock
from core.events.consumer import ConsumerPolicy, EventConsumer, Handler
from core.events.dead_letters import DeadLetters
from core.events.envelope import Event, to_fields
from core.events.outbox import WAKE_CHANNEL, claim_handling, emit
from core.events.relay import Relay, RelayPolicy
from core.ids import EventId, new_id
from core.notifications.fanout import FanOut
from core.notifications.model import Channel
from tests.factories.notifications import attendance_marked, emitted, fee_reminder, scores_published
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import settle
from tests.fault.parts import PATIENCE_S
from tests.fault.servers import KillableRedis

SOON = timedelta(milliseconds=20)
PATIENCE = ConsumerPolicy(batch=50, block=SOON * 5, first_retry=SOON, reclaim_every=SOON)
MEGABYTE = 1024 * 1024


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port, with no event left over."""
    database = PostgresDatabase(database_url, application_name="tests")
    async with database.dispatch() as tx:
        await tx.execute("UPDATE outbox SET relayed_at = now(), handled_at = now() WHERE handled_at IS NULL")
    yield database
    await database.close()


@pytest.fixture
async def signal(database_url: str) -> AsyncIterator[PostgresSignal]:
    """A listener on the outbox's channel."""
    signal = PostgresSignal(database_url, WAKE_CHANNEL, application_name="tests")
    yield signal
    await signal.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[KillableRedis]:
    """A Redis of one test's own."""
    server = KillableRedis(tmp_path / "redis", near_port=25_450)
    yield server
    server.stop()


@pytest.fixture
async def stream(redis: KillableRedis) -> AsyncIterator[RedisEventStream]:
    """The stream of that Redis, with its group."""
    stream = RedisEventStream(redis.url, client_name="tests")
    await stream.create_group()
    yield stream
    await stream.close()


async def emit_many(db: PostgresDatabase, school: MadeSchool, count: int) -> set[EventId]:
    """Write events of all students of a school in one transaction."""
    async with db.tenant(school.id) as tx:
        now = SystemClock().now()
        payloads = [scores_published(school) for _ in range(count)]
        return {await emit(tx, school_id=school.id, payload=payload, occurred_at=now) for payload in payloads}


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a relay; raise what ended it early."""
    running = asyncio.create_task(relay.run())
    try:
        yield running
    finally:
        relay.stop()
        await running


class Handling:
    """A handler that counts each event that takes effect."""

    def __init__(self, db: PostgresDatabase, expected: int) -> None:
        self.handled: Counter[EventId] = Counter()
        self.all = asyncio.Event()
        self._db = db
        self._expected = expected

    async def __call__(self, event: Event) -> None:
        """Handle an event once."""
        async with self._db.tenant(event.school_id) as tx:
            first = await claim_handling(tx, event.id)
        if first:
            self.handled[event.id] += 1
        if len(self.handled) == self._expected:
            self.all.set()


async def test_a_backlog_waits_in_the_outbox_and_not_in_redis(
    db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal
) -> None:
    """However many events there are, the stream is given no more than may wait in it, and all are handled once."""
    school = await make_school(db, students=1)
    events = await emit_many(db, school, 1_500)
    policy = RelayPolicy(batch=50, most_waiting=200, poll_every=SOON, upkeep_every=SOON, keep=50)
    handling, most = Handling(db, len(events)), 0
    consumer = EventConsumer(stream, DeadLetters(db), handling, name="a", policy=PATIENCE)
    async with relaying(Relay(db, stream, signal, policy)):
        ends = monotonic() + PATIENCE_S
        while (await stream.state()).backlog < 200:
            assert monotonic() < ends
        consuming = asyncio.create_task(consumer.run())
        while not handling.all.is_set():
            assert monotonic() < ends
            most = max(most, (await stream.state()).backlog)
            await asyncio.sleep(0.01)
        consumer.stop()
        await consuming
    sys.stdout.write(f"\n{len(events)} events through a stream that may hold 200: at most {most} waited in it\n")
    assert most <= 200
    assert handling.handled == Counter(events)


async def test_a_redis_without_memory_left_mends_itself(
    db: PostgresDatabase, redis: KillableRedis, stream: RedisEventStream, signal: PostgresSignal
) -> None:
    """At its memory's end Redis takes no event more and nothing breaks; consumers make room, and none is lost."""
    school = await make_school(db, students=60)
    async with aioredis.Redis.from_url(redis.url) as client:
        cap = (await client.info("memory"))["used_memory"] + 3 * MEGABYTE
        await client.config_set("maxmemory", cap)
        events = await emit_many(db, school, 1_500)
        policy = RelayPolicy(batch=50, poll_every=SOON, upkeep_every=SOON, keep=20)
        handling = Handling(db, len(events))
        consumer = EventConsumer(stream, DeadLetters(db), handling, name="a", policy=PATIENCE)
        async with relaying(Relay(db, stream, signal, policy)) as running:
            ends = monotonic() + PATIENCE_S
            while not (await client.info("errorstats")).get("errorstat_OOM"):
                assert monotonic() < ends
                assert not running.done()
            waiting = (await stream.state()).backlog
            used = (await client.info("memory"))["used_memory"]
            consuming = asyncio.create_task(consumer.run())
            async with asyncio.timeout(PATIENCE_S):
                await handling.all.wait()
            consumer.stop()
            await consuming
    sys.stdout.write(
        f"\nRedis full at {waiting} of {len(events)} events ({(used - cap) / 1024:+.0f} kB of its cap); all handled\n"
    )
    assert 0 < waiting < len(events)
    assert used < cap + MEGABYTE // 4
    assert handling.handled == Counter(events)


async def test_poison_does_not_block_its_neighbours(
    db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal
) -> None:
    """What is no event, of no known type, or breaks its handler each time is a dead letter; its neighbours arrive."""
    school = await make_school(db, students=4)
    fan_out = FanOut(db, SystemClock(), frozenset({Channel.SMS}))
    cursed = await emitted(db, school, attendance_marked(school, absent=school.students[:1]))
    tries: Counter[EventId] = Counter()

    async def handle(event: Event) -> None:
        tries[event.id] += 1
        if event.id == cursed.id:
            raise ZeroDivisionError
        await fan_out(event)

    before = await emitted(db, school, scores_published(school))
    await stream.append([{"not": "an event"}, to_fields(cursed) | {"id": str(new_id()), "type": "scores.eaten"}])
    after = await emitted(db, school, attendance_marked(school, late=school.students[1:]))
    letters = DeadLetters(db)
    consumer = EventConsumer(stream, letters, handle, name="a", policy=PATIENCE)
    async with relaying(Relay(db, stream, signal)):
        consuming = asyncio.create_task(consumer.run())
        ends = monotonic() + PATIENCE_S
        while await letters.count() < 3:
            assert monotonic() < ends
            await asyncio.sleep(0.01)
        consumer.stop()
        await consuming
    reasons = Counter(letter.reason for letter in await letters.page(school.id, 10))
    assert tries[cursed.id] == PATIENCE.max_deliveries
    assert tries[before.id] == tries[after.id] == 1
    assert reasons[f"failed {PATIENCE.max_deliveries} times, at last: ZeroDivisionError"] == 1
    assert len(await deliveries(db, school)) == 2 * (4 + 3)
    assert (await stream.state()).backlog == 0


@pytest.mark.parametrize("hold_back", [0, 15])
@pytest.mark.parametrize("seed", range(4))
async def test_redelivery_in_any_order_makes_the_same_deliveries(
    db: PostgresDatabase, seed: int, hold_back: int
) -> None:
    """Events that come several times, shuffled, and some at once, make what each of them made coming once in order."""
    chance, made = random.Random(seed), []
    for shuffled in (False, True):
        school = await make_school(db, students=3, guardians_per_student=2)
        await settle(db, school, holdBackMinutes=hold_back, quietHours=None)
        handle = FanOut(db, FakeClock(), frozenset({Channel.SMS}))
        payloads = [
            scores_published(school),
            scores_published(school, school.students[:2]),
            fee_reminder(school, school.students),
            attendance_marked(school, absent=school.students[:1], late=school.students[1:]),
        ]
        events = [await emitted(db, school, payload, FakeClock()) for payload in payloads]
        if shuffled:
            await in_disorder(handle, events, chance)
        else:
            for event in events:
                await handle(event)
        made.append(await told(db, school, events))
    assert made[0] == made[1]


async def in_disorder(handle: Handler, events: list[Event], chance: random.Random) -> None:
    """Hand each event over three times in a random order, two at a time."""
    order = events * 3
    chance.shuffle(order)
    for pair in zip(order[::2], order[1::2], strict=True):
        await asyncio.gather(*(handle(event) for event in pair))


async def deliveries(db: PostgresDatabase, school: MadeSchool) -> list[dict[str, Any]]:
    """Return the deliveries that are to be sent."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT * FROM deliveries WHERE state = 'queued'")
    return [dict(row) for row in rows]


async def told(db: PostgresDatabase, school: MadeSchool, events: list[Event]) -> Counter[tuple[str, ...]]:
    """Return who is told what by which channel, in places instead of ids, so that two schools can be compared."""
    people = {school.users[guardian]: f"guardian {n}" for n, guardian in enumerate(school.guardians)}
    places = {str(student): f"student {n}" for n, student in enumerate(school.students)}
    places |= {str(event.id): f"event {n}" for n, event in enumerate(events)}
    return Counter(
        (
            people[row["recipient_id"]],
            places[str(row["student_id"])],
            row["channel"],
            row["event_type"],
            str(row["next_attempt_at"]),
            *sorted(
                f"{places[key.split(':')[0]]} {places[entry['event']]}"
                for key, entry in (row["content"].get("results") or {}).items()
            ),
        )
        for row in await deliveries(db, school)
    )
